"""Which rows come when."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from nnlab.training.order import Order

CPU = torch.device("cpu")
ROWS = torch.arange(1000, 1100)
# 70, 20 and 10 of a class; class 2 does not occur.
LABELS = torch.tensor([0] * 70 + [1] * 20 + [3] * 10)[torch.randperm(100)]


def order(sampling: Any, **fields: Any) -> Order:
    given: dict[str, Any] = {
        "batch_size": 16,
        "drop_last": False,
        "seed": 5,
        "device": CPU,
        **fields,
    }
    return Order(ROWS, sampling=sampling, labels=LABELS, **given)


def epoch(source: Order, number: int) -> torch.Tensor:
    return torch.cat(source.batches(number))


@pytest.mark.parametrize("sampling", ["shuffled", "balanced", "in_order"])
class TestEverySampling:
    def test_an_epoch_has_as_many_rows_as_there_are(self, sampling: str) -> None:
        found = order(sampling)
        assert [len(batch) for batch in found.batches(0)] == [16] * 6 + [4]
        assert found.per_epoch == 7
        assert set(epoch(found, 0).tolist()) <= set(ROWS.tolist())

    def test_an_epoch_does_not_depend_on_those_before(self, sampling: str) -> None:
        later = order(sampling)
        for number in range(3):
            later.batches(number)
        assert torch.equal(epoch(later, 3), epoch(order(sampling), 3))

    def test_the_processes_of_a_world_share_an_epoch(self, sampling: str) -> None:
        parts = [order(sampling, rank=rank, world=3).batches(1) for rank in range(3)]
        whole = order(sampling).batches(1)
        for rank, part in enumerate(parts):
            assert len(part) == len(whole)  # else one waits for ever for what the others reduce
            pairs = zip(part, whole, strict=True)
            assert all(torch.equal(mine, rows[rank::3]) for mine, rows in pairs)

    def test_a_process_may_have_no_row_of_a_short_batch(self, sampling: str) -> None:
        parts = [order(sampling, rank=rank, world=6) for rank in range(6)]
        assert [len(part.batches(0)[-1]) for part in parts] == [1, 1, 1, 1, 0, 0]
        assert {part.per_epoch for part in parts} == {7}


def test_shuffled_takes_every_row_once_and_anew_in_each_epoch() -> None:
    first, second = (epoch(order("shuffled"), number) for number in range(2))
    assert torch.equal(first.sort().values, ROWS)
    assert not torch.equal(first, second)


def test_in_order_is_the_order_of_the_split_in_every_epoch() -> None:
    for number in range(2):
        assert torch.equal(epoch(order("in_order"), number), ROWS)


def classes_of(rows: torch.Tensor) -> np.ndarray:
    return np.bincount(LABELS[rows - 1000].numpy(), minlength=4)


def test_balanced_draws_each_class_equally_often() -> None:
    # 100 rows over 3 classes: 33 or 34 of each.
    counts = np.array([classes_of(epoch(order("balanced"), number)) for number in range(30)])
    assert (counts[:, 2] == 0).all()
    assert set(counts[:, [0, 1, 3]].ravel()) == {33, 34}
    # The one that is left over is not always of the same class.
    assert (counts[:, [0, 1, 3]].max(axis=0) == 34).all()


def test_balanced_draws_the_rows_of_a_class_alike_and_with_replacement() -> None:
    drawn = torch.cat([epoch(order("balanced"), number) for number in range(60)])
    rare = drawn[LABELS[drawn - 1000] == 3]
    counts = np.unique(rare.numpy(), return_counts=True)[1]
    # 10 rows, some 200 draws of each.
    assert len(counts) == 10
    assert stats.chisquare(counts).pvalue > 0.001
    one = epoch(order("balanced"), 0)
    assert len(one.unique()) < len(one)


def test_balanced_mixes_the_classes_within_an_epoch() -> None:
    first = LABELS[epoch(order("balanced"), 0)[:50] - 1000]
    assert len(first.unique()) == 3


def test_balanced_has_a_stream_of_its_own() -> None:
    same = order("balanced", seed=5), order("balanced", seed=5)
    assert torch.equal(epoch(same[0], 2), epoch(same[1], 2))
    assert not torch.equal(epoch(same[0], 2), epoch(order("balanced", seed=6), 2))
    assert not torch.equal(epoch(same[0], 2), epoch(same[0], 1))
