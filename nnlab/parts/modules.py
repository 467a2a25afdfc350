"""Modules of our own that torch does not have; imported by the `build()` that needs one."""

from typing import final

import torch
from torch import Tensor, nn


@final
class StepActivation(nn.Module):
    """1 for x >= 0, else 0; the gradient is 0 everywhere."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same shape, 0 or 1."""
        # where, not a comparison's cast: the graph stays connected, with gradient 0.
        return torch.where(x >= 0, torch.ones_like(x), torch.zeros_like(x)) + 0.0 * x


@final
class GlobalPool(nn.Module):
    """The mean over height and width: (N, C, H, W) to (N, C).

    A mean, not AdaptiveAvgPool2d, whose gradient has no deterministic CUDA kernel.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C)."""
        return x.mean((2, 3))


@final
class ScaledTanh(nn.Module):
    """scale * tanh(slope * x). LeCun et al. 1998, appendix A."""

    def __init__(self, scale: float, slope: float) -> None:
        super().__init__()
        self._scale = scale
        self._slope = slope

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same shape, between -scale and scale."""
        return self._scale * torch.tanh(self._slope * x)
