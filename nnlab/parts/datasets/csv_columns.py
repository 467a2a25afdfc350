"""From columns of text to arrays: numbers, one-hot categories, classes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from nnlab.base import Config, DataError, lazy
from nnlab.contracts import Task
from nnlab.parts.datasets.csv_sheet import Sheet, missing, number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = lazy("numpy")

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
