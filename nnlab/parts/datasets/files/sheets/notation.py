"""How the cells of a table are written: numbers, dates, and signs that stand for no value."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from json import dumps
from math import isfinite

from nnlab.core.lazy import NDArray, np

MISSING = frozenset(("", "?", "NA", "N/A", "na", "n/a", "nan", "NaN", "NAN", "null", "NULL"))
"""What always stands for no value."""
_ALSO_MISSING = frozenset(
    ("None", "none", "NONE", "-", "--", "---", ".", "..", "*", "#N/A", "#NA", "N.A.", "n.a.", "nil")
    + ("unknown", "Unknown", "missing", "Missing", "inf", "-inf", "Inf", "-Inf", "(null)", "<NA>")
)
"""What may stand for none: named as a way out where it is found among numbers."""

_SPACES = " \u00a0\u2009\u202f"
"""A blank and those that do not break a line, which stand between thousands."""
_MINUS = "\u2212"
"""What typographers set for a minus."""
_ALSO_BETWEEN = {" ": _SPACES, "'": "'\u2019"}
"""What is as good as the sign between thousands: typographers set another apostrophe."""
_CURRENCY = "$€£¥₹₩₽₺₴₫฿¢"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Notation:
    """How numbers are written in a table.

    Attributes:
        decimal: the sign before the fraction, a point or a comma.
        thousands: the sign between groups of three digits; empty where there is none.
        missing: what stands for no value, beside the usual signs.
        missing_numbers: numbers that stand for none, however they are written.
    """

    decimal: str = "."
    thousands: str = ""
    missing: frozenset[str] = field(default_factory=frozenset[str])
    missing_numbers: frozenset[float] = field(default_factory=frozenset[float])

    @property
    def plain(self) -> bool:
        """Whether numbers are written as Python writes them, and nothing else stands for none."""
        return self == Notation()

    def is_missing(self, cell: str) -> bool:
        """Whether a cell stands for no value."""
        if cell in MISSING or cell in self.missing:
            return True
        return bool(self.missing_numbers) and self.number(cell) in self.missing_numbers

    def gaps(self, cells: Sequence[str]) -> "NDArray[np.bool_]":
        """(N,) which cells stand for no value."""
        if self.missing_numbers:
            return np.fromiter(map(self.is_missing, cells), np.bool_, len(cells))
        signs = MISSING | self.missing
        if signs.isdisjoint(cells):
            return np.zeros(len(cells), np.bool_)
        return np.fromiter((cell in signs for cell in cells), np.bool_, len(cells))

    def number(self, cell: str) -> float | None:
        """The finite number that a cell says, or None; typographers' minus is one."""
        cell = cell.replace(_MINUS, "-")
        if self.thousands:
            ungrouped = self._ungrouped(cell)
            if ungrouped is None:
                return None
            cell = ungrouped
        if self.decimal == ",":
            if "." in cell:
                return None
            cell = cell.replace(",", ".")
        if "_" in cell:  # Python takes 1_000 for a number
            return None
        try:
            value = float(cell)
        except ValueError:
            return None
        return value if isfinite(value) else None

    def _ungrouped(self, cell: str) -> str | None:
        """A number without the signs between its thousands; None where they stand elsewhere."""
        signs = _ALSO_BETWEEN.get(self.thousands, self.thousands)
        if not any(sign in cell for sign in signs):
            return cell
        either, rest = f"[{re.escape(signs)}]", rf"(?:{re.escape(self.decimal)}\d*)?"
        groups = rf"[1-9]\d{{0,2}}(?:{either}\d{{3}})+"
        if self.thousands == ",":  # India groups by hundreds above the thousands: 12,34,567
            groups = rf"(?:{groups}|[1-9]\d?(?:,\d\d)+,\d{{3}})"
        if not re.fullmatch(rf"[+-]?{groups}{rest}", cell):
            return None
        return re.sub(either, "", cell)

    def loose(self, cell: str) -> tuple[float, str] | None:
        """The number of a cell with a sign or a unit beside it, and that unit; None without one.

        $1,200 with `thousands: ","` is 1200 of "$", 4.5% is 4.5 of "%", (30) is -30 as accountants
        write it, 12 kg is 12 of "kg".
        """
        if (value := self.number(cell)) is not None:
            return value, ""
        parts = _LOOSE.fullmatch(cell.replace(_MINUS, "-"))
        if parts is None:
            return None
        digits = parts["number"].strip(_SPACES)
        value = self.number((parts["sign"] or parts["late"] or "") + digits)
        if value is None or (bool(parts["open"]) != bool(parts["close"])):
            return None
        unit = (parts["before"] or "") + (parts["after"] or "")
        return (-value if parts["open"] else value), unit


_LOOSE = re.compile(
    rf"(?P<open>\()?(?P<sign>[+-])?(?P<before>[{_CURRENCY}]|[A-Z]{{3}}(?= ?\d)|[A-Z]{{0,2}}\$)?\s*"
    rf"(?P<late>[+-])?(?P<number>\d[\d.,'\u2019{_SPACES}]*(?:[eE][+-]?\d+)?)(?P<close>\))?\s*"
    rf"(?P<after>%|‰|°[A-Z]?|[{_CURRENCY}]|[A-Za-zµΩ][A-Za-zµ/²³]{{0,5}})?(?<![{_SPACES}])"
)

_DATES = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y"),
    *("%m-%d-%Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y"),
    *("%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%a %b %d %Y"),
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_OTHERS = ("%Y-%m", "%Y/%m", "%m/%Y", "%b %Y", "%B %Y", "%b-%y", "%b-%Y", "%H:%M", "%H:%M:%S")
ISO = "iso"
"""2024-05-31, 2024-05-31 12:30, 2024-05-31T12:30:00.5+02:00."""
_IS_ISO = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
)
_LIKE_DATE = re.compile(r"\d{1,4}[-/.: ]|\d{1,2}[- ]?[A-Za-z]{3}|[A-Za-z]{3,9}[ -]\d")


def day_number(cell: str, form: str) -> float | None:
    """Days from 1970-01-01 to the moment that a cell says, or None where it says none.

    Args:
        cell: the text; a moment without a zone is taken as UTC.
        form: `iso`, or as Python's strptime takes it: %d/%m/%Y.
    """
    try:
        if form == ISO:
            if not _IS_ISO.fullmatch(cell):
                return None
            moment = datetime.fromisoformat(cell)
        else:
            moment = datetime.strptime(cell, form)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH).total_seconds() / _DAY


def date_forms(cells: Sequence[str]) -> tuple[str, ...]:
    """The forms in which all these cells are dates; none where they are no dates.

    Several where day and month cannot be told apart.
    """
    if not cells or not all(_LIKE_DATE.match(cell) for cell in cells):
        return ()
    if all(day_number(cell, ISO) is not None for cell in cells):
        return (ISO,)
    forms = (*(date + time for date in _DATES for time in _TIMES), *_OTHERS)
    return tuple(
        form for form in forms if all(day_number(cell, form) is not None for cell in cells)
    )[:2]


def might_miss(words: Iterable[str]) -> bool:
    """Whether words are all of those that often stand for no value."""
    return all(word in _ALSO_MISSING for word in words)


def named(word: str) -> str:
    """A column's name as it can be written inside a YAML list or mapping."""
    plain = re.fullmatch(r"[A-Za-z_][\w .-]*(?<! )", word) and word.lower() not in _YAML_WORDS
    return word if plain else dumps(word, ensure_ascii=False)


_YAML_WORDS = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))


_LONGEST = 60


def brief(cell: str) -> str:
    """A cell as a message shows it: quoted, and no longer than a line."""
    return repr(cell) if len(cell) <= _LONGEST else f"{cell[:_LONGEST]!r}..."


def quoted(words: Iterable[str]) -> str:
    """Texts as a YAML list."""
    return f"[{', '.join(dumps(word, ensure_ascii=False) for word in words)}]"


_LEAST_DIFFERENT = 10
_LOOKED_AT = 400
_WRITINGS = ((".", ","), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "'"))


@dataclass(frozen=True, slots=True)
class Likeness:
    """What words look like.

    Attributes:
        what: numbers with a decimal comma.
        way: what would read them: `decimal: ","`.
    """

    what: str
    way: str


def looks_like(
    words: Iterable[str], name: str, notation: Notation, *, delimiter: str
) -> Likeness | None:
    """What more than half of the different words of a column look like; None for mere words.

    Args:
        words: the cells that are no numbers in this notation, without those that miss.
        name: of the column, for the way out.
        notation: of the table.
        delimiter: between cells: beside a semicolon, a comma stands before a fraction.
    """
    cells = list(dict.fromkeys(words))
    cells = cells[:: max(1, len(cells) // _LOOKED_AT)]
    if not cells:
        return None
    if forms := _common_forms(cells):
        return _as_dates(forms, name)
    if found := _as_numbers(cells, notation, delimiter):
        return found
    return _with_units(cells, name, notation, delimiter) or _otherwise(cells)


def _common_forms(cells: Sequence[str]) -> tuple[str, ...]:
    """The forms of dates, where some cells may be none."""
    if forms := date_forms(cells):
        return forms
    like = [cell for cell in cells if _LIKE_DATE.match(cell)]
    if 2 * len(like) <= len(cells):
        return ()
    for form in {form: 0 for cell in like[:5] for form in date_forms([cell])}:
        if 10 * sum(day_number(cell, form) is not None for cell in cells) >= 9 * len(cells):
            return (form,)
    return ()


def _as_dates(forms: Sequence[str], name: str) -> Likeness:
    def way(form: str) -> str:
        if form == ISO:
            return f"columns: {{dates: [{named(name)}]}}"
        return f"columns: {{dates: {{{named(name)}: {dumps(form)}}}}}"

    return Likeness("dates", " or ".join(map(way, forms)))


def _written(decimal: str, thousands: str) -> str:
    """The settings of a notation, as a config says them."""
    settings = {"decimal": decimal if decimal != "." else "", "thousands": thousands}
    return ", ".join(f"{key}: {dumps(sign)}" for key, sign in settings.items() if sign)


def _notation_for(
    cells: Sequence[str], notation: Notation, delimiter: str
) -> tuple[str, str] | None:
    """Decimal sign and thousands with which more than half of the cells are numbers."""
    comma_first = delimiter == ";" or notation.decimal == ","
    order = [(".", ","), (",", ""), *_WRITINGS[1:], (".", "")]
    if comma_first:
        order.insert(0, (",", ""))
    counts = {
        (decimal, thousands): sum(
            Notation(decimal, thousands).number(cell) is not None for cell in cells
        )
        for decimal, thousands in order
        if (decimal, thousands) != (notation.decimal, notation.thousands)
    }
    best = max(counts, key=lambda writing: counts[writing])
    return best if 2 * counts[best] > len(cells) else None


def _as_numbers(cells: Sequence[str], notation: Notation, delimiter: str) -> Likeness | None:
    found = _notation_for(cells, notation, delimiter)
    if found is None:
        return None
    decimal, thousands = found
    signs = {",": "comma", ".": "point", " ": "blank", "'": "apostrophe"}
    said = [f"a decimal {signs[decimal]}"] if decimal != notation.decimal else []
    said += [f"the {signs[thousands]} between thousands"] if thousands else []
    if not said:
        return None
    return Likeness(f"numbers with {' and '.join(said)}", _written(decimal, thousands))


_NUMBER = r"[+-]?\d+(?:[.,]\d+)*"
_OTHER_WRITINGS = (
    (rf"[$€£]?{_NUMBER} ?(?:[kKmMbBgGtT]|bn|Bn|mn|Mn)", "numbers with a letter for thousands or "
     "millions", "write them out, 1.5K as 1500"),
    (rf"(?:~|≈|≤|≥|<=?|>=?|ca\.?|about) ?{_NUMBER}", "numbers with a sign that says roughly how "
     "much", "write the number alone"),
    (rf"{_NUMBER} ?(?:±|\+/-|\+-) ?{_NUMBER}", "numbers with their error", "write each into a "
     "column of its own"),
    (r"0[xX][0-9a-fA-F]+", "hexadecimal numbers", "write them as decimal numbers"),
    (r"[+-]?\d+(?:_\d{3})+(?:\.\d*)?", "numbers with a _ between thousands", "write them without"),
    (r"[+-]?\d*\.?\d+[dD][+-]?\d+", "numbers with the D of Fortran", "write an e for the D"),
    (rf"{_NUMBER} ?/ ?{_NUMBER}", "two numbers each", "write each into a column of its own"),
    (rf"[\[(]\s*{_NUMBER}(?:[,;\s]+{_NUMBER})*\s*[\])]", "lists of numbers", "write each number "
     "into a column of its own"),
    ("""\\d{1,3} ?°.*[NSEWO'"\u2032\u2033]""", "angles in degrees and minutes", "write them as "
     "decimal numbers"),
)  # fmt: skip
"""How else numbers are written, which no setting reads: form, what it is, what would."""


def _otherwise(cells: Sequence[str]) -> Likeness | None:
    """Numbers in a writing that no setting reads; a few of them may be names: 3/4, 5K."""
    if len(cells) < _LEAST_DIFFERENT:
        return None
    for form, what, way in _OTHER_WRITINGS:
        if 2 * sum(re.fullmatch(form, cell) is not None for cell in cells) > len(cells):
            return Likeness(what, way)
    return None


def _with_units(
    cells: Sequence[str], name: str, notation: Notation, delimiter: str
) -> Likeness | None:
    """Numbers with a currency, a percent sign or a unit that nearly all of them share."""
    parts = [_LOOSE.fullmatch(cell.replace(_MINUS, "-")) for cell in cells]
    fits = [part for part in parts if part is not None]
    units = [(part["before"] or "") + (part["after"] or "") for part in fits]
    if not units or 2 * len(fits) <= len(cells):
        return None
    unit = max(set(units), key=units.count)
    accountant = not unit and any(part["open"] for part in fits)
    if (not unit and not accountant) or 10 * units.count(unit) < 9 * len(cells):
        return None
    if unit.isalpha() and len(cells) < _LEAST_DIFFERENT:
        return None  # 1st, 3A, 4door: a few codes are names
    cores = [part["number"].strip(_SPACES) for part in fits]
    settings = ""
    if any(notation.number(core) is None for core in cores):
        odd = [core for core in cores if notation.number(core) is None]
        if writing := _notation_for(odd, notation, delimiter):
            settings = f", {_written(*writing)}"
    what = f"numbers with {unit!r}" if unit else "negative numbers in brackets"
    return Likeness(what, f"columns: {{numeric: [{named(name)}]}}{settings}")
