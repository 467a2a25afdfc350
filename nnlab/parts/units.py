"""Networks that are one unit: a threshold unit that never learns, a point on a surface."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn


@final
class McCullochPitts(nn.Module):
    """1 where w . x reaches the threshold, else 0. Neither is learned."""

    def __init__(self, weights: Sequence[float], threshold: float) -> None:
        super().__init__()
        self._given = (tuple(weights), threshold)
        self.weight = nn.Parameter(torch.empty(1, len(weights)), requires_grad=False)
        self.threshold = nn.Parameter(torch.empty(1), requires_grad=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Puts the given numbers in; a module that was moved off the meta device has none."""
        weights, threshold = self._given
        for index, weight in enumerate(weights):
            self.weight[0, index] = weight
        self.threshold.fill_(threshold)

    def forward(self, x: Tensor) -> Tensor:
        """(N, n) to (N, 1), 0 or 1."""
        return (nn.functional.linear(x, self.weight) >= self.threshold).to(x.dtype)


@final
class PointUnit(nn.Module):
    """A place in the plane: its coordinates are what is learned, whatever comes in."""

    def __init__(self, start: Sequence[float]) -> None:
        super().__init__()
        self._start = tuple(start)
        self.position = nn.Parameter(torch.empty(len(self._start)))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Goes back to the start."""
        for index, coordinate in enumerate(self._start):
            self.position[index] = coordinate

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) to (N, 2): the same place for each example."""
        return self.position.expand(x.shape[0], -1)
