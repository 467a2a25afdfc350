import pytest

from nnlab.commands.bench.roofline import Roofline, best
from nnlab.commands.bench.spread import ratio_of, seconds_per_step, spread_of


def test_spread_is_median_least_and_most() -> None:
    assert spread_of([3.0, 1.0, 2.0, 10.0]) == (2.5, 1.0, 10.0)
    assert spread_of([4.0]) == (4.0, 4.0, 4.0)


def test_ratio_is_of_the_medians_and_spreads_over_turns() -> None:
    # Medians 2 and 4; the turns' own ratios 1/4, 2/2, 4/8.
    assert ratio_of([1.0, 2.0, 4.0], [4.0, 2.0, 8.0]) == (0.5, 0.25, 1.0)


def test_ratio_needs_the_same_turns() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratio_of([1.0, 2.0], [1.0])


def test_steady_state_leaves_out_what_both_runs_do_once() -> None:
    start, step = 3.5, 0.002
    assert seconds_per_step(start + 1000 * step, start + 100 * step, steps=900) == pytest.approx(
        step
    )


def test_steady_state_is_unknown_where_noise_is_greater() -> None:
    assert seconds_per_step(3.0, 3.1, steps=900) is None


def test_the_roofline_takes_the_slower_of_arithmetic_and_memory() -> None:
    roof = Roofline(flops=100.0, bytes=10.0, threads=1)
    assert roof.least_seconds(flops=200.0, bytes=5.0) == 2.0
    assert roof.least_seconds(flops=200.0, bytes=50.0) == 5.0


def test_the_best_of_several_calls_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    # Calls of 0.5, 0.25 and 0.75 seconds by this clock, each between two looks at it.
    times = iter([0.0, 0.5, 0.5, 0.75, 1.0, 1.75])
    monkeypatch.setattr("nnlab.commands.bench.roofline.perf_counter", lambda: next(times))
    assert best(lambda: None) == 0.25
