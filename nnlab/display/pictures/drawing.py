"""From arrays to a PNG: matplotlib's objects on an Agg canvas, no global state."""

from typing import Any

from nnlab.display.pictures.family import Arrays, Drawing, Moment

_SIZE = (4.2, 3.4)
"""Inches. TensorBoard shows images 345 pixels wide: larger ones lose their letters there."""
DPI = 100
PIXELS = (round(_SIZE[0] * DPI), round(_SIZE[1] * DPI))
COLORS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd",
          "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf")  # fmt: skip
"""Of classes and curves, as matplotlib's tab10; repeated where there are more."""


def figure_png(picture: type[Drawing], arrays: Arrays, moment: Moment | None = None) -> bytes:
    """The picture as the bytes of a PNG file, with the moment in its corner."""
    figure = new_figure()
    picture.draw(figure, arrays)
    if moment is not None:
        when = f"step {moment.step:,}, epoch {moment.epoch:.3g}"
        figure.text(0.99, 0.985, when, ha="right", va="top", fontsize=8, color="#555555")
    return save_figure(figure)


def new_figure(size: tuple[float, float] = _SIZE) -> Any:
    """An empty figure with a canvas of its own."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Any) -> bytes:
    """The bytes of a PNG file."""
    from io import BytesIO

    content = BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()


def axes_of(figure: Any, *, right: float = 0.96) -> Any:
    """One pair of axes with room for labels; matplotlib's own layouts double the drawing time."""
    axes = figure.add_axes((0.14, 0.13, right - 0.14, 0.79))
    axes.tick_params(labelsize=8)
    return axes


def class_color(index: int) -> str:
    """Of a class or a curve."""
    return COLORS[index % len(COLORS)]


def moment_color(index: int, count: int) -> tuple[float, float, float]:
    """A colour between pale and dark blue: the later of several moments, the darker."""
    share = index / max(count - 1, 1)
    pale, dark = (0.78, 0.85, 0.93), (0.03, 0.19, 0.42)
    red, green, blue = (p + (d - p) * share for p, d in zip(pale, dark, strict=True))
    return (red, green, blue)
