"""Regression: predictions against targets, residuals, the examples that are farthest off."""

import numpy as np

from nnlab.commands.report.cases import Case
from nnlab.commands.report.facts import ResidualHistogram, TargetColumn, WorstPredicted
from nnlab.commands.report.intervals import Floats
from nnlab.commands.report.shown_inputs import shown_inputs

_WORST = 12
_POINTS = 1500
"""At most so many examples are drawn; taken at equal distances."""


def describe_columns(case: Case) -> list[TargetColumn]:
    """For each target column: points, the residuals' histogram and their spread, in its unit."""
    predicted, actual = case.numbers
    return [_column(predicted[:, k], actual[:, k]) for k in range(actual.shape[1])]


def _column(predicted: Floats, actual: Floats) -> TargetColumn:
    residuals = predicted - actual
    counts, edges = np.histogram(residuals, bins=_bins(residuals))
    count = min(_POINTS, len(actual))
    shown = np.arange(count) * len(actual) // count
    return TargetColumn(
        mean_residual=float(residuals.mean()),
        deviation=float(residuals.std()),
        quantiles={
            f"{share:.0%}": float(np.quantile(np.abs(residuals), share)) for share in (0.5, 0.9)
        },
        predicted=predicted[shown].tolist(),
        actual=actual[shown].tolist(),
        histogram=ResidualHistogram(counts.tolist(), edges.tolist()),
    )


def _bins(residuals: Floats) -> int:
    """Freedman & Diaconis 1981, between 5 and 40."""
    if np.ptp(residuals) == 0.0:
        return 5
    return int(np.clip(len(np.histogram_bin_edges(residuals, "fd")) - 1, 5, 40))


def worst_predicted(case: Case) -> list[WorstPredicted]:
    """The examples that are farthest off; of several columns by the sum of squared residuals."""
    predicted, actual = case.numbers
    residuals = predicted - actual
    order = np.argsort(-np.square(residuals).sum(axis=1), kind="stable")[:_WORST]
    rows = case.rows[order].tolist()
    seen = shown_inputs(case.opened.examples, rows)
    return [
        WorstPredicted(
            row=row,
            actual=actual[index].tolist(),
            predicted=predicted[index].tolist(),
            residual=residuals[index].tolist(),
            inputs=inputs,
        )
        for index, row, inputs in zip(order, rows, seen, strict=True)
    ]
