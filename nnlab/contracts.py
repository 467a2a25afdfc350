"""The types that floors hand to each other: shapes, plans, examples, batches, scores, events.

Nothing here imports torch or NumPy when the program runs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from nnlab.base import Path

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

Shape = tuple[int, ...]
"""The shape of one example, without the batch: (1, 28, 28) or (784,)."""

Split = Literal["train", "validation", "test"]
Task = Literal["classes", "regression"]
Status = Literal["completed", "early_stopped", "time_limit", "interrupted", "diverged", "failed"]


@dataclass(frozen=True, slots=True)
class DataShape:
    """What a data set looks like, known before it is loaded.

    Attributes:
        inputs: shape of one example.
        task: what the targets are: class numbers or real numbers.
        outputs: K classes, or K target columns.
        classes: the K names, empty for regression.
        sizes: examples in each split.
        columns: names of the input columns of a table, else empty.
        start: where a point begins, if the data are a surface to descend on; else empty.
    """

    inputs: Shape
    task: Task
    outputs: int
    classes: tuple[str, ...]
    sizes: Mapping[Split, int]
    columns: tuple[str, ...] = ()
    start: tuple[float, ...] = ()


class RowReader(Protocol):
    """Examples that do not fit into memory, read one by one (image_folder, streamed)."""

    shape: tuple[int, ...]
    """(N, *shape of one example)."""

    def read(self, row: int) -> "NDArray[np.uint8]":
        """One example, (C, H, W). Called by worker processes: must be picklable."""
        ...


@dataclass(frozen=True, slots=True)
class Examples:
    """A data set on the host: all rows of all splits in one table, as stored.

    Attributes:
        inputs: (N, *shape), uint8 for images, else float32; or a reader of single rows.
        targets: (N,) int64 class numbers, or (N, K) float32.
        rows: the row numbers (int64) of each split.
        shape: what `describe` promised; `load` has checked that it holds.
        shift: subtracted from the inputs, then
        factor: multiplied by; both float32 and broadcastable to (N, *shape).
        digest: SHA-256 over inputs and targets, hex.
    """

    inputs: "NDArray[Any] | RowReader"
    targets: "NDArray[Any]"
    rows: Mapping[Split, "NDArray[np.int64]"]
    shape: DataShape
    shift: "NDArray[np.float32]"
    factor: "NDArray[np.float32]"
    digest: str


class Batch(NamedTuple):
    """What one step sees."""

    inputs: "Tensor"
    """(N, *shape), scaled and augmented, in the run's precision."""
    targets: "Tensor"
    """(N,) int64 or (N, K) float."""
    rows: "Tensor"
    """(N,) int64: which rows of the table these are."""


LossFn = Callable[["Tensor", Batch], "Tensor"]
"""(N, K) outputs and their batch to (N,): one loss per example. The mean is taken by the step."""


class Score(Protocol):
    """A score that adds up over batches."""

    width: int
    """How many sums it keeps."""

    def sums(self, outputs: "Tensor", batch: Batch) -> "Tensor":
        """(width,) sums over the examples of one batch, on the outputs' device."""
        ...

    def value(self, sums: Sequence[float], examples: int) -> float:
        """The score of all examples together, from the added sums."""
        ...


class ScheduleFn(Protocol):
    """The learning rate over time, as a factor of the base rate."""

    def __call__(self, step: int) -> float:
        """The factor for the update that follows `step` updates."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """A layer before it is built.

    Attributes:
        name: by depth: `conv1`, `hidden1`, `block1.conv1`, `output`.
        kind: the menu's word.
        path: where the user wrote it, for errors.
        inputs: shape of one example that comes in.
        output: shape of one example that goes out.
        parameters: full name -> shape ("hidden1.weight": (16, 784)).
        buffers: likewise.
        flops: floating-point operations of a forward pass for one example; a multiply-add is two.
        note: what else `show` should say: "sigmoid, xavier_normal".
        children: the plans inside a residual block.
    """

    name: str
    kind: str
    path: Path
    inputs: Shape
    output: Shape
    parameters: Mapping[str, Shape] = field(default_factory=dict[str, Shape])
    buffers: Mapping[str, Shape] = field(default_factory=dict[str, Shape])
    flops: int = 0
    note: str = ""
    children: tuple["Plan", ...] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """What `auto` may ask about the machine."""

    device: Literal["cpu", "cuda", "mps"]
    cores: int


@dataclass(frozen=True, slots=True)
class Reading:
    """The numbers of one split at one step; at most one of each pair in a run.

    Attributes:
        step: updates made so far.
        epoch: step / steps per epoch, a fraction within an epoch.
        split: which examples were measured.
        values: flat keys as in metrics.jsonl: "loss", "accuracy", "grad_norm/total".
    """

    step: int
    epoch: float
    split: Split
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """An epoch has been completed; its readings came before."""

    epoch: int
    step: int


@dataclass(frozen=True, slots=True)
class SaveDue:
    """A good moment to save: the window is closed and all readings of this step are out."""

    step: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """The last event."""

    status: Status
    why: str


Event = Reading | EpochEnd | SaveDue | Stopped
