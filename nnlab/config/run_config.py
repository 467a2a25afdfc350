"""`RunConfig`: the whole language, one class for each section, and the text it is written as."""

from collections.abc import Mapping
from io import StringIO
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    PrivateAttr,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from nnlab.config.diagnose import DiagnoseConfig
from nnlab.config.origins import Origins
from nnlab.config.sections import (
    LogConfig,
    RegularizeConfig,
    Seed,
    SeedConfig,
    StartConfig,
    TrainConfig,
)
from nnlab.config.variants import COMPARISON_KEYS, ComparisonConfig, spelled_as
from nnlab.core.kinds import Config, Forms
from nnlab.models import Model
from nnlab.parts.datasets import Data
from nnlab.parts.losses import Loss
from nnlab.parts.losses.family import LossConfig
from nnlab.parts.optimizers import Optimizer
from nnlab.parts.optimizers.adam import AdamConfig
from nnlab.parts.schedules import Schedule
from nnlab.parts.schedules.decays import ConstantScheduleConfig
from nnlab.parts.scores import AnyScore
from nnlab.parts.scores.family import ScoreConfig
from nnlab.rules import DEFAULT, LearningRule

NAME_LETTERS = (
    "A-Za-z0-9\u00c0-\u061b\u061d-\u167f\u1681-\u180d\u180f-\u1fff"
    "\u2c00-\u2dff\u3005-\ud7ff\uf900-\ufdcf"
)
"""Letters and digits of the scripts in use, with their marks, as a class of a pattern: no spaces,
no signs that turn the direction of writing, no control characters."""
RUN_NAME = rf"[{NAME_LETTERS}][{NAME_LETTERS}_.-]{{0,99}}"

if TYPE_CHECKING:
    RunName = str
else:
    RunName = spelled_as(
        RUN_NAME,
        "up to 100 letters, digits, _, . or -, a letter or digit first",
    )


class RunConfig(ComparisonConfig, frozen=True):
    """One experiment, or several that are compared."""

    name: RunName | None = None
    seed: Annotated[Seed | SeedConfig, Forms()] = 0
    data: Data
    model: Model
    loss: Annotated[Literal["auto"] | Loss, Forms()] = "auto"
    regularize: RegularizeConfig = RegularizeConfig()
    optimizer: Optimizer = AdamConfig()
    schedule: Schedule = ConstantScheduleConfig()
    rule: LearningRule = DEFAULT
    train: TrainConfig = TrainConfig(epochs="auto")
    scores: Annotated[Literal["auto"] | tuple[AnyScore, ...], Forms()] = "auto"
    start: StartConfig | None = None
    log: LogConfig = LogConfig()
    diagnose: DiagnoseConfig = DiagnoseConfig()

    _origins: Origins = PrivateAttr(default_factory=lambda: Origins("config", {}, {}))

    def seed_of(self, purpose: Literal["init", "order", "augment", "dropout"]) -> int:
        """The seed, 0 or more, of one purpose: its own where it has one, else that of the run."""
        return self.seed.of(purpose) if isinstance(self.seed, SeedConfig) else self.seed

    def seeded(self, seed: int) -> Self:
        """This experiment from another seed; purposes that have a seed of their own keep it."""
        whole = self.seed
        whole = whole.model_copy(update={"all": seed}) if isinstance(whole, SeedConfig) else seed
        return self.model_copy(update={"seed": whole})

    @property
    def first_seed(self) -> int:
        """The seed that counts for every purpose without one of its own."""
        return self.seed.all if isinstance(self.seed, SeedConfig) else self.seed

    @property
    def recordable(self) -> bool:
        """Whether there can be a compiled step at all, as far as the config says it."""
        plain = self.rule.optimized and not self.optimizer.closure
        plain = plain and self.train.precision != "fp16" and not self.train.unfreeze
        return plain and not set(self.replaced) - {"data"}

    @property
    def own_loss(self) -> LossConfig | None:
        """The loss that the rule, the data or the model bring along; None where `loss` decides."""
        return self.rule.own_loss or self.data.own_loss or self.model.own_loss

    @property
    def own_scores(self) -> tuple[ScoreConfig, ...] | None:
        """The scores that the rule or the data bring along; None where `scores` decides."""
        found = self.rule.own_scores
        return self.data.own_scores if found is None else found

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
    def origins(self) -> Origins:
        """Where each value was written."""
        return self._origins

    def written(self, origins: Origins) -> Self:
        """Remembers where the values were written, for errors that come later; so do its copies."""
        self._origins = origins  # pyright: ignore[reportAttributeAccessIssue] - private, not frozen
        return self


def to_plain(config: Config) -> dict[str, Any]:
    """The config as YAML would read it: dicts, lists, words and numbers, every field written."""
    plain = _lists(config.model_dump())
    return {
        key: value
        for key, value in plain.items()
        if value is not None or key not in (*COMPARISON_KEYS, "start")
    }


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists(inner) for key, inner in value.items()}
    return [_lists(inner) for inner in value] if isinstance(value, list | tuple) else value


def dump_config(config: RunConfig) -> str:
    """The config as YAML text; `load_config` reads the same config from it."""
    return to_yaml(to_plain(config))


def to_yaml(tree: Mapping[str, Any]) -> str:
    """A tree of plain values as YAML text; what holds nothing else stands on one line."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None
    # In the order of the language, not of the alphabet.
    yaml.sort_base_mapping_type_on_output = False  # pyright: ignore[reportAttributeAccessIssue]
    yaml.width = 100
    text = StringIO()
    yaml.dump(_lists(dict(tree)), text)
    return text.getvalue()
