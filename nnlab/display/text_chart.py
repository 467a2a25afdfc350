"""A chart of characters: braille dots, eight to a character, and a letter for each curve."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rich.text import Text

_COLORS = ("cyan", "magenta", "yellow", "green", "blue", "red")
# The dots of a braille character from the top down, left column and right (Unicode, block 2800).
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_LETTER_EVERY = 14
"""Characters between two letters on a curve: so it is told from others without colours."""


class Line(NamedTuple):
    """Values over an axis, ascending; NaN where one is not finite."""

    places: Sequence[float]
    values: Sequence[float]


class Drawn(NamedTuple):
    """A curve, its letter, and the number of its colour."""

    letter: str
    line: Line
    number: int


def text_chart(curves: Sequence[Drawn], *, width: int, height: int = 15, label: str = "") -> "Text":
    """Curves over one another.

    Args:
        curves: what to draw; later ones lie on top of earlier ones.
        width: characters in all.
        height: lines without the axis.
        label: of the axis.
    """
    from rich.text import Text

    points = [list(zip(*curve.line, strict=True)) for curve in curves]
    finite = [(x, y) for line in points for x, y in line if isfinite(y)]
    if not finite:
        return Text("no finite value to draw\n")
    values = [y for _, y in finite]
    log = wants_log_axis(values)
    low, high = min(values), max(values)
    left, right = (bound(x for line in points for x, _ in line) for bound in (min, max))
    names = {0: f"{high:.4g}", height - 1: f"{low:.4g}"}
    middle = (low * high) ** 0.5 if log else (low + high) / 2
    names |= {height // 2: f"{middle:.4g}"} if high > low else {}
    margin = max(map(len, names.values()))
    columns = max(8, width - margin - 2)

    def dot(x: float, y: float) -> tuple[float, float | None]:
        across = (x - left) / (right - left or 1.0) * (columns * 2 - 1)
        down = (1.0 - _share(y, low, high, log=log)) * (height * 4 - 1) if isfinite(y) else None
        return across, down

    cells: dict[tuple[int, int], _Cell] = {}
    for curve, line in zip(curves, points, strict=True):
        _draw(cells, curve, _track([dot(x, y) for x, y in line]))
    text = Text()
    for line in range(height):
        text.append(f"{names.get(line, ''):>{margin}} │")
        for across in range(columns):
            cell = cells.get((across, line))
            text.append(cell.sign if cell else " ", style=curve_color(cell.number) if cell else "")
        text.append("\n")
    return text.append(_axis(left, right, margin, columns, label))


@dataclass(slots=True)
class _Cell:
    """One character of the chart: its dots, the curve on top, and a letter of one if it has it."""

    dots: int = 0
    number: int = 0
    letter: str = ""

    @property
    def sign(self) -> str:
        return self.letter or chr(0x2800 + self.dots)


def _draw(
    cells: dict[tuple[int, int], _Cell], curve: Drawn, track: Sequence[tuple[int, int]]
) -> None:
    """Draws a curve over those that are there."""
    for across, down in track:
        cell = cells.setdefault((across // 2, down // 4), _Cell())
        cell.dots |= _DOTS[down % 4][across % 2]
        cell.number = curve.number
    for across, down in (track[i] for i in _marks(track, curve.number)):
        cells[across // 2, down // 4].letter = curve.letter


def wants_log_axis(values: Sequence[float]) -> bool:
    """Whether values want a logarithmic axis: positive, and far from each other."""
    finite = [value for value in values if isfinite(value)]
    return bool(finite) and min(finite) > 0 and max(finite) > 100 * min(finite)


def curve_color(number: int) -> str:
    """Of the curve with this number."""
    return _COLORS[number % len(_COLORS)]


def _share(y: float, low: float, high: float, *, log: bool) -> float:
    """How far up, 0 to 1."""
    if high == low:
        return 0.5
    return log10(y / low) / log10(high / low) if log else (y - low) / (high - low)


def _track(points: Sequence[tuple[float, float | None]]) -> list[tuple[int, int]]:
    """Dots on the straight lines between neighbours; a gap where a value is None."""
    found: list[tuple[int, int]] = []
    before: tuple[float, float] | None = None
    for x, y in points:
        if y is None:
            before = None
            continue
        x0, y0 = before or (x, y)
        count = max(1, ceil(abs(x - x0)), ceil(abs(y - y0)))
        for i in range(count + 1):
            dot = round(x0 + (x - x0) * i / count), round(y0 + (y - y0) * i / count)
            if not found or found[-1] != dot:
                found.append(dot)
        before = (x, y)
    return found


def _marks(track: Sequence[tuple[int, int]], number: int) -> list[int]:
    """Which dots carry the letter: some on the way, at other places for each curve, and the end."""
    first = floor((number + 0.5) * 5) % _LETTER_EVERY * 2
    due, found = float(first), list[int]()
    for index, (across, _) in enumerate(track):
        if across >= due:
            found.append(index)
            due = across + _LETTER_EVERY * 2
    return [*found, len(track) - 1] if track else []


def _axis(left: float, right: float, margin: int, columns: int, label: str) -> str:
    first, last = f"{left:.4g}", f"{right:.6g}"
    # A narrow chart has no room between its ends, and none for the label.
    room = max(1, columns - len(first) - len(last))
    line = f"{first}{label[: max(0, room - 4)]:^{room}}{last}"
    return f"{'':>{margin}} └{'─' * columns}\n{'':>{margin}}  {line}\n"
