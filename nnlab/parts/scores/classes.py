"""Scores of the predicted classes or labels: which share is right."""

from collections.abc import Sequence
from typing import ClassVar, Literal, final

from pydantic import PositiveInt

from nnlab.core.contracts import Batch, DataShape, Score, Task
from nnlab.core.lazy import Tensor, torch
from nnlab.parts.scores.family import (
    Sums,
    SumScoreConfig,
    classes_of,
    first_mean,
    predicted_and_right,
    predicted_class,
    sum_dtype,
)


def _right(outputs: "Tensor", batch: Batch) -> "Tensor":
    """(N, 1) bool: whether the greatest output, or the sign of the only one, is the class."""
    return (predicted_class(outputs) == classes_of(batch.targets))[:, None]


def _share(shape: DataShape, *, wrong: bool) -> Score:
    """The share of examples, or of all their labels, that are right or wrong."""

    def terms(outputs: "Tensor", batch: Batch) -> "Tensor":
        if shape.task == "classes":
            right = _right(outputs, batch)
            return ~right if wrong else right
        predicted, actual = predicted_and_right(outputs, batch.targets, shape)
        same = predicted != actual if wrong else predicted == actual
        return same.to(sum_dtype(outputs)).mean(dim=1, keepdim=True)

    return Sums(1, terms, first_mean)


@final
class AccuracyConfig(SumScoreConfig, frozen=True):
    """The share of examples whose greatest output is the right class.

    Of labels, the share of them that are right, over all examples; a label is given where its
    output is above 0 (a probability above 1/2).
    """

    kind: Literal["accuracy"] = "accuracy"
    higher_is_better: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = ("classes", "labels")

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        return _share(shape, wrong=False)


@final
class ErrorRateConfig(SumScoreConfig, frozen=True):
    """The share of examples that are classified wrongly: 1 - accuracy; of labels Hamming loss."""

    kind: Literal["error_rate"] = "error_rate"
    higher_is_better: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = ("classes", "labels")

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        return _share(shape, wrong=True)


@final
class TopKConfig(SumScoreConfig, frozen=True):
    """The share of examples whose right class is among the k greatest outputs.

    Krizhevsky et al. 2012, "ImageNet classification with deep convolutional neural networks".
    With k classes or fewer it is 1.
    """

    kind: Literal["top_k"] = "top_k"
    k: PositiveInt = 5
    higher_is_better: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = ("classes",)

    @property
    def key(self) -> str:
        return f"top{self.k}"

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        k = min(self.k, shape.outputs)

        def terms(outputs: "Tensor", batch: Batch) -> "Tensor":
            if outputs.shape[1] == 1:
                outputs = torch.cat([-outputs, outputs], dim=1)
            best = outputs.topk(k, dim=1).indices
            return (best == classes_of(batch.targets)[:, None]).any(dim=1, keepdim=True)

        return Sums(1, terms, first_mean)


@final
class ExactMatchConfig(SumScoreConfig, frozen=True):
    """The share of examples whose labels are all right: subset accuracy.

    Ghamrawi & McCallum 2005, doi:10.1145/1099554.1099591.
    """

    kind: Literal["exact_match"] = "exact_match"
    higher_is_better: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = ("labels",)

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        def terms(outputs: "Tensor", batch: Batch) -> "Tensor":
            predicted, actual = predicted_and_right(outputs, batch.targets, shape)
            return (predicted == actual).all(dim=1, keepdim=True)

        return Sums(1, terms, first_mean)


KINDS = (AccuracyConfig, ErrorRateConfig, TopKConfig, ExactMatchConfig)
