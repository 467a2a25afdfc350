"""Scores of three counts for each class: hits, how often it is predicted, how often it is right."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from math import nan, sqrt
from typing import ClassVar, Literal, NamedTuple, final

from nnlab.core.contracts import Batch, DataShape, Score, Task
from nnlab.core.lazy import Tensor, torch
from nnlab.parts.scores.family import Sums, SumScoreConfig, predicted_and_right

ClassAverage = Literal["macro", "micro", "weighted", "binary"]


class Counts(NamedTuple):
    """Of one class or label, over all examples."""

    hits: float
    predicted: float
    actual: float

    @property
    def precision(self) -> float:
        """Of those predicted to be of the class, the share that are; 0 if none is predicted."""
        return _ratio(self.hits, self.predicted)

    @property
    def recall(self) -> float:
        """Of those of the class, the share that is predicted to be; 0 if there are none."""
        return _ratio(self.hits, self.actual)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall: 2 hits / (predicted + actual)."""
        return _ratio(2 * self.hits, self.predicted + self.actual)


def _counted(shape: DataShape, value: Callable[[list[Counts], int], float]) -> Score:
    """A score of the counts of each class; value(counts, examples)."""

    def terms(outputs: "Tensor", batch: Batch) -> "Tensor":
        predicted, actual = predicted_and_right(outputs, batch.targets, shape)
        return torch.cat([predicted & actual, predicted, actual], dim=1)

    def of_sums(sums: Sequence[float], examples: int) -> float:
        width = shape.outputs
        parts = (sums[i * width : (i + 1) * width] for i in range(3))
        return value([Counts(*one) for one in zip(*parts, strict=True)], examples)

    return Sums(3 * shape.outputs, terms, of_sums)


def _ratio(part: float, whole: float) -> float:
    """0 where nothing is counted, as scikit-learn's zero_division: 0."""
    return part / whole if whole else 0.0


class _AveragedConfig(SumScoreConfig, frozen=True):
    """A number for each class, and their mean.

    Attributes:
        average: macro is the plain mean over the classes that occur or are predicted (over all
            labels), weighted the mean by how often they occur, micro takes all decisions as one
            class, binary the second of two classes alone.
    """

    average: ClassAverage = "macro"
    higher_is_better: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = ("classes", "labels")

    @abstractmethod
    def of_one(self, counts: Counts) -> float:
        """The number of one class."""

    @property
    def key(self) -> str:
        return f"{self.kind}_{self.average}"

    def mistake(self, shape: DataShape) -> str | None:
        if self.average == "binary" and (shape.task == "labels" or shape.outputs != 2):
            return f"average: binary is for two classes, these are {shape.outputs} (macro)"
        return None

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        def value(classes: list[Counts], _: int) -> float:
            if self.average == "binary":
                return self.of_one(classes[1])
            if self.average == "micro":
                return self.of_one(Counts(*map(sum, zip(*classes, strict=True))))
            if self.average == "weighted":
                total = sum(c.actual for c in classes)
                return _ratio(sum(c.actual * self.of_one(c) for c in classes), total)
            seen = [c for c in classes if shape.task == "labels" or c.predicted or c.actual]
            return sum(map(self.of_one, seen)) / len(seen)

        return _counted(shape, value)


@final
class PrecisionConfig(_AveragedConfig, frozen=True):
    """Of those predicted to be of a class, the share that are; 0 if none is predicted.

    Kent et al. 1955, doi:10.1002/asi.5090060209.
    """

    kind: Literal["precision"] = "precision"

    def of_one(self, counts: Counts) -> float:
        return counts.precision


@final
class RecallConfig(_AveragedConfig, frozen=True):
    """Of those that are of a class, the share that is found; 0 if there are none.

    Kent et al. 1955, doi:10.1002/asi.5090060209.
    """

    kind: Literal["recall"] = "recall"

    def of_one(self, counts: Counts) -> float:
        return counts.recall


@final
class F1Config(_AveragedConfig, frozen=True):
    """The harmonic mean of precision and recall: 2 hits / (predicted + actual).

    van Rijsbergen 1979, "Information retrieval", chapter 7.
    """

    kind: Literal["f1"] = "f1"

    def of_one(self, counts: Counts) -> float:
        return counts.f1


@final
class BalancedAccuracyConfig(SumScoreConfig, frozen=True):
    """Mean recall over the classes that occur: 1/K for guessing, however rare a class is.

    Brodersen et al. 2010, doi:10.1109/ICPR.2010.764.
    """

    kind: Literal["balanced_accuracy"] = "balanced_accuracy"
    higher_is_better: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = ("classes",)

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        def value(classes: list[Counts], _: int) -> float:
            there = [c.recall for c in classes if c.actual]
            return sum(there) / len(there)

        return _counted(shape, value)


@final
class CohenKappaConfig(SumScoreConfig, frozen=True):
    """(p - e) / (1 - e): accuracy p beyond the accuracy e of guessing with the same frequencies.

    Not defined (nan) where only one class occurs and it is always predicted.
    Cohen 1960, doi:10.1177/001316446002000104.
    """

    kind: Literal["cohen_kappa"] = "cohen_kappa"
    higher_is_better: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = ("classes",)

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        def value(classes: list[Counts], examples: int) -> float:
            right = sum(c.hits for c in classes) / examples
            guessed = sum(c.predicted * c.actual for c in classes) / examples**2
            return (right - guessed) / (1 - guessed) if guessed < 1 else nan

        return _counted(shape, value)


@final
class MatthewsConfig(SumScoreConfig, frozen=True):
    """The correlation of predicted and right classes: 1 is perfect, 0 what guessing reaches.

    0 where one class is always predicted, or only one occurs. Matthews 1975,
    doi:10.1016/0005-2795(75)90109-9; for K classes Gorodkin 2004,
    doi:10.1016/j.compbiolchem.2004.09.006.
    """

    kind: Literal["matthews_corrcoef"] = "matthews_corrcoef"
    higher_is_better: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = ("classes",)

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        def value(classes: list[Counts], examples: int) -> float:
            hits = sum(c.hits for c in classes)
            both = hits * examples - sum(c.predicted * c.actual for c in classes)
            spread = [examples**2 - sum(c[part] ** 2 for c in classes) for part in (1, 2)]
            return both / sqrt(spread[0] * spread[1]) if spread[0] * spread[1] > 0 else 0.0

        return _counted(shape, value)


KINDS = (
    BalancedAccuracyConfig,
    F1Config,
    PrecisionConfig,
    RecallConfig,
    CohenKappaConfig,
    MatthewsConfig,
)
