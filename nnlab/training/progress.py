"""How far a run is, when it ends, and what it watches."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Self

import torch
from torch import Tensor

from nnlab.core.contracts import Split
from nnlab.core.errors import CheckpointError


@dataclass(frozen=True, slots=True)
class Best:
    """The reading that the monitor prefers to all others."""

    split: Split
    step: int
    epoch: float
    values: Mapping[str, float]


@dataclass(slots=True)
class Progress:
    """How far a run is; the one mutable record. All of it is in a checkpoint's state.json."""

    step: int = 0
    first_step: int = 0
    """Where the run began: 0, or the step of the checkpoint that it started from."""
    epoch: int = 0
    seconds: float = 0.0
    """Of training, evaluation and saving, over all processes of the run."""
    train_seconds: float = 0.0
    """Of updates alone."""
    examples: int = 0
    """That updates have seen."""
    best: Best | None = None
    improved: float | None = None
    """The monitored value that early stopping counts from: better by min_delta."""
    improved_step: int = 0
    last: dict[str, dict[str, float]] = field(default_factory=dict[str, dict[str, float]])
    """The latest values of each split."""
    epoch_means: dict[str, float] = field(default_factory=dict[str, float])
    """Loss and scores of training over the epoch, up to `epoch_means_step`; {} before the first."""
    epoch_means_step: int = 0
    first_loss: float | None = None
    """Of the first training reading: what is far above it has diverged."""
    schedule: dict[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Self:
        """The record that `asdict` took apart.

        Raises:
            CheckpointError: it has other fields.
        """
        try:
            found = cls(**state)
            # `asdict` has taken that apart as well.
            found.best = None if state["best"] is None else Best(**state["best"])
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"state.json: of another version of nnlab: {error}") from None
        return found


@dataclass(frozen=True, slots=True)
class Limits:
    """When a run ends.

    Attributes:
        steps: updates in all; None for a run in minutes.
        seconds: of the whole run; None for a run in steps.
        patience: updates without a better monitored value; None never stops early.
        min_delta: how much better counts.
    """

    steps: int | None
    seconds: float | None = None
    patience: int | None = None
    min_delta: float = 0.0


@dataclass(frozen=True, slots=True)
class Monitor:
    """What `best`, early stopping and plateau watch: loss/validation."""

    key: str
    split: Split
    higher_is_better: bool

    def better(self, value: float, best: float | None, *, by: float = 0.0) -> bool:
        """Whether a value is a new best; one that is not finite never is."""
        if not isfinite(value):
            return False
        if best is None:
            return True
        return value > best + by if self.higher_is_better else value < best - by


FAR = 1e6
"""Training loss beside the first one, or weights beside the first weights and beside length 1.

Adam's updates are bounded whatever the gradient is, so that with an absurd rate the loss may stay
finite; losses that are bounded (quadratic behind a sigmoid) always do.
"""


def what_is_lost(
    progress: Progress, state: Callable[[], Mapping[str, Tensor]], *, descends: bool
) -> str | None:
    """What has gone off, in words; None where nothing has.

    Args:
        progress: with the latest readings.
        state: the tensors of the step; asked only where something has, and then read.
        descends: whether the step follows a loss down. Hebb's rule follows none: that its weights
            grow without bound is what it does.
    """
    for split, values in progress.last.items():
        if not isfinite(values["loss"]):
            return f"the {split} loss is not finite{_where(state())}"
    if not descends:
        return None
    values = progress.last.get("train", {})
    for key, norm in values.items():
        name, _, weight = key.partition("/")
        if name != "weight_norm":
            continue
        layer = weight.partition("_")[2].rpartition(".")[0]
        if not isfinite(norm):
            return f"the weights of {layer} are not finite"
        if norm > FAR and values.get(f"distance/{weight}", 0.0) > FAR:
            return f"the weights of {layer} are {norm:.1g} long, far from the first ones"
    first = progress.first_loss
    if first is not None and values and values["loss"] > FAR * max(abs(first), 1.0):
        return f"the train loss is {values['loss'] / max(abs(first), 1.0):.1g} times the first one"
    return None


def _where(state: Mapping[str, Tensor]) -> str:
    """The first layer, from the input on, whose weights are not finite, in words."""
    # Where weights are averaged, model/ is the average.
    part = "trained/" if any(name.startswith("trained/") for name in state) else "model/"
    for name, tensor in state.items():
        if not name.startswith(part) or not tensor.is_floating_point():
            continue
        if not bool(torch.isfinite(tensor).all()):
            return f", nor are the weights of {name.removeprefix(part).rpartition('.')[0]}"
    return ""
