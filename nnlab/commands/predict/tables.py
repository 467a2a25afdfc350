"""Rows of csv files for a prediction: columns found by name, as the run's data have them."""

from collections.abc import Callable, Iterator, Sequence, Set
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from nnlab.commands.predict.expected_inputs import Piece, TargetColumn, Wanted, class_named
from nnlab.core.errors import DataError
from nnlab.core.lazy import NDArray, np
from nnlab.parts.datasets.files.csv_sheet import Sheet, missing, number, plain_numbers, sheets_of


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
        note: is told of columns that are not used.

    Raises:
        DataError: it cannot be read, lacks a column, or a cell does not fit.
    """
    if not wanted.columns:
        raise DataError(f"{path}: is a table, this run takes {wanted.said}")
    delimiter = "\t" if path.suffix.lower() == ".tsv" else wanted.delimiter
    columns: list[TableColumn] | None = None
    start = 0
    for sheet in sheets_of(path, delimiter, rows=rows):
        if columns is None:
            columns = found_in(sheet, wanted, path)
            _tell_others(sheet, columns, wanted, path, note)
        parts = [_inputs(sheet, column, wanted) for column in columns]
        places = tuple((path, start + row) for row in range(len(sheet)))
        yield Piece(places, np.concatenate(parts, axis=1), _targets(sheet, wanted))
        start += len(sheet)


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
    folded = {name.casefold(): name for name in sheet.columns if name not in others}
    near = {name: get_close_matches(name.casefold(), folded, n=1) for name in told}
    parts = [
        f"{name!r} (did you mean {folded[near[name][0]]!r}?)" if near[name] else repr(name)
        for name in told
    ]
    if all(near.values()):
        return _some(parts)
    return f"{_some(parts)} (it has {_some([*map(repr, sheet.columns)])})"


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


def _inputs(sheet: Sheet, column: TableColumn, wanted: Wanted) -> "NDArray[np.float32]":
    """(N, 1) numbers, NaN where one is missing; or (N, categories) of 0 and 1."""
    if column.categories:
        return _one_hot(sheet, column)
    values = plain_numbers(sheet.columns[column.name], wanted.decimal)
    if values is None:
        values = np.array([_number(sheet, column.name, row, wanted) for row in range(len(sheet))])
    return values[:, None].astype(np.float32)


def _number(sheet: Sheet, name: str, row: int, wanted: Wanted) -> float:
    cell = sheet.columns[name][row]
    if missing(cell):
        if wanted.fills:
            return np.nan
        raise DataError(f"{sheet.gap(row, name)} (this run was trained on complete rows)")
    value = number(cell, wanted.decimal)
    if value is None:
        raise DataError(f"{sheet.where(row)}: column {name!r}: {cell!r} is not a number")
    return value


def _one_hot(sheet: Sheet, column: TableColumn) -> "NDArray[np.float32]":
    index = {category: place for place, category in enumerate(column.categories)}
    found = np.zeros((len(sheet), len(index)), np.float32)
    for row, cell in enumerate(sheet.columns[column.name]):
        if cell not in index:
            what = f"column {column.name!r}: {cell!r} is not one of {_some(column.categories)}"
            raise DataError(f"{sheet.where(row)}: {what}")
        found[row, index[cell]] = 1.0
    return found


def _targets(sheet: Sheet, wanted: Wanted) -> tuple[TargetColumn, ...]:
    """What the rows should give; nothing where the file does not say."""
    if not all(name in sheet.columns for name in wanted.targets):
        return ()
    if wanted.task != "classes" and len(wanted.targets) != wanted.outputs:
        return ()
    return tuple(_target(sheet, row, wanted) for row in range(len(sheet)))


def _target(sheet: Sheet, row: int, wanted: Wanted) -> TargetColumn:
    cells = [sheet.columns[name][row] for name in wanted.targets]
    if any(map(missing, cells)):
        return None
    values = [number(cell, wanted.decimal) for cell in cells]
    if wanted.task == "classes":
        found: Any = class_named(cells[0], wanted.classes, values[0])
        what = f"is not one of the classes {_some(wanted.classes)}"
    else:
        found = None if None in values else tuple(value for value in values if value is not None)
        what = "is not a number"
    if found is None:
        bad = next((i for i, value in enumerate(values) if value is None), 0)
        where = f"{sheet.where(row)}: column {wanted.targets[bad]!r}: {cells[bad]!r}"
        raise DataError(f"{where} {what} (leave the column out to predict without it)")
    return found
