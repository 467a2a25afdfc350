"""What the kinds build: ordinary torch modules."""

import torch
from torch import Tensor, nn


class Snake(nn.Module):
    """z + sin(frequency z)^2 / frequency, any shape to the same shape."""

    def __init__(self, frequency: float) -> None:
        super().__init__()
        self.frequency = frequency

    def forward(self, z: Tensor) -> Tensor:
        """The formula."""
        return z + torch.sin(self.frequency * z).square() / self.frequency


class LayerScale(nn.Module):
    """(N, units) times one learned number for each unit."""

    def __init__(self, units: int, *, start: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((units,), start))

    def forward(self, x: Tensor) -> Tensor:
        """The product."""
        return x * self.weight
