"""How runs learned, as pictures of a page: curves over time, numbers over depth, shares of units.

Each function takes plain numbers, so that the report of one run and the page that compares several
draw them alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Literal, NamedTuple

from nnlab.display.pictures.drawing import few_moments
from nnlab.display.text_chart import wants_log_axis
from nnlab.display.web.html import Content, Markup, tag
from nnlab.display.web.svg_plot import SvgPlot, covering_log_range, covering_range

HUES = 8
"""So many colours the style sheet has; they come again."""
_MOST_POINTS = 300
"""Of a longer curve the lowest and the highest point of each stretch are drawn."""


class DrawnCurve(NamedTuple):
    """Values over ascending places, as a line.

    Attributes:
        label: in the legend; "" for a line that stands in none.
        places: on the horizontal axis.
        values: NaN where one was not finite.
        hue: the number of its colour.
        style: solid, dotted, or faint for one run of several whose mean is drawn.
    """

    label: str
    places: Sequence[float]
    values: Sequence[float]
    hue: int = 0
    style: Literal["solid", "dotted", "faint"] = "solid"


@dataclass(frozen=True, slots=True)
class CurveMark:
    """A place on the horizontal axis with its name: where the best weights are.

    Attributes:
        place: on the axis.
        text: what it is.
    """

    place: float
    text: str


def curves_figure(
    title: str,
    x: str,
    curves: Sequence[DrawnCurve],
    *,
    caption: Content = None,
    mark: CurveMark | None = None,
    span: tuple[float, float] | None = None,
    log: bool | None = None,
) -> Markup:
    """Curves over one another with their legend.

    Args:
        title: what is measured; the name of the vertical axis.
        x: name of the horizontal axis.
        curves: what to draw.
        caption: below the legend.
        mark: a place that stands out.
        span: what the vertical axis covers; None for what the values need.
        log: whether that axis is logarithmic; None where the values are positive and far from each
            other.
    """
    shown = [thin_curve(curve) for curve in curves]
    values = [value for curve in shown for value in curve.values]
    if log is None:
        log = span is None and wants_log_axis(values)
    y_range = span or (covering_log_range(values) if log else covering_range(values))
    places = [place for curve in shown for place in curve.places]
    low, high = min(places, default=0.0), max(places, default=1.0)
    x_range = (low, high if high > low else low + 1.0)
    plot = SvgPlot(title, x, title, x_range, y_range, log=log)
    if mark is not None and x_range[0] <= mark.place <= x_range[1]:
        plot.upright(mark.place, mark.text)
    for curve in sorted(shown, key=lambda curve: curve.style != "faint"):
        style = {"solid": "curve", "dotted": "curve dotted", "faint": "curve faint"}[curve.style]
        points = list(zip(curve.places, curve.values, strict=True))
        plot.line(points, f"{style} s{curve.hue % HUES}")
    return _figure(plot, curves_legend(curves), caption)


def depth_figure(
    title: str,
    layers: Sequence[str],
    moments: Sequence[tuple[str, Sequence[float]]],
    *,
    caption: Content = None,
) -> Markup:
    """A positive number of each layer, from input to output, at several moments.

    Args:
        title: what is measured.
        layers: their names, from input to output.
        moments: (name, a value for each layer), the earliest first; they are drawn from pale to
            dark, of many some, evenly spaced.
        caption: below the legend. Where a number is 0 there is no point, which is said.
    """
    moments = few_moments(moments)
    values = [value for _, line in moments for value in line]
    if not any(0 < value < inf for value in values):
        return tag("p", f"The {title} of every layer was 0 or not finite.")
    if 0.0 in values:
        caption = [caption, " A layer without a point has 0."]
    across = (0.6, len(layers) + 0.4)
    plot = SvgPlot(title, "layer", title, across, covering_log_range(values), log=True,
                   names=tuple(layers))  # fmt: skip
    entries: list[Markup] = []
    for number, (name, line) in enumerate(moments):
        opacity = round(0.2 + 0.8 * (number + 1) / len(moments), 2)
        points = [(k + 1.0, value) for k, value in enumerate(line)]
        plot.line(points, "curve s0", opacity=opacity)
        for place, value in points:
            if isfinite(value) and value > 0:
                plot.point(place, value, "s0", 1.6)
        entries.append(_entry(name, "curve s0", opacity))
    return _figure(plot, tag("ul", entries, class_="legend"), caption)


def curves_legend(curves: Sequence[DrawnCurve]) -> Markup | None:
    """The names of curves beside a piece of their line; nothing where there is one alone."""
    named = {curve.label: curve for curve in curves if curve.label}
    if len(named) < 2:
        return None
    entries = [
        _entry(label, f"curve{' dotted' if curve.style == 'dotted' else ''} s{curve.hue % HUES}")
        for label, curve in named.items()
    ]
    return tag("ul", entries, class_="legend")


def _entry(label: str, style: str, opacity: float | None = None) -> Markup:
    line = tag("line", x1=0, x2=22, y1=6, y2=6, class_=style, opacity=opacity)
    swatch = tag("svg", line, viewBox="0 0 22 12", aria_hidden="true")
    return tag("li", swatch, tag("span", label))


def _figure(plot: SvgPlot, legend: Markup | None, caption: Content) -> Markup:
    told = None if caption is None else tag("figcaption", caption)
    return tag("figure", plot.svg(), legend, told)


def thin_curve(curve: DrawnCurve, most: int = _MOST_POINTS) -> DrawnCurve:
    """A curve of at most about `most` points that still shows every peak.

    Each stretch of equally many points keeps its lowest and its highest one, and one that is not
    finite, where the line breaks; the first and the last point stay.
    """
    count = len(curve.values)
    if count <= most:
        return curve
    kept = {0, count - 1}
    stretches = max(1, most // 2)
    for number in range(stretches):
        stretch = range(number * count // stretches, (number + 1) * count // stretches)
        finite = [k for k in stretch if isfinite(curve.values[k])]
        if len(finite) < len(stretch):
            kept.add(next(k for k in stretch if not isfinite(curve.values[k])))
        if finite:
            kept |= {min(finite, key=curve.values.__getitem__)}
            kept |= {max(finite, key=curve.values.__getitem__)}
    order = sorted(kept)
    return curve._replace(
        places=[curve.places[k] for k in order], values=[curve.values[k] for k in order]
    )
