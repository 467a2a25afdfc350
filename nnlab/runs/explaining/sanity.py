"""Whether an attribution sees the weights: it must change when they are replaced by random ones."""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class Rank(NamedTuple):
    """How alike attributions are after a layer and all behind it have random weights.

    Attributes:
        layer: the first layer, from the input on, with random weights.
        correlation: Spearman's, of the sizes of the attributions, mean over the examples whose
            two maps are not the same everywhere; NaN where there is none.
    """

    layer: str
    correlation: float


def randomized_ranks(
    network: Network,
    fresh: nn.Module,
    layers: Sequence[str],
    attribute: Callable[[Network], Tensor],
    *,
    by_layer: bool = True,
) -> list[Rank]:
    """The cascading randomization of Adebayo et al. 2018, arXiv:1810.03292, section 3.

    Args:
        network: trained.
        fresh: the same network with first weights of another seed.
        layers: names of the layers with parameters, from input to output.
        attribute: the method that is tested: (N, ...) of the same inputs and outputs.
        by_layer: whether each step of the cascade is told, or its last alone: all weights random.

    Returns:
        One for each layer, from the output to the input.
    """
    trained = attribute(network).abs().flatten(1)
    told = layers if by_layer else layers[:1]
    return [
        Rank(layer, _spearman(trained, attribute(partly).abs().flatten(1)))
        for layer, partly in _cascade(network, fresh, layers)
        if layer in told
    ]


def _cascade(
    network: Network, fresh: nn.Module, layers: Sequence[str]
) -> Iterator[tuple[str, Network]]:
    """Copies of the network, more and more of it random, from the output on."""
    # A copy that becomes more and more random; the network itself stays as it is.
    partly = deepcopy(network)
    drawn = fresh.state_dict()
    for layer in reversed(layers):
        with torch.no_grad():
            for name, value in partly.named_parameters():
                if name.startswith(f"{layer}."):
                    value.copy_(drawn[name])
        yield layer, partly


def _spearman(a: Tensor, b: Tensor) -> float:
    """Mean over the rows of their rank correlation, of (N, M) each; equal values share a rank."""
    from scipy.stats import rankdata

    ranks = [torch.from_numpy(rankdata(part.double().numpy(), axis=1)) for part in (a, b)]
    x, y = (part - part.mean(dim=1, keepdim=True) for part in ranks)
    # An example whose map is the same everywhere has no order: 0 / 0, left out of the mean.
    return float(((x * y).sum(dim=1) / (x.norm(dim=1) * y.norm(dim=1))).nanmean())
