"""A csv file as columns of text, with the line that each row came from."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from nnlab.core.contracts import Task
from nnlab.core.errors import DataError
from nnlab.core.files import refuse_irregular
from nnlab.core.kinds import Config
from nnlab.core.lazy import NDArray, np

_MISSING = frozenset(("", "?", "NA", "N/A", "na", "n/a", "nan", "NaN", "NAN", "null", "NULL"))
_MOST_COLUMNS = 10_000
_MOST_BYTES = 1 << 28


@dataclass(frozen=True, slots=True)
class Sheet:
    """Columns of equal length.

    Attributes:
        columns: name -> its cells, without surrounding blanks.
        origins: the file and the line of each row.
    """

    columns: dict[str, list[str]]
    origins: list[tuple[Path, int]]

    def __len__(self) -> int:
        return len(self.origins)

    def where(self, row: int) -> str:
        """The row as file:line."""
        path, line = self.origins[row]
        return f"{path}:{line}"

    def gap(self, row: int, name: str) -> str:
        """What is said of a cell without a value: file:line, column, and the text it holds."""
        cell = self.columns[name][row]
        said = f": {cell!r} stands for none" if cell else ": the cell is empty"
        return f"{self.where(row)}: column {name!r} has no value{said}"

    def keep(self, rows: Sequence[int]) -> "Sheet":
        """Some of the rows."""
        columns = {name: [cells[row] for row in rows] for name, cells in self.columns.items()}
        return Sheet(columns, [self.origins[row] for row in rows])

    def gaps(self, names: Iterable[str]) -> list[tuple[int, str]]:
        """Where a value is missing: row and column, row by row."""
        found = [
            (row, name)
            for name in names
            for row, cell in enumerate(self.columns[name])
            if cell in _MISSING
        ]
        return sorted(found, key=lambda gap: gap[0])

    def need(self, field: str, names: Iterable[str]) -> None:
        """Refuses a name in the config that is no column.

        Raises:
            DataError: with the nearest name.
        """
        for name in names:
            if name not in self.columns:
                near = get_close_matches(name, self.columns, n=1)
                hint = f" (did you mean {near[0]}?)" if near else ""
                path = self.origins[0][0]
                raise DataError(f"{field}: {name!r} is not a column of {path}{hint}")


def read_sheet(path: Path, delimiter: str) -> Sheet:
    """A file with a header line.

    Raises:
        DataError: it cannot be read, or a line does not fit the header.
    """
    (sheet,) = sheets_of(path, delimiter)
    return sheet


def sheets_of(path: Path, delimiter: str, *, rows: int | None = None) -> Iterator[Sheet]:
    """A file with a header line, in sheets of so many rows; None reads all of them at once.

    Raises:
        DataError: it cannot be read, or a line does not fit the header.
    """
    try:
        refuse_irregular(path)
        if rows is None and path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path}: larger than {_MOST_BYTES >> 20} MB (store it as npz)")
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            header = _header(path, next(reader, []))
            lines = _lines(path, reader, len(header), delimiter)
            some = list(islice(lines, rows))
            if not some:
                raise DataError(f"{path}: has a header but no rows")
            while some:
                columns = zip(*(cells for _, cells in some), strict=True)
                stripped = [[cell.strip() for cell in column] for column in columns]
                origins = [(path, line) for line, _ in some]
                yield Sheet(dict(zip(header, stripped, strict=True)), origins)
                some = list(islice(lines, rows))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text, at byte {error.start}") from error
    except csv.Error as error:
        raise DataError(f"{path}: is not csv: {error}") from error
    except ValueError as error:
        raise DataError(f"{path}: {error} (name a csv file)") from error


def _lines(path: Path, reader: Any, width: int, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The lines that are not empty, with their numbers."""
    for row in reader:
        if len(row) == width:
            yield reader.line_num, row
        elif row:
            raise DataError(
                f"{path}:{reader.line_num}: has {len(row)} cells, the header has {width} "
                f"(delimiter: {delimiter!r})"
            )


def _header(path: Path, cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    if not names:
        raise DataError(f"{path}: is empty")
    if len(names) > _MOST_COLUMNS:
        raise DataError(f"{path}:1: has {len(names)} columns, at most {_MOST_COLUMNS} are read")
    if all(number(name, ".") is not None for name in names):
        raise DataError(f"{path}:1: the first line must name the columns, but it holds numbers")
    for position, name in enumerate(names):
        if not name:
            raise DataError(f"{path}:1: column {position + 1} has no name")
        if name in names[:position]:
            raise DataError(f"{path}:1: two columns are called {name!r}")
    return names


def joined(sheets: Sequence[Sheet]) -> Sheet:
    """Sheets with the same columns, one below the other."""
    first = sheets[0]
    for other in sheets[1:]:
        if set(other.columns) != set(first.columns):
            odd = sorted(set(other.columns) ^ set(first.columns))[0]
            raise DataError(
                f"{other.origins[0][0]}:1: must have the columns of {first.origins[0][0]} "
                f"({odd!r} is only in one of them)"
            )
    return Sheet(
        {name: [cell for s in sheets for cell in s.columns[name]] for name in first.columns},
        [origin for sheet in sheets for origin in sheet.origins],
    )


def number(text: str, decimal: str) -> float | None:
    """The finite number that a cell says, or None."""
    if decimal == ",":
        if "." in text:
            return None
        text = text.replace(",", ".")
    if "_" in text:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


def missing(cell: str) -> bool:
    """Whether a cell stands for no value."""
    return cell in _MISSING


MOST_INPUTS = 10_000
_MOST_GUESSED_CLASSES = 20


class Columns(Config, frozen=True):
    """What the columns are, where it cannot be seen from their cells."""

    drop: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()


class Part(NamedTuple):
    """Input columns that come from one column of the file: names and (N, len(names))."""

    names: tuple[str, ...]
    values: "NDArray[np.float32]"


def encoded(sheet: Sheet, name: str, columns: Columns, decimal: str) -> Part:
    """The inputs of one column: its numbers, NaN where one is missing, or one for each category.

    Raises:
        DataError: a cell does not fit.
    """
    cells = sheet.columns[name]
    quick = plain_numbers(cells, decimal)
    if quick is not None and name not in columns.categorical:
        return Part((name,), quick[:, None].astype(np.float32))
    values = [None if missing(cell) else number(cell, decimal) for cell in cells]
    words = [row for row, cell in enumerate(cells) if values[row] is None and not missing(cell)]
    guessed = bool(words) and all(value is None for value in values)
    if name in columns.categorical or (guessed and name not in columns.numeric):
        return _one_hot(sheet, name)
    if words:
        raise DataError(
            f"{sheet.where(words[0])}: column {name!r}: {cells[words[0]]!r} is not a number "
            f"(columns: {{categorical: [{name}]}}, if it should not be one)"
        )
    column = np.array([np.nan if value is None else value for value in values])
    return Part((name,), column[:, None].astype(np.float32))


def plain_numbers(cells: Sequence[str], decimal: str) -> "NDArray[np.float64] | None":
    """The numbers of a column that holds nothing else; None where each cell must be looked at."""
    if decimal != "." or any("_" in cell for cell in cells):  # Python takes 1_000 for a number
        return None
    try:
        column = np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        return None
    return column if np.isfinite(column).all() else None


def _one_hot(sheet: Sheet, name: str) -> Part:
    cells = sheet.columns[name]
    gaps = sheet.gaps([name])
    if gaps:
        raise DataError(f"{sheet.gap(*gaps[0])}, and categories have no mean (missing: drop)")
    order = sorted(set(cells))
    if len(order) > MOST_INPUTS:
        raise DataError(
            f"{sheet.where(0)}: column {name!r} has {len(order)} categories, at most "
            f"{MOST_INPUTS} can be used (columns: {{drop: [{name}]}})"
        )
    index = {category: position for position, category in enumerate(order)}
    values = np.zeros((len(cells), len(order)), np.float32)
    values[np.arange(len(cells)), [index[cell] for cell in cells]] = 1.0
    return Part(tuple(f"{name}={category}" for category in order), values)


def guessed_task(sheet: Sheet, targets: Sequence[str], decimal: str) -> Task:
    """Words, and few different whole numbers, are classes."""
    if len(targets) > 1:
        return "regression"
    values = {number(cell, decimal) for cell in sheet.columns[targets[0]]}
    whole = all(value is not None and value.is_integer() for value in values)
    few = whole and len(values) <= _MOST_GUESSED_CLASSES
    return "classes" if None in values or few else "regression"


def encoded_targets(
    sheet: Sheet, targets: Sequence[str], task: Task, decimal: str
) -> "tuple[tuple[str, ...], NDArray[np.float32] | NDArray[np.int64]]":
    """Class names with (N,) class numbers, no names with (N, K) numbers, or label names with marks.

    Raises:
        DataError: a target of a regression is not a number, or that of a label not 0 or 1.
    """
    if task == "labels":
        columns = [_numbers(sheet, name, decimal) for name in targets]
        return tuple(targets), np.array(columns, np.float32).T
    if task == "regression":
        columns = [_numbers(sheet, name, decimal) for name in targets]
        return (), np.array(columns, np.float32).T
    cells = sheet.columns[targets[0]]
    values = [number(cell, decimal) for cell in cells]
    if None in values:
        order = sorted(set(cells))
        index = {name: position for position, name in enumerate(order)}
        return tuple(order), np.array([index[cell] for cell in cells], np.int64)
    # 1 and 1.0 are the same class.
    keys = [value for value in values if value is not None]
    found = sorted(set(keys))
    place = {key: position for position, key in enumerate(found)}
    names = tuple(str(int(key)) if key.is_integer() else str(key) for key in found)
    return names, np.array([place[key] for key in keys], np.int64)


def _numbers(sheet: Sheet, name: str, decimal: str) -> "Sequence[float] | NDArray[np.float64]":
    quick = plain_numbers(sheet.columns[name], decimal)
    if quick is not None:
        return quick
    values = [number(cell, decimal) for cell in sheet.columns[name]]
    if None in values:
        row = values.index(None)
        raise DataError(
            f"{sheet.where(row)}: column {name!r}: {sheet.columns[name][row]!r} is not a number "
            "(task: classes, if it names one)"
        )
    return [value for value in values if value is not None]
