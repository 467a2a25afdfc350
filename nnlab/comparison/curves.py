"""Pictures of runs: training against validation, a colour for each variant."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nnlab.comparison.result import Curve, MeasuredQuantity
from nnlab.core import files
from nnlab.display.pictures.drawing import make_visible
from nnlab.display.text_chart import Line, wants_log_axis

COLUMNS = 3
_SIZE = (5.0, 3.6)
"""Inches of one panel."""
_STYLES = (("validation", "-", 1.8), ("train", ":", 1.2))


class Axis(NamedTuple):
    """What curves are drawn over.

    Attributes:
        label: with its unit.
        of: where the readings of a run's curve stand.
    """

    label: str
    of: Callable[[MeasuredQuantity, Curve], Sequence[float]]


def _epochs(_: MeasuredQuantity, curve: Curve) -> Sequence[float]:
    return curve.epochs


EPOCHS = Axis("epoch", _epochs)


def average_curve(lines: Sequence[Line]) -> Line:
    """The mean over runs, at every place that one of them has.

    Between its readings a run is taken to be linear; one that ended early is carried on at its last
    value.
    """
    import numpy as np

    grid = sorted({place for line in lines for place in line.places})
    mean = np.mean([np.interp(grid, line.places, line.values) for line in lines], axis=0)
    return Line(grid, mean.tolist())


def draw_comparison(
    runs: Sequence[MeasuredQuantity],
    keys: Sequence[str],
    file: Path,
    *,
    title: str,
    axis: Axis = EPOCHS,
) -> None:
    """Writes a PNG: a panel for each key, the mean over seeds as a line, each seed as a thin one.

    Args:
        runs: finished, of any variants.
        keys: "loss", "accuracy", ..., of training and validation; or a whole tag.
        file: where to.
        title: of the whole.
        axis: what to draw them over.
    """
    from io import BytesIO

    figure = _figure(runs, keys[: min(COLUMNS, max(1, len(keys)))], axis)
    figure.suptitle(title)
    figure.legend(*_legend(figure), loc="outside lower center", ncols=4)
    make_visible(figure)
    content = BytesIO()
    figure.savefig(content, format="png", dpi=130)
    files.write_file(file, content.getvalue())


def _figure(runs: Sequence[MeasuredQuantity], keys: Sequence[str], axis: Axis) -> Any:
    # Without pyplot, which looks for a display and keeps every figure.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_SIZE[0] * len(keys), _SIZE[1]), layout="constrained")
    FigureCanvasAgg(figure)
    for number, key in enumerate(keys):
        _panel(figure.add_subplot(1, len(keys), number + 1), runs, key, axis)
    return figure


def _legend(figure: Any) -> tuple[list[Any], list[str]]:
    """What any panel has a line for, each label once."""
    found: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    return list(found.values()), list(found)


def lines_of(runs: Sequence[MeasuredQuantity], tag: str, axis: Axis) -> list[Line]:
    """One quantity of the runs that have it."""
    found = [(run, run.curves.get(tag)) for run in runs]
    return [Line(axis.of(run, curve), curve.values) for run, curve in found if curve is not None]


def _panel(axes: Any, runs: Sequence[MeasuredQuantity], key: str, axis: Axis) -> None:
    values: list[float] = []
    tags = [(key, "-", 1.8, "")]
    if "/" not in key and not any(key in run.curves for run in runs):
        tags = [(f"{key}/{split}", style, wide, f" ({split})") for split, style, wide in _STYLES]
    for number, variant in enumerate(dict.fromkeys(run.variant for run in runs)):
        color = f"C{number % 10}"
        mine = [run for run in runs if run.variant == variant]
        for tag, style, wide, said in tags:
            lines = lines_of(mine, tag, axis)
            if not lines:
                continue
            for line in lines if len(lines) > 1 else ():
                axes.plot(*line, style, color=color, lw=0.6, alpha=0.35)
            for line in lines:
                values += line.values
            axes.plot(
                *average_curve(lines),
                style,
                color=color,
                lw=wide,
                label=f"{variant or 'runs'}{said}",
            )
    axes.set(xlabel=axis.label, ylabel=key)
    axes.grid(alpha=0.3)
    if wants_log_axis(values):
        axes.set_yscale("log")
