"""The charts of a report, as SVG."""

from collections.abc import Sequence
from math import sqrt

from nnlab.commands.report.facts import ClassCurve, ReliabilityBin, TargetColumn
from nnlab.display.web.html import Markup, tag
from nnlab.display.web.svg_plot import SvgPlot, covering_range

UNIT = (0.0, 1.0)
_NUMBERED = 20
"""With more classes a cell is too small for a number."""
_NAMED = 40
_SIDE = 380.0


def reliability_chart(title: str, bins: Sequence[ReliabilityBin]) -> Markup:
    """Accuracy over confidence; the gap to the diagonal is the error of calibration."""
    plot = SvgPlot(title, "confidence", "accuracy", UNIT, UNIT)
    for one in bins:
        if one.examples:
            low, high = sorted((one.accuracy, one.confidence))
            plot.bar(one.low, one.high, 0.0, low, "bar")
            over = one.confidence > one.accuracy
            plot.bar(one.low, one.high, low, high, "gap" if over else "under")
    plot.line([(0, 0), (1, 1)], "guess")
    return plot.svg()


def confidence_chart(title: str, bins: Sequence[ReliabilityBin]) -> Markup:
    """How many examples have which confidence."""
    total = sum(one.examples for one in bins)
    highest = max(one.examples for one in bins) / total
    plot = SvgPlot(title, "confidence", "share of examples", UNIT, (0.0, min(1.0, highest * 1.05)))
    for one in bins:
        if one.examples:
            plot.bar(one.low, one.high, 0.0, one.examples / total, "bar")
    return plot.svg()


def roc_chart(curves: Sequence[ClassCurve]) -> Markup:
    """A line for each class against the rest; strong where there is one alone."""
    plot = SvgPlot("ROC curves", "false positive rate", "true positive rate", UNIT, UNIT)
    plot.line([(0, 0), (1, 1)], "guess")
    for one in curves:
        plot.line(one.roc, "strong" if len(curves) == 1 else "thin")
    if len(curves) > 1:
        plot.line(_mean([one.roc for one in curves]), "strong")
    return plot.svg()


def precision_recall_chart(curves: Sequence[ClassCurve]) -> Markup:
    """Precision over recall: a line for each class; strong where there is one alone."""
    plot = SvgPlot("precision-recall curves", "recall", "precision", UNIT, UNIT)
    if len(curves) == 1:
        share = curves[0].share
        plot.line([(0, share), (1, share)], "guess")
    for one in curves:
        plot.line(one.precision_recall, "strong" if len(curves) == 1 else "thin")
    if len(curves) > 1:
        plot.line(_mean([one.precision_recall for one in curves]), "strong")
    return plot.svg()


def _mean(curves: Sequence[Sequence[Sequence[float]]]) -> list[tuple[float, float]]:
    """The mean over curves at each x."""
    import numpy as np

    grid = np.linspace(0.0, 1.0, 201)
    ys = [np.interp(grid, *np.array(curve).T) for curve in curves]
    return list(zip(grid.tolist(), np.mean(ys, axis=0).tolist(), strict=True))


def residuals_chart(column: TargetColumn, name: str) -> Markup:
    """Residuals over predictions: a good fit shows no shape."""
    predicted, actual = column.predicted, column.actual
    left = [p - a for p, a in zip(predicted, actual, strict=True)]
    x, y = covering_range(predicted), covering_range(left)
    plot = SvgPlot("residuals over predictions", _of("prediction", name), "residual", x, y)
    plot.line([(x[0], 0), (x[1], 0)], "guess")
    plot.dots(predicted, left, "blue")
    return plot.svg()


def fitted_chart(column: TargetColumn, name: str) -> Markup:
    """Predictions over targets; exact ones lie on the diagonal."""
    predicted, actual = column.predicted, column.actual
    both = covering_range(predicted, actual)
    plot = SvgPlot("predictions over targets", _of("target", name), "prediction", both, both)
    plot.line([(both[0], both[0]), (both[1], both[1])], "guess")
    plot.dots(actual, predicted, "blue")
    return plot.svg()


def _of(what: str, name: str) -> str:
    return what if name == "target" else f"{what}: {name}"


def histogram_chart(column: TargetColumn) -> Markup:
    """How many residuals are how large."""
    counts, edges = column.histogram.counts, column.histogram.edges
    plot = SvgPlot(
        "residuals", "residual", "examples", covering_range(edges), (0.0, max(counts) * 1.05)
    )
    for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True):
        plot.bar(low, high, 0.0, count, "bar")
    plot.line([(0, 0), (0, max(counts) * 1.05)], "guess")
    return plot.svg()


def confusion_chart(
    matrix: Sequence[Sequence[int]], names: Sequence[str], *, shares: bool
) -> Markup:
    """A square for each pair of classes; what is right in one colour, what is wrong in another.

    Args:
        matrix: counts, the right classes in rows.
        names: of the classes.
        shares: show each count as a share of its row.
    """
    count = len(matrix)
    room = 24.0 + 5.6 * min(10, max(map(len, names))) if count <= _NAMED else 16.0
    cell = (_SIDE - room) / count
    foot = (_SIDE - room) + (room - 8.0 if _turned(names, cell) else 24.0)
    greatest = max(map(max, matrix)) or 1
    parts: list[Markup] = []
    for row, line in enumerate(matrix):
        total = sum(line) or 1
        for column, value in enumerate(line):
            shade = value / total if shares else value / greatest
            if value or count <= _NUMBERED:
                x, y = room + column * cell, row * cell
                parts += _cell(x, y, cell, shade, value, right=row == column)
            if value and count <= _NUMBERED:
                text = _percent(value / total) if shares else str(value)
                parts.append(_number(room, cell, row, column, text, strong=shade > 0.3))
    parts += _names(names, room, cell) if count <= _NAMED else []
    title = f"confusion matrix, {'percent of each row' if shares else 'counts'}"
    return tag(
        "svg",
        tag("title", title),
        parts,
        tag("text", "actual", x=9, y=(_SIDE - room) / 2, class_="name middle",
            transform=f"rotate(-90 9 {(_SIDE - room) / 2:.1f})"),
        tag("text", "predicted", x=(room + _SIDE) / 2, y=foot + 10, class_="name middle"),
        viewBox=f"0 0 {_SIDE:g} {foot + 16:.0f}",
        role="img",
    )  # fmt: skip


def _percent(share: float) -> str:
    return f"{100 * share:.0f}" if share >= 0.0995 else f"{100 * share:.1f}"


def _cell(
    x: float, y: float, size: float, shade: float, value: int, *, right: bool
) -> list[Markup]:
    # The square root: one mistake in a hundred is to be seen.
    opacity = f"{0.92 * sqrt(shade):.3f}" if value else None
    return [
        tag(
            "rect",
            x=f"{x:.2f}",
            y=f"{y:.2f}",
            width=f"{size - min(1.0, size / 8):.2f}",
            height=f"{size - min(1.0, size / 8):.2f}",
            fill_opacity=opacity,
            class_=("hit" if right else "miss") if value else "empty",
        )
    ]


def _number(room: float, cell: float, row: int, column: int, text: str, *, strong: bool) -> Markup:
    size = min(13.0, cell * 0.42, cell * 1.5 / len(text))
    return tag(
        "text",
        text,
        x=f"{room + (column + 0.5) * cell:.1f}",
        y=f"{(row + 0.5) * cell + size * 0.34:.1f}",
        style=f"font-size:{size:.1f}px",
        class_="number strong" if strong else "number",
    )


def _turned(names: Sequence[str], cell: float) -> bool:
    """Whether the names below are too wide to stand beside each other."""
    return 5.6 * min(10, max(map(len, names))) > cell


def _names(names: Sequence[str], room: float, cell: float) -> list[Markup]:
    size = f"font-size:{min(11.0, cell * 0.8):.1f}px"
    found: list[Markup] = []
    turned = _turned(names, cell)
    for number, name in enumerate(names):
        short = name if len(name) <= 10 else f"{name[:9]}\N{HORIZONTAL ELLIPSIS}"
        at = (number + 0.5) * cell
        found.append(
            tag("text", short, x=room - 5, y=f"{at + 3.5:.1f}", style=size, class_="tick end")
        )
        x, y = room + at, _SIDE - room + 6
        found.append(
            tag(
                "text",
                short,
                x=f"{x + (3 if turned else 0):.1f}",
                y=f"{y + (0 if turned else 7):.1f}",
                style=size,
                transform=f"rotate(-90 {x + 3:.1f} {y:.1f})" if turned else None,
                class_="tick end" if turned else "tick middle",
            )
        )
    return found
