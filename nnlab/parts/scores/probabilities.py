"""Scores of class probabilities: how good they are, and whether they mean what they say."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, final

from pydantic import Field

from nnlab.core.contracts import Batch, DataShape, Score, Task
from nnlab.core.lazy import Tensor, torch
from nnlab.parts.scores.family import Sums, SumScoreConfig, classes_of, first_mean


def _of_class(probabilities: "Tensor", batch: Batch) -> "Tensor":
    """(N, 1): what is given to the right class."""
    return probabilities.gather(1, classes_of(batch.targets)[:, None])


@final
class LogLossConfig(SumScoreConfig, frozen=True):
    """-log p of the right class, mean over examples; p is kept above the machine epsilon.

    Good 1952, doi:10.1111/j.2517-6161.1952.tb00104.x.
    """

    kind: Literal["log_loss"] = "log_loss"
    higher_is_better: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = ("classes",)
    reads: ClassVar[Literal["outputs", "probabilities", "ranks"]] = "probabilities"

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        def terms(outputs: "Tensor", batch: Batch) -> "Tensor":
            least = torch.finfo(outputs.dtype).eps
            return -_of_class(outputs, batch).clamp(min=least).log()

        return Sums(1, terms, first_mean)


@final
class ConfidenceConfig(SumScoreConfig, frozen=True):
    """The greatest probability, mean over examples: how sure the network is, right or wrong.

    Above accuracy it is overconfident. Guo et al. 2017, arXiv:1706.04599.
    """

    kind: Literal["confidence"] = "confidence"
    higher_is_better: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = ("classes",)
    reads: ClassVar[Literal["outputs", "probabilities", "ranks"]] = "probabilities"

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        def terms(outputs: "Tensor", batch: Batch) -> "Tensor":  # noqa: ARG001 - the protocol's
            return outputs.amax(dim=1, keepdim=True)

        return Sums(1, terms, first_mean)


@final
class BrierConfig(SumScoreConfig, frozen=True):
    """Squared distance of the probabilities to the one-hot class, summed over classes.

    For two classes half of the sum, (p - y)^2 of the second class, as in scikit-learn.
    Brier 1950, "Verification of forecasts expressed in terms of probability".
    """

    kind: Literal["brier"] = "brier"
    higher_is_better: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = ("classes",)
    reads: ClassVar[Literal["outputs", "probabilities", "ranks"]] = "probabilities"

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        factor = 0.5 if shape.outputs == 2 else 1.0

        def terms(outputs: "Tensor", batch: Batch) -> "Tensor":
            numbers = torch.arange(shape.outputs, device=outputs.device)
            right = classes_of(batch.targets)[:, None] == numbers
            return factor * (outputs - right.to(outputs.dtype)).square().sum(dim=1, keepdim=True)

        return Sums(1, terms, first_mean)


@final
class CalibrationErrorConfig(SumScoreConfig, frozen=True):
    """How far confidence is from accuracy: |accuracy - mean confidence| of each bin, mean by size.

    Confidence is the greatest probability; the bins are ]0, 1/bins], ]1/bins, 2/bins], ...
    Guo et al. 2017, arXiv:1706.04599, eq. 3.
    """

    kind: Literal["expected_calibration_error"] = "expected_calibration_error"
    bins: Annotated[int, Field(ge=1, le=1000)] = 15
    higher_is_better: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = ("classes",)
    reads: ClassVar[Literal["outputs", "probabilities", "ranks"]] = "probabilities"

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        bins = self.bins

        def terms(outputs: "Tensor", batch: Batch) -> "Tensor":
            confidence, predicted = outputs.max(dim=1)
            right = predicted == classes_of(batch.targets)
            bin_of = ((confidence * bins).ceil() - 1).clamp(0, bins - 1)
            numbers = torch.arange(bins, device=outputs.device)
            there = (bin_of[:, None] == numbers).to(confidence.dtype)
            excess = right.to(confidence.dtype) - confidence
            return there * excess[:, None]

        def value(sums: Sequence[float], examples: int) -> float:
            # n_b / N * |sum / n_b|: the size of a bin cancels.
            return sum(map(abs, sums)) / examples

        return Sums(bins, terms, value)


KINDS = (LogLossConfig, ConfidenceConfig, BrierConfig, CalibrationErrorConfig)
