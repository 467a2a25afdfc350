"""Sums between two readings: kept on the device, read back once."""

from collections.abc import Mapping, Sequence
from typing import final

import torch
from torch import Tensor

from nnlab.contracts import Batch, Score


@final
class Window:
    """Adds up losses, penalties and scores of batches, without a look at any of them.

    Args:
        scores: by their key.
        device: where the outputs are.
    """

    def __init__(self, scores: Mapping[str, Score], device: torch.device) -> None:
        self._scores = dict(scores)
        # float32 sums of 10^6 losses lose four digits; mps has no float64.
        dtype = torch.float32 if device.type == "mps" else torch.float64
        width = 2 + sum(score.width for score in self._scores.values())
        self.sums = torch.zeros(width, dtype=dtype, device=device)
        self.examples = 0
        self.batches = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """What is summed."""
        return ("loss", "penalty", *self._scores)

    @torch.no_grad()
    def add(
        self, losses: Tensor, outputs: Tensor, batch: Batch, penalty: Tensor | None = None
    ) -> None:
        """Adds one batch.

        Args:
            losses: (N,), one for each example.
            outputs: (N, K).
            batch: with the targets.
            penalty: (), the regularization term of the objective at this step.
        """
        dtype = self.sums.dtype
        loss = losses.sum(dtype=dtype).view(1)
        extra = loss.new_zeros(1) if penalty is None else penalty.to(dtype).view(1)
        parts = [score.sums(outputs, batch).to(dtype) for score in self._scores.values()]
        self.sums += torch.cat((loss, extra, *parts))
        self.examples += len(losses)
        self.batches += 1

    def clear(self) -> None:
        """Begins a new window."""
        self.sums.zero_()
        self.examples = self.batches = 0

    def means(self, sums: Sequence[float], *, penalized: bool) -> dict[str, float]:
        """The readings that the read-back sums stand for: loss, penalty, scores."""
        values = {"loss": sums[0] / self.examples}
        if penalized:
            values["penalty"] = sums[1] / self.batches
        start = 2
        for key, score in self._scores.items():
            values[key] = score.value(sums[start : start + score.width], self.examples)
            start += score.width
        return values
