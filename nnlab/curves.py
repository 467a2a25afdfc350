"""The picture of a comparison: training against validation, a colour for each variant."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nnlab import durable
from nnlab.measured import Measured

COLUMNS = 3
SIZE = (5.0, 3.6)
"""Inches of one panel."""


def draw(runs: Sequence[Measured], keys: Sequence[str], file: Path, *, title: str) -> None:
    """Writes a PNG: a panel for each key, the mean over seeds as a line, each seed as a thin one.

    Args:
        runs: finished, of any variants.
        keys: "loss", "accuracy", ...
        file: where to.
        title: of the whole.
    """
    from io import BytesIO

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = min(COLUMNS, max(1, len(keys)))
    figure = Figure(figsize=(SIZE[0] * count, SIZE[1]), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    for number, key in enumerate(keys[:count]):
        _panel(figure.add_subplot(1, count, number + 1), runs, key)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    content = BytesIO()
    figure.savefig(content, format="png", dpi=130)
    durable.write(file, content.getvalue())


def _panel(axes: Any, runs: Sequence[Measured], key: str) -> None:
    import numpy as np

    values: list[float] = []
    for number, variant in enumerate(dict.fromkeys(run.variant for run in runs)):
        color = f"C{number % 10}"
        for split, style in (("validation", "-"), ("train", ":")):
            found = [run.curves.get(f"{key}/{split}") for run in runs if run.variant == variant]
            curves = [curve for curve in found if curve is not None]
            if not curves:
                continue
            for curve in curves:
                axes.plot(curve.epochs, curve.values, style, color=color, lw=0.6, alpha=0.35)
                values += curve.values
            # Runs that ended early are carried on at their last value.
            grid = sorted({epoch for curve in curves for epoch in curve.epochs})
            mean = np.mean([np.interp(grid, c.epochs, c.values) for c in curves], axis=0)
            label = f"{variant or 'runs'} ({split})"
            axes.plot(grid, mean, style, color=color, lw=1.8, label=label)
    axes.set(xlabel="epoch", ylabel=key)
    axes.grid(alpha=0.3)
    finite = [value for value in values if np.isfinite(value)]
    if finite and min(finite) > 0 and max(finite) > 100 * min(finite):
        axes.set_yscale("log")
