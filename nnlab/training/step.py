"""One training step. The loop calls it and knows nothing of what happens inside."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from nnlab.core.contracts import AugmentFn, LossFn, Score
from nnlab.training.averaging import Averaged
from nnlab.training.probes.probes import Probes
from nnlab.training.sources import RowSource
from nnlab.training.window import Window

if TYPE_CHECKING:
    from nnlab.training.probes.observation import Observation


class Conclusion(NamedTuple):
    """What a finished run has to say of its rule."""

    lines: tuple[str, ...] = ()
    numbers: Mapping[str, float] = {}

    def plain(self) -> dict[str, Any]:
        """The numbers, and the lines as one text; {} for nothing."""
        return {**self.numbers, **({"text": "; ".join(self.lines)} if self.lines else {})}


@runtime_checkable
class Concluding(Protocol):
    """A step that knows when there is nothing left to learn, and what that means."""

    def end_epoch(self) -> None:
        """Every example has been seen once more; called before a checkpoint is written."""
        ...

    def finished(self) -> str | None:
        """Why nothing is left to learn, or None; asked at any time, changes nothing."""
        ...

    def conclude(self, batches: Sequence[Tensor]) -> Conclusion:
        """What has come of it, on batches of rows (N,) that together are the training split."""
        ...


Penalty = Callable[[], Tensor]
"""The regularization term of the objective, ()."""
Constraint = Callable[[], None]
"""Puts the weights back to where they may be, after an update."""


class Thawing(Protocol):
    """Keeps parts of a network as they are, and lets go of them after so many updates."""

    def due(self, count: int) -> bool:
        """Whether something is let go after exactly this many updates."""
        ...

    def set_at(self, count: int) -> None:
        """Puts the network into the state that it has after so many updates."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a step is made of. A rule takes what it has a use for.

    Attributes:
        network: (N, *shape) to (N, K), on the device.
        loss: (N, K) outputs and their batch to (N,).
        source: gives the batch of any rows.
        scores: by their key.
        labels: parameter name -> its key in readings ("00_hidden1.weight").
        learning_rate: the 0-dim tensor that the optimizer reads where it can, and that a rule
            without an optimizer multiplies by.
        seeds: of "augment" and "dropout".
        optimizer: over the network's parameters; None where the rule has no use for one.
        closure: whether the optimizer evaluates the loss several times in an update.
        augment: changes the batch before the forward pass.
        penalty: added to the mean loss.
        answers: how many an example has: one, or one at each of its places.
        carry: updates after which recurrent layers that carry their state begin anew; 0 where none
            does.
        accumulate: in how many parts the gradient of a batch is computed, one after the other.
        clip_norm: the largest allowed norm of the whole gradient.
        constraint: after each update.
        averaged: follows the network; what is evaluated, and the model of a checkpoint.
        numbers: hyperparameters as 0-dim tensors, by name: those that the loss and the penalty
            hold, and `clip_norm`. A compiled step takes them as inputs, so that it serves other
            numbers too; empty where there is none.
        probes: see into the network where a full probe is asked for.
        autocast: the lower precision of the forward pass; None computes in the parameters' own.
    """

    network: nn.Module
    loss: LossFn
    source: RowSource
    scores: Mapping[str, Score]
    labels: Mapping[str, str]
    learning_rate: Tensor
    seeds: Mapping[str, int]
    optimizer: torch.optim.Optimizer | None = None
    closure: bool = False
    augment: AugmentFn | None = None
    penalty: Penalty | None = None
    answers: int = 1
    carry: int = 0
    accumulate: int = 1
    clip_norm: float | None = None
    constraint: Constraint | None = None
    averaged: Averaged | None = None
    freezing: Thawing | None = None
    numbers: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    probes: Probes | None = None
    autocast: torch.dtype | None = None


class Step(Protocol):
    """What trains. Other implementations are compiled, captured, stacked, or follow other rules."""

    window: Window
    """What is summed between two readings, and over an epoch."""

    @property
    def observation(self) -> "Observation | None":
        """What is read of the gradients; None where a rule follows none."""
        ...

    def fill_learning_rate(self, value: float) -> None:
        """Sets the learning rate, 0 or more, of the updates from now on."""
        ...

    def update(self, rows: Tensor) -> None:
        """Learns from these rows, (N,) int64 numbers: no host read, no branch on a tensor."""
        ...

    def probe(self, rows: Tensor, *, beside: Sequence[Tensor] | None = None) -> None:
        """Probes these rows; changes neither weights nor buffers nor random streams.

        Args:
            rows: (N,) int64, those of the next update.
            beside: other batches of the window, for a full probe; None for a cheap one, of the
                gradient norms alone.
        """
        ...

    def read(self) -> dict[str, float]:
        """What was summed and probed since the last call: the only read-back; clears the window."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Every tensor that training changes, by its name in a checkpoint."""
        ...

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restores a state that `state` of any step of the same network returned.

        The tensors may lie on another device.

        Raises:
            RuntimeError: a tensor of the network is missing, or has another shape.
            KeyError: another tensor is missing.
        """
        ...
