"""Looking at a network without leaving a trace in it."""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def without_side_effects(network: nn.Module) -> Generator[None]:
    """Normalizes by the batch as training does, but draws nothing and keeps all buffers."""
    with kept_modes(network):
        for module in network.modules():
            # Dropout and RReLU draw in training mode.
            norm = isinstance(module, nn.modules.batchnorm._BatchNorm)  # pyright: ignore[reportPrivateUsage]
            # Not by train(), which would reach the modules inside as well.
            module.training = norm and not is_frozen(module)
        with kept_buffers(network):
            yield


@contextmanager
def kept_modes(network: nn.Module) -> Generator[None]:
    """Puts every module back into the mode it was in: some may be frozen in evaluation mode."""
    modes = [(module, module.training) for module in network.modules()]
    try:
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
                # Into the tensor that is there: a recorded step has written down where it lies.
                buffer.copy_(before)


@contextmanager
def kept_generators() -> Generator[None]:
    """Puts torch's default generators back: a module of a user's own may draw in any mode."""
    cpu = torch.get_rng_state()
    # A device that has not drawn yet is not started for it.
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    try:
        yield
    finally:
        torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)


def foreign(network: nn.Module) -> bool:
    """Whether it is a module of a user's own, of which nothing is known."""
    return not type(network).__module__.startswith("nnlab.")


def is_frozen(module: nn.Module) -> bool:
    """Whether a norm is to stay in evaluation mode: who froze its layer has said so."""
    return getattr(module, "frozen", False) is True
