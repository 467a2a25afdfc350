"""`data: csv`: a table in a csv file, its columns inputs and target."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, final

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from nnlab.core.contracts import Split, Task
from nnlab.core.errors import ConfigError, DataError
from nnlab.core.kinds import Forms
from nnlab.core.lazy import NDArray, np
from nnlab.parts.datasets.family import DataConfig
from nnlab.parts.datasets.files.csv_sheet import (
    MOST_INPUTS,
    Columns,
    Sheet,
    encoded,
    encoded_targets,
    guessed_task,
    joined,
    number,
    read_sheet,
)
from nnlab.parts.datasets.split_sizes import FromColumn
from nnlab.parts.datasets.tables import Form, Place, ReadTable, Table, Tables, TableSource

_MARKS: dict[str, Split] = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "test": "test",
}


@final
class CsvConfig(DataConfig, frozen=True):
    """A table of your own in a csv file, one example a line, with a header.

    A column without any number is one of categories and becomes one input for each (one-hot, in
    sorted order). `task: auto` takes words, and at most 20 different whole numbers, for classes.
    Classes are sorted by name, numbers by value.
    """

    splits_from: ClassVar[tuple[Literal["file", "column"], ...]] = ("file", "column")

    kind: Literal["csv"] = "csv"
    path: str
    target: Annotated[str | tuple[str, ...], Forms()]
    task: Literal["auto", "classes", "regression", "labels"] = "auto"
    """labels: several target columns of 0 and 1, of which an example can have several 1."""
    columns: Columns = Columns()
    missing: Literal["refuse", "drop", "mean"] = "refuse"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    decimal: Literal[".", ","] = "."

    _held: ReadTable | None = PrivateAttr(None)

    @classmethod
    def example(cls) -> Self:
        return cls(path="flowers.csv", target="species")

    @field_validator("target")
    @classmethod
    def _some_target(cls, target: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if not target:
            raise PydanticCustomError("value", "needs the name of a column or a list of names")
        return target

    @field_validator("delimiter")
    @classmethod
    def _a_delimiter(cls, delimiter: str) -> str:
        if delimiter in '"\r\n.' or delimiter.isalnum():
            raise PydanticCustomError("value", "needs a sign that is in no cell, like ; or a tab")
        return delimiter

    @field_validator("decimal")
    @classmethod
    def _not_the_delimiter(cls, decimal: str, info: ValidationInfo) -> str:
        if decimal == info.data.get("delimiter"):
            raise PydanticCustomError("value", "needs another sign than delimiter")
        return decimal

    def form(self, place: Place) -> Form:
        return "table"

    def source(self, place: Place) -> TableSource:
        return self.read(place).source

    def settled(self, place: Place) -> dict[str, object]:
        task = self.source(place).task if self.task == "auto" else self.task
        return {"path": str(place.find(self.path)), "task": task}

    def opened(self, place: Place, tables: Tables) -> Self:
        self._refuse(place)
        key = self._key(place)
        if key not in tables:
            tables[key] = self._read(place)
        # What `auto` took is asked for by that name as soon as the config is settled.
        taken = self._key(place, tables[key].source.task)
        copy = self.model_copy()
        copy._held = ReadTable((key, taken), tables[key])  # pyright: ignore[reportAttributeAccessIssue]
        return copy

    def read(self, place: Place) -> Table:
        held = self._held
        return (
            held.table if held is not None and self._key(place) in held.keys else self._read(place)
        )

    def remarks(self, place: Place) -> tuple[str, ...]:
        """Says so where numbers are taken for classes."""
        source = self.source(place)
        if self.task != "auto" or source.task != "classes":
            return ()
        if any(number(name, ".") is None for name in source.classes):
            return ()
        text = f"{len(source.classes)} different whole numbers, taken for classes"
        return (f"data: {self.target} holds {text} (task: regression, if they are quantities)",)

    def _key(self, place: Place, task: str | None = None) -> tuple[object, ...]:
        """All that decides the table: the files, what is asked of them, and how they are read."""
        files = tuple(self.files(place).items())
        marks = tuple(self._mark_columns().items())
        how = (self.target, self.columns, self.missing, self.delimiter, self.decimal)
        return (self._file(place), files, marks, *how, task or self.task)

    def _read(self, place: Place) -> Table:
        targets = (self.target,) if isinstance(self.target, str) else self.target
        sheet, given = self._sheet(place)
        self._check_names(sheet, targets)
        sheet, given = self._complete(sheet, given, targets)
        given |= self._marked(sheet)
        parts = [
            encoded(sheet, name, self.columns, self.decimal)
            for name in self._inputs(sheet, targets)
        ]
        names = tuple(name for part in parts for name in part.names)
        if not 0 < len(names) <= MOST_INPUTS:
            raise DataError(
                f"{self._file(place)}: gives {len(names)} inputs, between 1 and {MOST_INPUTS} "
                "can be used (columns: {drop: [...]})"
            )
        task = self._task(sheet, targets)
        classes, values = encoded_targets(sheet, targets, task, self.decimal)
        rows: dict[Split, NDArray[np.int64]] = {
            split: np.array(mine, np.int64) for split, mine in given.items()
        }
        source = TableSource(
            inputs=(len(names),),
            task=task,
            outputs=len(classes) or len(targets),
            classes=classes,
            columns=names,
            pool=len(sheet) - sum(len(mine) for mine in rows.values()),
            given={split: len(mine) for split, mine in rows.items()},
        )
        inputs = np.concatenate([part.values for part in parts], axis=1)
        return Table(source, inputs, values, given=rows, gaps=self.missing == "mean")

    def _file(self, place: Place) -> Path:
        return place.find(self.path)

    def _sheet(self, place: Place) -> tuple[Sheet, dict[Split, list[int]]]:
        """All files in one, and the rows of those that are a split."""
        others = self.files(place)
        sheets = [read_sheet(p, self.delimiter) for p in (self._file(place), *others.values())]
        given: dict[Split, list[int]] = {}
        start = len(sheets[0])
        for split, sheet in zip(others, sheets[1:], strict=True):
            given[split] = list(range(start, start + len(sheet)))
            start += len(sheet)
        return joined(sheets), given

    def _check_names(self, sheet: Sheet, targets: Sequence[str]) -> None:
        sheet.need("data.target", targets)
        for field in ("drop", "categorical", "numeric"):
            sheet.need(f"data.columns.{field}", getattr(self.columns, field))
        for split, size in (("validation", self.validation), ("test", self.test)):
            if isinstance(size, FromColumn):
                sheet.need(f"data.{split}.column", [size.column])
        columns = self.columns
        named = [*targets, *columns.drop, *columns.categorical, *columns.numeric]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ConfigError(
                f"data.columns: {twice[0]!r} is named twice (a column is one of target, drop, "
                "categorical, numeric)"
            )

    def _mark_columns(self) -> dict[Split, str]:
        found: dict[Split, str] = {}
        if isinstance(self.validation, FromColumn):
            found["validation"] = self.validation.column
        if isinstance(self.test, FromColumn):
            found["test"] = self.test.column
        return found

    def _inputs(self, sheet: Sheet, targets: Sequence[str]) -> list[str]:
        other = {*targets, *self.columns.drop, *self._mark_columns().values()}
        return [name for name in sheet.columns if name not in other]

    def _complete(
        self, sheet: Sheet, given: dict[Split, list[int]], targets: Sequence[str]
    ) -> tuple[Sheet, dict[Split, list[int]]]:
        """Without the rows that `missing: drop` drops; refuses what the policy does not cover."""
        inputs = self._inputs(sheet, targets)
        gaps = sheet.gaps((*inputs, *targets))
        if self.missing == "drop" and gaps:
            gone = {row for row, _ in gaps}
            kept = [row for row in range(len(sheet)) if row not in gone]
            if not kept:
                raise DataError(f"{sheet.where(0)}: every row misses a value (missing: mean)")
            number_of = {row: position for position, row in enumerate(kept)}
            return sheet.keep(kept), {
                split: [number_of[row] for row in mine if row in number_of]
                for split, mine in given.items()
            }
        if self.missing == "mean":
            gaps = [gap for gap in gaps if gap[1] in targets]
        if gaps:
            cells = "cell has" if len(gaps) == 1 else "cells have"
            ways = "missing: drop" if self.missing == "mean" else "missing: drop or mean"
            raise DataError(f"{sheet.gap(*gaps[0])}; {len(gaps)} {cells} none in all ({ways})")
        return sheet, given

    def _marked(self, sheet: Sheet) -> dict[Split, list[int]]:
        """The rows that columns mark as validation and test."""
        columns, found, taken = self._mark_columns(), dict[Split, list[int]](), dict[int, Split]()
        for split, name in columns.items():
            found[split] = []
            for row, cell in enumerate(sheet.columns[name]):
                mark = _MARKS.get(cell.lower())
                at = f"{sheet.where(row)}: column {name!r}"
                if mark is None:
                    raise DataError(f"{at}: {cell!r} is not one of {', '.join(_MARKS)}")
                if mark not in ("train", split) and columns.get(mark) != name:
                    raise DataError(f"{at} marks {mark}: write data.{mark}: {{column: {name}}} too")
                if mark == split:
                    if taken.setdefault(row, split) != split:
                        raise DataError(f"{at}: the row is marked {taken[row]} and {split}")
                    found[split].append(row)
        return found

    def _task(self, sheet: Sheet, targets: Sequence[str]) -> Task:
        if self.task == "classes" and len(targets) > 1:
            raise ConfigError(
                f"data.task: classes needs one target column, got {len(targets)} (regression, "
                "or labels)"
            )
        if self.task == "labels" and len(targets) == 1:
            raise ConfigError("data.task: labels needs several target columns, got 1 (classes)")
        return guessed_task(sheet, targets, self.decimal) if self.task == "auto" else self.task


KINDS = (CsvConfig,)
