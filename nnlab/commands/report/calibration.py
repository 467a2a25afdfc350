"""Whether probabilities mean what they say: reliability, and one temperature that mends it.

The log loss of p^(1/T) is convex in b = 1/T. Its slope there, of one example of class y, is
E_b[l] - l_y, where l are the log probabilities and E_b the mean under those of b.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from nnlab.commands.report.facts import (
    AppliedTemperature,
    Calibration,
    CalibrationMeasures,
    FittedTemperature,
    ReliabilityBin,
)
from nnlab.commands.report.intervals import Floats, Interval, percentile_interval, resamples
from nnlab.parts.scores.probabilities import BINS, brier_scores, confidence_bins, log_losses

_BOUNDS = (1e-2, 1e2)
"""Where a temperature is looked for."""
_STEPS = 40
"""Halvings of log T, from a width of 9.2 to 1e-11."""
_POINTS = 65
_DEVIATIONS = 8.0
"""The slopes of resamples are known at so many temperatures, within so many deviations."""


class Temperature(NamedTuple):
    """What the logits are to be divided by for the least log loss.

    Attributes:
        value: above 1 the network was too sure.
        interval: 95 %, over resampled rows; None where too many have no best temperature.
    """

    value: float
    interval: Interval | None


def _logs(probabilities: Floats) -> Floats:
    return np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))


def cooled(probabilities: Floats, temperature: float) -> Floats:
    """The probabilities of logits that are divided by a temperature: p^(1/T), brought to sum 1.

    softmax(z / T) is that of softmax(z), and sigmoid(z / T) that of sigmoid(z).
    """
    logs = _logs(probabilities) / temperature
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def _slopes(probabilities: Floats, actual: NDArray[np.int64], temperature: float) -> Floats:
    """(N,) d log loss / d(1/T) of each example: it grows with 1/T."""
    logs = _logs(probabilities)
    mean = (cooled(probabilities, temperature) * logs).sum(axis=1)
    return mean - logs[np.arange(len(actual)), actual]


def fit_temperature(probabilities: Floats, actual: NDArray[np.int64]) -> Temperature | None:
    """What to divide the logits by for the least log loss, with its interval.

    None where no T is best: every example is right, so that T = 0 would be, or guessing is better
    than the network. Guo et al. 2017, arXiv:1706.04599, section 4.2.

    Args:
        probabilities: (N, K).
        actual: (N,) class numbers.
    """

    def slope(log_t: float) -> float:
        return float(_slopes(probabilities, actual, float(np.exp(log_t))).sum())

    low, high = (float(np.log(bound)) for bound in _BOUNDS)
    if (probabilities.argmax(axis=1) == actual).all() or slope(low) <= 0.0 or slope(high) >= 0.0:
        return None
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0.0 else (low, middle)
    value = float(np.exp((low + high) / 2))
    return Temperature(value, _interval(probabilities, actual, value))


def _interval(probabilities: Floats, actual: NDArray[np.int64], value: float) -> Interval | None:
    """The middle 95 % of the temperatures of resampled rows.

    The slope of a resample is the sum of its examples' slopes, so that those at a few temperatures
    are one matrix product; the slope is monotone, and linear between neighbours.
    """
    own = _slopes(probabilities, actual, value)
    step = 1e-3
    curved = (own - _slopes(probabilities, actual, value * (1 + step))).sum() / step
    # The deviation of log T, by the sandwich of White 1982, doi:10.2307/1912526.
    spread = _DEVIATIONS * float(np.sqrt(np.square(own).sum())) / max(float(curved), 1e-300)
    low, high = np.log(_BOUNDS)
    middle = np.log(value)
    places = np.linspace(max(low, middle - spread), min(high, middle + spread), _POINTS)
    table = [_slopes(probabilities, actual, float(np.exp(place))) for place in places]
    grid = np.stack(table, axis=1)
    drawn = [_crossings(counts @ grid, places) for counts in resamples(len(actual))]
    return percentile_interval(np.exp(np.concatenate(drawn)))


def _crossings(slopes: Floats, places: Floats) -> Floats:
    """(R,) where each row of (R, P) falling slopes is 0; the end where it is nowhere."""
    last = np.clip((slopes > 0.0).sum(axis=1) - 1, 0, len(places) - 2)
    rows = np.arange(len(slopes))
    before, behind = slopes[rows, last], slopes[rows, last + 1]
    fall = before - behind
    share = np.divide(before, fall, out=np.zeros_like(before), where=fall > 0)
    return places[last] + np.clip(share, 0.0, 1.0) * (places[last + 1] - places[last])


def judge_calibration(
    probabilities: Floats,
    actual: NDArray[np.int64],
    fitting: tuple[Floats, NDArray[np.int64]] | None,
) -> Calibration:
    """What is told of a split's calibration.

    Args:
        probabilities: (N, K).
        actual: (N,) class numbers.
        fitting: those of the validation split, which the temperature is fitted on; None without.
    """
    before = _measures(probabilities, actual)
    if fitting is None:
        return Calibration(BINS, before)
    best, rows = fit_temperature(*fitting), len(fitting[1])
    if best is None:
        return Calibration(BINS, before, FittedTemperature(None, rows))
    after = _measures(cooled(probabilities, best.value), actual)
    one_sided = best.interval is not None and not best.interval.low <= 1.0 <= best.interval.high
    low, high = best.interval or (None, None)
    applied = AppliedTemperature(low, high, after, one_sided and after.log_loss < before.log_loss)
    return Calibration(BINS, before, FittedTemperature(best.value, rows, applied))


def _measures(probabilities: Floats, actual: NDArray[np.int64]) -> CalibrationMeasures:
    p, right = torch.from_numpy(probabilities).double(), torch.from_numpy(actual)
    bins = confidence_bins(p, right)
    rows = zip(bins.counts, bins.confidence, bins.accuracy, strict=True)
    return CalibrationMeasures(
        expected_calibration_error=bins.error,
        log_loss=float(log_losses(p, right).mean()),
        brier=float(brier_scores(p, right).mean()),
        confidence=float(probabilities.max(axis=1).mean()),
        accuracy=float((probabilities.argmax(axis=1) == actual).mean()),
        reliability=tuple(
            ReliabilityBin(k / BINS, (k + 1) / BINS, *row) for k, row in enumerate(rows)
        ),
    )
