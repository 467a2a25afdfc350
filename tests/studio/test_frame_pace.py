"""Where a boundary costs too much it gets coarser, and finer again where there is time."""

from typing import Any

import numpy as np
import pytest
import torch
from building import make
from numpy.typing import NDArray

from nnlab.display.pictures.boundary import DecisionBoundary
from nnlab.runs.observers.gallery import scene_of
from nnlab.studio.worker.eyes import LEVELS, next_level
from nnlab.studio.worker.shown_pictures import FINEST, Fineness, ShownPictures, weave

TITLE = DecisionBoundary.title


@pytest.mark.parametrize(
    ("per_point", "other", "wanted"),
    [(1e-7, 2e-4, 0), (2e-6, 2e-4, 2), (3e-7, 2e-4, 1), (1e-4, 0.0, 2)],
    ids=["quick", "too slow for two", "too slow for one", "always too slow"],
)
def test_it_comes_to_rest_where_a_frame_fits(per_point: float, other: float, wanted: int) -> None:
    level, usual, levels = 0, 0.0, list[int]()
    for _ in range(200):
        level, usual = next_level(level, usual, other + per_point * LEVELS[level].points)
        levels.append(level)
    assert levels[-100:] == [wanted] * 100


def test_it_comes_back_when_the_machine_is_free_again() -> None:
    level, usual = 2, 0.005
    for _ in range(60):
        level, usual = next_level(level, usual, 2e-4 + 1e-7 * LEVELS[level].points)
    assert level == 0


def test_one_slow_frame_changes_nothing() -> None:
    level, usual = next_level(0, 0.001, 0.008)
    assert (level, usual) == (0, pytest.approx(0.0024))


def test_a_boundary_is_asked_by_halves_and_whole_where_nothing_moves() -> None:
    made = make(
        data={"kind": "moons", "samples": 100},
        model={"kind": "mlp", "hidden": [5]},
        train={"epochs": 1},
    )
    network = made.built.network

    def shown() -> ShownPictures:
        return ShownPictures(scene_of(made.experiment, made.examples, network, made.built.source))

    def sure(pictures: ShownPictures, fineness: Fineness) -> "NDArray[Any]":
        return pictures.collect([TITLE], fineness)[f"{TITLE}/sure"]

    def changed() -> None:
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(torch.randn_like(parameter))

    watched, halves, whole = shown(), Fineness(20, halved=True), Fineness(20, halved=False)
    first, right = sure(watched, halves), sure(shown(), whole)
    np.testing.assert_array_equal(first, right)  # nothing to put a half into
    for turn in (1, 0, 1):
        changed()
        np.testing.assert_array_equal(sure(watched, halves)[turn::2], sure(shown(), whole)[turn::2])
    # What has come to rest is whole one frame later.
    np.testing.assert_array_equal(sure(watched, halves)[::2], sure(shown(), whole)[::2])
    np.testing.assert_array_equal(sure(watched, halves), sure(shown(), whole))
    np.testing.assert_array_equal(first, right)  # what was sent stays as it was
    assert sure(watched, FINEST).shape == (100, 100)
    # Whoever looks away for a while gets it whole.
    changed()
    watched.collect([], halves)
    np.testing.assert_array_equal(sure(watched, halves), sure(shown(), whole))


def test_rows_between_new_ones_follow_where_those_move_and_stay_where_not() -> None:
    before = {"sure": np.full((5, 2), 100, np.uint8), "regions": np.zeros((5, 2), np.uint8)}
    new = {"sure": np.full((3, 2), 100, np.uint8), "regions": np.zeros((3, 2), np.uint8)}
    new["sure"][1, 0] = 200
    new["regions"][2, 1] = 1
    asked, found = weave(before, new, 0)
    np.testing.assert_array_equal(found["sure"][:, 0], [100, 150, 200, 150, 100])
    np.testing.assert_array_equal(found["sure"][:, 1], [100] * 5)
    np.testing.assert_array_equal(found["regions"][:, 1], [0, 0, 0, 0, 1])
    np.testing.assert_array_equal(asked["sure"][:, 0], [100, 100, 200, 100, 100])
    # An edge that stands is no edge that moves, however sharp it is.
    still = {name: array[1::2] for name, array in asked.items()}
    np.testing.assert_array_equal(weave(asked, still, 1)[1]["sure"], asked["sure"])
    _, odd = weave(before, {name: array[:2] for name, array in new.items()}, 1)
    np.testing.assert_array_equal(odd["sure"][:, 0], [100, 100, 150, 200, 200])
    np.testing.assert_array_equal(before["sure"], np.full((5, 2), 100))
