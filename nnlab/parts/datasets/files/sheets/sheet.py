"""A table as columns, with the file and line that each row came from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from nnlab.core.errors import DataError
from nnlab.core.lazy import NDArray, np
from nnlab.core.wrap import eye_key, told_apart
from nnlab.parts.datasets.files.sheets.notation import Notation, quoted

if TYPE_CHECKING:
    Cells = list[str] | NDArray[np.float64]
    """Texts without surrounding blanks; or the numbers of a column that holds nothing else."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Columns of equal length.

    Attributes:
        columns: name -> its cells.
        files: that the rows came from.
        origins: (N, 2) of each row: which of the files, and which line of it.
        remarks: what was taken in reading that a user may not expect.
        masks: of each column that was asked for, where it has no value.
    """

    columns: "dict[str, Cells]"
    files: tuple[Path, ...]
    origins: "NDArray[np.int64]"
    remarks: tuple[str, ...] = ()
    masks: "dict[str, NDArray[np.bool_]]" = field(
        default_factory=dict[str, "NDArray[np.bool_]"], compare=False
    )

    def __len__(self) -> int:
        return len(self.origins)

    def where(self, row: int) -> str:
        """The row as file:line."""
        file, line = self.origins[row].tolist()
        return f"{self.files[file]}:{line}"

    def texts(self, name: str) -> list[str]:
        """The cells of a column that was read as text."""
        cells = self.columns[name]
        assert isinstance(cells, list), name
        return cells

    def gap(self, row: int, name: str) -> str:
        """What is said of a cell without a value: file:line, column, and the text it holds."""
        cell = self.texts(name)[row]
        said = f": {cell!r} stands for none" if cell else ": the cell is empty"
        return f"{self.where(row)}: column {name!r} has no value{said}"

    def keep(self, rows: "NDArray[np.int64]") -> "Sheet":
        """Some of the rows."""
        picked = rows.tolist()
        columns: dict[str, Cells] = {
            name: [cells[row] for row in picked] if isinstance(cells, list) else cells[rows]
            for name, cells in self.columns.items()
        }
        masks = {name: mask[rows] for name, mask in self.masks.items()}
        return Sheet(columns, self.files, self.origins[rows], self.remarks, masks)

    def gaps(self, name: str, notation: Notation) -> "NDArray[np.bool_]":
        """(N,) where a column has no value; the notation is that of the whole table."""
        if name not in self.masks:
            cells = self.columns[name]
            if isinstance(cells, list):
                self.masks[name] = notation.gaps(cells)
            else:
                self.masks[name] = np.zeros(len(self), np.bool_)
        return self.masks[name]

    def need(self, field: str, names: Iterable[str]) -> None:
        """Refuses a name in the config that is no column.

        Raises:
            DataError: with the nearest name, or what the file has instead.
        """
        for name in names:
            if name not in self.columns:
                raise DataError(
                    f"{field}: {name!r} is not a column of {self.files[0]}{self._instead(name)}"
                )

    def _instead(self, name: str) -> str:
        folded = {eye_key(other): other for other in self.columns}
        if near := get_close_matches(eye_key(name), folded, n=1):
            return f" (did you mean {told_apart(folded[near[0]], name)}?)"
        plain = Notation()
        if any(plain.number(other) is not None for other in self.columns):
            return (
                f"; its first line looks like data, not names (header: none calls the columns "
                f"{numbered(len(self.columns))}: then target: x{len(self.columns)} is the last)"
            )
        if len(self.columns) == 1 and name in (only := next(iter(self.columns))).split():
            return f"; it has one column, {only!r}: is the delimiter ' '? (delimiter: \" \")"
        some = list(self.columns)[:8]
        more = f" and {len(self.columns) - 8} more" if len(self.columns) > 8 else ""
        return f" (it has {', '.join(some)}{more})"


def numbered(count: int) -> str:
    """What columns without names are called."""
    return f"x1 to x{count}" if count > 1 else "x1"


def joined(sheets: Sequence[Sheet], targets: Sequence[str]) -> Sheet:
    """Sheets with the same columns, one below the other.

    Raises:
        DataError: a column is only in one of them.
    """
    first = sheets[0]
    if len(sheets) == 1:
        return first
    for other in sheets[1:]:
        if set(other.columns) != set(first.columns):
            raise DataError(_odd_one(first, other, targets))
    columns: dict[str, Cells] = {}
    for name in first.columns:
        parts = [sheet.columns[name] for sheet in sheets]
        numbers = [part for part in parts if not isinstance(part, list)]
        if len(numbers) == len(parts):
            columns[name] = np.concatenate(numbers)
        else:
            assert not numbers, name
            columns[name] = [cell for part in parts if isinstance(part, list) for cell in part]
    origins = [sheet.origins + np.array([index, 0], np.int64) for index, sheet in enumerate(sheets)]
    remarks = tuple(dict.fromkeys(line for sheet in sheets for line in sheet.remarks))
    files = tuple(sheet.files[0] for sheet in sheets)
    return Sheet(columns, files, np.concatenate(origins), remarks)


def _odd_one(first: Sheet, other: Sheet, targets: Sequence[str]) -> str:
    lacking = [name for name in first.columns if name not in other.columns]
    more = [name for name in other.columns if name not in first.columns]
    at = f"{other.files[0]}:1: must have the columns of {first.files[0]}"
    if lacking and set(lacking) <= set(targets):
        return (
            f"{at}, but has no {', '.join(map(repr, lacking))}: without the answers nothing can be "
            "scored (leave this file out of the config, and let nnlab predict answer it)"
        )
    if not lacking:
        way = f" (columns: {{drop: {quoted(more)}}} in both, or take it out of the file)"
        return f"{at} ({more[0]!r} is only in one of them)" + (way if len(more) < 9 else "")
    return f"{at} ({sorted([*lacking, *more])[0]!r} is only in one of them)"
