"""Scores of an order of examples: those of a class should come before the others.

Two classes are one order, by the second class; K classes are K orders, each class against the rest.
A class that no example has, or every example, has no order and is left out of the mean.
"""

from collections.abc import Callable
from math import nan
from typing import TYPE_CHECKING, ClassVar, Literal, final

from nnlab.core.contracts import DataShape, StoredScore, Task
from nnlab.core.lazy import NDArray, Tensor, np
from nnlab.parts.scores.family import StoredScoreConfig

if TYPE_CHECKING:
    OfOne = Callable[[NDArray[np.floating], NDArray[np.bool_]], float]


@final
class _OneAgainstRest:
    """The mean over classes of a number that an order has."""

    def __init__(self, shape: DataShape, of_one: "OfOne") -> None:
        self._shape = shape
        self._of_one = of_one

    def value(self, outputs: "Tensor", targets: "Tensor") -> float:
        """The score of all examples."""
        columns = outputs.double().numpy()
        if np.isnan(columns).any():
            return nan
        if targets.ndim == 2 and self._shape.task == "classes":
            targets = targets.argmax(dim=1)
        right = targets.numpy()
        if self._shape.task == "labels":
            actual = right > 0.5
        else:
            actual = right[:, None] == np.arange(self._shape.outputs)
            if self._shape.outputs == 2:
                last = columns[:, -1:] - (columns[:, :1] if columns.shape[1] == 2 else 0.0)
                columns, actual = last, actual[:, 1:]
        found = [
            self._of_one(columns[:, k], actual[:, k])
            for k in range(actual.shape[1])
            if actual[:, k].any() and not actual[:, k].all()
        ]
        return float(np.mean(found)) if found else nan


def _auc(ranked_by: "NDArray[np.floating]", actual: "NDArray[np.bool_]") -> float:
    """The Mann-Whitney statistic: equal values share the mean of their ranks."""
    _, place, counts = np.unique(ranked_by, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    inside = int(actual.sum())
    pairs = inside * (len(actual) - inside)
    return float((ranks[actual].sum() - inside * (inside + 1) / 2) / pairs)


def _average_precision(ranked_by: "NDArray[np.floating]", actual: "NDArray[np.bool_]") -> float:
    """Sum over thresholds, from the highest, of (recall - recall before) * precision."""
    levels, place = np.unique(-ranked_by, return_inverse=True)
    hits = np.bincount(place, weights=actual, minlength=len(levels))
    seen = np.cumsum(np.bincount(place, minlength=len(levels)))
    return float((hits * np.cumsum(hits) / seen).sum() / hits.sum())


@final
class RocAucConfig(StoredScoreConfig, frozen=True):
    """The chance that an example of a class ranks above one of another: 1/2 is guessing.

    Area under the receiver operating characteristic; K classes or labels: each against the rest,
    mean. In evaluation only. Hanley & McNeil 1982, doi:10.1148/radiology.143.1.7063747.
    """

    kind: Literal["roc_auc"] = "roc_auc"
    higher_is_better: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = ("classes", "labels")
    reads: ClassVar[Literal["outputs", "probabilities", "ranks"]] = "ranks"

    def build(self, shape: DataShape) -> StoredScore:
        return _OneAgainstRest(shape, _auc)


@final
class AveragePrecisionConfig(StoredScoreConfig, frozen=True):
    """Precision at each found example of a class, mean: the area under precision and recall.

    K classes or labels: each against the rest, mean. In evaluation only. Guessing reaches the share
    of the class. Zhu 2004, "Recall, precision and average precision".
    """

    kind: Literal["average_precision"] = "average_precision"
    higher_is_better: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = ("classes", "labels")
    reads: ClassVar[Literal["outputs", "probabilities", "ranks"]] = "ranks"

    def build(self, shape: DataShape) -> StoredScore:
        return _OneAgainstRest(shape, _average_precision)


KINDS = (RocAucConfig, AveragePrecisionConfig)
