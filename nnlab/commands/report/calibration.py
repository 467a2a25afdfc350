"""Whether probabilities mean what they say: reliability, and one temperature that mends it."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nnlab.commands.report.intervals import Floats
from nnlab.display.pictures import judged
from nnlab.display.pictures.judged import BINS

_BOUNDS = (1e-2, 1e2)
"""Where a temperature is looked for."""


class Bin(NamedTuple):
    """Examples whose confidence is in a bin.

    Attributes:
        low: of the bin.
        high: of the bin.
        examples: how many.
        confidence: their mean confidence; 0 where there are none.
        accuracy: the share that is right; 0 where there are none.
    """

    low: float
    high: float
    examples: int
    confidence: float
    accuracy: float


def reliability(probabilities: Floats, actual: NDArray[np.int64]) -> list[Bin]:
    """Confidence (the greatest probability) against accuracy, by bins of confidence."""
    sure, right, counts = judged.calibration_bins(probabilities, actual)
    rows = enumerate(zip(counts.tolist(), sure.tolist(), right.tolist(), strict=True))
    return [Bin(k / BINS, (k + 1) / BINS, *found) for k, found in rows]


def expected_error(bins: list[Bin]) -> float:
    """Sum of n_b / N |accuracy - confidence|. Naeini et al. 2015; Guo et al. 2017, eq. 3."""
    total = sum(one.examples for one in bins)
    return sum(one.examples * abs(one.accuracy - one.confidence) for one in bins) / total


def cooled(probabilities: Floats, temperature: float) -> Floats:
    """The probabilities of logits that are divided by a temperature: p^(1/T), brought to sum 1.

    softmax(z / T) is that of softmax(z), and sigmoid(z / T) that of sigmoid(z).
    """
    logs = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny)) / temperature
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def log_loss(probabilities: Floats, actual: NDArray[np.int64]) -> float:
    """Mean of -log p of the right class."""
    given = probabilities[np.arange(len(actual)), actual]
    return float(-np.log(np.maximum(given, np.finfo(np.float64).tiny)).mean())


def brier(probabilities: Floats, actual: NDArray[np.int64]) -> float:
    """Mean squared distance to the one-hot class; half of it for two classes. Brier 1950."""
    distance = probabilities - (actual[:, None] == np.arange(probabilities.shape[1]))
    half = 0.5 if probabilities.shape[1] == 2 else 1.0
    return half * float(np.square(distance).sum(axis=1).mean())


def fit_temperature(probabilities: Floats, actual: NDArray[np.int64]) -> float | None:
    """What to divide the logits by for the least log loss; above 1 the network was too sure.

    The log loss is convex in 1 / T, so that the least is found from anywhere. None where no T is
    best: every example is right, so that T = 0 would be, or guessing is better than the network.
    Guo et al. 2017, arXiv:1706.04599, section 4.2.
    """
    from scipy.optimize import minimize_scalar

    if (probabilities.argmax(axis=1) == actual).all():
        return None

    def loss(cooling: float) -> float:
        return log_loss(cooled(probabilities, float(np.exp(-cooling))), actual)

    low, high = (float(np.log(1 / bound)) for bound in reversed(_BOUNDS))
    found: Any = minimize_scalar(
        loss, bounds=(low, high), method="bounded", options={"xatol": 1e-8}
    )
    return float(np.exp(-found.x)) if min(found.x - low, high - found.x) > 1e-3 else None


def calibration_facts(
    probabilities: Floats,
    actual: NDArray[np.int64],
    fitting: tuple[Floats, NDArray[np.int64]] | None,
) -> dict[str, Any]:
    """What is told of a split's calibration.

    Args:
        probabilities: (N, K).
        actual: (N,).
        fitting: those of the validation split, which the temperature is fitted on; None without.
    """
    found: dict[str, Any] = {"bins": BINS, "before": _told(probabilities, actual)}
    if fitting is not None:
        found["temperature"] = temperature = fit_temperature(*fitting)
        if temperature is not None:
            found["after"] = _told(cooled(probabilities, temperature), actual)
    return found


def _told(probabilities: Floats, actual: NDArray[np.int64]) -> dict[str, Any]:
    bins = reliability(probabilities, actual)
    return {
        "expected_calibration_error": expected_error(bins),
        "log_loss": log_loss(probabilities, actual),
        "brier": brier(probabilities, actual),
        "confidence": float(probabilities.max(axis=1).mean()),
        "accuracy": float((probabilities.argmax(axis=1) == actual).mean()),
        "reliability": [one._asdict() for one in bins],
    }
