"""Rows of csv files for a prediction: columns found by name, as the run's data have them."""

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from nnlab.commands.predict.expected_inputs import Piece, TargetColumn, Wanted, class_named
from nnlab.core.errors import DataError
from nnlab.core.lazy import NDArray, np
from nnlab.core.wrap import eye_key, told_apart
from nnlab.parts.datasets.files.sheets.columns import NO_VALUE, other_unit, plain_numbers
from nnlab.parts.datasets.files.sheets.notation import ISO, Notation, brief, day_number, looks_like
from nnlab.parts.datasets.files.sheets.reading import Layout, sheets_of
from nnlab.parts.datasets.files.sheets.sheet import Sheet
from nnlab.parts.datasets.lengths import false_ends


class TableColumn(NamedTuple):
    """One column of the file and the inputs that come from it.

    Attributes:
        name: in the file.
        categories: of a column that becomes one input for each; empty for numbers.
    """

    name: str
    categories: tuple[str, ...] = ()


def read_rows(
    path: Path, wanted: Wanted, rows: int, note: Callable[[str], None]
) -> Iterator[Piece]:
    """The examples of a csv file.

    Args:
        path: the file.
        wanted: what the run takes.
        rows: in a piece.
        note: is told of columns that are not used, and of rows that get no answer.

    Raises:
        DataError: it cannot be read, lacks a column, or none of its rows fits.
    """
    if not wanted.columns:
        raise DataError(f"{path}: is a table, this run takes {wanted.said}")
    layout, told = _layout_of(path, wanted), _Told(path)
    columns: list[TableColumn] | None = None
    start = 0
    for sheet in sheets_of(path, layout, rows=rows):
        if columns is None:
            wanted = wanted.named_in(sheet.columns)
            columns = found_in(sheet, wanted, path)
            _tell_others(sheet, columns, wanted, path, note)
        inputs = np.concatenate(
            [_inputs(sheet, column, wanted, told) for column in columns], axis=1
        )
        inputs = inputs.reshape(len(sheet), *wanted.inputs)
        if wanted.ends:
            for row, why in false_ends(inputs).items():
                told.leave(row, f"{sheet.where(row)}: {why}")
        targets = _targets(sheet, wanted, told)
        kept = [row for row in range(len(sheet)) if row not in told.left]
        if kept:
            places = tuple((path, start + row) for row in kept)
            yield Piece(places, inputs[kept], tuple(targets[row] for row in kept if targets))
        start += len(sheet)
        told.next_sheet(len(sheet))
    told.tell(note)


def _layout_of(path: Path, wanted: Wanted) -> Layout:
    """How a file is laid out: as the run's data, but for what the end of its name says."""
    suffix = path.suffix.lower()
    if not wanted.own_layout:
        return wanted.layout
    if suffix == ".tsv" or (suffix == ".csv" and wanted.layout.delimiter == "\t"):
        return replace(wanted.layout, delimiter="auto")
    return wanted.layout


def found_in(sheet: Sheet, wanted: Wanted, path: Path) -> list[TableColumn]:
    """Where each input comes from: `age` from a column age, `color=red` from a column color."""
    found: list[TableColumn] = []
    lacking: list[str] = []
    left = list(wanted.columns)
    while left:
        name = left.pop(0)
        if name in sheet.columns:
            found.append(TableColumn(name))
            continue
        ends = [i for i, sign in enumerate(name) if sign == "="]
        source = next((name[:end] for end in ends if name[:end] in sheet.columns), None)
        if source is None:
            lacking.append(name)
            continue
        mine = [name, *(other for other in left if other.startswith(f"{source}="))]
        left = [other for other in left if other not in mine]
        found.append(TableColumn(source, tuple(one[len(source) + 1 :] for one in mine)))
    if lacking:
        used = {column.name for column in found}
        raise DataError(f"{path}: has no column {_lacking(lacking, used, sheet, wanted)}")
    return found


def _lacking(names: Sequence[str], used: Set[str], sheet: Sheet, wanted: Wanted) -> str:
    """Columns that were looked for, each with the file's own that is near to it.

    The inputs color=green and color=red come from one column, color.
    """
    stems = [name.partition("=")[0] for name in names]
    told = dict.fromkeys(
        stem if stems.count(stem) > 1 else name for name, stem in zip(names, stems, strict=True)
    )
    others = used | {*wanted.targets} | wanted.known
    folded = {eye_key(name): name for name in sheet.columns if name not in others}
    near = {name: get_close_matches(eye_key(name), folded, n=1) for name in told}
    parts = [
        f"{name!r} (did you mean {_offered(folded[near[name][0]], name)}?)"
        if near[name]
        else repr(name)
        for name in told
    ]
    if all(near.values()) and len(sheet.columns) > 1:
        return _some(parts)
    plain = Notation()
    if any(plain.number(name) is not None for name in sheet.columns):
        way = "its first line looks like data: put one with the names above it"
        return f"{_some(parts)} ({way}: {','.join([*told, *wanted.targets])})"
    if len(sheet.columns) == 1 and len(only := next(iter(sheet.columns)).split()) > 1:
        way = f"it has one column, {' '.join(only)!r}: is the delimiter ' '? (delimiter: \" \")"
        return f"{_some([*map(repr, told)])}; {way}"
    return f"{_some(parts)} (it has {_some([*map(repr, sheet.columns)])})"


def _offered(name: str, beside: str) -> str:
    found = told_apart(name, beside)
    return found if found != name else repr(name)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _tell_others(
    sheet: Sheet,
    columns: Sequence[TableColumn],
    wanted: Wanted,
    path: Path,
    note: Callable[[str], None],
) -> None:
    used = {*(column.name for column in columns), *wanted.targets, *wanted.known}
    others = [name for name in sheet.columns if name not in used]
    if others:
        note(f"{path}: columns that this run does not use: {_some(others)}")


def _inputs(
    sheet: Sheet, column: TableColumn, wanted: Wanted, told: "_Told"
) -> "NDArray[np.float64]":
    """(N, 1) numbers, NaN where one is missing; or (N, categories) of 0 and 1."""
    if column.categories:
        return _one_hot(sheet, column, wanted, told)
    name = column.name
    cells = sheet.texts(name)
    loose = name in wanted.described.numeric
    form = wanted.described.form_of(name)
    plain = not loose and form is None and not wanted.notation.missing
    values = plain_numbers(cells, wanted.notation) if plain else None
    if values is None:
        found = [_number(sheet, name, row, wanted, told) for row in range(len(sheet))]
        values = np.array(found, np.float64)
    for row in np.flatnonzero(np.abs(values) > np.finfo(np.float32).max).tolist():
        what = f"column {name!r}: {brief(cells[row])} is too large for float32"
        told.leave(row, f"{sheet.where(row)}: {what}")
        values[row] = np.nan
    return values[:, None]


def _number(sheet: Sheet, name: str, row: int, wanted: Wanted, told: "_Told") -> float:
    """The number of a cell, NaN where it misses or is none."""
    cell, notation = sheet.texts(name)[row], wanted.notation
    if notation.is_missing(cell):
        if wanted.fills:
            told.fill(name)
        elif not wanted.ends:
            told.leave(row, f"{sheet.gap(row, name)} (this run was trained on complete rows)")
        return np.nan
    form = wanted.described.form_of(name)
    if form is not None:
        value = day_number(cell, form or ISO)
    elif name in wanted.described.numeric:
        if why := _odd_unit(cell, name, wanted):
            told.leave(row, f"{sheet.where(row)}: {why}")
            return np.nan
        found = notation.loose(cell)
        value = None if found is None else found[0]
    else:
        value = notation.number(cell)
    if value is None:
        what = "a number" if form is None else "a date as this run knows them"
        known = form is None and notation.loose(cell) is not None
        what += ", and the run was trained on numbers alone" if known else ""
        like = looks_like([cell], name, notation, delimiter=wanted.layout.delimiter)
        way = f" ({like.way})" if form is None and like and not known else ""
        told.leave(row, f"{sheet.where(row)}: column {name!r}: {cell!r} is not {what}{way}")
        return np.nan
    return value


def _odd_unit(cell: str, name: str, wanted: Wanted) -> str:
    """Why the unit of a cell cannot be that of the run; empty where it is."""
    unit, found = wanted.described.unit_of(name), wanted.notation.loose(cell)
    if unit is None or found is None or found[1] in ("", unit):
        return ""
    if not unit:
        return f"column {name!r}: {cell!r} has a unit, and the run was trained on numbers alone"
    return other_unit(name, cell, unit, found[1])


def _one_hot(
    sheet: Sheet, column: TableColumn, wanted: Wanted, told: "_Told"
) -> "NDArray[np.float64]":
    index = {category: place for place, category in enumerate(column.categories)}
    found = np.zeros((len(sheet), len(index)))
    for row, cell in enumerate(sheet.texts(column.name)):
        missing = wanted.notation.is_missing(cell) and cell not in index
        place = index.get(NO_VALUE if missing else cell)
        if place is not None:
            found[row, place] = 1.0
        elif missing:
            told.leave(row, f"{sheet.gap(row, column.name)} (no row did in training)")
        else:
            what = f"column {column.name!r}: {cell!r} is not one of {_some(column.categories)}"
            told.leave(row, f"{sheet.where(row)}: {what}")
    return found


class _Told:
    """What is to be said of a file: rows without an answer, and cells that were filled."""

    _SHOWN = 5

    def __init__(self, path: Path) -> None:
        self.left: set[int] = set()
        """Rows of the sheet at hand that get no answer."""
        self._path = path
        self._rows = 0
        self._without = 0
        self._why: list[str] = []
        self._filled: dict[str, int] = {}
        self._targets: list[str] = []
        self._odd = 0

    def leave(self, row: int, why: str) -> None:
        """A row of the sheet at hand gets no answer."""
        if row not in self.left and len(self._why) < self._SHOWN:
            self._why.append(why)
        self.left.add(row)

    def fill(self, name: str) -> None:
        """A cell gets the mean of the training rows."""
        self._filled[name] = self._filled.get(name, 0) + 1

    def odd_target(self, why: str) -> None:
        """The target of a row cannot be compared."""
        self._odd += 1
        if not self._targets:
            self._targets.append(why)

    def next_sheet(self, rows: int) -> None:
        """Counts the sheet at hand, and begins another."""
        self._rows += rows
        self._without += len(self.left)
        self.left = set()

    def tell(self, note: Callable[[str], None]) -> None:
        """Says it all.

        Raises:
            DataError: no row has an answer.
        """
        rest = self._without - len(self._why)
        more = f"; and {rest} more rows" if rest else ""
        if self._without == self._rows:
            raise DataError([*self._why, f"{self._path}: no row can be answered{more}"])
        for line in self._why:
            note(line)
        if self._without:
            text = f"{self._without} of {self._rows} rows have no answer{more}"
            note(f"{self._path}: {text}")
        if self._filled:
            counts = ", ".join(f"{name} {count}" for name, count in self._filled.items())
            note(f"{self._path}: cells without a value, which get the training mean: {counts}")
        if self._odd:
            text = f"{self._odd} of {self._rows} targets are not known to this run"
            note(f"{self._targets[0]}; {text}, and not compared")


def _targets(sheet: Sheet, wanted: Wanted, told: _Told) -> tuple[TargetColumn, ...]:
    """What the rows should give; nothing where the file does not say."""
    if not all(name in sheet.columns for name in wanted.targets):
        return ()
    if wanted.task != "classes" and len(wanted.targets) != wanted.outputs:
        return ()
    return tuple(_target(sheet, row, wanted, told) for row in range(len(sheet)))


def _target(sheet: Sheet, row: int, wanted: Wanted, told: _Told) -> TargetColumn:
    cells = [sheet.texts(name)[row] for name in wanted.targets]
    if any(map(wanted.notation.is_missing, cells)):
        return None
    if wanted.task == "classes":
        found = _class(cells, wanted)
        what = f"is not one of the classes {_some(wanted.classes)}"
        values: list[float | None] = [None for _ in cells]
    else:
        values = [
            _value(cell, name, wanted) for cell, name in zip(cells, wanted.targets, strict=True)
        ]
        found = None if None in values else tuple(value for value in values if value is not None)
        what = "is not a number"
    if found is None:
        bad = values.index(None)
        where = f"{sheet.where(row)}: column {wanted.targets[bad]!r}: {cells[bad]!r}"
        told.odd_target(f"{where} {what}")
    return found


def _class(cells: list[str], wanted: Wanted) -> str | None:
    """The class that a row names, or marks in columns of 0 and 1."""
    values = [wanted.notation.number(cell) for cell in cells]
    if len(cells) == 1:
        return class_named(cells[0], wanted.classes, values[0])
    one = sorted(value if value is not None else -1.0 for value in values)
    marked = one == [*[0.0] * (len(one) - 1), 1.0]
    return wanted.classes[values.index(1.0)] if marked else None


def _value(cell: str, name: str, wanted: Wanted) -> float | None:
    """The number of a target's cell."""
    if (form := wanted.described.form_of(name)) is not None:
        return day_number(cell, form or ISO)
    if name in wanted.described.numeric:
        found = None if _odd_unit(cell, name, wanted) else wanted.notation.loose(cell)
        return None if found is None else found[0]
    return wanted.notation.number(cell)
