"""Two networks on the same examples: is the difference more than chance?"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nnlab.report.intervals import percentiles
from nnlab.report.scores import Scored

EXACT_BELOW = 25
"""With fewer discordant examples the binomial is summed, else chi-squared approximates it."""


ALL_PAIRS = 6


class McNemar(NamedTuple):
    """McNemar 1947, doi:10.1007/BF02295996; Edwards 1948 for the correction.

    Attributes:
        first: examples that the first network alone has right.
        second: likewise the second.
        p: two-sided, for the hypothesis that both are wrong equally often.
        method: exact or chi-squared.
    """

    first: int
    second: int
    p: float
    method: str


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> McNemar:
    """The test of two networks; (N,) whether each is right."""
    only_first = int((first & ~second).sum())
    only_second = int((second & ~first).sum())
    return mcnemar_of(only_first, only_second)


def mcnemar_of(only_first: int, only_second: int) -> McNemar:
    """Likewise from the two counts."""
    total = only_first + only_second
    if total < EXACT_BELOW:
        from scipy.stats import binomtest

        p = float(binomtest(only_first, total, 0.5).pvalue) if total else 1.0
        return McNemar(only_first, only_second, p, "exact")
    from scipy.special import chdtrc

    statistic = (abs(only_first - only_second) - 1) ** 2 / total
    return McNemar(only_first, only_second, float(chdtrc(1, statistic)), "chi-squared")


def holm(values: Sequence[float]) -> list[float]:
    """p-values of M tests at once, made larger. Holm 1979, jstor.org/stable/4615733."""
    adjusted, greatest = [0.0] * len(values), 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        greatest = max(greatest, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = greatest
    return adjusted


def differences(a: Mapping[str, Scored], b: Mapping[str, Scored]) -> dict[str, Any]:
    """A - B of each score that both have, with the interval over shared resamples."""
    found: dict[str, Any] = {}
    for key in (key for key in a if key in b):
        one, two = a[key], b[key]
        shared = min(len(one.draws), len(two.draws))
        interval = percentiles(one.draws[:shared] - two.draws[:shared])
        if one.interval is None or two.interval is None or interval is None:
            interval = (None, None)
        low, high = interval
        found[key] = {"difference": one.value - two.value, "low": low, "high": high}
    return found


def compared(
    names: Sequence[str],
    scores: Sequence[Mapping[str, Scored]],
    right: Sequence[NDArray[np.bool_]] | None,
) -> list[dict[str, Any]]:
    """Every pair of runs: differences of scores, and of classes McNemar's test.

    Of more than `ALL_PAIRS` runs, the first against each other one.

    Args:
        names: of the runs.
        scores: of each, by key.
        right: of each, (N,) whether an example is right; None for a regression.
    """
    found: list[dict[str, Any]] = []
    pairs = [(i, j) for i, j in combinations(range(len(names)), 2)
             if i == 0 or len(names) <= ALL_PAIRS]  # fmt: skip
    for i, j in pairs:
        one: dict[str, Any] = {"first": names[i], "second": names[j]}
        if right is not None:
            test = mcnemar(right[i], right[j])
            one["mcnemar"] = {
                "only_first_right": test.first,
                "only_second_right": test.second,
                "p": test.p,
                "method": test.method,
            }
        one["differences"] = differences(scores[i], scores[j])
        found.append(one)
    if right is not None:
        adjusted = holm([one["mcnemar"]["p"] for one in found])
        for one, p in zip(found, adjusted, strict=True):
            one["mcnemar"]["p_holm"] = p
    return found
