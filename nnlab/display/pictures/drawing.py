"""From arrays to a PNG: matplotlib's objects on an Agg canvas, no global state."""

from collections.abc import Sequence
from typing import Any, Literal, TypeVar

from nnlab.core.wrap import visible_text
from nnlab.display.pictures.family import Arrays, Drawing, Moment

_Moment = TypeVar("_Moment")
_SIZE = (4.2, 3.4)
"""Inches. TensorBoard shows images 345 pixels wide: larger ones lose their letters there."""
DPI = 100
PIXELS = (round(_SIZE[0] * DPI), round(_SIZE[1] * DPI))
COLORS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd",
          "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf")  # fmt: skip
"""Of classes and curves, as matplotlib's tab10; repeated where there are more."""


def figure_png(
    picture: type[Drawing],
    arrays: Arrays,
    moment: Moment | None = None,
    *,
    dpi: int = DPI,
    format: Literal["png", "svg"] = "png",
) -> bytes:
    """The picture as the bytes of a file, with the moment in its corner.

    Args:
        picture: what to draw.
        arrays: what it collected.
        moment: when.
        dpi: pixels an inch, of 4.2 x 3.4 inches; of an svg file those of images in it.
        format: of the file.
    """
    figure = new_figure()
    picture.draw(figure, arrays)
    if moment is not None:
        when = f"step {moment.step:,}, epoch {moment.epoch:.3g}"
        figure.text(0.99, 0.985, when, ha="right", va="top", fontsize=8, color="#555555")
    return save_figure(figure, dpi=dpi, format=format)


def new_figure(size: tuple[float, float] = _SIZE) -> Any:
    """An empty figure with a canvas of its own."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Any, *, dpi: int = DPI, format: Literal["png", "svg"] = "png") -> bytes:
    """The bytes of a file; of the same figure they are the same."""
    from io import BytesIO

    make_visible(figure)
    content = BytesIO()
    unsaid = {"Software": None} if format == "png" else {"Date": None, "Creator": None}
    figure.savefig(content, format=format, dpi=dpi, metadata=unsaid)
    return content.getvalue()


def make_visible(figure: Any) -> None:
    """Makes every text in a figure one that shows what it holds: to be called before it is saved.

    Class names and headers of columns come from elsewhere: control characters in them become
    visible, and a dollar is a dollar, where matplotlib would read a formula and refuse most.
    """
    from matplotlib.text import Text
    from matplotlib.ticker import FixedFormatter, FuncFormatter

    formulas: set[int] = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        if isinstance(axis.get_major_formatter(), FixedFormatter | FuncFormatter):
            names = [visible_text(label.get_text()) for label in axis.get_ticklabels()]
            axis.set_ticklabels(names, parse_math=False)
        else:  # matplotlib's own: powers of ten
            formulas |= {id(label) for label in axis.get_ticklabels(which="both")}
    for text in figure.findobj(Text):
        if id(text) not in formulas:
            text.set_text(visible_text(text.get_text()))
            text.set_parse_math(False)


def axes_of(figure: Any, *, right: float = 0.96) -> Any:
    """One pair of axes with room for labels; matplotlib's own layouts double the drawing time."""
    axes = figure.add_axes((0.14, 0.13, right - 0.14, 0.79))
    axes.tick_params(labelsize=8)
    return axes


def class_color(index: int) -> str:
    """Of a class or a curve."""
    return COLORS[index % len(COLORS)]


def few_moments(moments: Sequence[_Moment], most: int = 5) -> list[_Moment]:
    """At most so many, evenly spaced, from the first to the last: an eye tells five shades."""
    if len(moments) <= most:
        return [*moments]
    last = len(moments) - 1
    return [moments[round(number * last / (most - 1))] for number in range(most)]


def moment_color(index: int, count: int) -> tuple[float, float, float]:
    """A colour between pale and dark blue: the later of several moments, the darker."""
    share = index / max(count - 1, 1)
    pale, dark = (0.78, 0.85, 0.93), (0.03, 0.19, 0.42)
    red, green, blue = (p + (d - p) * share for p, d in zip(pale, dark, strict=True))
    return (red, green, blue)


def log_y_axis(axes: Any, low: float, high: float) -> None:
    """A logarithmic y-axis whose labels do not lie on one another, also below a decade.

    Args:
        axes: what is drawn on.
        low: the smallest value, positive.
        high: the largest.
    """
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

    axes.set_yscale("log")
    axes.yaxis.set_minor_formatter(NullFormatter())
    if high >= 100 * low:
        return  # powers of ten, as matplotlib writes them
    # Below a decade there may be no power of ten at all: round numbers at equal distances.
    few = MaxNLocator(5) if high < 10 * low else LogLocator(subs=(1.0, 2.0, 5.0), numticks=8)
    axes.yaxis.set_major_locator(few)
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
