"""Scores of class probabilities: how good they are, and whether they mean what they say."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, NamedTuple, final

from pydantic import Field

from nnlab.core.contracts import Batch, DataShape, Score, Task
from nnlab.core.lazy import Tensor, torch
from nnlab.parts.scores.family import Sums, SumScoreConfig, classes_of, first_mean

BINS = 15
"""As Guo et al. 2017 take them: of equal width, ]0, 1/15], ]1/15, 2/15], ..., over the probability
of the predicted class."""


def log_losses(probabilities: "Tensor", classes: "Tensor") -> "Tensor":
    """-log p of the right class, p kept above the machine epsilon, as in scikit-learn.

    Args:
        probabilities: (N, K).
        classes: (N,) the right ones.

    Returns:
        (N,).
    """
    given = probabilities.gather(1, classes[:, None])[:, 0]
    return -given.clamp(min=torch.finfo(probabilities.dtype).eps).log()


def brier_scores(probabilities: "Tensor", classes: "Tensor") -> "Tensor":
    """Squared distance to the one-hot class; half of it for two classes, as in scikit-learn.

    Args:
        probabilities: (N, K).
        classes: (N,) the right ones.

    Returns:
        (N,).
    """
    width = probabilities.shape[1]
    right = classes[:, None] == torch.arange(width, device=probabilities.device)
    distance = (probabilities - right.to(probabilities.dtype)).square().sum(dim=1)
    return 0.5 * distance if width == 2 else distance


def _confidences(
    probabilities: "Tensor", classes: "Tensor", bins: int
) -> "tuple[Tensor, Tensor, Tensor]":
    """Each example's confidence, whether it is right (0 or 1), and its bin's number; (N,) each."""
    confidence, predicted = probabilities.max(dim=1)
    bin_of = ((confidence * bins).ceil() - 1).clamp(0, bins - 1).long()
    return confidence, (predicted == classes).to(confidence.dtype), bin_of


def calibration_error(excess: Sequence[float], examples: int) -> float:
    """Sum over bins of n_b / N |accuracy - mean confidence|. Guo et al. 2017, eq. 3.

    Args:
        excess: of each bin, how many of its examples are right less the sum of their confidences:
            n_b (accuracy - mean confidence). The size of a bin cancels.
        examples: N.
    """
    return sum(map(abs, excess)) / examples


class ConfidenceBins(NamedTuple):
    """Confidence and accuracy of the examples of each bin of confidence.

    Attributes:
        confidence: the mean of the predicted class's probability; 0 in an empty bin.
        accuracy: the share that is right; 0 in an empty bin.
        counts: how many examples.
    """

    confidence: list[float]
    accuracy: list[float]
    counts: list[int]

    @property
    def error(self) -> float:
        """The expected calibration error."""
        rows = zip(self.confidence, self.accuracy, self.counts, strict=True)
        excess = [count * (right - sure) for sure, right, count in rows]
        return calibration_error(excess, max(1, sum(self.counts)))


def confidence_bins(
    probabilities: "Tensor", classes: "Tensor", *, bins: int = BINS
) -> ConfidenceBins:
    """Confidence against accuracy, by bins of confidence.

    Args:
        probabilities: (N, K).
        classes: (N,) the right ones.
        bins: how many, of equal width, open below and closed above.
    """
    confidence, right, bin_of = _confidences(probabilities, classes, bins)
    counts = torch.bincount(bin_of, minlength=bins)
    many = counts.clamp(min=1)
    sure, share = (
        torch.bincount(bin_of, weights=each, minlength=bins) / many for each in (confidence, right)
    )
    return ConfidenceBins(sure.tolist(), share.tolist(), counts.tolist())


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
            return log_losses(outputs, classes_of(batch.targets))[:, None]

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
        def terms(outputs: "Tensor", batch: Batch) -> "Tensor":
            return brier_scores(outputs, classes_of(batch.targets))[:, None]

        return Sums(1, terms, first_mean)


@final
class CalibrationErrorConfig(SumScoreConfig, frozen=True):
    """How far confidence is from accuracy: |accuracy - mean confidence| of each bin, mean by size.

    Confidence is the greatest probability; the bins are ]0, 1/bins], ]1/bins, 2/bins], ...
    Guo et al. 2017, arXiv:1706.04599, eq. 3.
    """

    kind: Literal["expected_calibration_error"] = "expected_calibration_error"
    bins: Annotated[int, Field(ge=1, le=1000)] = BINS
    higher_is_better: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = ("classes",)
    reads: ClassVar[Literal["outputs", "probabilities", "ranks"]] = "probabilities"

    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        bins = self.bins

        def terms(outputs: "Tensor", batch: Batch) -> "Tensor":
            classes = classes_of(batch.targets)
            confidence, right, bin_of = _confidences(outputs, classes, bins)
            there = bin_of[:, None] == torch.arange(bins, device=outputs.device)
            return there.to(confidence.dtype) * (right - confidence)[:, None]

        return Sums(bins, terms, calibration_error)


KINDS = (LogLossConfig, ConfidenceConfig, BrierConfig, CalibrationErrorConfig)
