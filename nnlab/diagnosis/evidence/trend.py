"""Whether the training loss falls: the slope of its readings, beside what chance does to them."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple

from nnlab.diagnosis.evidence.history import History
from nnlab.diagnosis.evidence.luck import LUCK

LEAST = 0.005
"""A fall by a smaller share of the loss from one third of the readings to the next is rest."""


class Trend(NamedTuple):
    """The training loss of the middle third of the readings, and of the last."""

    before: float
    after: float
    error: float
    """The standard error of their difference."""

    @property
    def drop(self) -> float:
        """By how much it fell; negative where it rose."""
        return self.before - self.after

    @property
    def level(self) -> bool:
        """No sign that it falls: not even by the standard error."""
        return self.drop <= self.error

    @property
    def rests(self) -> bool:
        """It has next to stopped: whatever fall there is may be chance, or is below one percent."""
        return self.drop <= max(1.5 * self.error, 2.0 * LEAST * abs(self.before))

    @property
    def falls(self) -> bool:
        """By more than chance, and by more than half a percent."""
        return self.drop > max(LUCK * self.error, LEAST * abs(self.before))


def loss_trend(history: History) -> Trend | None:
    """The trend so far; None before there are six readings."""
    return _trend_of([value for _, value in history.curve("loss")])


def _trend_of(losses: Sequence[float]) -> Trend | None:
    third = len(losses) // 3
    if third < 2:
        return None
    before, after = losses[-2 * third : -third], losses[-third:]
    noise = _noise(losses[-2 * third :])
    return Trend(fmean(before), fmean(after), (2.0 * noise / third) ** 0.5)


def _noise(values: Sequence[float]) -> float:
    """The variance around the course of the values, from neighbours alone: a slope is no noise.

    von Neumann 1941, "Distribution of the ratio of the mean square successive difference to the
    variance", doi:10.1214/aoms/1177731677.
    """
    return fmean([(b - a) ** 2 for a, b in pairwise(values)] or [0.0]) / 2.0


def falls_from_the_start(history: History) -> bool:
    """Whether the loss falls, in training or at each reading of validation, from where it began.

    It was never far above its first reading then.

    So do losses of rare classes: from that of outputs 0, above a blind guess's, down past it. A
    rate that is too high throws the loss up first.
    """
    trend, losses = loss_trend(history), [value for _, value in history.curve("loss")]
    first = history.train[0].values.get("loss") if history.train else None
    # Single batches are worse than the first one by luck, few of them and not by much.
    if trend is None or first is None or max(losses) > 3.0 * first:
        return False
    if sorted(losses)[9 * len(losses) // 10] > 1.2 * first:
        return False
    return trend.falls or _validation_falls(history)


def falls_since(history: History, step: int) -> bool:
    """Whether the training loss is lower at the end than about this step, by more than chance.

    The last tenth of the readings, three at least, beside as many up to the step. Losses that a
    rate which is too high throws to and fro are lower at one moment than at another by luck.
    """
    curve = history.curve("loss")
    count = max(3, len(curve) // 10)
    then = [value for at, value in curve if at <= step][-count:] or [curve[0][1]]
    now = [value for _, value in curve[-count:]]
    noise = _noise([value for at, value in curve if at > step])
    error = (noise * (1.0 / len(then) + 1.0 / len(now))) ** 0.5
    return fmean(then) - fmean(now) > LUCK * error


def comes_to_rest(history: History) -> bool:
    """Whether the loss has next to stopped falling, in training and at readings of validation."""
    trend = loss_trend(history)
    return trend is not None and trend.rests and not _validation_falls(history)


def _validation_falls(history: History) -> bool:
    """At each of the last three readings; always the same rows, so that no batch is luckier.

    A loss that only wavers falls three times in a row at one in twenty readings: where there are
    enough of them, the last third must lie below the third before as well.
    """
    found = [point.values.get("loss") for point in history.validation]
    losses = [value for value in found if value is not None]
    last, trend = losses[-4:], _trend_of(losses)
    if len(last) < 4 or any(b >= a for a, b in pairwise(last)):
        return False
    return trend is None or not trend.level
