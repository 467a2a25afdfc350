"""Numbers that may not be meant as such: names that consist of digits, thousands with a point."""

import re
from collections.abc import Iterable, Sequence

from nnlab.core.lazy import NDArray, np
from nnlab.parts.datasets.files.sheets.notation import Notation, named

_LEAST = 3
"""So many cells at least are needed to say what they look like."""
_ZERO_FIRST = re.compile(r"0\d+")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}[.]\d{3}")
_WHOLE = re.compile(r"[+-]?\d{1,3}")
_NAMES = re.compile(
    r"(?:(?:^|[\W_])(?i:ids?|uuid|zip|postal|postcode|plz|ssn|isbn|phone)"
    r"|(?<=[a-z])(?:I[dD]|Z[iI][pP]|Postcode|PLZ|Phone))(?i:[\W_]?(?:code|no|nr|number))?$"
)
"""What columns are called whose numbers are names."""


def number_remark(
    name: str,
    cells: Sequence[str],
    values: "NDArray[np.floating]",
    notation: Notation,
    ways: str = "",
) -> str:
    """What is said of a column that was read as numbers and may be something else; else empty.

    Args:
        name: of the column.
        cells: as they are written; none where that is not known.
        values: (N,) the numbers, NaN where there is none.
        notation: of the table.
        ways: what leaves it out or makes categories of it; empty for those of a csv file.
    """
    in_frame = bool(ways)
    ways = ways or f"columns: {{drop: [{named(name)}]}}, or {{categorical: [{named(name)}]}}"
    if first := [cell for cell in cells if _ZERO_FIRST.fullmatch(cell)]:
        count = f"{len(first):,} cells begin" if len(first) > 1 else "a cell begins"
        text = f"{count} with a 0 ({first[0]}), which numbers do not keep"
        return f"{name}: {text} ({ways})"
    if example := _thousands(cells, notation):
        whole = example.replace(".", "")
        text = f"{example} was read as a number below 1000, and could be {whole}"
        return f'{name}: {text} (thousands: ".", decimal: ",")'
    there = values[~np.isnan(values)]
    if stand_in := _stand_in(there):
        count = int((there == stand_in).sum())
        way = f"missing_as: [{stand_in}]"
        if in_frame:
            way = f"X.replace({{{name!r}: {{{stand_in}: numpy.nan}}}})"
        text = f"{count:,} of {len(there):,} numbers are {stand_in}, far from all others"
        return f"{name}: {text} ({way}, if that stands for no value)"
    if len(there) >= _LEAST and bool((there == np.rint(there)).all()) and _are_days(there):
        way = f'columns: {{dates: {{{named(name)}: "%Y%m%d"}}}}'
        text = f"whole numbers such as {there[0]:.0f} are days in figures: from the last of a month"
        return f"{name}: {text} to the next they jump ({way}, if they are)"
    counts = len(there) >= _COUNTS_FROM and there[0] in (0, 1) and _COUNTERS.fullmatch(name)
    if counts and bool((np.diff(there) == 1).all()):
        return f"{name}: counts the rows, and was taken for a quantity ({ways})"
    if _NAMES.search(name) and len(there) >= _LEAST and bool((there == np.rint(there)).all()):
        different = len(np.unique(there))
        if 2 * different > len(there):
            text = f"{different:,} different whole numbers, taken for quantities; by its name they"
            return f"{name}: {text} are names ({ways})"
    return ""


_STAND_INS = (-9, -99, -999, -9999, -99999, 97, 98, 99, 999, 9999, 99999, 999999)
"""Numbers that old instruments and forms write where there is none; 97 to 99 are of surveys."""
_COUNTS_FROM = 30
"""Rows of a table from which on a column that counts them is no accident."""
_COUNTERS = re.compile(
    r"(?i)x1|unnamed.*|index|(row|obs|case|record|sample)[\W_]?(id|no|nr|number)?"
)
"""What a column is called that counts the rows: x1 is the first of a file without a header."""


def _stand_in(values: "NDArray[np.floating]") -> int:
    """A number that may stand for no value: of nines, more than once, and far off; else 0."""
    for number in _STAND_INS:
        same = values == number
        if np.count_nonzero(same) < 2 or len(others := values[~same]) < _LEAST:
            continue
        low, high = float(others.min()), float(others.max())
        if np.isfinite(high - low) and (
            number < low - (high - low) if number < 0 else number > high + (high - low)
        ):
            return number
    return 0


def _are_days(values: "NDArray[np.floating]") -> bool:
    """Whether whole numbers are all days as 20240531, and more than one."""
    if not np.isfinite(values).all():
        return False
    year, rest = np.divmod(values, 10_000)
    month, day = np.divmod(rest, 100)
    inside = (year >= 1800) & (year < 2200) & (month >= 1) & (month <= 12) & (day >= 1)
    return bool((inside & (day <= 31)).all()) and values[0] != values[-1]


def is_doubtful(cells: Iterable[str]) -> bool:
    """Whether `number_remark` must see cells as they are written."""
    found = list(cells)
    return any(map(_ZERO_FIRST.fullmatch, found)) or bool(_thousands(found, Notation()))


def _thousands(cells: Sequence[str], notation: Notation) -> str:
    """A cell such as 1.234, where all that have a point have three digits behind it.

    Beside them stand whole numbers below 1000: measurements to three digits would have the digits
    there too, 12.000.
    """
    if notation.decimal != "." or notation.thousands:
        return ""
    pointed = [cell for cell in cells if "." in cell]
    if len(pointed) < _LEAST or not all(map(_GROUPED.fullmatch, pointed)):
        return ""
    others = [cell for cell in cells if cell and "." not in cell and not notation.is_missing(cell)]
    return pointed[0] if others and all(map(_WHOLE.fullmatch, others)) else ""
