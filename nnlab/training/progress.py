"""How far a run is, when it ends, and what it watches."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Self

from nnlab.base import CheckpointError
from nnlab.contracts import Split


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
