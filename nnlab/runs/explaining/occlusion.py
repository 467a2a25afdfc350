"""Attributions without gradients: what is lost when a part of the input is covered."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn


@torch.no_grad()
def occlusion(
    network: nn.Module, inputs: Tensor, columns: Tensor, *, baseline: Tensor, window: int = 1
) -> Tensor:
    """How far an output falls when a window of the input is replaced by the baseline.

    Zeiler & Fergus 2014, arXiv:1311.2901, section 4.2. Windows overlap by half; a number that
    several windows cover gets the mean of their falls.

    Args:
        network: in evaluation mode.
        inputs: (N, F), covered column by column, (N, T, D), covered step by step, or (N, C, H, W),
            covered over all channels.
        columns: (N,) int64, the output of each example that is explained.
        baseline: broadcastable to inputs: what covers.
        window: side of the square that covers an image, in pixels.

    Returns:
        (N, *shape).
    """
    whole = network(inputs).gather(1, columns[:, None])[:, 0]
    total, count = torch.zeros_like(inputs), torch.zeros_like(inputs[:1])
    cover = baseline.expand_as(inputs)
    for place in _windows(inputs.shape[1:], window):
        covered = inputs.clone()
        covered[place] = cover[place]
        fall = whole - network(covered).gather(1, columns[:, None])[:, 0]
        total[place] += fall.view(-1, *[1] * (inputs.ndim - 1))
        count[place] += 1
    return total / count


def _windows(shape: torch.Size, window: int) -> Iterator[tuple[slice, ...]]:
    """Places that together cover everything."""
    every = slice(None)
    if len(shape) < 3:
        for column in range(shape[0]):
            yield every, slice(column, column + 1)
        return
    stride = max(window // 2, 1)
    height, width = shape[-2:]
    for top in _starts(height, window, stride):
        for left in _starts(width, window, stride):
            yield (every, every, slice(top, top + window), slice(left, left + window))


def _starts(length: int, window: int, stride: int) -> list[int]:
    last = max(length - window, 0)
    return sorted({*range(0, last, stride), last})
