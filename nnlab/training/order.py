"""Which rows each batch has: a pure function of seed, epoch and position."""

from math import ceil
from typing import final

import torch
from torch import Tensor

from nnlab.base import seed_for


@final
class Order:
    """Shuffles the training rows once an epoch and cuts them into batches.

    Args:
        rows: (n,) int64 row numbers of the training split, on the CPU.
        batch_size: rows in a batch; the last may be shorter.
        drop_last: leave a shorter last batch out.
        seed: of the shuffle; the epoch is the counter.
        device: where the batches are needed.
        rank: this process's number; it takes every `world`-th row of the epoch.
        world: number of processes.
    """

    def __init__(
        self,
        rows: Tensor,
        *,
        batch_size: int,
        drop_last: bool,
        seed: int,
        device: torch.device,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._rows = rows
        self._batch_size = batch_size
        self._drop_last = drop_last
        self._seed = seed
        self._device = device
        self._rank, self._world = rank, world
        count = len(range(rank, len(rows), world))
        self.per_epoch = count // batch_size if drop_last else ceil(count / batch_size)
        self._cut: tuple[int, list[Tensor]] | None = None

    def batches(self, epoch: int) -> list[Tensor]:
        """The rows (N,) of every batch of an epoch, which counts from 0."""
        if self._cut is None or self._cut[0] != epoch:
            generator = torch.Generator().manual_seed(seed_for(self._seed, "order", epoch))
            shuffled = torch.randperm(len(self._rows), generator=generator)
            rows = self._rows[shuffled][self._rank :: self._world].to(self._device)
            self._cut = (epoch, list(rows.split(self._batch_size))[: self.per_epoch])
        return self._cut[1]
