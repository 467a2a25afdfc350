import numpy as np
import pytest

from nnlab.core.errors import DataError
from nnlab.parts.datasets.split_sizes import FirstRows, LastRows, split_sizes
from nnlab.parts.datasets.splits import draw_splits, shares, shuffled, split_rows

NAMES = tuple("abcdefghij")


def largest_remainders(counts: list[int], size: int) -> list[int]:
    """Hamilton's method, as the textbooks have it; ties go to the first."""
    total = sum(counts)
    share = [size * count // total for count in counts]
    rest = [size * count % total for count in counts]
    for index in sorted(range(len(counts)), key=lambda i: (-rest[i], i))[: size - sum(share)]:
        share[index] += 1
    return share


@pytest.mark.parametrize("seed", range(20))
def test_shares_are_largest_remainders(seed: int) -> None:
    random = np.random.default_rng(seed)
    counts = random.integers(50, 200, 7)
    size = int(random.integers(30, counts.sum() // 2))
    found = shares(counts, size, spare=0)
    assert found.sum() == size
    assert found.tolist() == largest_remainders(counts.tolist(), size)


def test_every_class_gets_at_least_one() -> None:
    found = shares(np.array([1000, 1000, 3]), 20, spare=2)
    assert found.tolist() == [10, 9, 1]


def test_a_rare_class_keeps_rows_for_the_other_splits() -> None:
    assert shares(np.array([100, 3]), 90, spare=2).tolist() == [89, 1]


def test_shares_that_cannot_be_are_refused() -> None:
    with pytest.raises(DataError, match="at least one of each of 3 classes"):
        shares(np.array([10, 10, 10]), 2, spare=0)
    with pytest.raises(DataError, match="cannot draw 29 of 30 rows"):
        shares(np.array([10, 10, 10]), 29, spare=2)


def test_a_draw_takes_the_first_of_each_class_and_keeps_the_order() -> None:
    labels = np.array([0, 1, 0, 1, 0, 1, 0, 1])
    taken, left = draw_splits(np.array([7, 0, 1, 2, 3, 4, 5, 6]), labels, 4, spare=0)
    assert taken.tolist() == [7, 0, 1, 2]
    assert left.tolist() == [3, 4, 5, 6]


def test_the_shuffle_is_the_same_for_ever() -> None:
    # Raw PCG64 words, which NumPy promises not to change: this list may never change either.
    assert shuffled(np.arange(8), 0).tolist() == [7, 5, 0, 4, 6, 1, 2, 3]
    assert shuffled(np.arange(8), 1).tolist() != shuffled(np.arange(8), 0).tolist()


def test_sizes_agree_with_the_rows_drawn() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        labels = random.integers(0, 4, int(random.integers(200, 400)))
        asked = {
            "test": random.choice([0.1, 0.25, 0.333]).item(),
            "validation": int(random.integers(4, 40)),
        }
        limit = int(random.integers(4, 50))
        sizes, wrong = split_sizes(
            {"test": asked["test"], "validation": asked["validation"]},
            limit,
            pool=len(labels),
            given={},
            classes=4,
        )
        rows = split_rows(
            {"test": asked["test"], "validation": asked["validation"]},
            limit,
            count=len(labels),
            given={},
            labels=labels,
            names=NAMES,
            split_seed=0,
        )
        assert not wrong
        assert {split: len(mine) for split, mine in rows.items()} == sizes


def test_a_class_too_rare_for_all_splits_is_named() -> None:
    with pytest.raises(DataError, match="class 'b' has 2 rows, too few for one in each of train"):
        split_rows(
            {"test": 0.2, "validation": 0.1},
            None,
            count=12,
            given={},
            labels=np.array([0] * 10 + [1] * 2),
            names=NAMES,
            split_seed=0,
        )


def test_regression_is_split_at_random_and_exactly() -> None:
    rows = split_rows(
        {"test": 0.2, "validation": LastRows(last=3)},
        FirstRows(first=5),
        count=20,
        given={},
        labels=None,
        names=(),
        split_seed=0,
    )
    left = sorted(set(range(20)) - set(rows["test"].tolist()))
    assert rows["validation"].tolist() == left[-3:]
    assert rows["train"].tolist() == left[:5]
    assert rows["test"].tolist() != list(range(4))
