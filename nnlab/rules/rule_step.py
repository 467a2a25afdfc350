"""What the steps without a gradient have in common, and what they tell the loop besides readings.

A step of another rule says how it learns from a batch (`learn`); all else is here.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import final

import torch
from torch import Tensor

from nnlab.core.contracts import Batch
from nnlab.core.seeds import seed_for
from nnlab.training.step import Conclusion, Parts
from nnlab.training.window import Window


class RuleStep(ABC):
    """A step that follows no gradient.

    Args:
        parts: what it is made of. The network is on the device, the loss is what is read as loss;
            what a gradient alone has a use for is left aside.
    """

    counted: tuple[str, ...] = ()
    """The readings of the rule that add up over the windows of an epoch."""

    observation: None = None
    """There are no gradients to see."""

    def __init__(self, parts: Parts) -> None:
        # Nothing here draws or keeps statistics in training mode.
        self.network = parts.network.eval()
        self.loss = parts.loss
        self.source = parts.source
        self.rate = parts.learning_rate
        self.augment = parts.augment
        self._seeds = parts.seeds
        self._scores = parts.scores
        self.device = next(parts.network.parameters()).device
        self.window = Window(parts.scores, self.device)
        self._seen: Window | None = None
        self.count = 0

    @abstractmethod
    def learn(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Changes the weights.

        Returns:
            The (N, K) outputs and (N,) losses of each example before it was learned from.
        """

    @abstractmethod
    def readings(self) -> dict[str, Tensor]:
        """Numbers of the rule for a reading, () each, by their keys; begins a new window."""

    @abstractmethod
    def memory(self) -> dict[str, Tensor]:
        """Tensors of the rule that belong into a checkpoint, besides the weights."""

    @abstractmethod
    def finished(self) -> str | None:
        """Why nothing is left to learn, or None."""

    @abstractmethod
    def conclude(self, batches: Sequence[Tensor]) -> Conclusion:
        """What has come of it."""

    @abstractmethod
    def end_epoch(self) -> None:
        """Every example has been seen once more."""

    @final
    def fill_learning_rate(self, value: float) -> None:
        """Sets the rate of the next updates."""
        self.rate.fill_(value)

    @final
    @torch.no_grad()
    def update(self, rows: Tensor) -> None:
        """Gather, scale, augment, learn, sums."""
        batch = self._batch(rows)
        outputs, losses = self.learn(batch)
        self.window.add(losses, outputs, batch)
        self.count += 1

    @final
    @torch.no_grad()
    def probe(self, rows: Tensor, *, beside: Sequence[Tensor] | None = None) -> None:
        """The loss and the scores of this batch."""
        batch, seen = self._batch(rows), Window(self._scores, self.device)
        outputs = self.network(batch.inputs)
        seen.add(self.loss(outputs, batch), outputs, batch)
        self._seen = seen

    def _batch(self, rows: Tensor) -> Batch:
        batch = self.source.gather(rows)
        if self.augment is None:
            return batch
        seed = seed_for(self._seeds["augment"], "augment", self.count)
        return self.augment(batch, seed)

    @final
    def read(self) -> dict[str, float]:
        """Means of the window (if there was no update, of the batch probed), then the rule's."""
        window = self.window
        if not window.examples and self._seen is not None:
            window = self._seen
        own = self.readings()
        # One copy from the device brings all of them.
        parts = [window.sums, *(number.view(1).to(window.sums.dtype) for number in own.values())]
        numbers = torch.cat(parts).tolist()
        width = len(window.sums)
        told = dict(zip(own, numbers[width:], strict=True))
        counts = {key: told[key] for key in self.counted}
        values = {**window.end(numbers[:width], counts=counts), **told}
        self._seen = None
        return values

    @final
    def state(self) -> dict[str, Tensor]:
        """model/..., rule/..., window/..., step/count."""
        state = {f"model/{name}": tensor for name, tensor in self.network.state_dict().items()}
        state |= {f"rule/{name}": tensor for name, tensor in self.memory().items()}
        state |= self.window.state()
        state["step/count"] = torch.tensor(self.count, dtype=torch.int64)
        return state

    @final
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Takes over a state that `state()` gave, on whatever device it is."""
        prefix = "model/"
        weights = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        self.network.load_state_dict(weights)
        for name, tensor in self.memory().items():
            tensor.copy_(state[f"rule/{name}"])
        self.window.load(state)
        self.count = int(state["step/count"])
