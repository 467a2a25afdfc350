"""95 % intervals: Wilson's for a share of examples, the percentile bootstrap for all else.

A resample is a row of counts: how often each example was drawn. A statistic is a function of such
rows, so that a thousand resamples are a few matrix products.
"""

from collections.abc import Callable, Iterator, Mapping
from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nnlab.core.seeds import seed_for

Floats = NDArray[np.floating]
Statistic = Callable[[Floats], Floats]
"""(C, N) counts to (C,) values."""

CONFIDENCE = 0.95
RESAMPLES = 1000
_CHUNK = 2_000_000
"""About how many counts are held at once: 16 MB."""
_DEFINED = 0.95
"""An interval needs the statistic to be defined in this share of the resamples."""


class Interval(NamedTuple):
    """From low to high."""

    low: float
    high: float


def wilson_interval(hits: float, examples: int) -> Interval:
    """The score interval of a share. Wilson 1927, doi:10.1080/01621459.1927.10502953."""
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share = hits / examples
    middle = share + z * z / (2 * examples)
    half = z * sqrt(share * (1 - share) / examples + z * z / (4 * examples**2))
    low, high = ((middle + sign * half) / (1 + z * z / examples) for sign in (-1, 1))
    return Interval(max(0.0, float(low)), min(1.0, float(high)))


def resamples(examples: int, *, count: int = RESAMPLES) -> Iterator[Floats]:
    """Chunks (C, N) of counts that sum to N in each row; the same for the same N, on any machine.

    float32 holds them and their sums exactly (up to 2^24 examples).

    Two networks that answer the same examples are therefore resampled in pairs.
    """
    draw = np.random.Generator(np.random.PCG64(seed_for(0, "bootstrap")))
    size = max(1, min(count, _CHUNK // examples))
    for first in range(0, count, size):
        rows = min(size, count - first)
        drawn = draw.integers(0, examples, (rows, examples))
        drawn += np.arange(rows)[:, None] * examples
        counts = np.bincount(drawn.ravel(), minlength=rows * examples)
        # Column by column in memory: orders of examples are then taken in whole rows.
        yield counts.reshape(rows, examples).astype(np.float32, order="F")


def bootstrap_statistics(
    statistics: Mapping[str, Statistic], examples: int, *, count: int = RESAMPLES
) -> dict[str, Floats]:
    """Each statistic in every resample, (count,). Efron 1979, doi:10.1214/aos/1176344552."""
    found: dict[str, list[Floats]] = {key: [] for key in statistics}
    for counts in resamples(examples, count=count) if statistics else ():
        for key, statistic in statistics.items():
            found[key].append(statistic(counts))
    return {key: np.concatenate(parts) for key, parts in found.items()}


def percentile_interval(drawn: Floats) -> Interval | None:
    """The middle 95 % of resampled values; None where too many are not defined."""
    known = drawn[np.isfinite(drawn)]
    if len(known) < _DEFINED * len(drawn):
        return None
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(known, [tail, 100 - tail])
    return Interval(float(low), float(high))


def roc_auc(ranked_by: Floats, actual: NDArray[np.bool_]) -> Statistic:
    """The area under the ROC curve of an order, in each resample; equal values count half.

    Args:
        ranked_by: (N,) what the examples are ordered by.
        actual: (N,) which of them are of the class.
    """
    order = np.argsort(ranked_by, kind="stable")
    level = ranked_by[order]
    found = actual[order]
    first = np.searchsorted(level, level[found], side="left")
    last = np.searchsorted(level, level[found], side="right")
    tied = bool(
        (
            np.searchsorted(level[~found], level[found], side="left")
            != np.searchsorted(level[~found], level[found], side="right")
        ).any()
    )

    def statistic(counts: Floats) -> Floats:
        drawn = counts.T[order]
        inside = drawn[found]
        drawn[found] = 0.0
        others = _added(drawn)
        below = (others[first] + others[last]) / 2 if tied else others[first]
        pairs = inside.sum(axis=0, dtype=np.float64) * others[-1]
        return _ratio((inside * below).sum(axis=0, dtype=np.float64), pairs)

    return statistic


def average_precision(ranked_by: Floats, actual: NDArray[np.bool_]) -> Statistic:
    """The mean of the precision at each example of the class."""
    order = np.argsort(-ranked_by, kind="stable")
    level = -ranked_by[order]
    found = actual[order]
    last = np.searchsorted(level, level[found], side="right")
    place = np.searchsorted(level[found], level[found], side="right")

    def statistic(counts: Floats) -> Floats:
        drawn = counts.T[order]
        inside = drawn[found]
        hits = _added(inside)[place]
        seen = _added(drawn)[last]
        # Before the first drawn example nothing is seen, and nothing is inside.
        precision = hits / np.maximum(seen, 1.0)
        total = inside.sum(axis=0, dtype=np.float64)
        return _ratio((inside * precision).sum(axis=0, dtype=np.float64), total)

    return statistic


def mean_of(statistics: list[Statistic]) -> Statistic:
    """The mean of several, of those that are defined in a resample."""

    def statistic(counts: Floats) -> Floats:
        values = np.stack([one(counts) for one in statistics])
        known = np.isfinite(values)
        return _ratio(np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0).astype(float))

    return statistic


def _added(counts: Floats) -> Floats:
    """(N + 1, C): how many come before each place."""
    sums = np.zeros((len(counts) + 1, counts.shape[1]), counts.dtype)
    np.cumsum(counts, axis=0, out=sums[1:])
    return sums


def _ratio(part: Floats, whole: Floats) -> Floats:
    """NaN where there is nothing to divide by."""
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
