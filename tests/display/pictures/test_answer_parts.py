"""The picture of where answers come from, against integrals of many points and by hand."""

from typing import Any

import numpy as np
import pytest
import torch
from building import Made, make
from test_collected import CNN, MOONS, SUNSPOTS, scene, shown, titles

from nnlab.display.pictures.drawing import figure_png
from nnlab.display.pictures.inputs.answers import AnswerParts
from nnlab.runs.explaining.explainable import explainable_of
from nnlab.runs.explaining.gradients import integrated_gradients

TOKENS: dict[str, Any] = {
    "data": {"kind": "first_token", "samples": 60, "steps": 6},
    "model": {"kind": "transformer", "width": 8, "depth": 1, "heads": 2},
}
TABLE: dict[str, Any] = {"data": "iris", "model": {"kind": "mlp", "hidden": [5]}}
BRACKETS: dict[str, Any] = {
    "data": {"kind": "brackets", "samples": 60, "pairs": 3},
    "model": {"kind": "gru", "units": 4},
}


def many_points(made: Made, picture: AnswerParts) -> torch.Tensor:
    """Integrated gradients of the same answers by 200 points."""
    network = explainable_of(made.experiment, made.built.network.eval())
    numbers = network.numbers(picture._inputs)  # pyright: ignore[reportPrivateUsage]
    with torch.no_grad():
        columns = network(numbers).argmax(1)
    nothing = torch.zeros_like(numbers[:1])
    return integrated_gradients(network, numbers, columns, baseline=nothing, steps=200).attribution


@pytest.mark.parametrize("sections", [CNN, TOKENS, TABLE], ids=["images", "tokens", "table"])
def test_the_parts_are_those_of_an_integral_of_many_points(sections: dict[str, Any]) -> None:
    made = make(**sections)
    with torch.no_grad():
        for parameter in made.built.network.parameters():
            parameter.mul_(1.5)
    picture = AnswerParts(scene(made))
    found = shown(picture)["parts"]
    wanted = many_points(made, picture)
    axis = {"digits": 1, "iris": None}.get(str(sections["data"]), 2)
    wanted = wanted.abs().mean(0) if axis is None else wanted.sum(axis)
    # Eight points: kinks of ReLU and the softmax of attention cost some percent.
    assert np.abs(found - wanted.numpy()).max() < 0.1 * wanted.abs().max()


def test_looking_leaves_the_network_as_it_was() -> None:
    made = make(**CNN)
    network = made.built.network.train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    state = torch.get_rng_state()
    AnswerParts(scene(made)).arrays()
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())
    assert all(module.training for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("sections", [TOKENS, SUNSPOTS, BRACKETS], ids=["tokens", "steps", "own"])
def test_steps_are_drawn_with_what_stands_there(sections: dict[str, Any]) -> None:
    made = make(**sections)
    found = shown(AnswerParts(scene(made)))
    assert found["steps"].shape == found["parts"].shape
    assert figure_png(AnswerParts, found)


def test_tokens_that_are_no_classes_have_their_numbers() -> None:
    found = shown(AnswerParts(scene(make(**BRACKETS))))
    assert set(found["steps"].ravel().tolist()) == {"0", "1"}  # not the names of the two classes


def test_planes_and_surfaces_have_a_better_picture() -> None:
    title = AnswerParts.title
    assert title not in titles(MOONS)
    assert title not in titles({"data": "surface", "model": "point", "train": {"steps": 10}})
