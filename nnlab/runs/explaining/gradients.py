"""Attributions from gradients: saliency, SmoothGrad, integrated gradients, Grad-CAM."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


def input_gradient(network: nn.Module, inputs: Tensor, columns: Tensor) -> Tensor:
    """The gradient of one output of each example by its input.

    Simonyan, Vedaldi & Zisserman 2013, arXiv:1312.6034 (saliency is its absolute value).

    Args:
        network: in evaluation mode, so that an example's output hangs on that example alone.
        inputs: (N, *shape) as the network sees them.
        columns: (N,) int64, the output of each example that is explained.

    Returns:
        (N, *shape).
    """
    seen = inputs.detach().clone().requires_grad_()
    with torch.enable_grad():
        # One backward pass for all: in evaluation mode no example hangs on another.
        chosen = network(seen).gather(1, columns[:, None]).sum()
    return torch.autograd.grad(chosen, seen)[0]


def smooth_gradient(
    network: nn.Module,
    inputs: Tensor,
    columns: Tensor,
    *,
    samples: int = 32,
    noise: float = 0.15,
    seed: int = 0,
) -> Tensor:
    """SmoothGrad: the mean gradient over noisy copies of each input.

    Smilkov et al. 2017, arXiv:1706.03825.

    Args:
        network: in evaluation mode.
        inputs: (N, *shape).
        columns: (N,) int64, the output of each example that is explained.
        samples: copies of each input.
        noise: deviation of the noise, as a share of an input's range (its greatest less its least).
        seed: of the noise, which is the same for every network.

    Returns:
        (N, *shape).
    """
    generator = torch.Generator().manual_seed(seed)
    flat = inputs.flatten(1)
    spread = noise * (flat.amax(dim=1) - flat.amin(dim=1))
    spread = spread.view(-1, *[1] * (inputs.ndim - 1))
    total = torch.zeros_like(inputs)
    for _ in range(samples):
        drawn = torch.randn(inputs.shape, generator=generator, dtype=torch.float64)
        total += input_gradient(network, inputs + spread * drawn.to(inputs), columns)
    return total / samples


class Integrated(NamedTuple):
    """Integrated gradients of N examples."""

    attribution: Tensor
    """(N, *shape), in the unit of the output."""
    gap: Tensor
    """(N,): their sum less the difference of the outputs; 0 if the integral were exact."""
    difference: Tensor
    """(N,): the output at the input less that at the baseline."""

    @property
    def miss(self) -> float:
        """How far the parts are from their sum, as a share of it, at most."""
        return float((self.gap.abs() / self.difference.abs().clamp(min=1e-6)).max())


def integrated_gradients(
    network: nn.Module, inputs: Tensor, columns: Tensor, *, baseline: Tensor, steps: int = 64
) -> Integrated:
    """(input - baseline) times the mean gradient on the straight way between them.

    Sundararajan, Taly & Yan 2017, arXiv:1703.01365, eq. 1, by Gauss-Legendre quadrature. The parts
    add up to the difference of the outputs (completeness); `gap` says how nearly.

    Args:
        network: in evaluation mode.
        inputs: (N, *shape).
        columns: (N,) int64, the output of each example that is explained.
        baseline: broadcastable to inputs: what stands for "nothing is there".
        steps: points of the quadrature.
    """
    places, weights = np.polynomial.legendre.leggauss(steps)
    total = torch.zeros_like(inputs)
    way = inputs - baseline
    for place, weight in zip((places + 1) / 2, weights / 2, strict=True):
        total += weight * input_gradient(network, baseline + place * way, columns)
    attribution = way * total
    with torch.no_grad():
        there = network(inputs).gather(1, columns[:, None])[:, 0]
        nothing = network(baseline.expand_as(inputs)).gather(1, columns[:, None])[:, 0]
    difference = there - nothing
    return Integrated(attribution, attribution.flatten(1).sum(dim=1) - difference, difference)


def grad_cam(network: nn.Module, layer: nn.Module, inputs: Tensor, columns: Tensor) -> Tensor:
    """Grad-CAM: where the channels of a layer that speak for an output are active.

    Selvaraju et al. 2017, arXiv:1610.02391, eq. 1 and 2: relu of the channels, weighted by the mean
    gradient over their places, brought to the size of the image.

    Args:
        network: in evaluation mode.
        layer: one of its modules, with outputs (N, C, h, w): as a rule the last convolution.
        inputs: (N, channels, H, W).
        columns: (N,) int64, the output of each example that is explained.

    Returns:
        (N, H, W), not below 0.
    """
    seen: list[Tensor] = []

    def note(_: nn.Module, __: object, output: Tensor) -> None:
        seen.append(output)

    hook = layer.register_forward_hook(note)
    try:
        with torch.enable_grad():
            # Also where all parameters are frozen there must be something to differentiate by.
            outputs = network(inputs.detach().clone().requires_grad_())
            chosen = outputs.gather(1, columns[:, None]).sum()
        (gradient,) = torch.autograd.grad(chosen, seen[0])
    finally:
        hook.remove()
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    map_ = torch.relu((weights * seen[0].detach()).sum(dim=1, keepdim=True))
    size = inputs.shape[2:]
    return F.interpolate(map_, size=size, mode="bilinear", align_corners=False)[:, 0]
