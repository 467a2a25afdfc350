"""The learning-rate range test: the rate grows, the loss says where it still learns.

Smith 2017, "Cyclical Learning Rates for Training Neural Networks", arXiv:1506.01186, section 3.3.
Smoothing, end and the two suggestions are those that fastai made usual: Howard & Gugger 2020,
arXiv:2002.04688.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import inf, isfinite, log
from typing import NamedTuple

from torch import Tensor

from nnlab.training.step import Step

SMOOTHING = 0.98
"""Decay of the running mean of the loss, bias-corrected; fastai's."""
DIVERGED = 4.0
"""Ends where the smoothed loss is this many times its best; fastai's."""
_HEAD, _TAIL = 0.1, 5
"""What suggestions leave out: this share of the points at first, where the running mean is still
one of few, and so many at last, where the loss goes up."""


class RatePoint(NamedTuple):
    """One update of the test."""

    rate: float
    loss: float
    """Of the batch, before the update."""
    smoothed: float


class Sweep(NamedTuple):
    """What a test has seen.

    Attributes:
        points: in the order of their rates.
        diverged_at: the rate that ended it; None if it went through.
    """

    points: tuple[RatePoint, ...]
    diverged_at: float | None


def geometric_rates(start: float, end: float, count: int) -> list[float]:
    """From start to end, each as much larger than the last in proportion."""
    return [start * (end / start) ** (index / (count - 1)) for index in range(count)]


def sweep_rates(step: Step, batches: Iterable[Tensor], growing: Sequence[float]) -> Sweep:
    """One update at each rate, until the loss diverges.

    Args:
        step: of a fresh network; it is trained.
        batches: rows (N,), at least as many as rates.
        growing: the rates.
    """
    points: list[RatePoint] = []
    mean, best = 0.0, inf
    for count, (rate, rows) in enumerate(zip(growing, batches, strict=False), 1):
        step.fill_learning_rate(rate)
        step.update(rows)
        loss = step.read()["loss"]
        if not isfinite(loss):
            return Sweep(tuple(points), rate)
        mean = SMOOTHING * mean + (1.0 - SMOOTHING) * loss
        smoothed = mean / (1.0 - SMOOTHING**count)
        points.append(RatePoint(rate, loss, smoothed))
        best = min(best, smoothed)
        # |best|, because a log-likelihood can be negative.
        if smoothed > best + (DIVERGED - 1.0) * abs(best):
            return Sweep(tuple(points), rate)
    return Sweep(tuple(points), None)


TURNED = 0.1
"""A rise by this share of the whole fall is one: below it is noise of the running mean."""


def turned_up(found: Sweep) -> RatePoint | None:
    """Where the loss was lowest, if it rose again behind it; None if it fell to the end.

    A rise counts from a tenth of what the loss fell before it, or of the lowest loss.
    """
    points = found.points
    lowest = min(points, key=lambda point: point.smoothed)
    first, last = points[0].smoothed, max(p.smoothed for p in points if p.rate >= lowest.rate)
    scale = max(first - lowest.smoothed, abs(lowest.smoothed))
    return lowest if last - lowest.smoothed > TURNED * scale else None


def judged_points(found: Sweep) -> tuple[RatePoint, ...]:
    """The points that suggestions look at."""
    points = found.points
    inner = points[int(_HEAD * len(points)) : len(points) - _TAIL]
    return inner if len(inner) >= 2 else points


def steepest_point(points: Sequence[RatePoint]) -> RatePoint | None:
    """Where the smoothed loss falls fastest over log(rate); None if it never falls."""
    slopes = [
        ((after.smoothed - before.smoothed) / log(after.rate / before.rate), before)
        for before, after in pairwise(points)
    ]
    slope, point = min(slopes, default=(0.0, None))
    return point if slope < 0.0 else None


def valley_point(points: Sequence[RatePoint]) -> RatePoint | None:
    """In the middle of the longest descent; None if there is none.

    A descent is a subsequence of falling losses, the points between may rise: noise does not cut
    it. Half of the way down is far from where learning begins and from where it breaks.
    """
    # How many points the longest descent down to each has.
    lengths: list[int] = []
    for index, point in enumerate(points):
        above = (lengths[i] for i in range(index) if points[i].smoothed > point.smoothed)
        lengths.append(1 + max(above, default=0))
    longest = max(lengths, default=1)
    if longest == 1:
        return None
    end = lengths.index(longest)
    start = max(end - longest, 0)
    third = (end - start) / 3
    return points[start + int(third) + int(third / 2)]
