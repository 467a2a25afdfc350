"""What Python hands in beside a config: arrays, a module, a loss. None of it comes from a file.

The config names them (`data: arrays`, `model: module`, `loss: function`), so that a run's folder
says what it was; to go on with such a run they are handed in again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from nnlab.config.loading import (
    Document,
    Text,
    document_of,
    load_config,
    place_for,
    read_text,
    require_one_run,
    validate_document,
)
from nnlab.config.run_config import RunConfig
from nnlab.core.contracts import Machine
from nnlab.core.errors import ConfigError, DataError
from nnlab.core.lazy import NDArray, Tensor, nn, np, torch
from nnlab.core.text import short_path
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.settle import settle

# A run from a file hands in nothing, and does without the fifteen modules that read arrays.
if TYPE_CHECKING:
    from nnlab.parts.datasets.files.arrays import Held

Source = str | Path | Text | Mapping[str, Any] | RunConfig
Asked = Source | Experiment
"""What a run is asked for by: a config that is still to be read, or what one means."""
_KINDS = {"data": "arrays", "model": "module", "loss": "function"}


@dataclass(frozen=True, slots=True)
class Handed:
    """What a call handed in; None where it did not.

    Attributes:
        data: (X, y), or {"train": (X, y), "validation": ..., "test": ...}.
        model: (N, *inputs) to (N, K); it is trained in place.
        loss: (N, K) outputs and targets to (N,) losses or their mean.
    """

    data: object | None = None
    model: "nn.Module | None" = None
    loss: "Callable[..., Tensor] | None" = None

    @property
    def sections(self) -> list[str]:
        """The sections of the config that are handed in."""
        return [name for name in _KINDS if getattr(self, name) is not None]


NOTHING = Handed()


def experiment_of(
    asked: Asked, overrides: Sequence[str] = (), handed: Handed = NOTHING
) -> Experiment:
    """What a config means, on the CPU of this machine; of an experiment that was settled, itself.

    Raises:
        ConfigError: the config is mistaken, or says something else than what is handed in.
        DataError: the data are missing, damaged, or do not go together.
    """
    if isinstance(asked, Experiment):
        assert not overrides
        assert not handed.sections
        return asked
    source = read_text(asked) if isinstance(asked, str | Path) else asked
    config = load_config_with(source, overrides, handed)
    experiment = settle(config, place_for(config.origins.folder), Machine.here())
    return replace(experiment, text=source.text if isinstance(source, Text) else None)


def load_config_with(
    source: Source | Document, overrides: Sequence[str], handed: Handed
) -> RunConfig:
    """`load_config` with what was handed in; sections that only name it need not be written.

    Raises:
        ConfigError: the config says something else in such a section, or it is mistaken.
        DataError: the arrays do not go together.
    """
    if not handed.sections:
        return load_config(source, overrides)
    if isinstance(source, RunConfig):
        _refuse_others(source, handed)
        return _holding(source, handed)
    document = require_one_run(document_of(source, overrides))
    tree = dict(document.tree)
    for section in handed.sections:
        tree[section] = _named(section, tree.get(section), document)
    return _holding(validate_document(document._replace(tree=tree)), handed)


def in_no_file(config: RunConfig) -> bool:
    """Whether a command could not open the run, which lacks what was handed in."""
    return any(_kind_of(config, section) == kind for section, kind in _KINDS.items())


def held_sections(config: RunConfig, handed: Handed) -> list[tuple[str, bool]]:
    """The sections that Python handed in to train a run, and whether it has done so again."""
    return [
        (name, getattr(handed, name) is not None)
        for name in _KINDS
        if getattr(getattr(config, name), "handed", False)
    ]


def require_handed(
    config: RunConfig, handed: Handed, call: str, run: Path, needed: Sequence[str] = (*_KINDS,)
) -> None:
    """Refuses a call that does not hand in again what a run was trained with.

    Args:
        config: of the run.
        handed: what the call handed in.
        call: its name: "evaluate".
        run: its folder.
        needed: sections that the call cannot do without.

    Raises:
        ConfigError: with the whole call as it would do.
    """
    held = [(name, again) for name, again in held_sections(config, handed) if name in needed]
    gone = [name for name, again in held if not again]
    if not gone:
        return
    first = ["X"] if call == "predict" else []
    again = ", ".join([repr(short_path(run)), *first, *(_AGAIN[name] for name, _ in held)])
    text = f"{' and '.join(gone)} came from Python when it was trained, and no file holds them"
    raise ConfigError(f"{short_path(run)}: {text} (nnlab.{call}({again}))")


_AGAIN = {"data": "data=(X, y)", "model": "model=network", "loss": "loss=function"}


def _kind_of(config: RunConfig, section: str) -> str:
    return getattr(getattr(config, section), "kind", "auto")


def _named(section: str, written: object, document: Document) -> dict[str, Any]:
    """A section as it names what is handed in."""
    kind = _KINDS[section]
    fields = {"kind": written} if isinstance(written, str) else written
    if fields is None or fields == {"kind": "auto"}:
        fields = {}
    if not isinstance(fields, Mapping):
        raise ConfigError(f"{document.origins.file}: {section}: needs a mapping, got {written!r}")
    fields = cast("Mapping[str, Any]", fields)
    if fields.get("kind", kind) != kind:
        _refuse(section, fields["kind"], document.origins.file)
    return {"kind": kind, **fields}


def _refuse(section: str, found: object, file: str) -> None:
    way = f"remove {section}, or set={{'{section}': '{_KINDS[section]}'}}"
    raise ConfigError(f"{file}: {section}: says {found}, and one was handed in ({way})")


def _refuse_others(config: RunConfig, handed: Handed) -> None:
    for section in handed.sections:
        found = _kind_of(config, section)
        if found != _KINDS[section]:
            _refuse(section, found, config.origins.file)


def _holding(config: RunConfig, handed: Handed) -> RunConfig:
    """The config whose kinds have the objects that they stand for."""
    changes: dict[str, object] = {}
    if handed.data is not None:
        from nnlab.parts.datasets.files.arrays import ArraysConfig

        assert isinstance(config.data, ArraysConfig)
        changes["data"] = config.data.holding(arrays_of(handed.data))
    if handed.model is not None:
        from nnlab.models.module import ModuleConfig

        module: Any = handed.model
        if not isinstance(module, nn.Module):
            raise ConfigError(f"model: needs a torch.nn.Module, got {type(module).__name__}")
        assert isinstance(config.model, ModuleConfig)
        changes["model"] = config.model.holding(module)
    if handed.loss is not None:
        from nnlab.parts.losses.function import FunctionConfig

        if not callable(handed.loss):
            raise ConfigError(f"loss: needs a function, got {type(handed.loss).__name__}")
        assert isinstance(config.loss, FunctionConfig)
        changes["loss"] = config.loss.holding(handed.loss)
    return config.model_copy(update=changes)


def arrays_of(data: object) -> "Held":
    """(X, y), or such pairs by split, as arrays; they are copied.

    Raises:
        ConfigError: it is neither.
        DataError: what X and y hold cannot be trained on.
    """
    from nnlab.parts.datasets.files import frames
    from nnlab.parts.datasets.files.arrays import held_of

    parts = data if isinstance(data, Mapping) else {"train": data}
    found: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {}
    tables: dict[str, object] = {}
    unlabelled: dict[str, NDArray[np.bool_]] = {}
    remarks: list[str] = []
    for split, pair in cast("Mapping[str, Any]", parts).items():
        if not isinstance(pair, tuple | list) or len(cast("Sequence[Any]", pair)) != 2:
            where = "data" if parts is not data else f"data[{split!r}]"
            text = f"needs a pair (X, y), got {type(pair).__name__}"
            raise ConfigError(f"{where}: {text} (or {{'train': (X, y), 'test': ...}})")
        inputs, targets = cast("Sequence[Any]", pair)
        if frames.is_frame(inputs):
            tables[split] = inputs
        if frames.is_series(targets) or frames.is_frame(targets):
            goal = frames.column_as_array(targets)
            answers, unlabelled[split] = goal.values, goal.gaps
        else:
            answers = _array(targets, "y")
        if said := frames.index_remark(inputs, targets):
            remarks.append(said)
        found[split] = (np.empty(0) if split in tables else _array(inputs, "X"), answers)
    if not tables:
        return held_of(found, unlabelled=unlabelled, remarks=tuple(dict.fromkeys(remarks)))
    if len(tables) < len(found):
        raise DataError("data: X is a frame in some splits and an array in others")
    framed = frames.frames_as_arrays(tables)
    return held_of(
        {split: (framed.arrays[split], targets) for split, (_, targets) in found.items()},
        framed.columns,
        gaps=framed.gaps,
        unlabelled=unlabelled,
        remarks=(*dict.fromkeys(remarks), *framed.remarks),
    )


def _array(values: Any, name: str) -> "NDArray[Any]":
    """A NumPy array of an array, a tensor on any device, or what NumPy makes one of."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        return (values.float() if values.dtype == torch.bfloat16 else values).numpy()
    if np.ma.is_masked(values):
        way = f"{name}.filled(...), or a DataFrame with NaN there"
        raise DataError(f"data: {name} hides values behind a mask, which would be used ({way})")
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise DataError(f"data: {name} is no array: {error}") from error
