"""Made sequences against their definitions."""

from pathlib import Path

import numpy as np
import pytest

from nnlab.config.loading import place_for
from nnlab.parts.datasets.sequences.memory import (
    AddingConfig,
    BracketsConfig,
    CopyConfig,
    FirstTokenConfig,
    ParityConfig,
)
from nnlab.parts.datasets.sequences.series import MackeyGlassConfig

PLACE = place_for(Path.cwd())


def test_adding_marks_a_number_in_each_half() -> None:
    found = AddingConfig(samples=500, steps=9).read(PLACE)
    inputs = np.asarray(found.inputs)
    marks = inputs[:, :, 1]
    assert (marks[:, :4].sum(1) == 1).all()
    assert (marks[:, 4:].sum(1) == 1).all()
    sums = [row[row[:, 1] == 1, 0].sum() for row in inputs]
    np.testing.assert_allclose(found.targets[:, 0], sums, rtol=1e-6)


def test_guessing_one_costs_a_sixth_in_adding() -> None:
    targets = AddingConfig(samples=50_000, steps=4).read(PLACE).targets
    # The variance of a sum of two U(0, 1).
    assert np.square(targets - 1.0).mean() == pytest.approx(1 / 6, rel=0.02)


def test_copy_asks_for_what_it_showed() -> None:
    found = CopyConfig(samples=50, delay=7, length=3, symbols=5).read(PLACE)
    inputs = np.asarray(found.inputs)
    assert inputs.shape == found.targets.shape == (50, 13)
    assert np.array_equal(inputs[:, :3], found.targets[:, -3:])
    assert (found.targets[:, :-3] == 5).all()
    assert (inputs[:, 9] == 6).all()
    assert (np.delete(inputs[:, 3:], 6, axis=1) == 5).all()


def test_parity_counts() -> None:
    found = ParityConfig(samples=200, steps=7).read(PLACE)
    assert np.array_equal(found.targets, np.asarray(found.inputs)[:, :, 0].sum(1) % 2)


def test_the_first_token_is_the_answer() -> None:
    found = FirstTokenConfig(samples=200).read(PLACE)
    assert np.array_equal(found.targets, np.asarray(found.inputs)[:, 0])


@pytest.mark.parametrize("depth", [1, 3])
def test_brackets_are_balanced_where_it_is_said(depth: int) -> None:
    found = BracketsConfig(samples=400, pairs=6, depth=depth).read(PLACE)
    heights = np.cumsum(1 - 2 * np.asarray(found.inputs).astype(int), axis=1)
    assert (heights[:, -1] == 0).all()  # as many open as close in every sequence
    balanced = (heights >= 0).all(axis=1)
    assert np.array_equal(balanced.astype(int), found.targets)
    assert heights.max() <= depth
    assert heights[balanced].max() == depth
    assert found.targets.mean() == 0.5


def test_mackey_glass_solves_its_equation() -> None:
    """The derivative by a difference over a step of 0.1, as a finer solution has it."""
    fine = MackeyGlassConfig(samples=400).values()
    assert fine.min() > 0.2
    assert fine.max() < 1.4
    # SciPy has no solver with delays: by the method of steps with a tenth of the step width.
    inner = 100
    x = [1.2] * (17 * inner + 1)
    for _ in range(340 * inner):
        late = x[-17 * inner - 1]
        x.append(x[-1] + (0.2 * late / (1 + late**10) - 0.1 * x[-1]) / inner)
    coarse = np.array(x[17 * inner + 1 :])[300 * inner :: inner][:40]
    np.testing.assert_allclose(fine[:40], coarse, atol=0.02)
