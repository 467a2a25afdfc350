"""What a few wall times say: median and spread, ratios, and the steady state behind the start."""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple


class Spread(NamedTuple):
    """Of a handful of measurements; their order does not matter."""

    median: float
    least: float
    most: float

    def plain(self) -> dict[str, float]:
        """For JSON."""
        return {"median": self.median, "min": self.least, "max": self.most}


def spread_of(values: Sequence[float]) -> Spread:
    """Median, least and greatest of at least one value."""
    return Spread(median(values), min(values), max(values))


def ratio_of(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """How ours compare with theirs, below 1 where ours are less.

    Args:
        ours: R values, each measured beside the one of theirs at the same place.
        theirs: R values, each beside ours at the same place.

    Returns:
        The ratio of the medians; least and greatest of the R ratios within a turn.
    """
    turns = [a / b for a, b in zip(ours, theirs, strict=True)]
    return Spread(median(ours) / median(theirs), min(turns), max(turns))


def seconds_per_step(long: float, short: float, *, steps: int) -> float | None:
    """Seconds per step once a program runs: whatever both runs do once is in neither.

    Args:
        long: seconds of the longer run, from its process's start to its end.
        short: seconds of the shorter run.
        steps: by which it is longer.

    Returns:
        None where the difference is lost in the noise.
    """
    return (long - short) / steps if long > short and steps > 0 else None
