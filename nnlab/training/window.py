"""Sums between two readings: kept on the device, read back once; and what an epoch adds up to."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple, final

import torch
from torch import Tensor

from nnlab.core.contracts import Batch, ExampleScore, Score

_COUNT = "window/epoch/"
_SMALL = 2**17
"""Inputs and outputs of a batch up to which it waits for others: they are copied once more."""
_TOGETHER = 32
"""Batches that wait at most: then an operation costs each of them a thirtieth."""


def flat_places(outputs: Tensor) -> Tensor:
    """Outputs (N, *places, K) as (N * P, K): the one place where a place becomes an example.

    Losses, scores and sums see no places; outputs (N, K) stay as they are.
    """
    return outputs.flatten(0, -2) if outputs.ndim > 2 else outputs


class _Waiting(NamedTuple):
    """A batch whose sums are still to be made."""

    losses: Tensor
    outputs: Tensor
    batch: Batch
    penalty: Tensor | None


@final
class Window:
    """Adds up losses, penalties and scores of batches, without reading any of them back.

    Small batches wait until there are some, or until somebody looks: scores are dozens of small
    operations, which of thirty batches together cost what they cost of one. The sums are the same
    bits as one by one.

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
        self._sums = torch.zeros(width, dtype=dtype, device=device)
        self.waiting: list[_Waiting] = []
        """Batches whose sums are still to be made."""
        self._waits = all(isinstance(score, ExampleScore) for score in self._scores.values())
        self.examples = 0
        self.batches = 0
        self._epoch = torch.zeros(width + 2, dtype=torch.float64)
        """On the host: the sums, examples and batches of the epoch's ended windows."""
        self._counts: dict[str, float] = {}
        """On the host: what a learning rule counts over the epoch."""

    @property
    def sums(self) -> Tensor:
        """Of all batches so far: losses, penalties, then those of the scores; always one tensor."""
        self._sum_waiting()
        return self._sums

    @contextmanager
    def at_once(self) -> Generator[None]:
        """Inside, no batch waits: what is recorded adds in the very call."""
        self._sum_waiting()
        before, self._waits = self._waits, False
        try:
            yield
        finally:
            self._waits = before

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
        self.count(len(losses))
        penalty = None if penalty is None else penalty.detach()
        added = _Waiting(losses.detach(), outputs.detach(), batch, penalty)
        size = batch.inputs.numel() + outputs.numel()
        if not self._waits or size > _SMALL:
            self._sum_waiting()
            self._sum(added)
            return
        if self.waiting and self.waiting[0].outputs.shape != outputs.shape:
            self._sum_waiting()
        self.waiting.append(added)
        if len(self.waiting) == _TOGETHER:
            self._sum_waiting()

    @torch.no_grad()
    def _sum(self, added: _Waiting) -> None:
        losses, outputs, batch, penalty = added
        dtype = self._sums.dtype
        loss = losses.sum(dtype=dtype).view(1)
        extra = loss.new_zeros(1) if penalty is None else penalty.to(dtype).view(1)
        parts = [score.sums(outputs, batch).to(dtype) for score in self._scores.values()]
        self._sums += torch.cat((loss, extra, *parts))

    @torch.no_grad()
    def _sum_waiting(self) -> None:
        waiting, self.waiting = self.waiting, []
        if len(waiting) < 2:
            for added in waiting:
                self._sum(added)
            return
        count, dtype = len(waiting), self._sums.dtype
        losses = torch.stack([each.losses for each in waiting]).sum(1, keepdim=True, dtype=dtype)
        none = losses.new_zeros(())
        # A part of an accumulated batch may have none.
        extra = [none if each.penalty is None else each.penalty.to(dtype) for each in waiting]
        parts = [losses, torch.stack(extra).view(-1, 1)]
        outputs = torch.cat([each.outputs for each in waiting])
        batch = Batch(*map(torch.cat, zip(*(each.batch for each in waiting), strict=True)))
        for score in self._scores.values():
            assert isinstance(score, ExampleScore)
            # (batches, examples, width): summed over the examples of each.
            terms = score.terms(outputs, batch).unflatten(0, (count, -1))
            parts.append(terms.sum(1, dtype=dtype))
        # One after the other, as if none had waited.
        for sums in torch.cat(parts, 1):
            self._sums += sums

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
        self.waiting.clear()
        self._sums.copy_(state["window/sums"])
        self.examples, self.batches = state["window/counts"].tolist()
        self._epoch.copy_(state["window/epoch"])
        self._counts = {
            key.removeprefix(_COUNT): value.item()
            for key, value in state.items()
            if key.startswith(_COUNT)
        }
