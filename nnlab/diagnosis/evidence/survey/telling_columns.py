"""Columns that give the target away, and columns that say the same as another."""

from collections.abc import Sequence
from typing import NamedTuple

from nnlab.core.lazy import NDArray, np
from nnlab.diagnosis.evidence.survey.source_columns import SourceColumn

_ROWS, _COLUMNS = 4000, 40
"""At most so many rows are asked, and so many columns, those that go with the target most."""
_FEWEST = 4
"""In a table of fewer columns it is no wonder that one of them tells all."""
_WIDEST = 2000
"""More inputs than this are not held against each other."""
_ALONE, _OTHERS = 0.02, 0.15
"""Of what a guess gets wrong one column leaves at most so much, and all others together more."""
_NUMBERS = 0.25
"""Of numbers, whose variance is a square, both are smaller."""
_ALIKE = 1.0 - 1e-9
"""Correlation from which on two columns are the same but for unit and zero."""


class TellingColumn(NamedTuple):
    """A column that tells the target, where all others together do not.

    Attributes:
        name: of the column.
        alone: what it leaves unexplained by itself: share of wrong answers, or 1 - r2.
        others: what all other columns leave together.
        guess: what a guess leaves that looks at none.
        rows: that these were measured on, none of which was used to fit them.
    """

    name: str
    alone: float
    others: float
    guess: float
    rows: int


def find_telling_column(
    columns: Sequence[SourceColumn],
    inputs: "NDArray[np.floating]",
    targets: "NDArray[np.generic]",
) -> TellingColumn | None:
    """The column that gives the target away.

    Args:
        columns: of the table; of fewer than four none is looked for.
        inputs: (N, F).
        targets: (N,) class numbers, or (N,) numbers.
    """
    if len(columns) < _FEWEST or len(inputs) < 60:
        return None
    order = np.random.default_rng(0).permutation(len(inputs))[:_ROWS]
    inputs, targets = inputs[order].astype(np.float64), targets[order]
    half = len(order) // 2
    split = _Split(inputs[:half], targets[:half], inputs[half:], targets[half:])
    guess = _left(split, None)
    if guess <= 0.0:
        return None
    ranked = sorted(columns, key=lambda one: -_goes_with(inputs[:, list(one.inputs)], targets))
    alone = [(_left(split, list(one.inputs)), one) for one in ranked[:_COLUMNS]]
    error, best = min(alone, key=lambda pair: pair[0])
    # Without noise next to all of a variance is reached; of classes single rows stay wrong.
    factor = 1.0 if np.issubdtype(targets.dtype, np.integer) else _NUMBERS
    if error > _ALONE * factor * guess:
        return None
    rest = [place for one in columns if one is not best for place in one.inputs]
    others = _left(split, rest, many=True)
    if others < _OTHERS * factor * guess:
        return None
    return TellingColumn(best.name, error, others, guess, len(order) - half)


class _Split(NamedTuple):
    inputs: "NDArray[np.float64]"
    targets: "NDArray[np.generic]"
    asked: "NDArray[np.float64]"
    answers: "NDArray[np.generic]"


def _left(split: _Split, places: list[int] | None, *, many: bool = False) -> float:
    """The share of wrong answers, or of the variance that is left, on the other half."""
    from sklearn import ensemble, linear_model, neighbors, tree

    line: linear_model.LinearRegression | None = None
    classes = np.issubdtype(split.targets.dtype, np.integer)
    if places is None:
        if classes:
            values, counts = np.unique(split.targets, return_counts=True)
            return float((split.answers != values[counts.argmax()]).mean())
        return float(split.answers.astype(np.float64).var() > 0.0)
    if many:
        kind = ensemble.ExtraTreesClassifier if classes else ensemble.ExtraTreesRegressor
        model = kind(100, min_samples_leaf=2, random_state=0)
    elif classes:
        leaves = max(8, 4 * len(np.unique(split.targets)))
        model = tree.DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=0)
    elif len(places) == 1:
        # Between its neighbours: a smooth function of one number to the second order. Beyond the
        # outermost a line goes on: the same number in another unit, or with a tax on it.
        model = neighbors.KNeighborsRegressor(2, weights="distance")
        line = linear_model.LinearRegression()
    else:
        model = tree.DecisionTreeRegressor(max_leaf_nodes=128, random_state=0)
    model.fit(split.inputs[:, places], split.targets)
    answers = model.predict(split.asked[:, places])
    if classes:
        return float((answers != split.answers).mean())
    wanted = split.answers.astype(np.float64)
    left = ((answers - wanted) ** 2).mean()
    if line is not None:
        line.fit(split.inputs[:, places], split.targets)
        left = min(left, ((line.predict(split.asked[:, places]) - wanted) ** 2).mean())
    return float(left / wanted.var())


def _goes_with(inputs: "NDArray[np.float64]", targets: "NDArray[np.generic]") -> float:
    """The largest rank correlation of an input with the target, or with being of one class."""
    ranks = inputs.argsort(axis=0).argsort(axis=0).astype(np.float64)
    if np.issubdtype(targets.dtype, np.integer):
        marks = [targets == value for value in np.unique(targets)[:20]]
        wanted = np.stack(marks, axis=1).astype(np.float64)
    else:
        wanted = targets.argsort().argsort().astype(np.float64)[:, None]
    a, b = (_standard(part) for part in (ranks, wanted))
    return float(np.abs(a.T @ b).max()) / len(targets)


def _standard(values: "NDArray[np.float64]") -> "NDArray[np.float64]":
    spread = values.std(axis=0)
    return (values - values.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)


def find_copied_columns(
    columns: Sequence[SourceColumn], inputs: "NDArray[np.floating]"
) -> list[tuple[str, str]]:
    """Pairs of columns of which one is the other, but for unit and zero: (copy, the first one).

    Args:
        columns: of the table.
        inputs: (N, F) of the training rows.
    """
    if inputs.shape[1] > _WIDEST or len(inputs) < 10:
        return []
    values = inputs.astype(np.float64)
    scaled = _standard(values)
    still = values.std(axis=0) <= 1e-6 * (np.abs(values).max(axis=0) + 1e-30)
    alike = np.abs(scaled.T @ scaled) / len(values) > _ALIKE
    alike[still] = False
    found: list[tuple[str, str]] = []
    for n, one in enumerate(columns):
        for first in columns[:n]:
            rows = alike[np.ix_(np.array(one.inputs), np.array(first.inputs))]
            if rows.any(axis=1).all() and rows.any(axis=0).all():
                found.append((one.name, first.name))
                break
    return found
