"""What a network sees of stored inputs: (inputs - shift) * factor, fitted on training rows."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from nnlab.core.contracts import RowReader, TargetScale
from nnlab.core.errors import DataError
from nnlab.core.lazy import NDArray, np

if TYPE_CHECKING:
    Array = NDArray[Any]

_CHUNK = 1 << 22
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
"""Of red, green, blue from 0 to 1: how torchvision's and most of timm's weights were trained."""


class FittedScale(NamedTuple):
    """What `Examples` keeps; both float32, with one axis for each axis of the inputs."""

    shift: "NDArray[np.float32]"
    factor: "NDArray[np.float32]"


def fit_scale(
    scale: Literal["auto", "none", "unit", "channel", "feature", "center", "imagenet"],
    inputs: "Array | RowReader",
    rows: "NDArray[np.int64]",
    *,
    peak: int,
    by_column: bool,
    over_time: bool = False,
    base: "NDArray[np.float64] | None" = None,
) -> FittedScale:
    """Shift and factor of a scale.

    Args:
        scale: none, unit, channel, feature, or center (the mean of each place of an example
            becomes 0; uint8 is brought to a peak of 1 first).
        inputs: (N, *shape).
        rows: the training rows.
        peak: the largest value that uint8 inputs can have, for unit.
        by_column: whether unit brings each column to 0..1 by itself.
        over_time: inputs are (N, time, columns), of which feature scales each column alike at
            every step.
        base: what was taken off each place of an example before it was stored, (1, *shape): a scale
            that does not fit each place by itself puts it back.
    """
    if base is not None and (scale == "none" or (scale == "unit" and not by_column)):
        assert isinstance(inputs, np.ndarray)
        return _put_back(scale, inputs, rows, base)
    axes = len(inputs.shape)
    if scale == "none":
        return _fitted(np.zeros(1), np.ones(1), axes)
    if scale == "imagenet":
        return _of_imagenet(axes, peak)
    if scale == "channel":
        mean, deviation = _channels(inputs, rows)
        return _fitted(mean, _inverse(deviation, mean), axes, axis=1)
    if scale == "feature":
        assert isinstance(inputs, np.ndarray)
        return _by_feature(inputs, rows, over_time=over_time)
    if scale == "center":
        mean = _moments(inputs, rows, axis=(0,))[0].reshape(inputs.shape[1:])
        numbers = isinstance(inputs, np.ndarray) and inputs.dtype != np.uint8
        factor = np.full(mean.shape, 1.0 if numbers else 1.0 / peak)
        return _fitted(mean, factor, axes, axis=None)
    if not isinstance(inputs, np.ndarray) or inputs.dtype == np.uint8:
        return _fitted(np.zeros(1), np.array([1.0 / peak]), axes)
    low, high = _range(inputs, rows)
    if not by_column:
        low, high = low.min(keepdims=True).ravel(), high.max(keepdims=True).ravel()
        return _fitted(low, _inverse(high - low, low), axes)
    return _fitted(low, _inverse(high - low, low), axes, axis=None)


def _of_imagenet(axes: int, peak: int) -> FittedScale:
    mean, deviation = np.array(IMAGENET_MEAN), np.array(IMAGENET_DEVIATION)
    return _fitted(mean * peak, 1.0 / (deviation * peak), axes, axis=1)


def _by_feature(inputs: "Array", rows: "NDArray[np.int64]", *, over_time: bool) -> FittedScale:
    """Mean 0 and deviation 1 of each place of an example, or of each column over all steps."""
    if over_time:
        mean, deviation = _moments(inputs, rows, axis=(0, 1))
        return _fitted(mean, _inverse(deviation, mean), inputs.ndim, axis=2)
    found = _moments(inputs, rows, axis=(0,))
    mean, deviation = (part.reshape(inputs.shape[1:]) for part in found)
    return _fitted(mean, _inverse(deviation, mean), inputs.ndim, axis=None)


def _put_back(
    scale: str, inputs: "Array", rows: "NDArray[np.int64]", base: "NDArray[np.float64]"
) -> FittedScale:
    """What the network sees of inputs whose places have no scale of their own."""
    shift, factor = -base, np.ones_like(base)
    if scale == "unit":
        low, high = _range(inputs, rows)
        lowest, highest = (low + base[0]).min(), (high + base[0]).max()
        shift, factor = lowest - base, np.full_like(base, _inverse(highest - lowest, lowest))
    return FittedScale(shift.astype(np.float32), factor.astype(np.float32))


def target_scale(targets: "Array", rows: "NDArray[np.int64]") -> TargetScale:
    """Mean and population deviation of each target column over the training rows.

    Args:
        targets: (N, K).
        rows: the training rows.
    """
    mean, deviation = _moments(targets, rows, axis=(0,))
    spread = 1.0 / _inverse(deviation, mean)
    return TargetScale(tuple(mean.tolist()), tuple(spread.tolist()))


def missing_fill(
    inputs: "Array", rows: "NDArray[np.int64]", columns: Sequence[str]
) -> "NDArray[np.float32]":
    """(F,) what stands where a value is missing (NaN): the mean of the training rows.

    Raises:
        DataError: a column has no value at all in the training rows.
    """
    train = inputs[rows].astype(np.float64)
    known = ~np.isnan(train)
    count = known.sum(axis=0)
    if (count == 0).any():
        name = columns[int(np.argmin(count))]
        raise DataError(
            f"data: column {name!r} has no value in the training rows (columns: {{drop: [{name}]}})"
        )
    mean = np.where(known, train, 0.0).sum(axis=0) / count
    return mean.astype(np.float32)


def _fitted(shift: "Array", factor: "Array", axes: int, *, axis: int | None = 1) -> FittedScale:
    """Gives both the axes of the inputs; `axis` is where their one axis belongs, None for all."""
    if axis is None:
        shape = (1, *shift.shape)
    else:
        shape = tuple(-1 if i == axis else 1 for i in range(axes))
    return FittedScale(
        shift.reshape(shape).astype(np.float32), factor.reshape(shape).astype(np.float32)
    )


def _inverse(spread: "Array", centre: "Array") -> "Array":
    """1 / spread, but 1 where a column is constant up to the rounding of float32."""
    floor = np.finfo(np.float32).eps * np.abs(centre)
    return 1.0 / np.where(spread > floor, spread, 1.0)


def _chunks(inputs: "Array | RowReader", rows: "NDArray[np.int64]") -> "Iterator[Array]":
    """The rows piece by piece, in stored order."""
    rows = np.sort(rows)
    step = max(1, _CHUNK // int(np.prod(inputs.shape[1:])))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        if isinstance(inputs, np.ndarray):
            yield inputs[part]
        else:
            yield np.stack([inputs.read(int(row)) for row in part])


def _channels(inputs: "Array | RowReader", rows: "NDArray[np.int64]") -> "tuple[Array, Array]":
    """Mean and deviation of each channel; of uint8 images exactly, by counting the 256 values."""
    if isinstance(inputs, np.ndarray) and inputs.dtype != np.uint8:
        return _moments(inputs, rows, axis=(0, *range(2, inputs.ndim)))
    channels = inputs.shape[1]
    counts = np.zeros((channels, 256), np.int64)
    for part in _chunks(inputs, rows):
        for channel in range(channels):
            counts[channel] += np.bincount(part[:, channel].ravel(), minlength=256)
    values = np.arange(256.0)
    total = counts.sum(axis=1)
    mean = counts @ values / total
    return mean, np.sqrt((counts * (values - mean[:, None]) ** 2).sum(axis=1) / total)


def _moments(
    inputs: "Array | RowReader", rows: "NDArray[np.int64]", *, axis: tuple[int, ...]
) -> "tuple[Array, Array]":
    """Mean and population deviation over some axes, flat.

    In float64 and in two passes, so that nothing cancels.
    """
    kept = tuple(1 if i in axis else n for i, n in enumerate(inputs.shape))
    count, total, squares = 0, np.zeros(kept), np.zeros(kept)
    for part in _chunks(inputs, rows):
        total += part.sum(axis=axis, dtype=np.float64, keepdims=True)
        count += part.size
    count //= total.size
    mean = total / count
    for part in _chunks(inputs, rows):
        squares += np.square(part - mean).sum(axis=axis, keepdims=True)
    return mean.ravel(), np.sqrt(squares / count).ravel()


def _range(inputs: "Array", rows: "NDArray[np.int64]") -> "tuple[Array, Array]":
    """Smallest and largest value at each place of an example."""
    low = np.full(inputs.shape[1:], np.inf)
    high = -low
    for part in _chunks(inputs, rows):
        low, high = np.minimum(low, part.min(axis=0)), np.maximum(high, part.max(axis=0))
    return low, high
