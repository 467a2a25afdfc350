"""Classes: each one's scores, what is taken for what, curves over thresholds, worst mistakes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nnlab.commands.report.cases import Case, orders_of
from nnlab.commands.report.facts import (
    CURVE_POINTS,
    ClassCurve,
    ClassMeasures,
    ConfusedPair,
    WorstClassified,
    WorstLabels,
)
from nnlab.commands.report.intervals import Floats, wilson_interval
from nnlab.commands.report.shown_inputs import shown_inputs
from nnlab.display.pictures import judged
from nnlab.parts.scores.per_class import Counts
from nnlab.parts.scores.ranks import threshold_counts

_PAIRS = 10
WORST_CLASSIFIED = 12


def measures_per_class(case: Case) -> list[ClassMeasures]:
    """Precision, recall, F1 and support of each class or label; recall with Wilson's interval."""
    names = case.opened.experiment.shape.classes
    actual, predicted = case.actual, case.predicted
    if actual.ndim == 1:
        actual, predicted = (each[:, None] == np.arange(len(names)) for each in (actual, predicted))
    sums = (part.sum(axis=0).tolist() for part in (actual * predicted, predicted, actual))
    rows: list[ClassMeasures] = []
    for name, *found in zip(names, *sums, strict=True):
        counts = Counts(*found)
        support = int(counts.actual)
        low, high = wilson_interval(counts.hits, support) if support else (None, None)
        rows.append(
            ClassMeasures(name, counts.precision, counts.recall, low, high, counts.f1, support)
        )
    return rows


def confusion_counts(case: Case) -> NDArray[np.int64]:
    """(K, K): how many of the row's class were taken for the column's."""
    return judged.confusion_shares(
        case.predicted, case.actual, case.opened.experiment.shape.outputs
    )


def confused_pairs(matrix: NDArray[np.int64], names: Sequence[str]) -> list[ConfusedPair]:
    """What is most often taken for what, with the share of the examples of that class."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_PAIRS]
    places = zip(*np.unravel_index(order, wrong.shape), strict=True)
    return [
        ConfusedPair(
            actual=names[int(row)],
            predicted=names[int(column)],
            count=int(wrong[row, column]),
            share=float(wrong[row, column] / matrix[row].sum()),
        )
        for row, column in places
        if wrong[row, column]
    ]


def class_curves(case: Case) -> list[ClassCurve]:
    """The ROC and the precision-recall curve of each order, with the areas below them."""
    names = case.opened.experiment.shape.classes
    found: list[ClassCurve] = []
    for number, by, actual in orders_of(case):
        counts = threshold_counts(by, actual)
        found.append(
            ClassCurve(
                class_=names[number],
                roc_auc=counts.roc_auc(),
                average_precision=counts.average_precision(),
                share=float(actual.mean()),
                roc=_thinned(*counts.roc_curve()),
                precision_recall=_thinned(*counts.precision_recall_curve()),
            )
        )
    return found


def _thinned(x: Floats, y: Floats) -> list[list[float]]:
    """Points of a curve at about equal distances along it; the first and the last stay."""
    way = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    keep = np.unique(np.searchsorted(way, np.linspace(0.0, way[-1], CURVE_POINTS)))
    keep = np.union1d(np.minimum(keep, len(x) - 1), [0, len(x) - 1])
    return [[round(float(a), 5), round(float(b), 5)] for a, b in zip(x[keep], y[keep], strict=True)]


def worst_classified(case: Case) -> list[WorstClassified]:
    """The mistakes that the network was surest of; by the loss where it gives no probabilities."""
    actual, predicted = case.actual, case.predicted
    names, rows = case.opened.experiment.shape.classes, case.rows
    everyone = np.arange(len(actual))
    sure = case.losses if case.probabilities is None else case.probabilities[everyone, predicted]
    wrong = np.flatnonzero(actual != predicted)
    worst = wrong[np.argsort(-sure[wrong], kind="stable")][:WORST_CLASSIFIED]
    seen = shown_inputs(case.opened.examples, rows[worst].tolist())
    p = case.probabilities
    return [
        WorstClassified(
            row=int(rows[index]),
            actual=names[int(actual[index])],
            predicted=names[int(predicted[index])],
            loss=float(case.losses[index]),
            confidence=None if p is None else float(sure[index]),
            probability_of_actual=None if p is None else float(p[index, actual[index]]),
            inputs=inputs,
        )
        for index, inputs in zip(worst, seen, strict=True)
    ]


def worst_labels(case: Case) -> list[WorstLabels]:
    """The examples with the most wrong labels; among equals those of the greatest loss."""
    actual, predicted = case.actual, case.predicted
    names, rows = case.opened.experiment.shape.classes, case.rows
    wrong = (actual != predicted).sum(axis=1)
    order = np.lexsort((-case.losses, -wrong))[:WORST_CLASSIFIED]
    worst = order[wrong[order] > 0]
    seen = shown_inputs(case.opened.examples, rows[worst].tolist())
    return [
        WorstLabels(
            row=int(rows[index]),
            actual=tuple(names[k] for k in np.flatnonzero(actual[index])),
            predicted=tuple(names[k] for k in np.flatnonzero(predicted[index])),
            wrong=int(wrong[index]),
            loss=float(case.losses[index]),
            inputs=inputs,
        )
        for index, inputs in zip(worst, seen, strict=True)
    ]
