"""`arrays`: (X, y) that Python hands in. A config names them, no file holds them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Literal, Self, final

from pydantic import Field, PrivateAttr

from nnlab.core.contracts import Split
from nnlab.core.errors import ConfigError, DataError
from nnlab.core.kinds import Forms
from nnlab.core.lazy import NDArray, np
from nnlab.parts.datasets.family import DataConfig
from nnlab.parts.datasets.files import array_rules
from nnlab.parts.datasets.files.sheets.columns import NO_VALUE
from nnlab.parts.datasets.files.sheets.gaps import (
    FrameRows,
    GlobalPolicy,
    Policy,
    fill_or_leave_out,
)
from nnlab.parts.datasets.tables import Form, Place, Table, TableSource, merging

_ORDER: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Rows of all splits that were handed in, one split after the other.

    Attributes:
        inputs: (N, ...).
        targets: (N,) or (N, K) numbers, or (N,) class names.
        counts: rows of each split.
        columns: what the inputs of a table are called; empty where they have no names.
        gaps: of the columns of DataFrames that miss values, (N,) where.
        unlabelled: (N,) where DataFrames have no target; None where each row has one.
        remarks: what was left out and filled, a line each.
    """

    inputs: "NDArray[Any]"
    targets: "NDArray[Any]"
    counts: Mapping[Split, int]
    columns: tuple[str, ...] = ()
    gaps: "Mapping[str, NDArray[np.bool_]]" = field(default_factory=dict[str, "NDArray[np.bool_]"])
    unlabelled: "NDArray[np.bool_] | None" = None
    remarks: tuple[str, ...] = ()

    @property
    def given(self) -> dict[Split, int]:
        """Rows of the splits that were handed in beside train."""
        return {split: count for split, count in self.counts.items() if split != "train"}


@final
class ArraysConfig(DataConfig, frozen=True):
    """Arrays that Python hands in: nnlab.train(config, data=(X, y)).

    Inputs and targets mean what they mean in an npz file; targets may also be class names.
    """

    handed: ClassVar[bool] = True
    kind: Literal["arrays"] = "arrays"
    task: array_rules.AskedTask = "auto"
    classes: Annotated[Annotated[int, Field(ge=2, le=array_rules.MOST_CLASSES)] | None, Forms()] = (
        None
    )

    missing: Annotated[GlobalPolicy | dict[str, Policy], Forms()] = "fill"
    """What is done where DataFrames miss values, as in csv files: numbers get their training mean,
    words a category of their own, rows without a target are left out."""

    _held: Held | None = PrivateAttr(None)

    def holding(self, held: Held) -> Self:
        """This config with the arrays that it stands for.

        Raises:
            ConfigError: a split was handed in, and the config says how to draw it; or a column
                cannot be filled as it is asked for.
            DataError: a column that may miss nothing does, or no row is left.
        """
        wrong = [
            f"data.{split}: was handed in, and the config says {size!r} too (remove one of them)"
            for split in held.given
            if split in self.model_fields_set
            and (size := self.validation if split == "validation" else self.test)
            not in ("auto", "official")
        ]
        if wrong:
            raise ConfigError(wrong)
        copy = self.model_copy()
        copy._held = without_gaps(held, self.missing)  # pyright: ignore[reportAttributeAccessIssue] - private, not frozen
        return copy

    @property
    def held(self) -> Held:
        """What was handed in.

        Raises:
            ConfigError: nothing was.
        """
        if self._held is None:
            raise ConfigError(
                "data: arrays come from Python and are in no file "
                "(hand them in: nnlab.train(config, data=(X, y)))"
            )
        return self._held

    def has_split(self, split: Split, place: Place) -> bool:
        return split in self.held.given

    def split_size(self, split: Literal["validation", "test"]) -> object:
        written = super().split_size(split)
        if self._held is None:
            return written
        if split in self._held.given:
            return "official"
        # Where splits are handed in one by one, those are all, unless the config asks for more.
        return "none" if self._held.given and split not in self.model_fields_set else written

    def settled(self, place: Place) -> dict[str, object]:
        if self._held is None:
            return {}
        task = self.source(place).task
        return {"validation": self.split_size("validation"), "task": task}

    def form(self, place: Place) -> Form:
        return array_rules.form_of(self.held.inputs.shape, self.held.inputs.dtype)

    def source(self, place: Place) -> TableSource:
        held = self.held
        inputs, targets = held.inputs, held.targets
        one = array_rules.example_shape(inputs.shape, inputs.dtype, where="data: X")
        most = array_rules.most_classes(self.form(place), len(targets), self.classes)
        task = array_rules.task_of(targets, self.task, most=most, where="data: y")
        classes = self._classes().names if task == "classes" else ()
        if task == "labels":
            classes = tuple(str(label) for label in range(targets.shape[1]))
        return TableSource(
            inputs=one,
            task=task,
            outputs=len(classes) or (targets.shape[1] if targets.ndim > 1 else 1),
            classes=classes,
            columns=held.columns or array_rules.columns_of(one),
            pool=held.counts["train"],
            given=held.given,
            guess=array_rules.guess_of(targets, self.task, most=most, where="data: y"),
        )

    def at_hand(self, place: Place) -> Table | None:
        # A run that is only asked has them no more.
        return None if self._held is None else self.read(place)

    def read(self, place: Place) -> Table:
        source, held = self.source(place), self.held
        stored = array_rules.stored_inputs(held.inputs, source.inputs)
        targets = self._classes().numbers if source.task == "classes" else held.targets
        targets, merged = array_rules.stored_targets(targets, source.task, source.outputs)
        rows: dict[Split, NDArray[np.int64]] = {}
        start = source.pool
        for split, count in held.given.items():
            rows[split] = np.arange(start, start + count)
            start += count
        return Table(
            source,
            stored.values,
            targets,
            given=rows,
            gaps=self.missing == "mean" or bool(held.gaps),
            base=stored.base,
            merged=merging(stored.merged, source.columns, merged, ()),
        )

    def remarks(self, place: Place) -> tuple[str, ...]:
        """Says what `task: auto` took, where the targets could be something else; and gaps."""
        if self._held is None:
            return ()
        source = self.source(place)
        return (*array_rules.remarks_of(source, source.guess), *self._held.remarks)

    def _classes(self) -> array_rules.ClassNumbers:
        return array_rules.class_numbers(self.held.targets, self.classes, where="data: y")


def held_of(
    parts: "Mapping[str, tuple[NDArray[Any], NDArray[Any]]]",
    columns: tuple[str, ...] = (),
    *,
    gaps: "Mapping[str, Mapping[str, NDArray[np.bool_]]] | None" = None,
    unlabelled: "Mapping[str, NDArray[np.bool_]] | None" = None,
    remarks: tuple[str, ...] = (),
) -> Held:
    """The arrays of some splits as one table.

    Args:
        parts: (X, y) by split; "train" must be there.
        columns: what the inputs of a table are called, where they have names.
        gaps: by split and column, (N,) where a frame misses values; the same columns in each.
        unlabelled: by split, (N,) where it has no target.
        remarks: what was taken that a user may not expect.

    Raises:
        ConfigError: the splits are not those that there are.
        DataError: shapes or types do not go together.
    """
    unknown = [name for name in parts if name not in _ORDER]
    if unknown or "train" not in parts:
        text = f"got {', '.join(map(repr, parts)) or 'nothing'}"
        raise ConfigError(f"data: needs 'train', may have 'validation' and 'test', {text}")
    ordered: dict[Split, tuple[NDArray[Any], NDArray[Any]]] = {
        split: parts[split] for split in _ORDER if split in parts
    }
    for split, (inputs, targets) in ordered.items():
        where = "data" if len(ordered) == 1 else f"data[{split!r}]"
        _check_part(inputs, targets, where)
    shapes = {inputs.shape[1:] for inputs, _ in ordered.values()}
    if len(shapes) > 1 or len({inputs.dtype == np.uint8 for inputs, _ in ordered.values()}) > 1:
        found = ", ".join(f"{s}: {x.dtype} {x.shape}" for s, (x, _) in ordered.items())
        raise DataError(f"data: the splits' X differ in shape or type, {found}")
    every = [
        array_rules.plain_targets(array_rules.flat_targets(targets), where="data: y is")
        for _, targets in ordered.values()
    ]
    if len({part.shape[1:] for part in every}) > 1:
        raise DataError(f"data: the splits' y have shapes {', '.join(str(y.shape) for y in every)}")
    if len({part.dtype.kind == "U" for part in every}) > 1:
        raise DataError("data: y holds names in one split and numbers in another (give the same)")
    counts: dict[Split, int] = {split: len(y) for split, (_, y) in ordered.items()}
    inputs = np.concatenate([x for x, _ in ordered.values()])
    where = _gaps_below(gaps or {}, [*ordered])
    found = [(unlabelled or {}).get(split, np.zeros(n, np.bool_)) for split, n in counts.items()]
    without = np.concatenate(found)
    lacking = without if without.any() else None
    return Held(inputs, np.concatenate(every), counts, columns, where, lacking, remarks)


def _gaps_below(
    gaps: "Mapping[str, Mapping[str, NDArray[np.bool_]]]", splits: Sequence[Split]
) -> "dict[str, NDArray[np.bool_]]":
    """The gaps of each column, one split below the other."""
    names = next(iter(gaps.values()), {})
    return {name: np.concatenate([gaps[split][name] for split in splits]) for name in names}


def without_gaps(held: Held, missing: GlobalPolicy | Mapping[str, Policy]) -> Held:
    """What was handed in without the rows that are left out.

    Args:
        held: with what it misses.
        missing: what the config says.

    Raises:
        ConfigError: a column cannot be filled as it is asked for.
        DataError: a column that may miss nothing does, or no row is left.
    """
    known = {name.partition("=")[0] for name in held.columns} | {*held.columns}
    for name in () if isinstance(missing, str) else missing:
        if name not in known:
            text = f"{name!r} is not a column of X"
            raise ConfigError(f"data.missing: {text} (it has {', '.join(sorted(known)[:8])})")
    if not held.gaps and held.unlabelled is None:
        return held
    split_of = np.repeat(np.arange(len(held.counts)), [*held.counts.values()])
    words = {name for name in held.gaps if f"{name}={NO_VALUE}" in held.columns}
    rows = FrameRows(held.gaps, words, held.unlabelled, (*held.counts,), split_of)
    found = fill_or_leave_out(rows, missing)
    kept = found.kept
    dropped = {f"{name}={NO_VALUE}" for name in found.dropped}
    places = [place for place, name in enumerate(held.columns) if name not in dropped]
    left = np.bincount(split_of[kept], minlength=len(held.counts))
    inputs = held.inputs[kept]
    return replace(
        held,
        inputs=inputs[:, places] if dropped & {*held.columns} else inputs,
        targets=held.targets[kept],
        counts={split: int(n) for split, n in zip(held.counts, left, strict=True)},
        columns=tuple(held.columns[place] for place in places),
        gaps={name: mask[kept] for name, mask in held.gaps.items() if name not in found.dropped},
        unlabelled=None,
        remarks=(*held.remarks, *found.remarks),
    )


def _not_numbers(inputs: "NDArray[Any]") -> str:
    """What an array is, and what makes numbers of it."""
    if inputs.ndim == 0 and hasattr(inputs.item(), "toarray"):
        return "a sparse matrix, arrays are dense (X.toarray())"
    if inputs.dtype.names:
        return "structured, not numbers (pandas.DataFrame(X), which keeps the names of its columns)"
    if inputs.dtype.kind == "c":
        return f"{inputs.dtype}, numbers in two parts (numpy.abs(X), or X.real)"
    way = "X.astype(float), or a DataFrame, whose words become categories"
    return f"{inputs.dtype}, not numbers ({way})"


def _check_part(inputs: "NDArray[Any]", targets: "NDArray[Any]", where: str) -> None:
    if inputs.dtype.kind not in "buif":
        raise DataError(f"{where}: X is {_not_numbers(inputs)}")
    if not inputs.ndim or 0 in inputs.shape:
        raise DataError(f"{where}: X has shape {inputs.shape}, expected (N, ...) without a 0")
    if targets.ndim not in (1, 2) or len(targets) != len(inputs):
        text = f"y has shape {targets.shape}, expected (N,) or (N, K)"
        raise DataError(f"{where}: {text} with N = {len(inputs)}, as X has")


KINDS = (ArraysConfig,)
