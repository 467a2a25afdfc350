"""The types that rooms hand to each other: shapes, plans, examples, batches, scores.

Nothing here imports torch, and nothing but the views of `Windows` and `Examples` needs NumPy.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from os import cpu_count
from typing import Any, Literal, NamedTuple, Protocol, Self, cast, runtime_checkable

from nnlab.core.errors import Path
from nnlab.core.lazy import NDArray, Tensor, nn, np
from nnlab.core.seeds import seed_for

Shape = tuple[int, ...]
"""The shape of one example, without the batch: (1, 28, 28) or (784,)."""


class TokenShape(tuple[int, ...]):
    """The shape of an example that consists of tokens: (time,) whole numbers below `tokens`.

    Args:
        places: (time,).
        tokens: how many different ones there are.
    """

    tokens: int

    def __new__(cls, places: Shape, tokens: int) -> Self:
        """The arguments are those of the class."""
        made = super().__new__(cls, places)
        made.tokens = tokens
        return made

    def __getnewargs__(self) -> tuple[Shape, int]:
        """For copies and pickles."""
        return tuple(self), self.tokens


class PaddedShape(tuple[int, ...]):
    """The shape (time, features) of a sequence that may end earlier: behind its end stands NaN."""

    __slots__ = ()


Split = Literal["train", "validation", "test"]
Task = Literal["classes", "regression", "labels"]
TARGET_WORDS: Mapping[Task, str] = {
    "classes": "classes",
    "regression": "real numbers",
    "labels": "labels, of which an example can have several",
}
Status = Literal[
    "completed", "early_stopped", "time_limit", "pruned", "interrupted", "diverged", "failed"
]

SATURATED = 0.025
"""Of the range between an activation's bounds, the share next to each that counts as saturated.

There the slope of sigmoid and tanh is a tenth of its largest: 4 a (1 - a) <= 0.1.
"""


@dataclass(frozen=True, slots=True)
class DataShape:
    """What a data set looks like, known before it is loaded.

    Attributes:
        inputs: shape of one example.
        task: what the targets are: class numbers, real numbers, or labels, of which an example can
            have several.
        outputs: K classes, target columns or labels.
        classes: the K names of classes or labels, empty for regression.
        sizes: examples in each split.
        columns: names of the input columns of a table, else empty.
        steps: names of the columns of a table that are the steps of a sequence, else empty.
        start: where a point begins, if the data are a surface to descend on; else empty.
        places: where an example has an answer, (time,) for a next token at every step; () for one
            answer an example. Outputs are (N, *places, K) and targets (N, *places); losses and
            scores see them flat, (N * P, K) and (N * P,), as if every place were an example.
        naive: of a series, the mean absolute error of the value a season ago as forecast, over the
            training steps and in the target's unit; else None.
    """

    inputs: Shape
    task: Task
    outputs: int
    classes: tuple[str, ...]
    sizes: Mapping[Split, int]
    columns: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    start: tuple[float, ...] = ()
    places: Shape = ()
    naive: float | None = None

    @property
    def tokens(self) -> int:
        """How many different tokens the inputs consist of; 0 where they are numbers."""
        return self.inputs.tokens if isinstance(self.inputs, TokenShape) else 0

    @property
    def answers(self) -> int:
        """P, how many answers an example has: one, or one at each place."""
        return prod(self.places)


@dataclass(frozen=True, slots=True)
class Windows:
    """Examples that are windows over one stored series, which are not stored one by one.

    Example i sees the T steps from i * stride on; its targets are `count` steps from
    i * stride + offset on: (1, T) is the next token at each step, (T, H) the H steps that follow.

    Attributes:
        series: (L,) tokens or (L, D) numbers.
        targets: (L,) what is to be told of each step.
        length: T.
        stride: steps between the beginnings of two windows.
        offset: where the targets begin, from the window's beginning on.
        count: how many they are.
        relative: whether the targets are told as what they are above the last one that is seen, at
            step T of a window: of a series that grows, the network knows no other size.
    """

    series: "NDArray[Any]"
    targets: "NDArray[Any]"
    length: int
    stride: int
    offset: int
    count: int
    relative: bool = False

    @property
    def span(self) -> int:
        """How many steps an example is made of, its targets among them."""
        return max(self.length, self.offset + self.count)

    @property
    def examples(self) -> int:
        """N, how many whole windows there are."""
        return max(0, (len(self.series) - self.span) // self.stride + 1)

    def inputs_view(self) -> "NDArray[Any]":
        """(N, T) or (N, T, D): a view of the series, no copy."""
        view = np.lib.stride_tricks.sliding_window_view(self.series, self.length, axis=0)
        return np.moveaxis(view[:: self.stride][: self.examples], -1, 1)

    def targets_view(self) -> "NDArray[Any]":
        """(N, count): a view of the targets, no copy unless they are relative."""
        view = np.lib.stride_tricks.sliding_window_view(self.targets[self.offset :], self.count)
        view = view[:: self.stride][: self.examples]
        if not self.relative:
            return view
        last = self.targets[self.length - 1 :: self.stride][: self.examples]
        return view - last[:, None]


class TargetScale(NamedTuple):
    """The network learns (y - mean) / deviation of each target column.

    Both are those of the training split; a column of equal targets is divided by 1.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]


class RowReader(Protocol):
    """Examples that do not fit into memory, read one by one (image_folder, streamed)."""

    shape: tuple[int, ...]
    """(N, *shape of one example)."""
    workers: int
    """How many processes read while the network trains; with 0 the one that trains does it."""

    def read(self, row: int) -> "NDArray[np.uint8]":
        """One example, (C, H, W). Called by worker processes: must be picklable."""
        ...


@dataclass(frozen=True, slots=True)
class Examples:
    """A data set on the host: all rows of all splits in one table, as stored.

    Attributes:
        inputs: (N, *shape), uint8 for images, else float32; or a reader of single rows.
        targets: (N,) int64 class numbers, or (N, K) float32, as stored.
        rows: the row numbers (int64) of each split.
        shape: what `describe` promised; `load` has checked that it holds.
        shift: subtracted from the inputs, then
        factor: multiplied by; both float32 and broadcastable to (N, *shape).
        digest: SHA-256 over inputs and targets, hex; before label noise.
        target_scale: what the network sees of the targets; None sees them as they are.
        clean: the targets before label noise, where there is some: it fell on the training rows
            whose `targets` differ from these.
        fill: of a table that misses values, what stands in their place: (F,), the mean of each
            column over the training rows; None where none may miss.
        peak: the largest value that a pixel can have; None where inputs are no bytes.
        base: what was taken off the inputs, in float64, before they were stored: far from 0,
            float32 would merge values; broadcastable to (N, *shape). None where nothing was.
        merged: where float32 still cannot tell values apart, a line each.
        windows: where rows are windows over a series, of which inputs and targets are views.
    """

    inputs: "NDArray[Any] | RowReader"
    targets: "NDArray[Any]"
    rows: Mapping[Split, "NDArray[np.int64]"]
    shape: DataShape
    shift: "NDArray[np.float32]"
    factor: "NDArray[np.float32]"
    digest: str
    target_scale: TargetScale | None = None
    clean: "NDArray[Any] | None" = None
    fill: "NDArray[np.float32] | None" = None
    peak: int | None = None
    base: "NDArray[np.float64] | None" = None
    merged: tuple[str, ...] = ()
    windows: Windows | None = None

    def answers(self, split: Split) -> "NDArray[Any]":
        """The targets of a split, every place by itself: (N * P,) or (N, K)."""
        found = self.targets[self.rows[split]]
        # Tokens are stored in the smallest type that holds them; class numbers are int64.
        return found.reshape(-1).astype(np.int64) if self.shape.places else found

    def own(self, stored: "NDArray[Any]") -> "NDArray[Any]":
        """Inputs (N, *shape) as stored in the data's own numbers: in float64 where a base is."""
        return stored if self.base is None else stored.astype(np.float64) + self.base


class Batch(NamedTuple):
    """What one step sees."""

    inputs: "Tensor"
    """(N, *shape), scaled and augmented, in the run's precision; tokens are int64."""
    targets: "Tensor"
    """(N,) int64, (N * P,) of P places, or (N, K) float: numbers, 0 or 1 for each label,
    distributions over classes where examples were mixed."""
    rows: "Tensor"
    """(N,) int64: which rows of the table these are."""


class Noise:
    """What the layers of a network draw from in training: no generator, but a counter by row.

    A draw is a hash of the update's seed, the layer's name and the number of the example's row. So
    an example meets the same mask in whatever part of a batch or process it is computed, eager and
    compiled steps draw the same bits, and a resumed run draws what it would have drawn.

    Args:
        seed: () int64 of the update, in [0, 2^63), on the network's device: a tensor, so that a
            compiled step reads it anew.
    """

    def __init__(self, seed: "Tensor") -> None:
        self.seed = seed
        self.rows: Tensor | None = None
        """(N,) of the batch that the network sees; None outside of an update."""

    def attach(self, network: "nn.Module") -> bool:
        """Lets the layers of a network draw from here, each from a stream of its own name.

        Returns:
            Whether there is such a layer.
        """
        found = False
        for name, module in network.named_modules():
            if isinstance(module, Drawing):
                # Half of int64's range, so that the sum with a seed wraps at most once.
                module.noise, module.stream = self, seed_for(0, f"noise/{name}") >> 1
                found = True
        return found


@runtime_checkable
class Drawing(Protocol):
    """A layer that draws in training."""

    noise: Noise | None
    """Where the step that trains it says what is at hand; None draws as torch does."""
    stream: int
    """Of its own draws."""


def drawn_for(layer: Drawing, inputs: "Tensor") -> "tuple[Tensor, Tensor] | None":
    """The rows (N,) and the seed () that a layer hashes for these inputs (N, ...).

    None where no step says of which rows they are: there torch's generator draws.
    """
    noise = layer.noise
    if noise is None or noise.rows is None or len(noise.rows) != len(inputs):
        return None
    return noise.rows, noise.seed + layer.stream


@runtime_checkable
class Unrolling(Protocol):
    """A layer that can be written out operation by operation, as a recorded step wants it."""

    unrolled: bool


@runtime_checkable
class Carrying(Protocol):
    """A layer that can go on with the state that the batch before left."""

    following: "list[tuple[Tensor, ...]] | None"
    """In evaluation mode: the state that the last pass ended with, if any; None begins with 0."""

    def carry_state(self, batch: int) -> None:
        """From now on training begins with the state that it ended with, of so many examples."""
        ...

    def carried(self) -> "Sequence[Tensor]":
        """The state (batch, units) each; none where it is not carried. Fill it with 0 to begin."""
        ...


AugmentFn = Callable[[Batch, int], Batch]
"""A batch and a seed in [0, 2^63) to what the step sees, drawn by seed and row numbers alone."""

LossFn = Callable[["Tensor", Batch], "Tensor"]
"""(N, K) outputs and their batch to (N,): one loss per example, or per place of (N * P, K)
outputs. The mean is taken by the step."""


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


@runtime_checkable
class ExampleScore(Score, Protocol):
    """A score whose sums are sums over single examples, so that examples can be drawn again."""

    def terms(self, outputs: "Tensor", batch: Batch) -> "Tensor":
        """(N, width): what each example adds to the sums."""
        ...


class StoredScore(Protocol):
    """A score that does not add up (a rank, a median): computed from all outputs of a split."""

    def value(self, outputs: "Tensor", targets: "Tensor") -> float:
        """The score of all examples together.

        Args:
            outputs: (N, K) on the CPU.
            targets: (N,) or (N, K) on the CPU.
        """
        ...


AverageFn = Callable[[int], float]
"""How many updates were made to the newest weights' share in the average: 1 copies, 0 leaves it."""


class ScheduleFn(Protocol):
    """The learning rate over time, as a factor of the base rate."""

    def __call__(self, step: int) -> float:
        """The factor for the update that follows `step` updates."""
        ...


@runtime_checkable
class ObservingFn(ScheduleFn, Protocol):
    """A schedule that follows what is measured (plateau)."""

    def observe(self, value: float) -> None:
        """Takes the newest reading of what is monitored."""
        ...

    def state(self) -> dict[str, float | None]:
        """What a resumed run needs to go on alike; fit for JSON."""
        ...

    def load(self, state: Mapping[str, float | None]) -> None:
        """Goes on from a state."""
        ...


_TRACKED = "num_batches_tracked"


@dataclass(frozen=True)
class Plan:
    """A layer before it is built.

    Attributes:
        name: by depth: `conv1`, `hidden1`, `block1.conv1`, `output`.
        kind: the menu's word.
        path: where the user wrote it, for errors.
        inputs: shape of one example that comes in.
        output: shape of one example that goes out.
        parameters: full name -> shape ("hidden1.weight": (16, 784)).
        buffers: full name -> shape.
        flops: floating-point operations of a forward pass for one example; a multiply-add is two.
        note: what else `show` should say: "sigmoid, xavier_normal".
        heads: of attention: how many look at once; 0 of other layers.
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
    heads: int = 0
    children: tuple["Plan", ...] = ()

    @cached_property
    def tally(self) -> "PlanTally":
        """What the whole network is asked for."""
        # Once: a hundred variants of a long stack share most of their plans.
        shapes, below = self.parameters.values(), [child.tally for child in self.children]
        axes = [len(shape) for shape in shapes]
        own = int(max(axes, default=0) > 1)
        tracked = self.buffers and any(name.endswith(_TRACKED) for name in self.buffers)
        alone = bool(tracked) and not below and prod(self.output[1:]) == 1
        return PlanTally(
            sum(map(prod, shapes)),
            sum(one.weighted for one in below) if below else own,
            4 in axes or (bool(below) and any(one.convolves for one in below)),
            alone or (bool(below) and any(one.needs_batches for one in below)),
        )


class PlanTally(NamedTuple):
    """What a plan adds to its network."""

    parameters: int
    """How many weights and biases."""
    weighted: int
    """How many layers with weights."""
    convolves: bool
    """Whether weights go over height and width, its own or those of a layer inside it."""
    needs_batches: bool
    """Whether a batch norm sees one value per unit and example: a batch of one fails."""


class Seen(NamedTuple):
    """What a probe sees of a layer: the outputs of two modules, by the names containers tap."""

    layer: str
    """Its full name: hidden1, block1.conv2."""
    before: str | None
    """The module that puts out the pre-activations; None where none stands alone."""
    after: str | None
    """The module that puts out the activations; None for a layer without an activation."""
    bounds: tuple[float, float] | None
    """Where the activation flattens out on both sides."""

    def under(self, block: str) -> "Seen":
        """The layer as one within a block: its names begin with the block's."""
        before, after = (name and f"{block}.{name}" for name in (self.before, self.after))
        return Seen(f"{block}.{self.layer}", before, after, self.bounds)


@dataclass(frozen=True, slots=True)
class Machine:
    """What `auto` may ask about the machine."""

    device: Literal["cpu", "cuda", "mps"]
    cores: int

    @classmethod
    def here(cls, device: str = "cpu") -> Self:
        """This machine, training on a device of this type (`torch.device.type`)."""
        return cls(cast("Any", device), cpu_count() or 1)


def flat_plans(plans: Sequence[Plan]) -> list[Plan]:
    """Each plan, behind it the plans inside it."""
    found: list[Plan] = []
    for plan in plans:
        found.append(plan)
        if plan.children:
            found += flat_plans(plan.children)
    return found
