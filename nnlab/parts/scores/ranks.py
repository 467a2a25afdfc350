"""Scores of an order of examples: those of a class should come before the others.

Two classes are one order, by the second class; K classes are K orders, each class against the rest.
A class that no example has, or every example, has no order and is left out of the mean.
"""

from collections.abc import Callable
from math import nan
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, final

from nnlab.core.contracts import DataShape, StoredScore, Task
from nnlab.core.lazy import NDArray, Tensor, np
from nnlab.parts.scores.family import StoredScoreConfig

if TYPE_CHECKING:
    OfOne = Callable[["ThresholdCounts"], float]


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
            self._of_one(threshold_counts(columns[:, k], actual[:, k]))
            for k in range(actual.shape[1])
            if actual[:, k].any() and not actual[:, k].all()
        ]
        return float(np.mean(found)) if found else nan


class ThresholdCounts(NamedTuple):
    """What is taken for the class as the threshold falls; equal values are taken together.

    Attributes:
        levels: (M,) the distinct values, the greatest first: "of the class" is said from it on.
        hits: (M,) examples of the class from there on.
        false: (M,) examples of others from there on.
    """

    levels: "NDArray[np.floating]"
    hits: "NDArray[np.float64]"
    false: "NDArray[np.float64]"

    def at(self, thresholds: "NDArray[np.floating]") -> "tuple[NDArray[Any], NDArray[Any]]":
        """Hits and false positives of other thresholds."""
        place = np.searchsorted(-self.levels, -thresholds, side="right")
        hits, false = (np.concatenate([[0.0], counts])[place] for counts in self[1:])
        return hits, false

    def roc_curve(self) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
        """(M + 1,) false and true positive rates, from (0, 0) to (1, 1)."""
        false, hits = (np.concatenate([[0.0], part]) for part in (self.false, self.hits))
        return false / false[-1], hits / hits[-1]

    def precision_recall_curve(self) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
        """(M + 1,) recall and precision; where nothing is said, recall 0 and precision 1."""
        recall = np.concatenate([[0.0], self.hits / self.hits[-1]])
        return recall, np.concatenate([[1.0], self.hits / (self.hits + self.false)])

    def roc_auc(self) -> float:
        """The area below the ROC curve: the Mann-Whitney statistic, equal values count half."""
        false, true = self.roc_curve()
        return float(np.trapezoid(true, false))

    def average_precision(self) -> float:
        """Sum over thresholds, from the highest, of (recall - recall before) * precision."""
        recall, precision = self.precision_recall_curve()
        return float((np.diff(recall) * precision[1:]).sum())


def threshold_counts(
    ranked_by: "NDArray[np.floating]", actual: "NDArray[np.bool_]"
) -> ThresholdCounts:
    """The counts that every curve and area of an order is made of.

    Args:
        ranked_by: (N,) what the examples are ordered by.
        actual: (N,) which of them are of the class.
    """
    levels, place = np.unique(-ranked_by, return_inverse=True)
    hits, false = (
        np.cumsum(np.bincount(place, weights=which, minlength=len(levels)), dtype=np.float64)
        for which in (actual, ~actual)
    )
    return ThresholdCounts(-levels, hits, false)


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
        return _OneAgainstRest(shape, ThresholdCounts.roc_auc)


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
        return _OneAgainstRest(shape, ThresholdCounts.average_precision)


KINDS = (RocAucConfig, AveragePrecisionConfig)
