"""`data: csv`: a table in a csv file, its columns inputs and target."""

import codecs
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple, Self, final

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from nnlab.core.contracts import Split, Task
from nnlab.core.errors import ConfigError, DataError
from nnlab.core.kinds import Forms
from nnlab.core.lazy import NDArray, np
from nnlab.parts.datasets.family import DataConfig
from nnlab.parts.datasets.files.sheets.columns import (
    MOST_INPUTS,
    Categories,
    Columns,
    Numbers,
    Reader,
    input_names,
    loose_numbers,
    read_column,
    read_dates,
)
from nnlab.parts.datasets.files.sheets.gaps import (
    GlobalPolicy,
    Policy,
    filled_remarks,
    leave_out,
)
from nnlab.parts.datasets.files.sheets.notation import Notation, named
from nnlab.parts.datasets.files.sheets.quick import quick_sheet
from nnlab.parts.datasets.files.sheets.reading import Layout, read_sheet
from nnlab.parts.datasets.files.sheets.sheet import Sheet, joined
from nnlab.parts.datasets.files.sheets.targets import Targets, read_targets
from nnlab.parts.datasets.precision import Narrowed, merged_values, narrowed
from nnlab.parts.datasets.split_sizes import FromColumn
from nnlab.parts.datasets.tables import (
    Form,
    Guess,
    Place,
    ReadTable,
    Table,
    Tables,
    TableSource,
    merging,
)

_MARKS: dict[str, Split] = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "test": "test",
}


class _Rows(NamedTuple):
    """A table without the rows that were left out, and which rows are of a given split."""

    sheet: Sheet
    given: "dict[Split, NDArray[np.int64]]"
    remarks: tuple[str, ...]


@final
class CsvConfig(DataConfig, frozen=True):
    """A table of your own in a csv file, one example a line, with a header.

    A column without any number is one of categories and becomes one input for each (one-hot, in
    sorted order). `task: auto` takes words, and at most 20 different whole numbers, for classes,
    and so target columns of which each row marks one with 1. Classes are sorted by name, numbers by
    value.
    """

    splits_from: ClassVar[tuple[Literal["file", "column"], ...]] = ("file", "column")

    kind: Literal["csv"] = "csv"
    path: str
    target: Annotated[str | tuple[str, ...], Forms()]
    task: Literal["auto", "classes", "regression", "labels"] = "auto"
    """labels: several target columns of 0 and 1, of which an example can have several 1."""
    columns: Columns = Columns()
    missing: Annotated[GlobalPolicy | dict[str, Policy], Forms()] = "fill"
    """fill: numbers get their training mean, words a category of their own, and rows without a
    target are left out; mean: likewise, and so do files that are predicted, even if no row missed
    a number in training; drop leaves out every row that misses a value. A mapping says it by
    column, with `category` too: {age: mean, cabin: category, port: drop}."""
    missing_as: tuple[Annotated[str | float, Forms()], ...] = ()
    """What stands for no value, beside empty cells, NA, nan, null and ?: ["-", None, -999]."""
    delimiter: str = "auto"
    """auto: a tab in .tsv files, else a comma; a blank stands for one or several."""
    decimal: Literal[".", ","] = "."
    thousands: Literal["none", ",", ".", "'", " "] = "none"
    """The sign between groups of three digits."""
    header: Literal["first_line", "none"] = "first_line"
    """none: the file does not name its columns; they are called x1, x2, ..."""
    skip_lines: Annotated[int, Field(ge=0, le=10_000)] = 0
    """So many lines above the header are skipped."""
    encoding: str = "utf-8"

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
        odd = len(delimiter) != 1 or delimiter in '"\r\n.' or delimiter.isalnum()
        if delimiter != "auto" and odd:
            text = "needs one sign that is in no cell, like ; or a tab (or auto)"
            raise PydanticCustomError("value", text)
        return delimiter

    @field_validator("decimal")
    @classmethod
    def _not_the_delimiter(cls, decimal: str, info: ValidationInfo) -> str:
        if decimal == info.data.get("delimiter"):
            raise PydanticCustomError("value", "needs another sign than delimiter")
        return decimal

    @field_validator("thousands")
    @classmethod
    def _not_the_decimal(cls, thousands: str, info: ValidationInfo) -> str:
        if thousands == info.data.get("decimal"):
            raise PydanticCustomError("value", "needs another sign than decimal")
        return thousands

    @field_validator("encoding")
    @classmethod
    def _an_encoding(cls, encoding: str) -> str:
        try:
            if codecs.lookup(encoding)._is_text_encoding:  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
                return encoding
        except (LookupError, ValueError):
            pass
        text = "needs the name of an encoding, such as utf-8, cp1252, latin-1 or utf-16"
        raise PydanticCustomError("value", text)

    @property
    def notation(self) -> Notation:
        """How numbers are written in the file."""
        words = frozenset(sign for sign in self.missing_as if isinstance(sign, str))
        numbers = frozenset(float(s) for s in self.missing_as if not isinstance(s, str))
        thousands = "" if self.thousands == "none" else self.thousands
        return Notation(self.decimal, thousands, words, numbers)

    @property
    def layout(self) -> Layout:
        """How the file is laid out."""
        columns = self.columns
        said = (*columns.drop, *columns.categorical, *columns.numeric, *columns.dates)
        unnamed = frozenset(name for name in said if name.startswith(("column ", "Unnamed: ")))
        return Layout(self.delimiter, self.header, self.skip_lines, self.encoding, unnamed)

    @property
    def called(self) -> str:
        return Path(self.path).name

    def own_path(self, place: Place) -> Path | None:
        return place.find(self.path)

    def form(self, place: Place) -> Form:
        return "table"

    def source(self, place: Place) -> TableSource:
        return self.read(place).source

    def at_hand(self, place: Place) -> Table | None:
        return self.read(place)

    def settled(self, place: Place) -> dict[str, object]:
        return self._taken(self.read(place), place)

    def opened(self, place: Place, tables: Tables) -> Self:
        self._refuse(place)
        key = self._key(place)
        if key not in tables:
            tables[key] = self._read(place)
        # What `auto` took is asked for by that name as soon as the config is settled.
        taken = self.model_copy(update=self._taken(tables[key], place))._key(place)
        copy = self.model_copy()
        copy._held = ReadTable((key, taken), tables[key])  # pyright: ignore[reportAttributeAccessIssue]
        return copy

    def _taken(self, table: Table, place: Place) -> dict[str, object]:
        """The fields in which the config is settled, as the table was read."""
        path, columns = place.find(self.path), self.columns
        if not isinstance(columns.dates, dict) and table.dates:
            # A file that is to be predicted is read as the training data were.
            columns = columns.model_copy(update={"dates": dict(table.dates)})
        if table.units:
            columns = columns.model_copy(update={"numeric": dict(table.units)})
        return {
            "path": str(path),
            "task": table.source.task if self.task == "auto" else self.task,
            "delimiter": self.layout.delimiter_of(path),
            "columns": columns,
        }

    def read(self, place: Place) -> Table:
        held = self._held
        return (
            held.table if held is not None and self._key(place) in held.keys else self._read(place)
        )

    def remarks(self, place: Place) -> tuple[str, ...]:
        """What was left out, filled and guessed."""
        table = self.read(place)
        guess = table.source.guess
        guessed = (guess.remark,) if guess is not None and self.task == "auto" else ()
        return (*guessed, *table.remarks)

    def _key(self, place: Place, task: str | None = None) -> tuple[object, ...]:
        """All that decides the table: the files, what is asked of them, and how they are read."""
        files = tuple(self.files(place).items())
        marks = tuple(self._mark_columns().items())
        paths = (self._file(place), *self.files(place).values())
        # The delimiter that auto stands for is written out as soon as the config is settled.
        delimiters = tuple(self.layout.delimiter_of(path) for path in paths)
        # As text: mappings are no keys.
        how = (self.target, repr(self.columns), repr(self.missing), self.missing_as, delimiters)
        rest = (self.decimal, self.thousands, self.header, self.skip_lines, self.encoding)
        return (self._file(place), files, marks, *how, *rest, task or self.task)

    def _read(self, place: Place) -> Table:
        """The table by the quick reader, and by the strict one at any surprise."""
        quick = self._quick(place)
        if quick is not None:
            try:
                return self._table(quick, place)
            except DataError:  # the strict reader knows the line; its word is what counts
                del quick
        paths = (self._file(place), *self.files(place).values())
        return self._table([read_sheet(path, self.layout) for path in paths], place)

    def _quick(self, place: Place) -> list[Sheet] | None:
        """The files as the quick reader reads them; None where one needs the strict one."""
        if not self.notation.plain:
            return None
        columns = self.columns
        as_text = frozenset((*columns.categorical, *columns.dates, *self._mark_columns().values()))
        sheets: list[Sheet] = []
        for path in (self._file(place), *self.files(place).values()):
            sheet = quick_sheet(path, self.layout, as_text=as_text)
            if sheet is None:
                return None
            sheets.append(sheet)
        kinds = [{name: isinstance(c, list) for name, c in s.columns.items()} for s in sheets]
        return sheets if all(one == kinds[0] for one in kinds) else None

    def _table(self, sheets: Sequence[Sheet], place: Place) -> Table:
        targets = (self.target,) if isinstance(self.target, str) else self.target
        for sheet in sheets[:1]:
            self._check_names(sheet, targets)
        rows = self._rows_of(sheets, place, targets)
        sheet = rows.sheet
        given: dict[Split, NDArray[np.int64]] = {**rows.given, **self._marked(sheet)}
        reader = Reader(self.columns, self.notation, self.layout.delimiter_of(self._file(place)))
        inputs = self._inputs(sheet, targets)
        empty = [name for name in inputs if sheet.gaps(name, self.notation).all()]
        parts = [read_column(sheet, name, reader) for name in inputs if name not in empty]
        names = tuple(name for part in parts for name in input_names(part))
        if not 0 < len(names) <= MOST_INPUTS:
            raise DataError(f"{self._file(place)}: {_no_inputs(parts, empty, len(names))}")
        goal = self._targets(sheet, targets, reader)
        stored = stored_inputs(parts, len(sheet))
        counts: dict[Split, int] = {split: len(mine) for split, mine in given.items()}
        source = TableSource(
            inputs=(len(names),),
            task=goal.task,
            outputs=len(goal.classes) or len(targets),
            classes=goal.classes,
            columns=names,
            pool=len(sheet) - sum(counts.values()),
            given=counts,
            guess=Guess(goal.guess, goal.remark) if goal.guess else None,
        )
        values, merged = stored_targets(goal)
        remarks = (
            *sheet.remarks,
            *rows.remarks,
            *(f"data: {name} has no value in any row: left out" for name in empty),
            *filled_remarks(sheet, parts, self.missing),
            *_remarks_of(goal, parts),
        )
        return Table(
            source,
            stored.values,
            values,
            given=given,
            gaps=self.missing == "mean" or bool(np.isnan(stored.values).any()),
            base=stored.base,
            remarks=remarks,
            merged=merging(stored.merged, names, merged, targets),
            dates=self._date_forms(sheet, parts, targets),
            units=self._units(sheet, parts, targets, reader),
        )

    def _date_forms(
        self, sheet: Sheet, parts: Sequence[Numbers | Categories], targets: Sequence[str]
    ) -> dict[str, str]:
        """How the dates of each column are written."""
        found = {part.name: part.date for part in parts if isinstance(part, Numbers) and part.date}
        for name in targets:
            if (form := self.columns.form_of(name)) is not None:
                found[name] = read_dates(sheet, name, form, self.notation).date
        return found

    def _units(
        self,
        sheet: Sheet,
        parts: Sequence[Numbers | Categories],
        targets: Sequence[str],
        reader: Reader,
    ) -> dict[str, str]:
        """What stands beside the numbers of the columns in which something may."""
        inputs = {part.name: part.unit for part in parts if isinstance(part, Numbers)}
        return {
            name: inputs[name] if name in inputs else loose_numbers(sheet, name, reader).unit
            for name in self.columns.numeric
            if name in inputs or name in targets
        }

    def _targets(self, sheet: Sheet, targets: Sequence[str], reader: Reader) -> Targets:
        return read_targets(sheet, targets, self.task, reader)

    def _file(self, place: Place) -> Path:
        return place.find(self.path)

    def _rows_of(self, sheets: Sequence[Sheet], place: Place, targets: Sequence[str]) -> _Rows:
        """All files in one, without the rows that are left out, and those that are a split."""
        sheet = joined(sheets, targets)
        inputs = self._inputs(sheet, targets)
        filled = leave_out(sheet, inputs, targets, self.missing, self.notation)
        file_of = filled.sheet.origins[:, 0]
        given: dict[Split, NDArray[np.int64]] = {
            split: np.flatnonzero(file_of == number).astype(np.int64)
            for number, split in enumerate(self.files(place), start=1)
        }
        return _Rows(filled.sheet, given, filled.remarks)

    def _check_names(self, sheet: Sheet, targets: Sequence[str]) -> None:
        sheet.need("data.target", targets)
        columns = self.columns
        fields = {
            "columns.drop": columns.drop,
            "columns.categorical": columns.categorical,
            "columns.numeric": tuple(columns.numeric),
            "columns.dates": tuple(columns.dates),
            "missing": () if isinstance(self.missing, str) else tuple(self.missing),
        }
        for field, names in fields.items():
            sheet.need(f"data.{field}", names)
        for split, size in (("validation", self.validation), ("test", self.test)):
            if isinstance(size, FromColumn):
                sheet.need(f"data.{split}.column", [size.column])
        named = [*targets, *columns.drop, *columns.categorical]
        kinds = [*columns.drop, *columns.categorical, *columns.numeric, *columns.dates]
        twice = sorted(
            {name for name in named if named.count(name) > 1}
            | {name for name in kinds if kinds.count(name) > 1}
        )
        if twice:
            raise ConfigError(
                f"data.columns: {twice[0]!r} is named twice (a column is one of target, drop, "
                "categorical, numeric, dates)"
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

    def _marked(self, sheet: Sheet) -> "dict[Split, NDArray[np.int64]]":
        """The rows that columns mark as validation and test."""
        columns, found, taken = self._mark_columns(), dict[Split, list[int]](), dict[int, Split]()
        for split, name in columns.items():
            found[split] = []
            for row, cell in enumerate(sheet.texts(name)):
                mark = _MARKS.get(cell.lower())
                if mark == "train":
                    continue
                at = f"{sheet.where(row)}: column {name!r}"
                if mark is None:
                    raise DataError(f"{at}: {cell!r} is not one of {', '.join(_MARKS)}")
                if mark != split and columns.get(mark) != name:
                    raise DataError(f"{at} marks {mark}: write data.{mark}: {{column: {name}}} too")
                if mark == split:
                    if taken.setdefault(row, split) != split:
                        raise DataError(f"{at}: the row is marked {taken[row]} and {split}")
                    found[split].append(row)
        return {split: np.array(rows, np.int64) for split, rows in found.items()}


def _remarks_of(goal: Targets, parts: Sequence[Numbers | Categories]) -> Iterator[str]:
    """What is to be said of the target, where it is no guess, and of the inputs."""
    if goal.remark and not goal.guess:
        yield goal.remark
    yield from (f"data: {part.remark}" for part in parts if part.remark)


def _no_inputs(parts: Sequence[Numbers | Categories], empty: Sequence[str], count: int) -> str:
    """What is said of a table that gives no inputs, or too many."""
    if not count:
        what = "no column is left but the target"
        if empty:
            what = f"no column but the target has a value ({', '.join(empty[:8])})"
        return f"{what}: there is nothing to learn from"
    many = [part for part in parts if isinstance(part, Categories) and len(part.names) > 1]
    many.sort(key=lambda part: -len(part.names))
    names = ", ".join(named(part.name) for part in many[:3]) or "..."
    text = f"gives {count} inputs, at most {MOST_INPUTS} can be used"
    return f"{text} (columns: {{drop: [{names}]}})"


def stored_inputs(parts: Sequence[Numbers | Categories], rows: int) -> Narrowed:
    """All inputs of a table in float32, those far from 0 as distances from a base."""
    width = sum(1 if isinstance(part, Numbers) else len(part.names) for part in parts)
    values = np.zeros((rows, width), np.float32)
    base, merged, place = np.zeros(width), dict[int, tuple[int, int]](), 0
    for part in parts:
        if isinstance(part, Numbers):
            one = narrowed(part.values[:, None])
            values[:, place] = one.values[:, 0]
            base[place] = 0.0 if one.base is None else one.base[0]
            if one.merged:
                merged[place] = one.merged[0]
            place += 1
        else:
            values[np.arange(rows), place + part.places] = 1.0
            place += len(part.names)
    return Narrowed(values, base if base.any() else None, merged)


def stored_targets(goal: Targets) -> "tuple[NDArray[np.generic], Mapping[int, tuple[int, int]]]":
    """The targets as they are kept, float32 unless that merges values; and which it merges."""
    task: Task = goal.task
    if task == "classes":
        return goal.values.astype(np.int64), {}
    merged = merged_values(goal.values) if task == "regression" else {}
    if merged:
        return goal.values, merged
    with np.errstate(over="ignore"):
        return goal.values.astype(np.float32), {}


KINDS = (CsvConfig,)
