"""What the checks know beside the readings: the network's layers, the settled config, the data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, final

from nnlab.config.diagnose import DiagnoseConfig
from nnlab.core.contracts import SATURATED, Shape, Split, flat_plans
from nnlab.core.lazy import NDArray, np
from nnlab.diagnosis.evidence.begun import Begun
from nnlab.diagnosis.evidence.survey.far_values import FarValues
from nnlab.diagnosis.evidence.survey.split_shift import NearDoubles, Shift
from nnlab.diagnosis.evidence.survey.telling_columns import TellingColumn
from nnlab.diagnosis.evidence.unit_copies import UnitCopies
from nnlab.experiment.experiment import Experiment
from nnlab.parts.activations.family import ActivationConfig
from nnlab.parts.activations.textbook import IdentityConfig, SigmoidConfig, TanhConfig
from nnlab.parts.layers.family import Placed
from nnlab.parts.layers.weighted import WeightedConfig
from nnlab.parts.optimizers.family import GroupedConfig
from nnlab.parts.optimizers.naming import fits

NEVER = 1 << 62
"""No run has so many updates."""


class SplitDoubles(NamedTuple):
    """How the rows of a split agree with training rows.

    Attributes:
        whole: rows whose inputs and target are those of a training row.
        contradicted: rows whose inputs are those of a training row, and whose target is that of
            none of these.
        chance: how many rows would find such inputs if the columns hung together no more than by
            chance: in a table of few categories many do.
    """

    whole: int
    contradicted: int
    chance: float


class NaiveLoss(NamedTuple):
    """A forecast that learns nothing.

    Attributes:
        forecast: what it is: the last value.
        loss: its mean over the windows.
        error: a standard error of that.
    """

    forecast: str
    loss: float
    error: float


@dataclass(frozen=True, slots=True)
class Survey:
    """What a look at all rows says, which costs seconds: `nnlab doctor` takes it.

    Attributes:
        far: columns of a table with values that do not belong to them, and which these are; rows
            by their number in the data.
        far_targets: the same of targets that are numbers.
        far_held_targets: the same of rows of other splits, beside those of training.
        telling: a column of a table that gives the target away.
        copied: pairs of columns that say the same: (copy, the first one).
        near: of each split, rows that nearly are training rows.
        shifts: how far the rows of each split are of another kind than training rows.
    """

    far: tuple[FarValues, ...] = ()
    far_targets: tuple[FarValues, ...] = ()
    far_held_targets: tuple[FarValues, ...] = ()
    telling: TellingColumn | None = None
    copied: tuple[tuple[str, str], ...] = ()
    near: Mapping[Split, NearDoubles] = field(default_factory=dict[Split, NearDoubles])
    shifts: Mapping[Split, Shift] = field(default_factory=dict[Split, Shift])


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What a look at the data says.

    Attributes:
        counts: of the K classes in the training split; empty where targets are no classes.
        size: root mean square of the inputs, as the network sees them; 1 of tokens.
        smallest: deviation of the column that varies least, of those that vary.
        largest: of the one that varies most.
        widest: the name or number of that column.
        constant: columns that are the same in all training rows, as the file calls them.
        columns: how many the file has.
        table: whether each column stands for itself, not for a pixel.
        doubles: of each split, how its rows agree with training rows.
        same_rows: splits that are the rows of train by design.
        blind: the training loss of a guess that never looks at the inputs; None where unknown.
        silent: the training loss of outputs that are all 0, as small first weights give them.
        blind_held: the validation loss of the constant outputs that are best there; None where
            unknown, or without validation.
        split_counts: of the K classes in each split; empty where targets are no classes.
        purity: how much more rows of one batch are of one class, or alike in their number, than
            rows at random: 0 not at all, 1 each batch is of one class.
        unreachable: share of targets that are numbers, as the network sees them, beyond what the
            activation of the output layer can give.
        survey: what a look at all rows says; None where nobody took one.
        all_read: whether all rows were read, for what needs that: doubles, outliers.
        outliers: training rows that are far larger than the others, as far as they were looked
            for.
        naive: of a series, the validation loss of forecasts that learn nothing.
        baseline: what such a guess scores on validation (else train), by the score's key.
    """

    counts: tuple[int, ...]
    size: float
    smallest: float
    largest: float
    widest: str
    constant: tuple[str, ...]
    columns: int
    table: bool
    doubles: Mapping[Split, SplitDoubles]
    same_rows: tuple[Split, ...]
    blind: float | None
    silent: float | None
    baseline: Mapping[str, float]
    blind_held: float | None = None
    split_counts: Mapping[Split, tuple[int, ...]] = field(
        default_factory=dict[Split, tuple[int, ...]]
    )
    purity: float = 0.0
    unreachable: float = 0.0
    survey: Survey | None = None
    all_read: bool = False
    outliers: tuple[int, ...] = ()
    naive: tuple[NaiveLoss, ...] = ()


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """A weight matrix and what stands behind it; a recurrent layer has two of them or more.

    Attributes:
        name: hidden1, block1.conv2, output; lstm.weight_ih_l0 where its name is not `weight`.
        module: what it belongs to: hidden1, lstm.
        weight: its key in readings: 00_hidden1.weight.
        shape: of the weight.
        activation: behind it; the identity where there is none.
        norm: the kind of the norm between.
        rest: the share of its activations that counts as saturated where pre-activations are
            N(0, 1).
    """

    name: str
    module: str
    weight: str
    shape: Shape
    activation: ActivationConfig
    norm: str
    rest: float

    @property
    def key(self) -> str:
        """Of the activations behind it in readings: 00_hidden1."""
        return self.weight.rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class ExampleRecord:
    """N training examples at T moments.

    Attributes:
        rows: (N,) their row numbers in the data.
        labels: (N,) class numbers; empty where targets are no classes.
        steps: (T,) of the moments.
        losses: (T, N).
        margins: (T, N); None where targets are no classes.
        predicted: (T, N) class numbers; None where targets are no classes.
        held: (T, V) margins of the validation rows; None without classes or validation.
        sure: (T, N) the largest output less the second, whatever the label; None too for an older
            record.
    """

    rows: "NDArray[np.int64]"
    labels: "NDArray[np.int64]"
    steps: "NDArray[np.int64]"
    losses: "NDArray[np.float32]"
    margins: "NDArray[np.float32] | None"
    predicted: "NDArray[np.int32] | None"
    held: "NDArray[np.float32] | None" = None
    sure: "NDArray[np.float32] | None" = None

    def used(self, until: int) -> "NDArray[np.bool_]":
        """(T,) the moments that count: up to a step, and the first in any case."""
        return self.steps <= max(until, int(self.steps[0]))


@dataclass(frozen=True, slots=True)
class Unseen:
    """N training examples, asked of networks that were trained without them.

    Attributes:
        losses: (N,) means over the moments, each row of the one network that had not seen it.
        margins: (N,) means over the moments, by the same network.
        sure: (N,) means of the largest output less the second: how sure the answer is.
        predicted: (T, N) class numbers, at each moment.
        held: (F, V) margins of the validation rows, by each of the F networks; None without them.
        held_sure: (F, V) how sure their answers are; None without them.
        special_place: standard errors by which the surest contradicted rows lie together or further
            out than rows as sure; None where nothing can be said.
    """

    losses: "NDArray[np.float32]"
    margins: "NDArray[np.float32]"
    sure: "NDArray[np.float32]"
    predicted: "NDArray[np.int32]"
    held: "NDArray[np.float32] | None"
    held_sure: "NDArray[np.float32] | None"
    special_place: float | None = None


class Written(NamedTuple):
    """Text that a network wrote at temperature 1, beside the text that goes on there.

    Attributes:
        runs: how many different runs of tokens it holds, as many as their entropy stands for.
        held: the same of the text.
        length: tokens of a run.
        tokens: of each of both.
    """

    runs: float
    held: float
    length: int
    tokens: int


@final
class Facts:
    """What is known of a run before its first step.

    Args:
        experiment: settled.
        data: what its data look like, as far as they were looked at.
        record: of its training examples, where one was kept; of a run at hand it comes at its end.
        missing: what Python handed in and is not at hand, and how to hand it in again.
    """

    def __init__(
        self,
        experiment: Experiment,
        data: DataFacts | None = None,
        record: ExampleRecord | None = None,
        *,
        missing: str = "",
    ) -> None:
        self.experiment = experiment
        self.missing = missing
        self.copies: Mapping[str, UnitCopies] | None = None
        """Of hidden layers with units that are copies; None as long as nobody has looked."""
        self.outputs_are_shares: bool | None = None
        """Whether what the network puts out sums to 1; None as long as nobody has looked."""
        self.begun: Begun | None = None
        """Where first weights came from, if from elsewhere, as far as somebody has looked."""
        self.place_losses: NDArray[np.float32] | None = None
        """(N, T) of N validation windows at each of T places; None as long as nobody has looked, or
        where an example has one answer."""
        self.written: Written | None = None
        """How varied what the network writes is; None as long as nobody has looked."""
        self.config = experiment.config
        self.data = data
        self.record = record
        self.layers = tuple(_layers(experiment))

    @cached_property
    def limits(self) -> DiagnoseConfig:
        """The thresholds."""
        return self.config.diagnose

    @property
    def output(self) -> LayerFacts | None:
        """The last layer."""
        return self.layers[-1] if self.layers else None

    @property
    def hidden(self) -> Sequence[LayerFacts]:
        """All that do not belong to the output layer."""
        return [layer for layer in self.layers if layer.module != self.layers[-1].module]

    def in_block(self, layer: LayerFacts) -> bool:
        """Whether there is a way around a layer."""
        blocks = (plan.name for plan in self.experiment.design.plans if plan.children)
        return any(layer.module.startswith(f"{block}.") for block in blocks)

    @property
    def attends(self) -> bool:
        """Whether there is a layer of attention."""
        return any(plan.kind == "attention" for plan in flat_plans(self.experiment.design.plans))

    @property
    def handed(self) -> bool:
        """Whether the network is a module from Python, whose activations nobody has written."""
        return self.config.model.handed

    @property
    def depth(self) -> int:
        """How many layers with weights stand behind each other."""
        return len({layer.module for layer in self.layers})

    @property
    def followed(self) -> bool:
        """Whether a gradient of the weights is followed: not by the rules of Hebb or Rosenblatt."""
        return self.config.rule.optimized and self.config.model.learns

    @cached_property
    def slow_layers(self) -> "Mapping[LayerFacts, float]":
        """Frozen layers, and those whose rate in optimizer.groups is at most lr / 100: the rate."""
        optimizer = self.config.optimizer
        groups = optimizer.groups if isinstance(optimizer, GroupedConfig) else {}
        found: dict[LayerFacts, float] = {}
        for layer in self.layers:
            name = f"{layer.module}.weight"
            said = [g.lr for key, g in groups.items() if fits(key, name) and g.lr is not None]
            if said and said[-1] <= optimizer.lr / 100.0:
                found[layer] = said[-1]
        trained = self.trained_at(NEVER, self.layers)
        return found | {layer: 0.0 for layer in self.layers if layer not in trained}

    def trained_at(self, step: int, layers: "Sequence[LayerFacts]") -> "list[LayerFacts]":
        """Those of these layers whose weight is not frozen after so many updates."""
        frozen = {
            name for name, until in self.experiment.frozen.items() if until is None or step < until
        }
        names = ((layer, {layer.name, f"{layer.module}.weight"}) for layer in layers)
        return [layer for layer, known in names if not known & frozen]

    def answers(self, split: Split) -> int:
        """How many answers of a split are judged: its rows, times the places of each."""
        shape = self.experiment.shape
        return shape.sizes.get(split, 0) * shape.answers

    @property
    def batch_size(self) -> int:
        """Examples in a batch."""
        size = self.config.train.batch_size
        examples = self.experiment.shape.sizes["train"]
        return examples if size == "full" else min(size, examples)

    def share(self, step: int) -> float:
        """How much of the run is over; of a run in minutes, of its first ten epochs."""
        total = self.experiment.total or 10 * self.experiment.per_epoch
        return min(1.0, step / max(1, total))


def _layers(experiment: Experiment) -> Iterator[LayerFacts]:
    layers = experiment.design.layers
    bounds = {place.layer: place.bounds for place in layers.places.values()}
    configs = {placed.name: placed.config for placed in _flat(experiment.design.placed)}
    for each in layers.weights:
        config = configs.get(each.module)
        activation: ActivationConfig = IdentityConfig()
        flat, norm = _LIKE.get(bounds.get(each.module), activation), "none"
        if isinstance(config, WeightedConfig):
            activation = flat = config.activation or activation
            norm = config.norm.kind if config.norm else norm
        yield LayerFacts(each.name, each.module, each.key, each.shape, activation, norm,
                    at_rest(flat))  # fmt: skip


_LIKE: Mapping[tuple[float, float] | None, ActivationConfig] = {
    (-1.0, 1.0): TanhConfig(),
    (0.0, 1.0): SigmoidConfig(),
}
"""What an activation is like at rest of which only its bounds are known."""


def _flat(placed: Sequence[Placed], block: str = "") -> Iterator[Placed]:
    """The layers, and behind a residual block those inside it, by their full names."""
    for one in placed:
        name = f"{block}{one.name}"
        yield one._replace(name=name)
        yield from _flat(one.config.inside(), f"{name}.")


def at_rest(activation: ActivationConfig) -> float:
    """The share of activations of N(0, 1) pre-activations that is next to a bound."""
    if activation.bounds is None:
        return 0.0
    low, high = activation.bounds
    margin = SATURATED * (high - low)
    z = np.linspace(-8.0, 8.0, 4001)
    density = np.exp(-0.5 * z**2)
    a = activation.value(z)
    near = (a <= low + margin) | (a >= high - margin)
    return float(density[near].sum() / density.sum())
