"""Scores: how good the outputs are, in numbers that people compare; kept as sums over examples.

To add one: write a class here and name it in `AnyScore` at the foot of the file. What does not add
up over batches (AUC, F1, calibration) is computed from stored outputs elsewhere.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from math import nan, sqrt
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, final

from pydantic import PositiveInt

from nnlab.base import Kind, lazy
from nnlab.choices import Menu
from nnlab.contracts import Batch, DataShape, Score, Task

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")


class ScoreConfig(Kind, frozen=True):
    """The family of scores.

    Attributes:
        higher_is_better: whether training wants it to grow.
        tasks: the tasks it is defined for.
    """

    higher_is_better: ClassVar[bool]
    tasks: ClassVar[tuple[Task, ...]]

    @property
    def key(self) -> str:
        """Its name in metrics.jsonl and in TensorBoard's tags."""
        return self.kind

    @abstractmethod
    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        """The sums and the score that they make.

        Args:
            shape: the data set.
            mean: training mean of each target column; () for classes.
        """


@final
class _Sums:
    """Terms of each example, added up on the device in float64 where the device has it."""

    def __init__(
        self,
        width: int,
        terms: Callable[["Tensor", Batch], "Tensor"],
        value: Callable[[Sequence[float], int], float],
    ) -> None:
        self.width = width
        self._terms = terms
        self._value = value

    def sums(self, outputs: "Tensor", batch: Batch) -> "Tensor":
        return self._terms(outputs, batch).sum(dim=0, dtype=_sum_dtype(outputs))

    def value(self, sums: Sequence[float], examples: int) -> float:
        return self._value(sums, examples)


def _sum_dtype(outputs: "Tensor") -> "torch.dtype":
    return torch.float32 if outputs.device.type == "mps" else torch.float64


def _mean(sums: Sequence[float], examples: int) -> float:
    return sums[0] / examples


def _right(outputs: "Tensor", batch: Batch) -> "Tensor":
    """(N, 1) bool: whether the greatest output, or the sign of the only one, is the class."""
    single = outputs.shape[1] == 1
    predicted = (outputs[:, 0] > 0).to(torch.int64) if single else outputs.argmax(dim=1)
    return (predicted == _classes(batch))[:, None]


def _classes(batch: Batch) -> "Tensor":
    """(N,) the right class; of mixed examples the one with the greatest share."""
    return batch.targets.argmax(dim=1) if batch.targets.ndim == 2 else batch.targets


def _errors(outputs: "Tensor", batch: Batch) -> "Tensor":
    """(N, K) output minus target."""
    dtype = _sum_dtype(outputs)
    return outputs.to(dtype) - batch.targets.to(dtype)


@final
class AccuracyConfig(ScoreConfig, frozen=True):
    """The share of examples whose greatest output is the right class."""

    kind: Literal["accuracy"] = "accuracy"
    higher_is_better: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = ("classes",)

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        return _Sums(1, _right, _mean)


@final
class ErrorRateConfig(ScoreConfig, frozen=True):
    """The share of examples that are classified wrongly: 1 - accuracy."""

    kind: Literal["error_rate"] = "error_rate"
    higher_is_better: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = ("classes",)

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        return _Sums(1, lambda outputs, batch: ~_right(outputs, batch), _mean)


@final
class TopKConfig(ScoreConfig, frozen=True):
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
            return (best == _classes(batch)[:, None]).any(dim=1, keepdim=True)

        return _Sums(1, terms, _mean)


@final
class MaeScoreConfig(ScoreConfig, frozen=True):
    """Mean absolute error: |output - target|, mean over columns and examples."""

    kind: Literal["mae"] = "mae"
    higher_is_better: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = ("regression",)

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        def terms(outputs: "Tensor", batch: Batch) -> "Tensor":
            return _errors(outputs, batch).abs().mean(dim=1, keepdim=True)

        return _Sums(1, terms, _mean)


@final
class RmseConfig(ScoreConfig, frozen=True):
    """Root of the mean squared error, in the target's unit; mean over the columns."""

    kind: Literal["rmse"] = "rmse"
    higher_is_better: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = ("regression",)

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        def terms(outputs: "Tensor", batch: Batch) -> "Tensor":
            return _errors(outputs, batch).square()

        def value(sums: Sequence[float], examples: int) -> float:
            return sum(sqrt(total / examples) for total in sums) / len(sums)

        return _Sums(shape.outputs, terms, value)


@final
class R2Config(ScoreConfig, frozen=True):
    """1 - squared error / variance of the targets: 1 is perfect, 0 is what their mean reaches.

    Mean over the columns. A column of equal targets counts 1 if it is met exactly, else 0, as in
    scikit-learn; fewer than two examples have none. Wright 1921, "Correlation and causation".
    """

    kind: Literal["r2"] = "r2"
    higher_is_better: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = ("regression",)

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        columns = shape.outputs
        assert len(mean) == columns, f"{columns} target columns, {len(mean)} means"

        def terms(outputs: "Tensor", batch: Batch) -> "Tensor":
            errors = _errors(outputs, batch)
            targets = batch.targets.to(errors.dtype)
            # Python numbers travel with the kernel; a tensor of means would have to be copied.
            shifted = torch.stack([targets[:, i] - mean[i] for i in range(columns)], dim=1)
            return torch.cat([errors.square(), shifted, shifted.square()], dim=1)

        def value(sums: Sequence[float], examples: int) -> float:
            parts = zip(*(sums[i * columns : (i + 1) * columns] for i in range(3)), strict=True)
            return sum(_r2(*part, examples=examples) for part in parts) / columns

        return _Sums(3 * columns, terms, value)


def _r2(errors: float, shifted: float, squares: float, *, examples: int) -> float:
    """R^2 of one column, from sums of (z - y)^2, of y - c and of (y - c)^2.

    The variance times N is squares - shifted^2 / N for every c. With c near the mean the two do
    not cancel; with c = 0 they would for targets such as years.
    """
    if examples < 2:
        return nan
    spread = squares - shifted**2 / examples
    # Targets that are all equal leave rounding errors of about 1e-16 here.
    if spread <= 1e-12 * squares:
        return 1.0 if errors == 0.0 else 0.0
    return 1.0 - errors / spread


AnyScore = Annotated[
    AccuracyConfig | ErrorRateConfig | MaeScoreConfig | R2Config | RmseConfig | TopKConfig,
    Menu(),
]


def auto_scores(task: Task) -> tuple[ScoreConfig, ...]:
    """What `scores: auto` takes."""
    return (AccuracyConfig(),) if task == "classes" else (MaeScoreConfig(), R2Config())
