"""The networks that nnlab and its peers train in `nnlab bench`; each peer builds them."""

from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from torch import nn

INPUTS: tuple[int, int, int] = (1, 28, 28)
CLASSES = 10


class Conv(NamedTuple):
    """A convolution with stride 1, its activation and a 2x2 pool."""

    channels: int
    kernel: int
    padding: int


class Network(NamedTuple):
    """Convolutions, then dense layers, each with the activation; then 10 logits.

    Attributes:
        parameters: weights and biases, which every peer must arrive at.
    """

    activation: Literal["sigmoid", "relu", "tanh"]
    dense: tuple[int, ...]
    parameters: int
    convolutions: tuple[Conv, ...] = ()
    pool: Literal["max", "avg"] = "max"

    def grids(self) -> list[tuple[int, int, int]]:
        """(channels, height, width) of the input and behind each pool."""
        found = [INPUTS]
        for conv in self.convolutions:
            side = (found[-1][1] + 2 * conv.padding - conv.kernel + 1) // 2
            found.append((conv.channels, side, side))
        return found

    def widths(self) -> list[int]:
        """Units that come into each dense layer and out of the last one."""
        channels, height, width = self.grids()[-1]
        return [channels * height * width, *self.dense, CLASSES]


NETWORKS = {
    "mlp16": Network("sigmoid", (16, 16), 13_002),
    "mlp": Network("relu", (256, 128), 235_146),
    # LeCun et al. 1998, as it is taught today: average pools without weights, no radial units.
    "lenet": Network("tanh", (120, 84), 61_706, (Conv(6, 5, 2), Conv(16, 5, 0)), "avg"),
    "cnn": Network("relu", (128,), 421_642, (Conv(32, 3, 1), Conv(64, 3, 1)), "max"),
}


def torch_network(name: str) -> "nn.Sequential":
    """The network of torch's modules, from (N, 1, 28, 28) to logits (N, 10)."""
    from torch import nn

    network = NETWORKS[name]
    activation = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU, "tanh": nn.Tanh}[network.activation]
    pool = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}[network.pool]
    layers: list[nn.Module] = []
    for (channels, _, _), conv in zip(network.grids(), network.convolutions, strict=False):
        layers.append(nn.Conv2d(channels, conv.channels, conv.kernel, padding=conv.padding))
        layers += [activation(), pool(2)]
    layers.append(nn.Flatten())
    widths = network.widths()
    for fan_in, units in pairwise(widths):
        layers += [nn.Linear(fan_in, units), activation()]
    return nn.Sequential(*layers[:-1])
