"""Random numbers that belong to an example: a hash of (seed, row, index), with no state to keep.

What an example draws does not depend on who else is in the batch, on the device, or on what was
drawn before; so a run that is broken off and resumed draws what it would have drawn.
"""

from math import pi

from nnlab.core.lazy import Tensor, torch

# The constants of SplitMix64 (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195; numbers as in
# Java's SplittableRandom), as signed 64-bit numbers: int64 products wrap in torch.
_STRIDE = 0x9E3779B97F4A7C15 - (1 << 64)
_INVERSE = pow(0x9E3779B97F4A7C15, -1, 1 << 64) - (1 << 64)
"""Its product with _STRIDE is 1 in 64 bits."""
_FACTORS = (0xBF58476D1CE4E5B9 - (1 << 64), 0x94D049BB133111EB - (1 << 64))


def _mix(z: "Tensor") -> "Tensor":
    """SplitMix64's finalizer: every bit of the input moves half of the bits of the output."""
    for shift, factor in zip((30, 27), _FACTORS, strict=True):
        z = (z ^ _shifted(z, shift)) * factor
    return z ^ _shifted(z, 31)


def _shifted(z: "Tensor", bits: int) -> "Tensor":
    # torch's >> keeps the sign; the hash is defined with zeros coming in.
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def _row_bits(rows: "Tensor", seed: "int | Tensor", count: int) -> "Tensor":
    """(N, count) int64 of drawn bits: each (seed, row) starts a SplitMix64 stream of its own."""
    start = _mix(_mix(rows + _STRIDE) ^ seed)
    index = torch.arange(1, count + 1, device=rows.device)
    # That is start + index * _STRIDE. A compiled step would write that product as C++ of the loop's
    # own counter, where it overflows: the compiler assumes that what C++ leaves undefined never
    # happens, leaves out the loop's end, and the step writes over other tensors.
    return _mix(((start * _INVERSE)[:, None] + index) * _STRIDE)


def kept_share(p: float) -> float:
    """1 - p as `rows_kept` draws it: a multiple of 2^-16 that is neither 0 nor 1."""
    return 1.0 - _dropped(p) / 65536


def _dropped(p: float) -> int:
    """How many of 65536 draws are dropped."""
    return min(max(round(p * 65536), 1), 65535)


def rows_kept(rows: "Tensor", seed: "int | Tensor", count: int, p: float) -> "Tensor":
    """Which of `count` units each row keeps where a share p is dropped.

    Args:
        rows: (N,) int64 row numbers.
        seed: in [0, 2^63); as a 0-dim tensor a compiled step reads it anew.
        count: how many draws each row takes.
        p: above 0 and below 1, rounded to a multiple of 2^-16: one hash serves four draws.

    Returns:
        (N, count) booleans on the rows' device; nothing waits for the device.
    """
    bits = _row_bits(rows, seed, -(-count // 4))
    fourths = torch.stack([(bits >> shift) & 0xFFFF for shift in (0, 16, 32, 48)], dim=2)
    return fourths.flatten(1)[:, :count] >= _dropped(p)


def uniform_rows(rows: "Tensor", seed: "int | Tensor", count: int) -> "Tensor":
    """Draws from [0, 1): each (seed, row) starts a SplitMix64 stream of its own.

    Args:
        rows: (N,) int64 row numbers.
        seed: in [0, 2^63); as a 0-dim tensor a compiled step reads it anew.
        count: how many draws each row takes.

    Returns:
        (N, count) float32 on the rows' device, multiples of 2^-24; nothing waits for the device.
    """
    bits = _row_bits(rows, seed, count)
    # 24 bits are what float32 holds exactly: no draw is rounded up to 1.
    return _shifted(bits, 40).to(torch.float32) * 2.0**-24


def normal_rows(rows: "Tensor", seed: int, count: int) -> "Tensor":
    """Draws from N(0, 1), by pairs from uniform ones. Box & Muller 1958.

    Args:
        rows: (N,) int64 row numbers.
        seed: in [0, 2^63).
        count: how many draws each row takes.

    Returns:
        (N, count) float32 on the rows' device; at most 5.8 in size.
    """
    pairs = (count + 1) // 2
    first, second = uniform_rows(rows, seed, 2 * pairs).split(pairs, dim=1)
    # 1 - u is in (0, 1], so that the logarithm is finite.
    radius = torch.sqrt(-2.0 * torch.log(1.0 - first))
    angle = 2.0 * pi * second
    return torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)[:, :count]
