"""Where a boundary costs too much it gets coarser, and finer again where there is time."""

import numpy as np
import pytest
import torch
from building import make

from nnlab.display.pictures.boundary import DecisionBoundary
from nnlab.runs.observers.gallery import scene_of
from nnlab.studio.worker.eyes import LEVELS, next_level
from nnlab.studio.worker.shown_pictures import FINEST, Fineness, ShownPictures

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


def test_the_rows_of_a_boundary_are_asked_in_turn_and_each_as_if_it_were_alone() -> None:
    made = make(
        data={"kind": "moons", "samples": 100},
        model={"kind": "mlp", "hidden": [5]},
        train={"epochs": 1},
    )
    network = made.built.network

    def shown() -> ShownPictures:
        return ShownPictures(scene_of(made.experiment, made.examples, network, made.built.source))

    def sure(pictures: ShownPictures, fineness: Fineness) -> np.ndarray:
        return pictures.collect([TITLE], fineness)[f"{TITLE}/sure"]

    def changed() -> None:
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(torch.randn_like(parameter))

    watched, turns = shown(), Fineness(20, 2)
    frames = [sure(watched, turns)]
    wholes = [sure(shown(), Fineness(20, 1))]
    np.testing.assert_array_equal(frames[0], wholes[0])  # the first is whole
    for _ in range(3):
        changed()
        frames.append(sure(watched, turns))
        wholes.append(sure(shown(), Fineness(20, 1)))
        new = {turn for turn in (0, 1) if (frames[-1][turn::2] == wholes[-1][turn::2]).all()}
        assert len(new) == 1  # half of it, in turn
        other = 1 - new.pop()
        np.testing.assert_array_equal(frames[-1][other::2], wholes[-2][other::2])
    np.testing.assert_array_equal(frames[0], wholes[0])  # what was sent stays as it was
    assert sure(watched, FINEST).shape == (100, 100)
    # Whoever looks away for a while gets it whole.
    changed()
    watched.collect([], turns)
    np.testing.assert_array_equal(sure(watched, turns), sure(shown(), Fineness(20, 1)))
