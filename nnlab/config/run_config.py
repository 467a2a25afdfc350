"""`RunConfig`: the whole language, one class for each section, and the text it is written as."""

import pathlib
from collections.abc import Mapping
from io import StringIO
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    PrivateAttr,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from nnlab.config.diagnose import DiagnoseConfig
from nnlab.config.sections import LogConfig, RegularizeConfig, Seed, SeedConfig, TrainConfig
from nnlab.config.variants import COMPARISON_KEYS, ComparisonConfig, spelled_as
from nnlab.core.errors import Mistake, Path, dotted_path
from nnlab.core.kinds import Config, Forms
from nnlab.models import Model
from nnlab.parts.datasets import Data
from nnlab.parts.losses import Loss
from nnlab.parts.optimizers import Optimizer
from nnlab.parts.optimizers.adam import AdamConfig
from nnlab.parts.schedules import Schedule
from nnlab.parts.schedules.decays import ConstantScheduleConfig
from nnlab.parts.scores import AnyScore
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
    train: TrainConfig = TrainConfig(epochs=10)
    scores: Annotated[Literal["auto"] | tuple[AnyScore, ...], Forms()] = "auto"
    log: LogConfig = LogConfig()
    diagnose: DiagnoseConfig = DiagnoseConfig()

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
        """The origins where these values (with all inside them) come from elsewhere."""
        kept = [
            {p: w for p, w in table.items() if not any(p[: len(new)] == new for new in places)}
            for table in (self._keys, self._values)
        ]
        return Origins(self.file, {**kept[0], **places}, {**kept[1], **places}, self.folder)

    def under(self, other: "Origins") -> "Origins":
        """The origins with the places of another file wherever that says something."""
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
        name = _printable(dotted_path(mistake.path))
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
    return {
        key: value
        for key, value in plain.items()
        if value is not None or key not in COMPARISON_KEYS
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
    yaml.sort_base_mapping_type_on_output = False  # pyright: ignore[reportAttributeAccessIssue]
    yaml.width = 100
    text = StringIO()
    yaml.dump(_lists(dict(tree)), text)
    return text.getvalue()
