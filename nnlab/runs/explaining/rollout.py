"""Attention rollout: what attention carries from each place to where the answer is read."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from nnlab.display.pictures.sequences.attention import attention_rollout
from nnlab.parts.layers.attention_modules import ClassToken, FirstStep, Patches
from nnlab.parts.modules import MeanOverTime
from nnlab.runs.explaining.explainable import Explainable
from nnlab.training.probes.attention import Attending, attention_of


def rollout(network: Explainable, inputs: Tensor) -> Tensor:
    """How much of each place attention carries to where the answer is read.

    Abnar & Zuidema 2020, arXiv:2005.00928, section 3: the product over layers of (A + I) / 2, A the
    mean of the heads. It follows attention alone: no sign, and the same for every class.

    Args:
        network: in evaluation mode; one that `can_roll_out`.
        inputs: (N, T) tokens, (N, T, D) numbers or (N, C, H, W) images.

    Returns:
        (N, T), or (N, H, W) for images, each patch by its pixels; not below 0.
    """
    weights = _weights(network, inputs)
    rows = [_carried(network, [w[n] for w in weights]) for n in range(len(inputs))]
    found = torch.from_numpy(np.stack(rows)).to(weights_dtype(network))
    grid = _grid(network, inputs)
    if grid is None:
        return found
    maps = found.view(-1, 1, *grid)
    return F.interpolate(maps, size=tuple(inputs.shape[2:]), mode="nearest")[:, 0]


def can_roll_out(network: Explainable, inputs: Tensor) -> bool:
    """Whether all attention of a network is between the places of its inputs.

    Args:
        network: in evaluation mode.
        inputs: (N, *shape) of at least one example.
    """
    if not _layers(network):
        return False
    grid = _grid(network, inputs)
    if inputs.ndim == 4 and grid is None:
        return False
    places = inputs.shape[1] if grid is None else grid[0] * grid[1]
    places += _count(network, ClassToken)
    weights = _weights(network, inputs[:1])
    return all(w.shape[2:] == (places, places) for w in weights)


def weights_dtype(network: nn.Module) -> torch.dtype:
    """The precision of a network's parameters."""
    return next(network.parameters()).dtype


def _layers(network: nn.Module) -> list[str]:
    """Names of the layers of attention, from input to output."""
    return [name for name, module in network.named_modules() if isinstance(module, Attending)]


def _count(network: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(module, kind) for module in network.modules())


def _weights(network: Explainable, inputs: Tensor) -> list[NDArray[np.float64]]:
    """(N, H, T, T) of each layer."""
    numbers = network.numbers(inputs)
    found = attention_of(network, _layers(network), lambda: network(numbers))
    return [weights.double().cpu().numpy() for _, weights in found.values()]


def _carried(network: nn.Module, weights: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """(T,) of one example, without the class token: the row of the place that the answer sees."""
    whole = attention_rollout(weights)
    if _count(network, FirstStep):
        row = whole[0]
    else:
        row = whole.mean(axis=0) if _count(network, MeanOverTime) else whole[-1]
    return row[_count(network, ClassToken) :]


def _grid(network: nn.Module, inputs: Tensor) -> tuple[int, int] | None:
    """How many patches an image is high and wide; None of other inputs."""
    patches = [module for module in network.modules() if isinstance(module, Patches)]
    if inputs.ndim != 4 or len(patches) != 1:
        return None
    high, wide = patches[0].weight.shape[2:]
    return inputs.shape[2] // high, inputs.shape[3] // wide
