"""Which rows each batch has: a pure function of seed, epoch and position."""

from math import ceil
from typing import Literal, final

import torch
from torch import Tensor

from nnlab.core.seeds import seed_for


@final
class Order:
    """Orders the training rows once an epoch and cuts them into batches.

    Args:
        rows: (n,) int64 row numbers of the training split, on the CPU.
        batch_size: rows in a batch, of all processes together; the last may be shorter.
        drop_last: leave a shorter last batch out.
        seed: of the shuffle, or of the draws; the epoch is the counter.
        device: where the batches are needed.
        sampling: shuffled takes every row once an epoch; in_order too, always in the order of
            `rows`; balanced draws as many rows with replacement, of each class equally many.
        labels: (n,) int64 classes of the rows, for balanced sampling.
        lanes: rows follow each other from batch to batch: place j of every batch is the next row of
            the j-th part of the rows, in every epoch. Leaves what is over at the end out.
        rank: this process's number; of each batch it takes every `world`-th row, which may be none
            of a short last one.
        world: number of processes, which all make as many updates.
    """

    def __init__(
        self,
        rows: Tensor,
        *,
        batch_size: int,
        drop_last: bool,
        seed: int,
        device: torch.device,
        sampling: Literal["shuffled", "balanced", "in_order"] = "shuffled",
        labels: Tensor | None = None,
        lanes: bool = False,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._rows = rows
        self._batch_size = batch_size
        self._drop_last = drop_last
        self._seed = seed
        self._device = device
        self._sampling = sampling
        self._labels = labels
        self._lanes = lanes
        self._rank, self._world = rank, world
        count = len(rows)
        whole = drop_last or lanes
        self.per_epoch = count // batch_size if whole else ceil(count / batch_size)
        self._cut: tuple[int, list[Tensor]] | None = None

    def batches(self, epoch: int) -> list[Tensor]:
        """The rows (N,) of every batch of an epoch, which counts from 0."""
        # Kept: the loop asks for an epoch again at each of its chunks.
        if self._cut is None or self._cut[0] != epoch:
            whole = self._of(epoch).to(self._device).split(self._batch_size)[: self.per_epoch]
            mine = [rows[self._rank :: self._world] for rows in whole] if self._world > 1 else whole
            self._cut = (epoch, list(mine))
        return self._cut[1]

    def _of(self, epoch: int) -> Tensor:
        """(n,) the rows of an epoch, in order."""
        if self._lanes:
            used = self._rows[: self.per_epoch * self._batch_size]
            # Transposed, the k-th batch holds the k-th row of every lane.
            return used.view(self._batch_size, self.per_epoch).T.reshape(-1)
        if self._sampling == "in_order":
            return self._rows
        if self._sampling == "balanced":
            return self._balanced(epoch)
        generator = torch.Generator().manual_seed(seed_for(self._seed, "order", epoch))
        return self._rows[torch.randperm(len(self._rows), generator=generator)]

    def _balanced(self, epoch: int) -> Tensor:
        """(n,) rows: classes in turn, shuffled, and for each a row of that class."""
        assert self._labels is not None
        generator = torch.Generator().manual_seed(seed_for(self._seed, "balanced", epoch))
        # A class without a row in training is in nobody's turn.
        _, mine, counts = self._labels.unique(return_inverse=True, return_counts=True)
        by_class = mine.argsort(stable=True)
        starts = counts.cumsum(0) - counts
        # Where n is no multiple of the classes, some get one more: others in every epoch.
        first = torch.randint(len(counts), (), generator=generator)
        classes = (torch.randperm(len(mine), generator=generator) + first) % len(counts)
        draws = torch.rand(len(mine), generator=generator, dtype=torch.float64)
        places = starts[classes] + (draws * counts[classes]).to(torch.int64)
        return self._rows[by_class[places]]
