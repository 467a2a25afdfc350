"""A small plot as SVG: two axes and what is drawn between them; colours come from the page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, inf, isfinite, log10
from typing import final

from nnlab.display.web.html import Markup, tag

WIDTH, HEIGHT = 380, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 14, 44
_TICKS = 5
_LETTER = 6.0
"""A letter's width."""


@final
@dataclass(slots=True)
class SvgPlot:
    """Marks in data coordinates.

    Attributes:
        title: for those who cannot see it.
        x: name of the axis.
        y: name of the vertical axis.
        x_range: what the axis covers.
        y_range: what the vertical axis covers.
        log: whether the vertical axis is logarithmic; its range is positive then.
        names: of the places 1, 2, ... of the horizontal axis, in place of numbers.
        marks: drawn so far.
    """

    title: str
    x: str
    y: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    log: bool = False
    names: Sequence[str] = ()
    marks: list[Markup] = field(default_factory=list[Markup])

    def line(
        self, points: Sequence[Sequence[float]], style: str, *, opacity: float | None = None
    ) -> None:
        """A line through points (x, y), broken where a y has no place; one point alone is a dot."""
        for piece in self._pieces(points):
            if len(piece) == 1:
                self.point(piece[0][0], piece[0][1], style)
                continue
            path = " ".join(f"{self._x(x):.1f},{self._y(y):.1f}" for x, y in piece)
            line = tag("polyline", points=path, class_=f"line {style}", opacity=opacity)
            self.marks.append(line)

    def _pieces(self, points: Sequence[Sequence[float]]) -> Iterator[list[Sequence[float]]]:
        piece: list[Sequence[float]] = []
        for point in points:
            if isfinite(point[1]) and (point[1] > 0 or not self.log):
                piece.append(point)
            elif piece:
                yield piece
                piece = []
        if piece:
            yield piece

    def point(self, x: float, y: float, style: str, radius: float = 2.4) -> None:
        """A disc."""
        at = {"cx": f"{self._x(x):.1f}", "cy": f"{self._y(y):.1f}"}
        self.marks.append(tag("circle", r=radius, class_=f"point {style}", **at))

    def upright(self, x: float, text: str) -> None:
        """A dashed line over the whole height, with a word above it."""
        at = self._x(x)
        ends = {"x1": f"{at:.1f}", "x2": f"{at:.1f}", "y1": _TOP, "y2": HEIGHT - _BOTTOM}
        word = tag("text", text, x=f"{at:.1f}", y=_TOP - 4, class_="tick middle")
        self.marks += [tag("line", class_="mark", **ends), word]

    def clipped_line(self, ends: Sequence[Sequence[float]], style: str) -> None:
        """The part of a straight line between two points that is inside the axes."""
        (x, y), (other_x, other_y) = ends
        low, high = 0.0, 1.0
        for at, way, bounds in (
            (x, other_x - x, self.x_range),
            (y, other_y - y, self.y_range),
        ):
            if way == 0:
                low = low if bounds[0] <= at <= bounds[1] else 2.0
                continue
            first, last = sorted((bound - at) / way for bound in bounds)
            low, high = max(low, first), min(high, last)
        if low < high:
            points = [(x + t * (other_x - x), y + t * (other_y - y)) for t in (low, high)]
            self.line(points, style)

    def image(self, uri: str) -> None:
        """A picture that covers all between the axes."""
        self.marks.append(
            tag(
                "image",
                href=uri,
                x=_LEFT,
                y=_TOP,
                width=WIDTH - _RIGHT - _LEFT,
                height=HEIGHT - _BOTTOM - _TOP,
                preserveAspectRatio="none",
            )
        )

    def dots(
        self, x: Sequence[float], y: Sequence[float], style: str, *, wider: float = 0.0
    ) -> None:
        """One small disc for each example, as one path; `wider` by so much than usual."""
        radius = (2.2 if len(x) < 400 else 1.5) + wider
        # A line of no length with round ends is a disc, in a tenth of the bytes of a circle.
        moves = (f"M{self._x(a):.1f},{self._y(b):.1f}h0" for a, b in zip(x, y, strict=True))
        self.marks.append(
            tag("path", d="".join(moves), class_=f"dots {style}", stroke_width=2 * radius)
        )

    def bar(self, low: float, high: float, bottom: float, top: float, style: str) -> None:
        """A filled rectangle."""
        left, right = self._x(low), self._x(high)
        above, below = sorted((self._y(top), self._y(bottom)))
        self.marks.append(
            tag(
                "rect",
                x=f"{left:.1f}",
                y=f"{above:.1f}",
                width=f"{max(right - left - 0.8, 0.5):.1f}",
                height=f"{max(below - above, 0.0):.1f}",
                class_=style,
            )
        )

    def svg(self) -> Markup:
        """The whole picture."""
        return tag(
            "svg",
            tag("title", self.title),
            self._grid(),
            self.marks,
            self._frame(),
            viewBox=f"0 0 {WIDTH} {HEIGHT}",
            role="img",
        )

    def _grid(self) -> list[Markup]:
        left, right = _LEFT, WIDTH - _RIGHT
        found: list[Markup] = []
        for value, text in self._places():
            x = f"{self._x(value):.1f}"
            found.append(tag("line", x1=x, x2=x, y1=_TOP, y2=HEIGHT - _BOTTOM, class_="grid"))
            found.append(tag("text", text, x=x, y=HEIGHT - _BOTTOM + 15, class_="tick middle"))
        for value in (log_ticks if self.log else ticks)(*self.y_range):
            y = self._y(value)
            found.append(
                tag("line", x1=left, x2=right, y1=f"{y:.1f}", y2=f"{y:.1f}", class_="grid")
            )
            found.append(
                tag("text", _said(value), x=left - 6, y=f"{y + 3.5:.1f}", class_="tick end")
            )
        return found

    def _places(self) -> list[tuple[float, str]]:
        """What stands along the horizontal axis; as many of its names as have room."""
        if not self.names:
            return [(value, _said(value)) for value in ticks(*self.x_range)]
        room = (WIDTH - _LEFT - _RIGHT) / len(self.names)
        every = ceil(min(_LETTER * (max(map(len, self.names)) + 1), WIDTH / 2) / room)
        return [(k + 1.0, name) for k, name in enumerate(self.names) if k % every == 0]

    def _frame(self) -> list[Markup]:
        middle_x, middle_y = (_LEFT + WIDTH - _RIGHT) / 2, (_TOP + HEIGHT - _BOTTOM) / 2
        bottom = HEIGHT - _BOTTOM
        axes = f"M{_LEFT},{_TOP}V{bottom}H{WIDTH - _RIGHT}"
        turn = f"rotate(-90 12 {middle_y})"
        return [
            tag("path", d=axes, class_="axes"),
            tag("text", self.x, x=middle_x, y=HEIGHT - 8, class_="name middle"),
            tag("text", self.y, x=12, y=middle_y, transform=turn, class_="name middle"),
        ]

    def _x(self, value: float) -> float:
        low, high = self.x_range
        return _LEFT + (value - low) / (high - low) * (WIDTH - _LEFT - _RIGHT)

    def _y(self, value: float) -> float:
        low, high = self.y_range
        if self.log:
            low, high, value = log10(low), log10(high), log10(value)
        return HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)


def ticks(low: float, high: float) -> list[float]:
    """Round numbers in a range, about five: multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / _TICKS
    power = 10.0 ** floor(log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.999)
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers of a positive range on a logarithmic axis: powers of ten where there are three.

    Of a range below two decades 1, 2 and 5 times them, of a small one as `ticks` does.
    """
    powers = [10.0**k for k in range(floor(log10(low)), ceil(log10(high)) + 1)]
    for multiples in ((1,), (1, 2, 5)):
        found = [m * power for power in powers for m in multiples if low <= m * power <= high]
        if len(found) >= 3:
            return found[:: ceil(len(found) / 7)]
    return [value for value in ticks(low, high) if value > 0]


def covering_log_range(*values: Sequence[float]) -> tuple[float, float]:
    """A range of a logarithmic axis that holds all positive values, with some room."""
    positive = [value for part in values for value in part if 0 < value < inf]
    low, high = min(positive, default=0.1), max(positive, default=1.0)
    room = max((high / low) ** 0.04, 1.05)
    return low / room, high * room


def covering_range(*values: Sequence[float], margin: float = 0.04) -> tuple[float, float]:
    """A range that holds all finite values, with some room."""
    finite = [value for part in values for value in part if isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    room = margin * (high - low) or abs(high) * 0.1 or 1.0
    return low - room, high + room


def _said(value: float) -> str:
    """A number at an axis."""
    if value == 0:
        return "0"
    size = abs(value)
    text = f"{value:.4g}"
    if not 1e-3 <= size < 1e6:
        digits, _, power = f"{value:.3e}".partition("e")
        text = f"{digits.rstrip('0').rstrip('.')}e{int(power)}"
    return text.replace("-", "\N{MINUS SIGN}")
