"""Surfaces: their heights and gradients by NumPy, and points that descend on them."""

import json
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from building import Made, make

from nnlab.commands.smoke import smoke_run
from nnlab.core.errors import ConfigError
from nnlab.display.open_view import open_view
from nnlab.experiment.handed import experiment_of
from nnlab.parts.datasets.synthetic.surface import SURFACES
from nnlab.runs.finished.evaluate import evaluate
from nnlab.runs.run import resume, train

Pair = tuple[float, float]


def beale(x: float, y: float) -> Pair:
    a, b, c = 1.5 - x + x * y, 2.25 - x + x * y**2, 2.625 - x + x * y**3
    return (
        2 * a * (y - 1) + 2 * b * (y**2 - 1) + 2 * c * (y**3 - 1),
        2 * a * x + 4 * b * x * y + 6 * c * x * y**2,
    )


def himmelblau(x: float, y: float) -> Pair:
    a, b = x**2 + y - 11, x + y**2 - 7
    return 4 * x * a + 2 * b, 2 * a + 4 * y * b


def rastrigin(x: float, y: float) -> Pair:
    turn = 2 * np.pi
    return 2 * x + 10 * turn * np.sin(turn * x), 2 * y + 10 * turn * np.sin(turn * y)


# Differentiated by hand.
GRADIENTS: dict[str, Callable[[float, float], Pair]] = {
    "beale": beale,
    "bowl": lambda x, y: (x, y),
    "himmelblau": himmelblau,
    "rastrigin": rastrigin,
    "ravine": lambda x, y: (x, 50 * y),
    "rosenbrock": lambda x, y: (-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)),
    "saddle": lambda x, y: (2 * x, -2 * y + y**3),
}


def on(function: str, optimizer: object = "adam", steps: int = 20, **keys: object) -> Made:
    data = {"kind": "surface", "function": function, **keys}
    train = {"steps": steps, "precision": "fp64"}
    return make(data=data, model="point", optimizer=optimizer, train=train)


def path_of(made: Made) -> list[Pair]:
    readings, _ = made.run()
    return [(reading.values["x"], reading.values["y"]) for reading in readings]


@pytest.mark.parametrize("name", list(SURFACES))
class TestEverySurface:
    def test_has_the_gradient_that_is_worked_out_by_hand(self, name: str) -> None:
        for x, y in ((-1.3, 0.7), (0.4, -1.1), (2.0, 1.5)):
            point = torch.tensor([x, y], dtype=torch.float64, requires_grad=True)
            SURFACES[name].height(point[0], point[1]).backward()
            assert point.grad is not None
            np.testing.assert_allclose(point.grad.numpy(), GRADIENTS[name](x, y), rtol=1e-10)

    def test_is_flat_and_lowest_at_its_minima(self, name: str) -> None:
        surface = SURFACES[name]
        for x, y in surface.minima:
            np.testing.assert_allclose(GRADIENTS[name](x, y), (0.0, 0.0), atol=1e-6)
            at = torch.tensor([x, y], dtype=torch.float64)
            lowest = surface.height(at[0], at[1]).item()
            assert lowest == pytest.approx(-1.0 if name == "saddle" else 0.0, abs=1e-10)
            grid = torch.linspace(-5, 5, 201, dtype=torch.float64)
            assert surface.height(grid[:, None], grid[None, :]).min() >= lowest - 1e-10

    def test_gradient_descent_goes_where_the_hand_written_loop_goes(self, name: str) -> None:
        made = on(name, {"kind": "sgd", "lr": 1e-4, "momentum": 0.9})
        path = path_of(made)
        assert path[0] == pytest.approx(SURFACES[name].start)
        place, speed = np.array(path[0]), np.zeros(2)
        for found in path[1:]:
            # A training reading shows the point before its update.
            np.testing.assert_allclose(found, place, rtol=1e-6)
            speed = 0.9 * speed + np.array(GRADIENTS[name](*place))
            place = place - 1e-4 * speed
        np.testing.assert_allclose(made.weights()["point.position"].numpy(), place, rtol=1e-6)


def test_adam_reaches_the_minimum_of_the_bent_ravine() -> None:
    made = on("rosenbrock", {"kind": "adam", "lr": 0.1})
    for _ in range(1000):
        made.built.step.update(made.rows)
    np.testing.assert_allclose(made.weights()["point.position"].numpy(), (1.0, 1.0), atol=0.02)


def test_gradient_descent_swings_across_a_ravine_where_adagrad_does_not() -> None:
    # At lr 0.035 each step across multiplies y by 1 - 50 * 0.035 = -0.75.
    swings = [y for _, y in path_of(on("ravine", {"kind": "sgd", "lr": 0.035}))[1:8]]
    assert all(a * b < 0 for a, b in pairwise(swings))
    calm = [y for _, y in path_of(on("ravine", {"kind": "adagrad", "lr": 0.1}))[1:8]]
    assert all(y > 0 for y in calm)


def test_a_point_on_the_ridge_of_the_saddle_stays_there() -> None:
    path = path_of(on("saddle", {"kind": "sgd", "lr": 0.1}, steps=100, start=(1.0, 0.0)))
    assert path[-1] == pytest.approx((0.0, 0.0), abs=1e-6)


def test_the_path_is_in_metrics_and_in_tensorboard(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_file_loader import (
        EventFileLoader,  # pyright: ignore[reportMissingTypeStubs]
    )

    data = {"kind": "surface", "function": "rosenbrock", "start": (-1.5, 2.0), "validation": "same"}
    config = {"data": data, "model": "point", "train": {"steps": 5}}
    summary = train(config, run_dir=tmp_path / "run")
    assert summary.parameters == 2
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    after = {line["step"]: (line["x"], line["y"]) for line in lines if line["split"] != "train"}
    assert sorted(after) == [0, 1, 2, 3, 4, 5]
    assert after[0] == (-1.5, 2.0)
    assert lines[0]["loss"] == pytest.approx(2.5**2 + 100 * 0.25**2)
    (events,) = (tmp_path / "run").glob("events.out.*")
    tags = {v.tag for e in EventFileLoader(str(events)).Load() for v in e.summary.value}
    assert {"x/train", "y/train", "x/validation", "loss/train"} <= tags
    found = evaluate(tmp_path / "run", split="train")
    assert (found["x"], found["y"]) == pytest.approx(after[5])
    with pytest.raises(ConfigError, match="--split test: this run has no test split"):
        evaluate(tmp_path / "run")


def test_goes_on_where_it_stopped(tmp_path: Path) -> None:
    config = {"data": "surface", "model": "point"}
    whole = train({**config, "train": {"steps": 8}}, run_dir=tmp_path / "whole")
    train({**config, "train": {"steps": 4}}, run_dir=tmp_path / "parts")
    parts = resume(tmp_path / "parts", overrides=["train.steps=8"])
    assert parts.last["train"]["loss"] == whole.last["train"]["loss"]


def test_smokes() -> None:
    experiment = experiment_of({"data": "surface", "model": "point"})
    found = smoke_run(experiment, view=open_view(quiet=True, stream=sys.stderr))
    assert found["status"] == "completed"
    assert set(found["test"]) == {"split", "samples", "loss", "x", "y"}


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"model": "linear"}, r"linear cannot stand on a surface, .* \(write model: point\)"),
        ({"data": "iris"}, r"a point needs a surface to stand on \(write data: surface\)"),
        ({"loss": "mse"}, r"loss: the height of the surface is all there is to minimize"),
        ({"scores": ("mae",)}, "scores: x and y are read as scores"),
        ({"rule": "perceptron"}, "rule: a surface has its gradient and nothing else"),
        ({"data": {"kind": "surface", "function": "banana"}}, "'banana' is called rosenbrock here"),
        ({"data": {"kind": "surface", "start": (1,)}}, r"data\.start\.1: is missing"),
        ({"data": {"kind": "surface", "validation": 0.1}}, r"data\.validation: 0\.1 is not one of"),
        ({"model": {"kind": "point", "output": {"activation": "relu"}}}, "has no output layer"),
    ],
)
def test_refuses_what_has_no_meaning_on_a_surface(sections: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make(**{"data": "surface", "model": "point", **sections})
