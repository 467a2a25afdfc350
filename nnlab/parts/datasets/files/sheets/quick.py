"""The quick reader of csv files: NumPy's own, in C, for files without a surprise.

Polars and pyarrow were weighed (100,000 rows of 31 numbers): each adds some 170 MB and a fifth of a
second to start, and then reads no faster than NumPy. What NumPy takes for a number Python takes for
the same one; where it stops, or finds a number that is not finite, the strict reader takes over,
which knows the line. test_quick.py holds both to the same columns.
"""

import csv
import warnings
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnlab.core.errors import DataError
from nnlab.core.lazy import np
from nnlab.parts.datasets.files.sheets.doubtful import is_doubtful
from nnlab.parts.datasets.files.sheets.notation import Notation
from nnlab.parts.datasets.files.sheets.reading import (
    Layout,
    check_regular,
    named_columns,
    read_head,
)
from nnlab.parts.datasets.files.sheets.sheet import Sheet

if TYPE_CHECKING:
    from nnlab.parts.datasets.files.sheets.sheet import Cells

LEAST_BYTES = 1 << 16
"""Smaller files are read by the strict reader at once."""
_SAMPLE = 1000
_CHUNK = 1 << 20


def quick_sheet(
    path: Path, layout: Layout, *, as_text: frozenset[str] = frozenset()
) -> Sheet | None:
    """A whole file; None where the strict reader should look at it.

    Args:
        path: the file.
        layout: how it is laid out.
        as_text: columns whose cells are wanted as they are written, even if they are numbers.

    Returns:
        Columns of plain numbers as such, others as text. Lines count as if none were empty.
    """
    check_regular(path)
    try:
        if path.stat().st_size < LEAST_BYTES or not layout.is_utf8 or _has_quotes(path):
            return None
        with path.open(encoding=layout.codec, newline="") as file:
            head = read_head(file, path, layout)
            if head.first is not None or len(head.names) < 2 or head.delimiter == " ":
                return None
            as_text = as_text | {""}  # what has no name may be an index
            kinds = _kinds(path, layout, head.lines, head.names, as_text, head.delimiter)
            read = _read(path, layout, head.lines, head.delimiter, kinds)
            if read is None and any(kinds):
                read = _read(path, layout, head.lines, head.delimiter, [False] * len(kinds))
        if read is None:
            return None
        columns, remarks = named_columns(path, head.names, read, layout)
    except (OSError, UnicodeError, csv.Error, DataError):
        return None  # the strict reader says what is wrong
    origins = np.zeros((len(read[0]), 2), np.int64)
    origins[:, 1] = np.arange(len(origins)) + head.lines + 1
    return Sheet(columns, (path,), origins, remarks)


def _has_quotes(path: Path) -> bool:
    """Whether cells are quoted, which NumPy reads more leniently; or hold what is no text."""
    with path.open("rb") as file:
        while part := file.read(_CHUNK):
            if b'"' in part or b"\0" in part:
                return True
    return False


def _kinds(
    path: Path,
    layout: Layout,
    above: int,
    names: Sequence[str],
    as_text: frozenset[str],
    delimiter: str,
) -> list[bool]:
    """Of each column whether it seems to hold plain numbers only, by its first rows."""
    with path.open(encoding=layout.codec, newline="") as file:
        for _ in range(above):
            file.readline()
        rows = [row for row in islice(csv.reader(file, delimiter=delimiter), _SAMPLE) if row]
    if not rows or any(len(row) != len(names) for row in rows):
        raise DataError(f"{path}: rows of different lengths")
    plain = Notation()
    return [
        name not in as_text
        and all(plain.number(cell) is not None for cell in cells)
        and not is_doubtful(cells)
        for name, cells in zip(names, zip(*rows, strict=True), strict=True)
    ]


def _read(
    path: Path, layout: Layout, above: int, delimiter: str, numbers: Sequence[bool]
) -> "list[Cells] | None":
    """The columns, or None where a number is none after all."""
    with path.open(encoding=layout.codec, newline="") as file, warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(above):
            file.readline()
        whole = all(numbers)
        kinds = [(f"c{place}", "f8" if number else "O") for place, number in enumerate(numbers)]
        try:
            found: Any = np.loadtxt(
                file,
                np.float64 if whole else np.dtype(kinds),
                comments=None,
                delimiter=delimiter,
                ndmin=2 if whole else 1,
            )
        except (ValueError, UserWarning):
            return None
    if whole:
        if found.shape[1] != len(numbers) or not np.isfinite(found).all():
            return None
        return list(np.ascontiguousarray(found.T))
    columns: list[Cells] = []
    for (name, _), number in zip(kinds, numbers, strict=True):
        column = found[name]
        if number:
            if not np.isfinite(column).all():
                return None
            columns.append(np.ascontiguousarray(column))
        else:
            columns.append(list(map(str.strip, column.tolist())))
    return columns
