"""One example, worked: the numbers of `nnlab backprop`, of the weights as they are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from building import Made, make

from nnlab.commands.backprop.proof import work_example
from nnlab.runs.observers.gallery import scene_of
from nnlab.studio.worker.example import Follower, inputs_of

MLP: dict[str, Any] = {
    "data": {"kind": "moons", "samples": 100},
    "model": {"kind": "mlp", "hidden": [5, 4], "activation": "tanh"},
    "train": {"epochs": 2, "batch_size": 20},
}


def follower(made: Made) -> Follower:
    return Follower(scene_of(made.experiment, made.examples, made.built.network))


@pytest.mark.parametrize("data", [MLP["data"], {"kind": "function", "samples": 100}], ids=str)
def test_forward_and_backward_are_those_of_the_worksheet(data: dict[str, Any]) -> None:
    made = make(**{**MLP, "data": data})
    made.run()
    found = follower(made)
    found.choose("validation", 3)
    worked = found.passes()
    assert worked is not None
    inputs, target = inputs_of(made.examples, int(made.examples.rows["validation"][3]))
    weights = dict(made.built.network.named_parameters())
    sheet = work_example(made.experiment, inputs, target, parameters=weights)
    assert worked["loss"] == pytest.approx(sheet.loss, rel=1e-12)
    for layer, one in zip(worked["layers"], sheet.passes, strict=True):
        for name in ("z", "a", "delta", "inputs"):
            np.testing.assert_allclose(layer[name], getattr(one, name), rtol=1e-7)
        assert one.layer.weight is not None
        np.testing.assert_allclose(layer["weight"], one.layer.weight, rtol=1e-7)
    assert found.proof()["agrees"]


def test_it_follows_the_weights_as_they_change() -> None:
    made = make(**MLP)
    found = follower(made)
    found.choose("train", 0)
    before = found.passes()
    with torch.no_grad():
        next(made.built.network.parameters()).add_(0.1)
    after = found.passes()
    assert before is not None
    assert after is not None
    assert before["layers"][0]["z"] != after["layers"][0]["z"]


def test_what_the_equations_leave_out_is_refused_in_a_sentence() -> None:
    cnn = {"kind": "cnn", "channels": [2], "dense": [4]}
    found = follower(make(data="digits", model=cnn, train={"steps": 1}))
    found.choose("train", 0)
    worked = found.passes()
    assert worked is not None
    assert "layers" not in worked
    assert "fully connected" in worked["refusal"]


def test_an_example_that_is_not_there_is_refused(tmp_path: Path) -> None:
    found = follower(make(**MLP))
    for split, number in (("train", 10**6), ("train", -1), ("nothing", 0)):
        with pytest.raises(ValueError, match="has no example"):
            found.choose(split, number)
    assert found.passes() is None
