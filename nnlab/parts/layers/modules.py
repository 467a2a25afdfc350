"""Modules of layers that torch does not have, or not with a deterministic gradient on CUDA."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@final
class AdaptivePool(nn.Module):
    """The means of size[0] x size[1] windows that cover the image: AdaptiveAvgPool2d by slices.

    torch's own has no deterministic gradient on CUDA.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self._size = size

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, *size)."""
        # A mean over a rectangle is the mean of its rows' means.
        return _binned(_binned(x, 2, self._size[0]), 3, self._size[1])


def _binned(x: Tensor, axis: int, cells: int) -> Tensor:
    """Means along an axis: cell i is [floor(i n / cells), ceil((i + 1) n / cells))."""
    length = x.shape[axis]
    if length == cells:
        return x
    if length % cells == 0:
        return x.unflatten(axis, (cells, length // cells)).mean(axis + 1)
    bounds = [(i * length // cells, -(-(i + 1) * length // cells)) for i in range(cells)]
    return torch.stack([x.narrow(axis, a, b - a).mean(axis) for a, b in bounds], axis)


@final
class PaddedConv(nn.Conv2d):
    """A convolution of an image that goes on behind its edges: by slices, for the same reason."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, channels, H', W')."""
        for axis, width in zip((2, 3), self.padding, strict=True):
            assert isinstance(width, int)
            input = _continued(input, axis, width, self.padding_mode)
        return F.conv2d(input, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def _continued(x: Tensor, axis: int, width: int, mode: str) -> Tensor:
    """The image with `width` more rows before and behind it."""
    length = x.shape[axis]
    if width == 0:
        return x
    if mode == "circular":
        before, behind = x.narrow(axis, length - width, width), x.narrow(axis, 0, width)
    elif mode == "reflect":
        before = x.narrow(axis, 1, width).flip(axis)
        behind = x.narrow(axis, length - 1 - width, width).flip(axis)
    else:
        many = (*x.shape[:axis], width, *x.shape[axis + 1 :])
        before, behind = (x.narrow(axis, edge, 1).expand(many) for edge in (0, length - 1))
    return torch.cat([before, x, behind], axis)


@final
class PaddedSkip(nn.Module):
    """Every stride-th pixel, with channels of zeros behind. He et al. 2015, option A."""

    def __init__(self, stride: tuple[int, int], channels: int) -> None:
        super().__init__()
        self._stride = stride
        self._channels = channels

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C + channels, ceil(H / stride), ...); (N, C) to (N, C + channels)."""
        if x.ndim == 2:
            return F.pad(x, (0, self._channels))
        x = x[:, :, :: self._stride[0], :: self._stride[1]]
        return F.pad(x, (0, 0, 0, 0, 0, self._channels))


@final
class LocalResponseNorm(nn.Module):
    """x / (k + alpha / size * sum of x^2 over neighbouring channels)^beta.

    The same as torch's, whose gradient (of avg_pool3d) is not deterministic on CUDA.
    """

    def __init__(self, size: int, *, alpha: float, beta: float, k: float) -> None:
        super().__init__()
        self._size, self._alpha, self._beta, self._k = size, alpha, beta, k

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        before, channels = self._size // 2, x.shape[1]
        squares = F.pad(x * x, (0, 0, 0, 0, before, self._size - 1 - before))
        total = squares.narrow(1, 0, channels)
        for shift in range(1, self._size):
            total = total + squares.narrow(1, shift, channels)
        return x / (self._k + self._alpha / self._size * total) ** self._beta


@final
class Subsampling(nn.Module):
    """weight * (the sum of each window) + bias, learned for each channel. LeCun et al. 1998."""

    def __init__(self, channels: int, kernel: tuple[int, int]) -> None:
        super().__init__()
        self._kernel = kernel
        self.weight = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Begins as the mean of the window."""
        nn.init.constant_(self.weight, 1.0 / (self._kernel[0] * self._kernel[1]))
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H / kernel, W / kernel)."""
        area = self._kernel[0] * self._kernel[1]
        sums = F.avg_pool2d(x, self._kernel) * area
        return sums * self.weight[:, None, None] + self.bias[:, None, None]


@final
class TableConv(nn.Module):
    """A convolution whose output channels see some of the input channels, by a table.

    Args:
        table: for each output channel, the numbers of the input channels that it sees.
        kernel: height and width of the window.
        bias: whether one is learned for each output channel.
    """

    def __init__(
        self, table: Sequence[Sequence[int]], kernel: tuple[int, int], *, bias: bool
    ) -> None:
        super().__init__()
        self._sizes = [len(row) for row in table]
        self._seen = [channel for row in table for channel in row]
        self.weight = nn.Parameter(torch.zeros(len(self._seen), 1, *kernel))
        self.bias = nn.Parameter(torch.zeros(len(table))) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, len(table), H', W'), windows inside the image alone."""
        maps = x.unbind(1)
        # One channel for each connection, convolved by itself; then the sum of each row.
        seen = torch.stack([maps[channel] for channel in self._seen], 1)
        parts = F.conv2d(seen, self.weight, groups=len(self._seen)).split(self._sizes, 1)
        y = torch.stack([part.sum(1) for part in parts], 1)
        return y if self.bias is None else y + self.bias[:, None, None]
