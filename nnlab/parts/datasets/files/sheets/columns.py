"""What the columns of a table become: numbers, dates as numbers, or one input for each category."""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

from nnlab.core.errors import DataError
from nnlab.core.kinds import Config, Forms
from nnlab.core.lazy import NDArray, np
from nnlab.parts.datasets.files.guesses import look_alike
from nnlab.parts.datasets.files.sheets.doubtful import number_remark
from nnlab.parts.datasets.files.sheets.notation import (
    ISO,
    Likeness,
    Notation,
    brief,
    date_forms,
    day_number,
    looks_like,
    might_miss,
    named,
    quoted,
)
from nnlab.parts.datasets.files.sheets.sheet import Sheet

MOST_INPUTS = 10_000
NO_VALUE = "(missing)"
"""What the category of cells without a value is called."""
FEW_WORDS = 10
"""So many different words at most are categories whatever they look like."""
_NAN = float("nan")
_SHARE_OF_NAMES = 0.1


class Columns(Config, frozen=True):
    """What the columns are, where it cannot be seen from their cells.

    Cells of `numeric` columns may have a currency sign, a percent sign or a unit beside the number:
    a list of columns, or a mapping to their units, such as {weight: kg}. `dates` become days since
    1970: a list of columns, or a mapping to how they are written, such as {born: "%d/%m/%Y"}.
    """

    drop: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    numeric: Annotated[tuple[str, ...] | dict[str, str], Forms()] = ()
    dates: Annotated[tuple[str, ...] | dict[str, str], Forms()] = ()

    def unit_of(self, name: str) -> str | None:
        """What stands beside the numbers of a column; None where its cells shall say."""
        return self.numeric.get(name) if isinstance(self.numeric, dict) else None

    def form_of(self, name: str) -> str | None:
        """How the dates of a column are written; "" where its cells shall say, None of others."""
        if isinstance(self.dates, dict):
            return self.dates.get(name)
        return "" if name in self.dates else None


class Reader(NamedTuple):
    """What the cells of all columns are read with."""

    columns: Columns
    notation: Notation
    delimiter: str


class Numbers(NamedTuple):
    """A column that is one input.

    Attributes:
        name: in the file.
        values: (N,) float64, NaN where there is none.
        date: how its dates are written; empty where it has none.
        unit: that stands beside its numbers; empty where none does, or none may.
        remark: what a user may not expect.
    """

    name: str
    values: "NDArray[np.float64]"
    date: str = ""
    unit: str = ""
    remark: str = ""


class Categories(NamedTuple):
    """A column that is one input for each of its categories.

    Attributes:
        name: in the file.
        names: of the categories, in order; NO_VALUE last, where cells have none.
        places: (N,) which of them each row has.
        remark: what a user may not expect.
    """

    name: str
    names: tuple[str, ...]
    places: "NDArray[np.int64]"
    remark: str = ""


def read_column(sheet: Sheet, name: str, reader: Reader) -> Numbers | Categories:
    """What one column is.

    Raises:
        DataError: a cell does not fit, or the column holds numbers in another writing.
    """
    cells = sheet.columns[name]
    columns, notation = reader.columns, reader.notation
    if not isinstance(cells, list):
        return Numbers(name, cells, remark=number_remark(name, (), cells, reader.notation))
    if name in columns.categorical:
        return categories(sheet, name, notation)
    if (form := columns.form_of(name)) is not None:
        return read_dates(sheet, name, form, notation)
    if name in columns.numeric:
        return loose_numbers(sheet, name, reader)
    values, words = numbers_and_words(cells, sheet.gaps(name, notation), notation)
    if not len(words):
        return Numbers(name, values, remark=number_remark(name, cells, values, notation))
    texts = [cells[row] for row in words]
    like = looks_like(texts, name, notation, delimiter=reader.delimiter)
    different = len(set(texts))
    numeric = len(cells) - len(words) - int(sheet.gaps(name, notation).sum())
    if not numeric and like and (different <= FEW_WORDS and 2 * different <= len(cells)):
        said = f"{name}: {different} categories that look like {like.what}"
        return categories(sheet, name, notation)._replace(remark=f"{said} ({like.way})")
    if like and not might_miss(texts):
        raise DataError(_unlike(sheet, name, int(words[0]), like, different))
    if numeric and (
        different <= FEW_WORDS or len(words) < _SHARE_OF_NAMES * (numeric + len(words))
    ):
        raise DataError(no_number(sheet, name, texts, int(words[0])))
    found = categories(sheet, name, notation)
    return found._replace(remark=_remark(found, name, numeric=numeric, words=len(words)))


def numbers_and_words(
    cells: list[str], gaps: "NDArray[np.bool_]", notation: Notation
) -> "tuple[NDArray[np.float64], NDArray[np.int64]]":
    """(N,) the numbers of a column, NaN where there is none, and the rows that hold words.

    Args:
        cells: of the column.
        gaps: (N,) where it has no value.
        notation: of the table.
    """
    values = np.full(len(cells), np.nan)
    there = cells if not gaps.any() else [cells[row] for row in np.flatnonzero(~gaps).tolist()]
    quick = plain_numbers(there, notation)
    if quick is not None:
        values[~gaps] = quick
        return values, np.zeros(0, np.int64)
    meant = {cell: notation.number(cell) for cell in set(there)}
    if all(value is None for value in meant.values()):
        return values, np.flatnonzero(~gaps)
    found = np.fromiter(
        (_NAN if (value := meant[cell]) is None else value for cell in there),
        np.float64,
        len(there),
    )
    values[~gaps] = found
    return values, np.flatnonzero(np.isnan(values) & ~gaps)


def plain_numbers(cells: Sequence[str], notation: Notation) -> "NDArray[np.float64] | None":
    """The numbers of a column that holds nothing else; None where each cell must be looked at."""
    if notation.decimal != "." or notation.thousands or notation.missing_numbers:
        return None
    try:
        column = np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        return None
    if not np.isfinite(column).all() or "_" in "".join(cells):
        return None  # Python takes 1_000 for a number
    return column


def no_number(sheet: Sheet, name: str, words: list[str], row: int) -> str:
    """What is said of words among numbers."""
    cells = sheet.texts(name)
    found = list(dict.fromkeys(words))
    ways = [f"columns: {{categorical: [{named(name)}]}}, if it should not be one"]
    if might_miss(found):
        ways.insert(0, f"missing_as: {quoted(found)}, if that stands for no value")
    elif len(found) == 1 and words.count(found[0]) > 1:
        ways.append(f"missing_as: {quoted(found)}, if it stands for none")
    count = len(words)
    if row == 0 and count == 1:
        ways.insert(0, "skip_lines: 1, if the names stand in this line; delete it, if it has units")
    others = f", {count} cells are none" if count > 1 else ""
    return (
        f"{sheet.where(row)}: column {name!r}: {brief(cells[row])} is not a number{others} "
        f"({'; '.join(ways)})"
    )


def _unlike(sheet: Sheet, name: str, row: int, like: Likeness, different: int) -> str:
    cell = sheet.texts(name)[row]
    return (
        f"{sheet.where(row)}: column {name!r}: {brief(cell)} is not a number; {different} "
        f"different cells of {len(sheet)} look like {like.what} ({like.way}; or columns: "
        f"{{drop: [{named(name)}]}}, or {{categorical: [{named(name)}]}})"
    )


def _remark(found: Categories, name: str, *, numeric: int, words: int) -> str:
    """Said of a column that has hardly a category twice, or numbers among its names."""
    rows, count = len(found.places), len(found.names)
    way = f"(columns: {{drop: [{named(name)}]}})"
    if count > FEW_WORDS and 2 * count >= rows:
        return f"{name}: {count} categories in {rows} rows, an input for each {way}"
    if same := look_alike(found.names):
        return f"{name}: {same} are categories of their own"
    if numeric:
        said = f"{numeric} cells of {rows} are numbers and {words} are not"
        return f"{name}: {said}, taken for {count} categories {way}"
    return ""


def categories(sheet: Sheet, name: str, notation: Notation) -> Categories:
    """A column as categories in sorted order, those without a value last.

    Raises:
        DataError: there are too many.
    """
    gaps = sheet.gaps(name, notation)
    cells = sheet.texts(name)
    if gaps.any():
        cells = [NO_VALUE if gap else cell for cell, gap in zip(cells, gaps, strict=True)]
    order = sorted(set(cells), key=lambda category: (category == NO_VALUE, category))
    if len(order) > MOST_INPUTS:
        raise DataError(
            f"{sheet.where(0)}: column {name!r} has {len(order)} categories, at most "
            f"{MOST_INPUTS} can be used (columns: {{drop: [{named(name)}]}})"
        )
    index = {category: position for position, category in enumerate(order)}
    found = np.fromiter(map(index.__getitem__, cells), np.int64, len(cells))
    return Categories(name, tuple(order), found)


def loose_numbers(sheet: Sheet, name: str, reader: Reader) -> Numbers:
    """A column of numbers with a sign or one unit beside them, NaN where there is none.

    Raises:
        DataError: a cell is none, or has another unit than the others.
    """
    cells, notation = sheet.columns[name], reader.notation
    unit = reader.columns.unit_of(name)
    if not isinstance(cells, list):
        return Numbers(name, cells, unit=unit or "")
    found = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if notation.is_missing(cell):
            continue
        parts = notation.loose(cell)
        if parts is None:
            raise DataError(_no_loose_number(sheet, name, row, notation))
        found[row], beside = parts
        unit = unit or beside
        if beside not in ("", unit):
            way = f"columns: {{drop: [{named(name)}]}}, or write them in one unit"
            raise DataError(f"{sheet.where(row)}: {other_unit(name, cell, unit, beside)} ({way})")
    return Numbers(name, found, unit=unit or "")


def other_unit(name: str, cell: str, unit: str, beside: str) -> str:
    """What is said of a cell whose unit is not that of its column."""
    return f"column {name!r}: {brief(cell)} has another unit than {unit!r}, got {beside!r}"


def _no_loose_number(sheet: Sheet, name: str, row: int, notation: Notation) -> str:
    cell = sheet.texts(name)[row]
    like = looks_like([cell.strip("$€£¥% ")], name, notation, delimiter=",")
    way = like.way if like else f"missing_as: {quoted([cell])}, if it stands for no value"
    return f"{sheet.where(row)}: column {name!r}: {brief(cell)} is not a number ({way})"


def read_dates(sheet: Sheet, name: str, form: str, notation: Notation) -> Numbers:
    """A column of dates as days since 1970.

    Args:
        sheet: the table.
        name: of the column.
        form: how they are written; "" finds it.
        notation: for what stands for none.

    Raises:
        DataError: a cell is no date, or day and month cannot be told apart.
    """
    texts = sheet.texts(name)
    cells = [cell for cell in texts if not notation.is_missing(cell)]
    form = form or _only_form(sheet, name, cells)
    found = np.full(len(texts), np.nan)
    for row, cell in enumerate(texts):
        if notation.is_missing(cell):
            continue
        day = day_number(cell, form)
        if day is None:
            how = "2024-05-31" if form == ISO else form
            way = f"missing_as: {quoted([cell])}, if it stands for no value"
            raise DataError(
                f"{sheet.where(row)}: column {name!r}: {brief(cell)} is not a date as {how} ({way})"
            )
        found[row] = day
    return Numbers(name, found, date=form)


def _only_form(sheet: Sheet, name: str, cells: list[str]) -> str:
    forms = date_forms(list(dict.fromkeys(cells)))
    if len(forms) == 1 or not cells:
        return forms[0] if forms else ISO
    ways = [f'columns: {{dates: {{{named(name)}: "{form}"}}}}' for form in forms]
    if forms:
        what = "day and month cannot be told apart"
    else:
        what = f"{brief(cells[0])} and the others are not dates of one form that is known"
        ways = [f'columns: {{dates: {{{named(name)}: "%d/%m/%Y"}}}} says the form']
    return _refuse(f"{sheet.where(0)}: column {name!r}: {what} ({' or '.join(ways)})")


def _refuse(text: str) -> str:
    raise DataError(text)


def input_names(part: Numbers | Categories) -> tuple[str, ...]:
    """What the inputs of a column are called."""
    if isinstance(part, Numbers):
        return (part.name,)
    return tuple(f"{part.name}={category}" for category in part.names)
