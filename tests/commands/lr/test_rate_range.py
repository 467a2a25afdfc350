"""The range test: rates, smoothing, end, and where the suggestions stand."""

from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise, repeat
from math import cos, inf, log, nan, pi

import numpy as np
import pytest
import torch
from torch import Tensor

from nnlab.commands.lr.rate_range import (
    RatePoint,
    Sweep,
    geometric_rates,
    judged_points,
    steepest_point,
    sweep_rates,
    turned_up,
    valley_point,
)
from nnlab.training.window import Window

ROWS = torch.arange(3)


class ScriptedStep:
    """A step whose losses are given."""

    observation = None

    def __init__(self, losses: list[float]) -> None:
        self.window = Window({}, torch.device("cpu"))
        self._losses = losses
        self.rates: list[float] = []
        self.updates = 0

    def fill_learning_rate(self, value: float) -> None:
        self.rates.append(value)

    def update(self, rows: Tensor) -> None:
        self.updates += 1

    def probe(self, rows: Tensor, *, beside: Sequence[Tensor] | None = None) -> None: ...

    def read(self) -> dict[str, float]:
        return {"loss": self._losses[self.updates - 1]}

    def state(self) -> dict[str, Tensor]:
        return {}

    def load(self, state: Mapping[str, Tensor]) -> None: ...


def points(smoothed: list[float]) -> tuple[RatePoint, ...]:
    return tuple(RatePoint(1.1**n, loss, loss) for n, loss in enumerate(smoothed))


def test_rates_grow_in_proportion_from_the_first_to_the_last() -> None:
    np.testing.assert_allclose(geometric_rates(1e-7, 10.0, 100), np.geomspace(1e-7, 10.0, 100))


def test_each_update_has_the_next_rate() -> None:
    step = ScriptedStep([1.0] * 5)
    found = sweep_rates(step, repeat(ROWS), [0.1, 0.2, 0.4])
    assert step.rates == [0.1, 0.2, 0.4]
    assert [point.rate for point in found.points] == step.rates
    assert found.diverged_at is None


def test_the_smoothed_loss_is_the_bias_corrected_running_mean() -> None:
    losses = [3.0, 1.0, 4.0, 1.0, 5.0]
    found = sweep_rates(ScriptedStep(losses), repeat(ROWS), [0.1] * 5)
    # Weights 0.98^age over their sum: what the correction amounts to.
    for n, point in enumerate(found.points, 1):
        weights = 0.98 ** np.arange(n)[::-1]
        assert point.smoothed == pytest.approx(np.average(losses[:n], weights=weights))


def test_ends_where_the_smoothed_loss_is_four_times_its_best() -> None:
    losses = [1.0] * 10 + [100.0] * 10
    found = sweep_rates(ScriptedStep(losses), repeat(ROWS), [float(n) for n in range(1, 21)])
    *before, last = (point.smoothed for point in found.points)
    assert last > 4.0 >= max(before)
    assert found.diverged_at == found.points[-1].rate


@pytest.mark.parametrize("loss", [nan, inf])
def test_ends_at_a_loss_that_is_not_finite(loss: float) -> None:
    found = sweep_rates(ScriptedStep([1.0, 0.9, loss, 0.8]), repeat(ROWS), [0.1, 0.2, 0.3, 0.4])
    assert (len(found.points), found.diverged_at) == (2, 0.3)


def test_a_negative_loss_that_falls_does_not_count_as_divergence() -> None:
    found = sweep_rates(ScriptedStep([-1.0, -2.0, -3.0]), repeat(ROWS), [0.1, 0.2, 0.3])
    assert found.diverged_at is None


def test_steepest_is_where_the_loss_falls_fastest_over_the_logarithm() -> None:
    # A cosine in log(rate) falls fastest at a quarter of its turn.
    grid = geometric_rates(1e-4, 1.0, 401)
    curve = [RatePoint(r, 0.0, cos(pi * log(r / 1e-4) / log(1e4))) for r in grid]
    found = steepest_point(curve)
    assert found is not None
    assert found.rate == pytest.approx(1e-2, rel=0.05)


def test_nothing_is_suggested_where_the_loss_never_falls() -> None:
    rising = points([1.0, 1.0, 2.0, 3.0])
    assert steepest_point(rising) is None
    assert valley_point(rising) is None


def longest_descent(losses: list[float]) -> int:
    """By trying all subsequences."""
    return max(
        count
        for count in range(1, len(losses) + 1)
        for chosen in combinations(losses, count)
        if all(a > b for a, b in pairwise(chosen))
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_valley_stands_in_the_middle_of_the_longest_descent(seed: int) -> None:
    losses = np.random.default_rng(seed).permutation(11).astype(float).tolist()
    curve = points(losses)
    length = longest_descent(losses)
    ends = [n for n in range(11) if longest_descent(losses[: n + 1]) == length]
    start = max(ends[0] - length, 0)
    third = (ends[0] - start) / 3
    assert valley_point(curve) == curve[start + int(third) + int(third / 2)]


def test_noise_does_not_cut_a_descent() -> None:
    falling = [10.0 - n + (0.6 if n % 2 else 0.0) for n in range(10)]
    found = valley_point(points([10.0] * 5 + falling + [20.0] * 5))
    assert found is not None
    assert 5 <= points([0.0] * 20).index(RatePoint(found.rate, 0.0, 0.0)) <= 14


def test_suggestions_leave_out_the_first_tenth_and_the_last_five() -> None:
    curve = points([float(n) for n in range(40)])
    assert judged_points(Sweep(curve, None)) == curve[4:35]
    assert judged_points(Sweep(curve[:6], None)) == curve[:6]


@pytest.mark.parametrize(
    ("losses", "lowest"),
    [
        ([2.0, 1.0, 0.5, 1.2], 2),  # doubles behind the lowest
        ([2.0, 1.0, 0.5, 0.52], None),  # less than a tenth of the fall
        ([2.0, 1.0, 0.5, 0.4], None),
        ([1.0, 1.0, 1.0, 2.0], 0),  # never fell, rose
        ([-1.0, -3.0, -2.0, -1.5], 1),  # a log-likelihood
    ],
)
def test_turning_up_is_a_rise_behind_the_lowest_loss(
    losses: list[float], lowest: int | None
) -> None:
    points = tuple(RatePoint(10.0**i, loss, loss) for i, loss in enumerate(losses))
    assert turned_up(Sweep(points, None)) == (None if lowest is None else points[lowest])
