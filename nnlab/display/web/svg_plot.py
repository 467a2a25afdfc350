"""A small plot as SVG: two axes and what is drawn between them; colours come from the page."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, floor, isfinite, log10
from typing import final

from nnlab.display.web.html import Markup, tag

WIDTH, HEIGHT = 380, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 14, 44
_TICKS = 5


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
        marks: drawn so far.
    """

    title: str
    x: str
    y: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    marks: list[Markup] = field(default_factory=list[Markup])

    def line(self, points: Sequence[Sequence[float]], style: str) -> None:
        """A line through points (x, y)."""
        path = " ".join(f"{self._x(x):.1f},{self._y(y):.1f}" for x, y in points)
        self.marks.append(tag("polyline", points=path, class_=f"line {style}"))

    def dots(self, x: Sequence[float], y: Sequence[float], style: str) -> None:
        """One small disc for each example, as one path."""
        radius = 2.2 if len(x) < 400 else 1.5
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
        for value in ticks(*self.x_range):
            x = f"{self._x(value):.1f}"
            found.append(tag("line", x1=x, x2=x, y1=_TOP, y2=HEIGHT - _BOTTOM, class_="grid"))
            label = tag("text", _said(value), x=x, y=HEIGHT - _BOTTOM + 15, class_="tick middle")
            found.append(label)
        for value in ticks(*self.y_range):
            y = self._y(value)
            found.append(
                tag("line", x1=left, x2=right, y1=f"{y:.1f}", y2=f"{y:.1f}", class_="grid")
            )
            found.append(
                tag("text", _said(value), x=left - 6, y=f"{y + 3.5:.1f}", class_="tick end")
            )
        return found

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
        return HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)


def ticks(low: float, high: float) -> list[float]:
    """Round numbers in a range, about five: multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / _TICKS
    power = 10.0 ** floor(log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.999)
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


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
    text = f"{value:.4g}" if abs(value) < 1e6 else f"{value:.1e}"
    return text.replace("-", "\N{MINUS SIGN}")
