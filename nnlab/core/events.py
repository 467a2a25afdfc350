"""What a run tells while it trains: readings, the end of an epoch, a moment to save, its end."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nnlab.core.contracts import Split, Status


@dataclass(frozen=True, slots=True)
class Reading:
    """The numbers of one split at one step; at most one of each pair in a run.

    Attributes:
        step: updates made so far.
        epoch: step / steps per epoch, a fraction within an epoch.
        split: which examples were measured.
        values: flat keys as in metrics.jsonl: "loss", "accuracy", "grad_norm/total".
        epoch_means: of training, loss and scores over the whole epoch so far, where `values` are
            those since the last reading; {} before the first update.
    """

    step: int
    epoch: float
    split: Split
    values: Mapping[str, float]
    epoch_means: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """An epoch has been completed; its readings came before."""

    epoch: int
    step: int


@dataclass(frozen=True, slots=True)
class SaveDue:
    """A good moment to save: the window has ended and all readings of this step are out."""

    step: int
    stays: bool = False
    """Whether the checkpoint is kept for good."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The last event."""

    status: Status
    why: str


Event = Reading | EpochEnd | SaveDue | Stopped
