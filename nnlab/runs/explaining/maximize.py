"""Activation maximization: an input that raises an output as far as it goes."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from nnlab.runs.explaining.gradients import input_gradient


class Sought(NamedTuple):
    """What K outputs look for."""

    inputs: Tensor
    """(K, *shape)."""
    outputs: Tensor
    """(K,): what the network says of them, each its own output."""


def maximize_outputs(
    network: nn.Module, columns: Tensor, *, baseline: Tensor, radius: float, steps: int = 64
) -> Sought:
    """For each output the input, no farther from the baseline than an example, that raises it most.

    Erhan, Bengio, Courville & Vincent 2009, "Visualizing higher-layer features of a deep network",
    section 3.2: gradient ascent under a bound on the norm. Each step goes `radius / 4` along the
    gradient, later ones less far, and back onto the ball; the best input of the way is kept. There
    is no prior that would make it look like an example.

    Args:
        network: in evaluation mode.
        columns: (K,) int64, the outputs.
        baseline: (1, *shape), where the way begins.
        radius: the largest L2 distance from the baseline; that of a usual example.
        steps: of the ascent.
    """
    shape = [-1, *[1] * (baseline.ndim - 1)]
    way = torch.zeros_like(baseline).repeat(len(columns), *shape[1:])
    best, reached = way.clone(), _said(network, baseline + way, columns)
    for step in range(steps):
        gradient = input_gradient(network, baseline + way, columns)
        length = gradient.flatten(1).norm(dim=1).clamp(min=1e-30).view(shape)
        way = way + radius / 4 / (1 + step / 16) * gradient / length
        norm = way.flatten(1).norm(dim=1).view(shape)
        way = way * (radius / norm.clamp(min=1e-30)).clamp(max=1.0)
        said = _said(network, baseline + way, columns)
        better = said > reached
        best = torch.where(better.view(shape), way, best)
        reached = torch.where(better, said, reached)
    return Sought(baseline + best, reached)


def _said(network: nn.Module, inputs: Tensor, columns: Tensor) -> Tensor:
    with torch.no_grad():
        return network(inputs).gather(1, columns[:, None])[:, 0]
