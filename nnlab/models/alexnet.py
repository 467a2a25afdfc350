"""AlexNet, with which deep networks won the ImageNet challenge of 2012."""

from typing import Literal, final

from nnlab.contracts import Shape
from nnlab.models.architecture import ArchitectureConfig, across
from nnlab.parts.layers.dense import ConvConfig, LinearConfig, Probability
from nnlab.parts.layers.family import LayerConfig
from nnlab.parts.layers.plain import DropoutConfig, FlattenConfig
from nnlab.parts.layers.pools import AdaptivePoolConfig, MaxPoolConfig
from nnlab.parts.norms import NoNormConfig

SMALLEST = 32
LARGE = 64
"""From here on images get the published form; below, 11x11 windows with pools leave nothing."""


def misfit(inputs: Shape) -> str | None:
    """For networks whose five halvings need 32 pixels."""
    if min(inputs[1:]) >= SMALLEST:
        return None
    way = "lenet5 takes 28x28, resnet20 any size"
    return f"needs images of 32x32 or more, gets {across(inputs)} ({way})"


@final
class AlexnetConfig(ArchitectureConfig, frozen=True):
    """AlexNet for images of 32x32 or more: 61,100,840 parameters for 224x224 and 1000 classes.

    Krizhevsky 2014, arXiv:1404.5997: one tower in place of the two of Krizhevsky, Sutskever &
    Hinton 2012, without local response normalization; the channels are torchvision's. Images below
    64x64 get the form that is usual for CIFAR: more padding, 2x2 pools, no dense hidden layers.
    """

    kind: Literal["alexnet"] = "alexnet"
    dropout: Probability = 0.5
    """Of the dense layers."""

    def misfit(self, inputs: Shape) -> str | None:
        return misfit(inputs)

    def layers(self, inputs: Shape) -> tuple[LayerConfig, ...]:
        large = min(inputs[1:]) >= LARGE
        dense_norm = None if self.norm.kind == "none" else NoNormConfig()
        pool = MaxPoolConfig(kernel=3, stride=2) if large else MaxPoolConfig(kernel=2)
        features = (
            ConvConfig(channels=64, kernel=11, stride=4, padding=2 if large else 5),
            pool,
            ConvConfig(channels=192, kernel=5, padding=2),
            pool,
            ConvConfig(channels=384, kernel=3, padding=1),
            ConvConfig(channels=256, kernel=3, padding=1),
            ConvConfig(channels=256, kernel=3, padding=1),
            pool,
        )
        if not large:
            return (*features, FlattenConfig())
        return (
            *features,
            AdaptivePoolConfig(size=6),
            FlattenConfig(),
            DropoutConfig(p=self.dropout),
            LinearConfig(units=4096, norm=dense_norm),
            DropoutConfig(p=self.dropout),
            LinearConfig(units=4096, norm=dense_norm),
        )


KINDS = (AlexnetConfig,)
