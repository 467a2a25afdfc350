"""Scores of real targets, in the target's own unit."""

from collections.abc import Sequence
from math import nan, sqrt
from typing import ClassVar, Literal, final

from nnlab.core.contracts import Batch, DataShape, Score, StoredScore, Task
from nnlab.core.lazy import Tensor, np, torch
from nnlab.parts.scores.family import StoredScoreConfig, Sums, SumScoreConfig, first_mean, sum_dtype


def _errors(outputs: "Tensor", batch: Batch) -> "Tensor":
    """(N, K) output minus target."""
    dtype = sum_dtype(outputs)
    return outputs.to(dtype) - batch.targets.to(dtype)


def _shifted(numbers: "Tensor", by: Sequence[float]) -> "Tensor":
    """(N, K) minus a number for each column.

    Python numbers travel with the kernel; a tensor of means would have to be copied.
    """
    return torch.stack([numbers[:, i] - c for i, c in enumerate(by)], dim=1)


@final
class MaeScoreConfig(SumScoreConfig, frozen=True):
    """Mean absolute error: |output - target|, mean over columns and examples."""

    kind: Literal["mae"] = "mae"
    higher_is_better: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = ("regression",)

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        def terms(outputs: "Tensor", batch: Batch) -> "Tensor":
            return _errors(outputs, batch).abs().mean(dim=1, keepdim=True)

        return Sums(1, terms, first_mean)


@final
class MseScoreConfig(SumScoreConfig, frozen=True):
    """Mean squared error: (output - target)^2, mean over columns and examples."""

    kind: Literal["mse"] = "mse"
    higher_is_better: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = ("regression",)

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        def terms(outputs: "Tensor", batch: Batch) -> "Tensor":
            return _errors(outputs, batch).square().mean(dim=1, keepdim=True)

        return Sums(1, terms, first_mean)


@final
class RmseConfig(SumScoreConfig, frozen=True):
    """Root of the mean squared error, in the target's unit; mean over the columns."""

    kind: Literal["rmse"] = "rmse"
    higher_is_better: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = ("regression",)

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        def terms(outputs: "Tensor", batch: Batch) -> "Tensor":
            return _errors(outputs, batch).square()

        def value(sums: Sequence[float], examples: int) -> float:
            return sum(sqrt(total / examples) for total in sums) / len(sums)

        return Sums(shape.outputs, terms, value)


@final
class R2Config(SumScoreConfig, frozen=True):
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
            shifted = _shifted(batch.targets.to(errors.dtype), mean)
            return torch.cat([errors.square(), shifted, shifted.square()], dim=1)

        def value(sums: Sequence[float], examples: int) -> float:
            parts = zip(*(sums[i * columns : (i + 1) * columns] for i in range(3)), strict=True)
            return sum(_r2(*part, examples=examples) for part in parts) / columns

        return Sums(3 * columns, terms, value)


def _r2(errors: float, shifted: float, squares: float, *, examples: int) -> float:
    """R^2 of one column, from sums of (z - y)^2, of y - c and of (y - c)^2."""
    if examples < 2:
        return nan
    spread = _spread(shifted, squares, examples)
    if not spread:
        return 1.0 if errors == 0.0 else 0.0
    return 1.0 - errors / spread


def _spread(shifted: float, squares: float, examples: int) -> float:
    """The variance times N, from sums of y - c and (y - c)^2; 0 up to rounding is 0.

    It is squares - shifted^2 / N for every c. With c near the mean the two do not cancel; with
    c = 0 they would for targets such as years.
    """
    spread = squares - shifted**2 / examples
    # Numbers that are all equal leave rounding errors of about 1e-16 here.
    return 0.0 if spread <= 1e-12 * squares else spread


@final
class ExplainedVarianceConfig(SumScoreConfig, frozen=True):
    """1 - variance of the errors / variance of the targets: r2 that forgives a constant error.

    Mean over the columns; a column of equal targets counts 1 if its errors are equal, else 0, as in
    scikit-learn; fewer than two examples have none.
    """

    kind: Literal["explained_variance"] = "explained_variance"
    higher_is_better: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = ("regression",)

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        columns = shape.outputs

        def terms(outputs: "Tensor", batch: Batch) -> "Tensor":
            errors = _errors(outputs, batch)
            shifted = _shifted(batch.targets.to(errors.dtype), mean)
            return torch.cat([errors, errors.square(), shifted, shifted.square()], dim=1)

        def of_one(error: float, squares: float, target: float, wide: float, *, n: int) -> float:
            left, spread = _spread(error, squares, n), _spread(target, wide, n)
            if not spread:
                return 0.0 if left else 1.0
            return 1.0 - left / spread

        def value(sums: Sequence[float], examples: int) -> float:
            if examples < 2:
                return nan
            parts = zip(*(sums[i * columns : (i + 1) * columns] for i in range(4)), strict=True)
            return sum(of_one(*part, n=examples) for part in parts) / columns

        return Sums(4 * columns, terms, value)


@final
class PearsonConfig(SumScoreConfig, frozen=True):
    """The correlation of outputs and targets: whether they rise together, in whatever unit.

    Mean over the columns; nan where a column of outputs or targets does not vary.
    Pearson 1895, doi:10.1098/rspl.1895.0041.
    """

    kind: Literal["pearson"] = "pearson"
    higher_is_better: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = ("regression",)

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        columns = shape.outputs

        def terms(outputs: "Tensor", batch: Batch) -> "Tensor":
            dtype = sum_dtype(outputs)
            z, y = (_shifted(part.to(dtype), mean) for part in (outputs, batch.targets))
            return torch.cat([z, z.square(), y, y.square(), z * y], dim=1)

        def of_one(z: float, zz: float, y: float, yy: float, zy: float, *, n: int) -> float:
            spread = _spread(z, zz, n) * _spread(y, yy, n)
            return (zy - z * y / n) / sqrt(spread) if spread else nan

        def value(sums: Sequence[float], examples: int) -> float:
            parts = zip(*(sums[i * columns : (i + 1) * columns] for i in range(5)), strict=True)
            return sum(of_one(*part, n=examples) for part in parts) / columns

        return Sums(5 * columns, terms, value)


@final
class MapeConfig(SumScoreConfig, frozen=True):
    """Mean of |output - target| / |target|: 0.1 is an error of ten percent.

    A target of 0 counts as the machine epsilon, as in scikit-learn: the score is then huge.
    """

    kind: Literal["mape"] = "mape"
    higher_is_better: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = ("regression",)

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        def terms(outputs: "Tensor", batch: Batch) -> "Tensor":
            errors = _errors(outputs, batch).abs()
            least = torch.finfo(errors.dtype).eps
            size = batch.targets.to(errors.dtype).abs().clamp(min=least)
            return (errors / size).mean(dim=1, keepdim=True)

        return Sums(1, terms, first_mean)


@final
class _Greatest:
    def value(self, outputs: "Tensor", targets: "Tensor") -> float:
        """The greatest error of all."""
        return float((outputs.double() - targets.double()).abs().max())


@final
class _Median:
    def value(self, outputs: "Tensor", targets: "Tensor") -> float:
        """The mean over the columns of the median error."""
        errors = (outputs.double() - targets.double()).abs().numpy()
        # torch.median takes the lower of the two in the middle, numpy their mean.
        return float(np.median(errors, axis=0).mean())


@final
class MaxErrorConfig(StoredScoreConfig, frozen=True):
    """The greatest |output - target| of all columns and examples. In evaluation only."""

    kind: Literal["max_error"] = "max_error"
    higher_is_better: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = ("regression",)

    def build(self, shape: DataShape) -> StoredScore:
        return _Greatest()


@final
class MedianAbsoluteErrorConfig(StoredScoreConfig, frozen=True):
    """The median of |output - target|, mean over the columns: outliers do not count.

    In evaluation only.
    """

    kind: Literal["median_absolute_error"] = "median_absolute_error"
    higher_is_better: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = ("regression",)

    def build(self, shape: DataShape) -> StoredScore:
        return _Median()


KINDS = (
    MaeScoreConfig,
    R2Config,
    RmseConfig,
    MseScoreConfig,
    MapeConfig,
    ExplainedVarianceConfig,
    PearsonConfig,
    MaxErrorConfig,
    MedianAbsoluteErrorConfig,
)
