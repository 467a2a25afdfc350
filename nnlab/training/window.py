"""Sums between two readings: kept on the device, read back once; and what an epoch adds up to."""

from collections.abc import Mapping, Sequence
from typing import final

import torch
from torch import Tensor

from nnlab.core.contracts import Batch, Score

_COUNT = "window/epoch/"


def flat_places(outputs: Tensor) -> Tensor:
    """Outputs (N, *places, K) as (N * P, K): the one place where a place becomes an example.

    Losses, scores and sums see no places; outputs (N, K) stay as they are.
    """
    return outputs.flatten(0, -2) if outputs.ndim > 2 else outputs


@final
class Window:
    """Adds up losses, penalties and scores of batches, without reading any of them back.

    Args:
        scores: by their key.
        device: where the outputs are.
        penalized: whether batches come with a penalty.
    """

    def __init__(
        self, scores: Mapping[str, Score], device: torch.device, *, penalized: bool = False
    ) -> None:
        self._scores = dict(scores)
        self._penalized = penalized
        # float32 sums of 10^6 losses lose four digits; mps has no float64.
        dtype = torch.float32 if device.type == "mps" else torch.float64
        width = 2 + sum(score.width for score in self._scores.values())
        self.sums = torch.zeros(width, dtype=dtype, device=device)
        self.examples = 0
        self.batches = 0
        self._epoch = torch.zeros(width + 2, dtype=torch.float64)
        """On the host: the sums, examples and batches of the epoch's ended windows."""
        self._counts: dict[str, float] = {}
        """On the host: what a learning rule counts over the epoch."""

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
        self.count(len(losses))

    def count(self, examples: int) -> None:
        """Counts a batch of so many examples, whose sums are added elsewhere."""
        self.examples += examples
        self.batches += 1

    def end(
        self, sums: Sequence[float], *, counts: Mapping[str, float] | None = None
    ) -> dict[str, float]:
        """The readings that the read-back sums stand for; begins a new window.

        `counts` are numbers of the window that add up over an epoch.
        """
        # Sums and not means are kept: windows of an epoch differ in length, scores may be no means.
        ended = [*sums, self.examples, self.batches]
        self._epoch += torch.tensor(ended, dtype=torch.float64)
        for key, count in (counts or {}).items():
            self._counts[key] = self._counts.get(key, 0.0) + count
        # In place: a recorded step adds to this very tensor.
        self.sums.zero_()
        self.examples = self.batches = 0
        return self._means(ended)

    def begin_epoch(self) -> None:
        """What `over_epoch` tells begins here."""
        self._epoch.zero_()
        self._counts.clear()

    def over_epoch(self) -> dict[str, float]:
        """The readings of all ended windows of the epoch together.

        From added sums, so that also scores that are no means over examples (R^2, F1) are those of
        all examples.
        """
        return {**self._means(self._epoch.tolist()), **self._counts}

    def _means(self, numbers: Sequence[float]) -> dict[str, float]:
        """Loss, penalty, scores from sums, examples, batches."""
        *sums, examples, batches = numbers
        values = {"loss": sums[0] / examples}
        if self._penalized:
            values["penalty"] = sums[1] / batches
        start = 2
        for key, score in self._scores.items():
            values[key] = score.value(sums[start : start + score.width], int(examples))
            start += score.width
        return values

    def state(self) -> dict[str, Tensor]:
        """window/sums, window/counts, window/epoch, window/epoch/<count>."""
        counts = torch.tensor((self.examples, self.batches), dtype=torch.int64)
        return {
            "window/sums": self.sums,
            "window/counts": counts,
            "window/epoch": self._epoch,
            **{
                f"{_COUNT}{key}": torch.tensor(count, dtype=torch.float64)
                for key, count in self._counts.items()
            },
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restores what `state` returned, from any device; the keys begin with `window/`."""
        self.sums.copy_(state["window/sums"])
        self.examples, self.batches = state["window/counts"].tolist()
        self._epoch.copy_(state["window/epoch"])
        self._counts = {
            key.removeprefix(_COUNT): value.item()
            for key, value in state.items()
            if key.startswith(_COUNT)
        }
