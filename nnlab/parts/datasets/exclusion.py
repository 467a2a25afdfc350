"""`data.exclude`: training rows that are left out, from a file of row numbers."""

from pathlib import Path
from typing import TYPE_CHECKING

from nnlab.core.errors import DataError
from nnlab.core.files import read_regular
from nnlab.core.lazy import NDArray, np

if TYPE_CHECKING:
    Rows = NDArray[np.int64]


_LIMIT = 64 << 20
"""Bytes: more numbers than there are rows that fit into memory."""


def excluded_rows(path: Path) -> list[int]:
    """The row numbers of a file: what stands before the first comma of each line.

    A first line of words is a head, as in suspects.csv of nnlab doctor.

    Raises:
        DataError: it cannot be read, or a line has no row number or one that was there before.
    """
    try:
        lines = read_regular(path, limit=_LIMIT, follow=True).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"data.exclude: {path}: is not UTF-8 text") from None
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise DataError(f"data.exclude: {path}: cannot be read: {why}") from None
    except ValueError as error:
        raise DataError(f"data.exclude: {path}: {error}") from None
    cells = [line.partition(",")[0].strip() for line in lines]
    found: dict[int, None] = {}
    for number, cell in enumerate(cells, start=1):
        if not cell or (number == 1 and not cell.isdecimal()):
            continue
        if not (cell.isascii() and cell.isdecimal()) or len(cell) > 15 or int(cell) in found:
            text = "a second time" if cell.isdecimal() else "(needs a row number, 0 is the first)"
            raise DataError(f"{path}:{number}: {cell[:50]!r} {text}")
        found[int(cell)] = None
    return list(found)


def rows_without(train: "Rows", path: Path) -> "Rows":
    """The training rows that are not in the file.

    Raises:
        DataError: the file is wrong, or names a row that is none of train.
    """
    out = np.array(excluded_rows(path), np.int64)
    strange = out[~np.isin(out, train)]
    if len(strange):
        text = f"{strange[0]} is no training row of these data and this split_seed"
        raise DataError(f"data.exclude: {path}: {text} ({len(strange)} of {len(out)} are none)")
    return train[~np.isin(train, out)]
