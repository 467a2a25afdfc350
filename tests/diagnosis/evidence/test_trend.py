"""Whether a loss falls: the slope of noisy readings, against readings of a known one."""

import numpy as np
import pytest

from nnlab.diagnosis.evidence.history import History
from nnlab.diagnosis.evidence.trend import (
    comes_to_rest,
    falls_from_the_start,
    falls_since,
    loss_trend,
)


def history_of(
    losses: "list[float] | np.ndarray", validation: list[float] | None = None
) -> History:
    history = History()
    for step, loss in enumerate(losses):
        history.add(step, "train", {"loss": float(loss)})
    for step, loss in enumerate(validation or []):
        history.add(step, "validation", {"loss": loss})
    return history


def share_of(slope: float, noise: float, *, runs: int = 400, readings: int = 60) -> float:
    """How many of so many runs are said to fall; a slope is the fall from end to end."""
    draw, told = np.random.default_rng(0), 0
    for _ in range(runs):
        course = 1.0 - slope * np.arange(readings + 1) / readings
        trend = loss_trend(history_of(course + noise * draw.normal(size=readings + 1)))
        assert trend is not None
        told += trend.falls
    return told / runs


def test_a_level_loss_falls_by_chance_alone_in_few_runs() -> None:
    """Two standard errors on one side: 2.3 % of a normal law, 3.1 % with an error of 40 pairs."""
    assert share_of(0.0, 0.1) < 0.06


@pytest.mark.parametrize(("slope", "noise"), [(0.5, 0.1), (0.1, 0.02), (0.05, 0.005)])
def test_a_loss_that_falls_is_said_to(slope: float, noise: float) -> None:
    assert share_of(slope, noise) > 0.95


def test_a_fall_by_next_to_nothing_is_rest_however_smooth() -> None:
    assert share_of(0.005, 0.0, runs=1) == 0.0
    assert share_of(0.05, 0.0, runs=1) == 1.0


def test_the_error_is_that_of_the_difference_of_two_means_whatever_the_slope() -> None:
    draw = np.random.default_rng(1)
    errors = [
        loss_trend(history_of(5.0 - 0.02 * np.arange(61) + 0.1 * draw.normal(size=61)))
        for _ in range(300)
    ]
    mean = np.mean([trend.error for trend in errors if trend is not None])
    assert mean == pytest.approx(0.1 * (2 / 20) ** 0.5, rel=0.05)


def test_a_loss_that_was_thrown_up_first_does_not_fall_from_the_start() -> None:
    falling = [0.7 + 1.3 * 0.9**n for n in range(40)]
    assert falls_from_the_start(history_of(falling))
    assert not falls_from_the_start(history_of([0.7, 9.0, *falling]))


def test_validation_that_falls_at_each_reading_counts_where_batches_are_too_noisy() -> None:
    noisy = [2.0 + (-1) ** n * 0.15 for n in range(20)]
    assert not falls_from_the_start(history_of(noisy))
    assert falls_from_the_start(history_of(noisy, [2.3, 2.2, 2.1, 2.0]))
    assert not falls_from_the_start(history_of(noisy, [2.3, 2.2, 2.25, 2.0]))


def test_validation_that_wavers_falls_three_times_by_luck_and_is_at_rest_all_the_same() -> None:
    draw = np.random.default_rng(6)
    still, told, thrice = 0.7 + 0.001 * draw.normal(size=61), 0, 0
    for _ in range(1000):
        wavers = [0.85, *(0.7 + 0.004 * draw.normal(size=20))]
        told += not comes_to_rest(history_of(still, wavers))
        thrice += bool((np.diff(wavers[-4:]) < 0.0).all())
    assert thrice / 1000 > 0.03  # 1 in 24
    assert told < thrice / 2
    assert told / 1000 < 0.02


def test_validation_that_falls_slowly_is_no_rest() -> None:
    draw = np.random.default_rng(7)
    still = 0.7 + 0.05 * draw.normal(size=61)
    for slope in (0.001, 0.01):
        slowly = [0.7 - slope * n for n in range(21)]
        assert not comes_to_rest(history_of(still, slowly))
        assert not comes_to_rest(history_of(still, slowly[:5]))


def test_losses_that_are_thrown_to_and_fro_have_not_fallen_since_a_moment() -> None:
    """A rate that is too high: whatever step is asked for, chance alone says so in few runs."""
    draw, told = np.random.default_rng(5), 0
    for _ in range(400):
        told += falls_since(history_of(np.exp(draw.normal(1.5, 0.8, 180))), 18)
    assert told / 400 < 0.06


def test_losses_that_fall_have_fallen_since_a_moment() -> None:
    draw = np.random.default_rng(5)
    learned = 0.7 * np.exp(-np.arange(180) / 60) + 0.05 * draw.normal(size=180)
    assert falls_since(history_of(learned), 18)
    assert not falls_since(history_of(learned[::-1]), 18)
