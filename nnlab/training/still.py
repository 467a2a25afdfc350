"""Looking at a network without leaving a trace in it."""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def still(network: nn.Module) -> Generator[None]:
    """Normalizes by the batch as training does, but draws nothing and keeps all buffers."""
    modes = [(module, module.training) for module in network.modules()]
    for module, _ in modes:
        # Dropout and RReLU draw in training mode.
        module.training = isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
    try:
        with kept_buffers(network):
            yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def kept_buffers(network: nn.Module) -> Generator[None]:
    """Puts running statistics back to what they were."""
    buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)


@contextmanager
def evaluating(network: nn.Module) -> Generator[None]:
    """As evaluation sees it: running statistics, no dropout, no gradients.

    Afterwards each module is in the mode that it was in. No buffer changes.
    """
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training
