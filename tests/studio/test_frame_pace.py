"""Where a frame costs too much, its boundary gets coarser, and finer again where there is time."""

import pytest

from nnlab.studio.worker.eyes import next_level

POINTS = (100, 70, 50)


@pytest.mark.parametrize(
    ("per_point", "other", "wanted"),
    [(1e-7, 1e-3, 0), (2e-6, 1e-3, 2), (6e-7, 1e-3, 1), (1e-4, 0.0, 2)],
    ids=["quick", "too slow for two", "too slow for one", "always too slow"],
)
def test_it_comes_to_rest_where_a_frame_fits(per_point: float, other: float, wanted: int) -> None:
    level, usual, levels = 0, 0.0, list[int]()
    for _ in range(200):
        level, usual = next_level(level, usual, other + per_point * POINTS[level] ** 2)
        levels.append(level)
    assert levels[-100:] == [wanted] * 100


def test_it_comes_back_when_the_machine_is_free_again() -> None:
    level, usual = 2, 0.009
    for _ in range(60):
        level, usual = next_level(level, usual, 1e-3 + 1e-7 * POINTS[level] ** 2)
    assert level == 0


def test_one_slow_frame_changes_nothing() -> None:
    level, usual = next_level(0, 0.002, 0.012)
    assert (level, usual) == (0, pytest.approx(0.004))
