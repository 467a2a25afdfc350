"""Whether the rows of two splits are of one kind: near doubles, and what tells them apart."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from nnlab.core.lazy import NDArray, np

_ROWS, _WORK = 1000, 2e10
"""At most so many rows are asked for their neighbours, and so many operations are made."""
_NEIGHBOURS = 10
_CHANCE, _CLOSEST = 1e-3, 0.2
"""Of rows that stand by themselves this share is as close to another, by chance."""
_TREES, _MOST = 60, 1500
"""Of the forest that tells two splits apart; and rows of each that it is shown."""


class NearDoubles(NamedTuple):
    """Rows that nearly are training rows.

    Attributes:
        near: of the rows that were asked.
        asked: so many.
        agree: of those, how many have the target of the row next to them.
        closer: how much closer the next row is than the one behind it, at most.
    """

    near: int
    asked: int
    agree: int
    closer: float


def find_near_doubles(
    train: "NDArray[np.floating]",
    other: "NDArray[np.floating]",
    targets: "tuple[NDArray[np.generic], NDArray[np.generic]]",
) -> NearDoubles:
    """Rows that lie next to a training row, and far from all behind it.

    In a cloud of dimension m the ratio of two following distances r_i / r_(i+1), to the power of m,
    is uniform or larger (Levina & Bickel 2004, "Maximum likelihood estimation of intrinsic
    dimension", eq. 8, from which m is estimated, too): r_i < t r_(i+1) by chance with t^m at most.

    Args:
        train: (N, F) as the network sees them.
        other: (M, F) rows of another split.
        targets: (N,) and (M,), or (N, K) and (M, K).
    """
    from sklearn.neighbors import NearestNeighbors

    most = int(min(_ROWS, max(100.0, _WORK / (2.0 * train.size))))
    chosen = np.random.default_rng(0).permutation(len(other))[:most]
    search = NearestNeighbors(n_neighbors=_NEIGHBOURS).fit(train)
    distances, places = search.kneighbors(other[chosen])
    apart = distances[:, 0] > 0.0  # rows that are the same are counted elsewhere
    distances, places, chosen = distances[apart], places[apart], chosen[apart]
    if not len(distances):
        return NearDoubles(0, 0, 0, _CLOSEST)
    logs = np.log(distances)
    # From the distances behind the first five, which near doubles have no part in: the mean of
    # log(r_k / r_j) is 1 / m times the sum of 1 / i from j to k - 1.
    inverse = 1.0 / np.arange(6, _NEIGHBOURS)
    dimension = inverse[::-1].cumsum().mean() / float((logs[:, -1:] - logs[:, 5:-1]).mean() + 1e-9)
    closer = min(_CLOSEST, _CHANCE ** (1.0 / dimension))
    steps = distances[:, :-1] / distances[:, 1:]
    near = (steps[:, :5] < closer).any(axis=1)
    # Where categories make distances jump, they jump further behind as well.
    behind = (steps[:, 5:] < closer).any(axis=1).mean()
    mine, theirs = targets[1][chosen[near]], targets[0][places[near, 0]]
    agree = (mine == theirs).all(axis=tuple(range(1, mine.ndim))).sum()
    count = int(near.sum()) - round(2.0 * float(behind) * len(near))
    return NearDoubles(max(0, count), len(near), int(agree), closer)


class Shift(NamedTuple):
    """How far the rows of a split are of another kind than training rows.

    Attributes:
        told_apart: how often a forest that has seen neither says which of two rows, one of each,
            is the training row: 0.5 by chance (area under the ROC curve).
        error: a standard error of that, where both are of one kind.
        column: the column that moved most; empty where none did.
        moved: the largest difference of its two distributions (Kolmogorov-Smirnov), 0 to 1.
        medians: of that column, in train and in the split.
    """

    told_apart: float
    error: float
    column: str
    moved: float
    medians: tuple[float, float]


def find_shift(
    train: "NDArray[np.floating]", other: "NDArray[np.floating]", names: Sequence[str]
) -> Shift:
    """A classifier two-sample test (Lopez-Paz & Oquab 2017, arXiv:1610.06545), and one by column.

    Args:
        train: (N, F).
        other: (M, F) rows of another split.
        names: (F,) of the columns; empty for none to be named.
    """
    from scipy.stats import ks_2samp
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    draw = np.random.default_rng(0)
    a, b = (part[draw.permutation(len(part))[:_MOST]] for part in (train, other))
    rows, which = np.vstack([a, b]), np.repeat([0, 1], [len(a), len(b)])
    forest = ExtraTreesClassifier(
        _TREES, min_samples_leaf=5, class_weight="balanced", random_state=0
    )
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    sure = cross_val_predict(forest, rows, which, cv=folds, method="predict_proba")
    told = float(roc_auc_score(which, np.asarray(sure)[:, 1]))
    error = ((len(a) + len(b) + 1) / (12.0 * len(a) * len(b))) ** 0.5  # Mann & Whitney 1947
    column, moved, medians = "", 0.0, (0.0, 0.0)
    for place in range(rows.shape[1]) if names else ():
        test: Any = ks_2samp(a[:, place], b[:, place], method="asymp")
        if test.pvalue * rows.shape[1] < _CHANCE and test.statistic > moved:
            column, moved = names[place], float(test.statistic)
            medians = float(np.median(a[:, place])), float(np.median(b[:, place]))
    return Shift(told, error, column, moved, medians)
