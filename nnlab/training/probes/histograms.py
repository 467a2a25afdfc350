"""Histograms counted where the numbers are; one copy brings all of them to the host."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

BUCKETS = 30
"""What TensorBoard draws."""
_MOST = 2**20
"""Of a larger tensor about so many numbers are counted, at equal distances."""


@torch.no_grad()
def count_buckets(tensor: Tensor) -> Tensor:
    """(BUCKETS + 2,): smallest, greatest, and how many numbers lie in each bucket between them.

    Nothing waits for the device. Where a number is not finite, neither is one of the first two.
    """
    flat = tensor.detach().flatten()
    flat = flat[:: max(1, flat.numel() // _MOST)].float()
    low, high = flat.aminmax()
    place = (flat - low) / (high - low).clamp(min=torch.finfo(torch.float32).tiny) * BUCKETS
    # What is not a number becomes some integer; the host throws such a histogram away.
    place = place.nan_to_num(0.0, 0.0, 0.0).long().clamp_(0, BUCKETS - 1)
    counts = torch.zeros(BUCKETS, dtype=torch.int32, device=flat.device)
    # Not torch.bincount, which reads the largest place back to know its size, nor torch.histc,
    # which takes its bounds from the host.
    counts.index_add_(0, place, torch.ones_like(place, dtype=torch.int32))
    # Up to 2^21 numbers: float32 holds these counts exactly.
    return torch.cat((low.view(1), high.view(1), counts.float()))


def read_histograms(found: Mapping[str, Tensor]) -> "dict[str, NDArray[np.float64]]":
    """The histograms on the host, by one copy.

    Args:
        found: tag -> what `count_buckets` gave.

    Returns:
        tag -> (k, 3): left edge, right edge, count; without those of numbers that are not finite.
    """
    if not found:
        return {}
    table = torch.stack([*found.values()]).cpu().double().numpy()
    return {
        tag: buckets(row[0], row[1], row[2:])
        for tag, row in zip(found, table, strict=True)
        if np.isfinite(row).all()
    }


def buckets(low: float, high: float, counts: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """(k, 3) for TensorBoard; equal numbers share one bucket of no width."""
    if low == high:
        return np.array([[low, high, counts.sum()]])
    edges = np.linspace(low, high, len(counts) + 1)
    return np.column_stack([edges[:-1], edges[1:], counts])
