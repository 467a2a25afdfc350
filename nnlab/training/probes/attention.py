"""What a full probe sees of attention: how widely each head looks, and its largest logit.

The kernel that training uses shows no weights; for a probe they are written out.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from nnlab.training.probes.no_trace import without_side_effects


@runtime_checkable
class Attending(Protocol):
    """A layer of attention that keeps what its heads look at, where it is asked to."""

    heads: int
    kept: list[tuple[Tensor, Tensor]] | None
    """Of each call the logits and the weights, (N, H, T, S) both."""


@contextmanager
def weights_kept(layers: Mapping[str, Attending]) -> Generator[None]:
    """Inside, each layer keeps the logits and the weights of its calls."""
    with ExitStack() as stack:
        for layer in layers.values():
            layer.kept = []
            # Whatever is raised: the tensors of a pass would stay in memory, and be added to.
            stack.callback(setattr, layer, "kept", None)
        yield


@torch.no_grad()
def attention_of(
    network: nn.Module, names: list[str], run: Callable[[], object]
) -> dict[str, tuple[Tensor, Tensor]]:
    """The logits and the weights of a pass, (N, H, T, S) both, by layer.

    Args:
        network: what is trained; it is left as it was.
        names: of its layers of attention.
        run: a pass of the network.
    """
    modules = {name: network.get_submodule(name) for name in names}
    layers = {name: each for name, each in modules.items() if isinstance(each, Attending)}
    with without_side_effects(network), weights_kept(layers):
        run()
        return {name: (layer.kept or [])[0] for name, layer in layers.items()}


def probe_attention(
    network: nn.Module, keys: Mapping[str, str], run: Callable[[], object]
) -> dict[str, Tensor]:
    """The readings of attention by key, () each, on the device.

    Args:
        network: what is trained; it is left as it was.
        keys: module name of each layer of attention -> its key in readings.
        run: a pass of the network on a few examples.
    """
    found: dict[str, Tensor] = {}
    for name, (logits, weights) in attention_of(network, list(keys), run).items():
        key = keys[name]
        # What may not be seen has a logit of minus infinity, and a weight of 0.
        found[f"attention_logit/{key}"] = logits.max().float()
        entropies = torch.special.entr(weights.float()).sum(3).mean((0, 2))
        for head, entropy in enumerate(entropies):
            found[f"attention_entropy/{key}.head{head + 1}"] = entropy
    return found
