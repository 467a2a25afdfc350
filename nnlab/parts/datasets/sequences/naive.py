"""Forecasts that learn nothing: what a network must beat to be worth its while."""

from nnlab.core.contracts import Windows
from nnlab.core.lazy import Floats, np


def naive_forecasts(windows: Windows, season: int) -> "dict[str, Floats]":
    """The naive forecasts of every window, in the unit of the targets. Hyndman & Koehler 2006.

    Args:
        windows: over a series of numbers.
        season: steps of a season, at least 1.

    Returns:
        "the last value" (N, H): the last target that a window sees, for each of the H steps that
        follow. With a season above 1 also "the value a season ago" (N, H): of each step the target
        one season before, or as many seasons as lead back to what was seen; only where all windows
        have one.
    """
    first = np.arange(windows.examples) * windows.stride
    last = first + windows.length - 1
    targets = windows.targets.astype(np.float64)
    told = (first + windows.offset)[:, None] + np.arange(windows.count)
    places = {"the last value": np.broadcast_to(last[:, None], told.shape)}
    if season > 1:
        ago = told - season * np.maximum(1, -(-(told - last[:, None]) // season))
        if ago.size and ago.min() >= 0:
            places["the value a season ago"] = ago
    base = targets[last][:, None] if windows.relative else 0.0
    return {name: targets[place] - base for name, place in places.items()}
