"""From float64 to float32 without losing what tells values apart: far from 0 a base is taken off.

float32 has 24 bits: of seconds since 1970 it keeps every 128th. What is stored is then the distance
from a base, and the scale is fitted to the values themselves.
"""

from typing import Any, NamedTuple

from nnlab.core.lazy import NDArray, np

_SAMPLE = 1000
_LEVELS = 1 << 14
"""Half of the values within fewer steps of float32 than this: then they are looked at closely."""

_MERGED = 0.01


class Narrowed(NamedTuple):
    """A table in float32.

    Attributes:
        values: (N, F) float32, the distances from `base`.
        base: (F,) float64, 0 where nothing was taken off; None where that is everywhere.
        merged: column -> how many different values there are, and how many in float32.
    """

    values: "NDArray[np.float32]"
    base: "NDArray[np.float64] | None"
    merged: dict[int, tuple[int, int]]


def narrowed(values: "NDArray[Any]") -> Narrowed:
    """A table of numbers in float32.

    Args:
        values: (N, F) of any numeric type; NaN is a missing value.
    """
    with np.errstate(over="ignore"):  # what becomes infinite is found by the checks
        found = values.astype(np.float32, copy=False)
    if values.dtype.kind not in "iuf" or values.dtype.itemsize < 4 or values.dtype == np.float32:
        return Narrowed(found, None, {})
    bases, merged = np.zeros(values.shape[1]), dict[int, tuple[int, int]]()
    for column in _close_ones(values).tolist():
        exact = values[:, column].astype(np.float64)
        different = _different(exact)
        if _different(found[:, column]) == different:
            continue
        base = _base(exact)
        with np.errstate(over="ignore"):
            apart = (exact - base).astype(np.float32)
        if (left := _different(apart)) > _different(found[:, column]):
            if found is values or not found.flags.writeable:
                found = found.copy()
            found[:, column], bases[column] = apart, base
        if left < different:
            merged[column] = different, left
    return Narrowed(found, bases if bases.any() else None, merged)


def merged_values(values: "NDArray[Any]") -> dict[int, tuple[int, int]]:
    """Columns of (N, K) numbers of which float32 merges values: how many differ, and how many then.

    Only where the values lie close together for their size.
    """
    if values.dtype.kind not in "iuf" or values.dtype.itemsize < 4 or values.dtype == np.float32:
        return {}
    found: dict[int, tuple[int, int]] = {}
    for column in _close_ones(values).tolist():
        exact = values[:, column].astype(np.float64)
        with np.errstate(over="ignore"):
            counts = _different(exact), _different(exact.astype(np.float32))
        if counts[1] < counts[0]:
            found[column] = counts
    return found


def _close_ones(values: "NDArray[Any]") -> "NDArray[np.int64]":
    """Columns whose middle half spans few steps of float32, or of whose values it merges some.

    By a sample of the rows: of a million numbers drawn at random float32 merges a few as well,
    which changes nothing that could be learned.
    """
    sample = values[:: max(1, len(values) // _SAMPLE)].astype(np.float64)
    sample = np.sort(sample, axis=0)  # NaN last
    count = (~np.isnan(sample)).sum(axis=0)
    columns = np.arange(sample.shape[1])
    low, middle, high = (
        sample[np.minimum((count * part).astype(np.int64), len(sample) - 1), columns]
        for part in (0.25, 0.5, 0.75)
    )
    with np.errstate(invalid="ignore", over="ignore"):
        size = np.maximum(np.abs(low), np.abs(high))
        step = np.abs(np.spacing(np.maximum(size, np.abs(middle)).astype(np.float32)))
        close = (count > 1) & ((high - low) < _LEVELS * step.astype(np.float64)) & (size > 0)
        different = (np.diff(sample, axis=0) > 0).sum(axis=0)
        left = (np.diff(sample.astype(np.float32), axis=0) > 0).sum(axis=0)
    return np.flatnonzero(close | (different - left > _MERGED * different))


def _base(exact: "NDArray[np.float64]") -> float:
    """A number in the middle of a column, as few digits as float32 has, or whole."""
    middle = float(np.nanmedian(exact))
    return float(np.rint(middle)) if abs(middle) > 1e6 else float(np.float32(middle))


def _different(values: "NDArray[np.floating[Any]]") -> int:
    """How many different numbers there are."""
    return len(np.unique(values[~np.isnan(values)]))
