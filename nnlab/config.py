"""`RunConfig`: the whole language, one class for each section, and the text it is written as."""

import pathlib
from collections.abc import Mapping
from io import StringIO
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, cast

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from nnlab.base import Config, Mistake, Path, dotted
from nnlab.choices import Forms
from nnlab.comparison import KEYS, ComparisonConfig, spelled_as
from nnlab.contracts import Task
from nnlab.durations import Duration
from nnlab.models import Model
from nnlab.pacing import LogConfig
from nnlab.parts.averages import Average
from nnlab.parts.datasets import Data
from nnlab.parts.losses import Loss
from nnlab.parts.losses.family import LossConfig
from nnlab.parts.optimizers import Optimizer
from nnlab.parts.optimizers.adam import AdamConfig
from nnlab.parts.schedules import Schedule
from nnlab.parts.schedules.decays import ConstantConfig
from nnlab.parts.scores import AnyScore
from nnlab.rules import DEFAULT, Rule

Seed = Annotated[int, Field(ge=0, lt=2**32)]
LENGTHS = ("epochs", "steps", "minutes")


if TYPE_CHECKING:
    Monitored = str
    RunName = str
else:
    Monitored = spelled_as(
        r"(auto|none|[a-z0-9_]+/(train|validation))",
        "auto, none, or such as loss/validation or accuracy/train",
    )
    RunName = spelled_as(
        r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}",
        "up to 100 letters, digits, _, . or -, a letter or digit first",
    )


class SeedConfig(Config, frozen=True):
    """A seed for each purpose; null is `all`."""

    all: Seed = 0
    init: Seed | None = None
    order: Seed | None = None
    augment: Seed | None = None
    dropout: Seed | None = None

    def of(self, purpose: Literal["init", "order", "augment", "dropout"]) -> int:
        """The seed of one purpose."""
        own = getattr(self, purpose)
        return self.all if own is None else own


class RegularizeConfig(Config, frozen=True):
    """Terms of the objective: l2 / 2 * sum of w^2, l1 * sum of |w|; and a bound on the weights.

    nnlab menu regularization says where the other means against overfitting are.
    """

    l2: NonNegativeFloat = 0.0
    l1: NonNegativeFloat = 0.0
    per: Literal["example", "dataset"] = "example"
    """dataset: both are divided by the number of training examples."""
    on: Literal["weights", "all"] = "weights"
    """weights: parameters with two axes or more; all: biases and norms too."""
    max_norm: PositiveFloat | None = None
    """After each update the weights that come into a unit are scaled to an L2 norm of at most this.

    Srebro & Shraibman 2005, "Rank, trace-norm and max-norm"; Hinton et al. 2012, arXiv:1207.0580.
    """


class EarlyStoppingConfig(Config, frozen=True):
    """Stop when the monitored value has not become better for this long."""

    patience: Duration = Duration(5)
    min_delta: NonNegativeFloat = 0.0


class TrainConfig(Config, frozen=True):
    """How long, in which steps, and how the numbers are computed."""

    epochs: Annotated[int, Field(ge=1, le=10**7)] | None = None
    steps: Annotated[int, Field(ge=1, le=10**10)] | None = None
    minutes: Annotated[float, Field(gt=0, le=10**6)] | None = None
    batch_size: Annotated[PositiveInt | Literal["full"], Forms()] = 64
    drop_last: bool = False
    sampling: Literal["shuffled", "balanced", "in_order"] = "shuffled"
    """balanced: rows are drawn with replacement, of each class equally many; in_order: as they are
    in the training split, the same in every epoch."""
    clip_norm: PositiveFloat | None = None
    monitor: Monitored = "auto"
    early_stopping: EarlyStoppingConfig | None = None
    averaging: Annotated[Literal["none"] | Average, Forms()] = "none"
    """What is evaluated and kept: the weights themselves, or an average over those of training."""
    precision: Literal["fp32", "bf16", "fp16", "fp64"] = "fp32"
    compile: Literal["auto", "on", "off"] = "auto"
    threads: Annotated[Annotated[int, Field(ge=1, le=1024)] | Literal["auto"], Forms()] = "auto"
    layout: Literal["auto", "contiguous", "channels_last"] = "auto"

    @model_validator(mode="before")
    @classmethod
    def _ten_epochs(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        section = cast("dict[str, object]", value)
        given = any(section.get(name) is not None for name in LENGTHS)
        return section if given else {**section, "epochs": 10}

    @field_validator("steps", "minutes")
    @classmethod
    def _one_length(cls, value: object, info: ValidationInfo) -> object:
        others = [name for name in LENGTHS if info.data.get(name) is not None]
        if value is not None and others:
            text = "{other} is given too (a run has exactly one of epochs, steps and minutes)"
            raise PydanticCustomError("value", text, {"other": others[0]})
        return value


class RunConfig(ComparisonConfig, frozen=True):
    """One experiment, or several that are compared."""

    name: RunName | None = None
    seed: Annotated[Seed | SeedConfig, Forms()] = 0
    data: Data
    model: Model
    loss: Annotated[Literal["auto"] | Loss, Forms()] = "auto"
    regularize: RegularizeConfig = RegularizeConfig()
    optimizer: Optimizer = AdamConfig()
    schedule: Schedule = ConstantConfig()
    rule: Rule = DEFAULT
    train: TrainConfig = TrainConfig(epochs=10)
    scores: Annotated[Literal["auto"] | tuple[AnyScore, ...], Forms()] = "auto"
    log: LogConfig = LogConfig()

    _origins: "Origins" = PrivateAttr(default_factory=lambda: Origins("config", {}, {}))

    def seed_of(self, purpose: Literal["init", "order", "augment", "dropout"]) -> int:
        """The seed of one purpose."""
        return self.seed.of(purpose) if isinstance(self.seed, SeedConfig) else self.seed

    @property
    def replaced(self) -> dict[str, str]:
        """Sections that rule, data or model leave no meaning: name -> why."""
        return {**self.model.replaces, **self.data.replaces, **self.rule.replaces}

    @model_serializer(mode="wrap")
    def _without_replaced(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A section without a meaning is not written: the config would be refused when read."""
        fields: dict[str, Any] = handler(self)
        return {name: value for name, value in fields.items() if name not in self.replaced}

    @property
    def origins(self) -> "Origins":
        """Where each value was written."""
        return self._origins

    def written(self, origins: "Origins") -> Self:
        """Remembers where the values were written, for errors that come later."""
        self._origins = origins  # pyright: ignore[reportAttributeAccessIssue] - private, not frozen
        return self


class Origins:
    """Where the values of a config were written: `configs/mnist.yaml:12:15`, `--set lr=0`.

    Args:
        file: how to call the whole.
        keys: places of the keys, by path.
        values: places of the values.
        folder: where its relative paths start; None is the current folder.
    """

    def __init__(
        self,
        file: str,
        keys: Mapping[Path, str],
        values: Mapping[Path, str],
        folder: pathlib.Path | None = None,
    ) -> None:
        self.file = file
        self.folder = folder or pathlib.Path.cwd()
        self._keys = keys
        self._values = values

    def __eq__(self, other: object) -> bool:
        """Always: where a config was written does not make it another (pydantic compares it)."""
        return isinstance(other, Origins)

    def replaced(self, places: Mapping[Path, str]) -> "Origins":
        """Likewise, where these values (with all inside them) come from elsewhere."""
        kept = [
            {p: w for p, w in table.items() if not any(p[: len(new)] == new for new in places)}
            for table in (self._keys, self._values)
        ]
        return Origins(self.file, {**kept[0], **places}, {**kept[1], **places}, self.folder)

    def under(self, other: "Origins") -> "Origins":
        """Likewise, with the places of another file where it says something."""
        keys, values = {**self._keys, **other._keys}, {**self._values, **other._values}
        return Origins(other.file, keys, values, other.folder)

    def inside(self, path: Path) -> dict[Path, str]:
        """The places of a value and of all that it holds, by the rest of their paths."""
        size = len(path)
        return {p[size:]: where for p, where in self._values.items() if p[:size] == path}

    def line(self, mistake: Mistake) -> str:
        """A mistake as it is printed: where it is written, its path, what is wrong."""
        path = mistake.path
        where = self._keys.get(path) if mistake.at_key else None
        while where is None and path:
            # The key of a value that holds others is a better place than its first key.
            inside = (place for p, place in self._values.items() if p[: len(path)] == path)
            where = self._values.get(path) or next(inside, None)
            path = path[:-1]
        where = where or self._values.get((), self.file)
        text = mistake.text
        name = _printable(dotted(mistake.path))
        if not name:
            return f"{where}: {text}"
        joint = " " if text.startswith("(") else ": "
        return f"{where}: {name}{joint}{text}"


def _printable(name: str) -> str:
    """A path with whatever a file may have as a key, fit for a terminal."""
    name = name if name.isprintable() else repr(name)[1:-1]
    return name if len(name) <= 120 else name[:120] + "..."


def to_plain(config: Config) -> dict[str, Any]:
    """The config as YAML would read it: dicts, lists, words and numbers, every field written."""
    plain = _lists(config.model_dump())
    return {key: value for key, value in plain.items() if value is not None or key not in KEYS}


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists(inner) for key, inner in value.items()}
    return [_lists(inner) for inner in value] if isinstance(value, list | tuple) else value


def dump(config: RunConfig) -> str:
    """The config as YAML text; `load_config` reads the same config from it."""
    return to_yaml(to_plain(config))


def to_yaml(tree: Mapping[str, Any]) -> str:
    """A tree of plain values as YAML text; what holds nothing else stands on one line."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None
    yaml.sort_base_mapping_type_on_output = False  # pyright: ignore[reportAttributeAccessIssue]
    yaml.width = 100
    text = StringIO()
    yaml.dump(_lists(dict(tree)), text)
    return text.getvalue()


def default_loss(task: Task) -> LossConfig:
    """What `loss: auto` takes: maximum likelihood for the task."""
    from nnlab.parts.losses.classes import BceConfig, CrossEntropyConfig
    from nnlab.parts.losses.numbers import MseConfig

    kinds = {"classes": CrossEntropyConfig, "labels": BceConfig, "regression": MseConfig}
    return kinds[task]()
