"""VGG: 3x3 convolutions, and more of them."""

from typing import ClassVar, Literal, final

from nnlab.contracts import Shape
from nnlab.models.alexnet import LARGE, misfit
from nnlab.models.architecture import ArchitectureConfig
from nnlab.parts.layers.dense import ConvConfig, LinearConfig, Probability
from nnlab.parts.layers.family import LayerConfig
from nnlab.parts.layers.plain import DropoutConfig, FlattenConfig
from nnlab.parts.layers.pools import AdaptivePoolConfig, MaxPoolConfig
from nnlab.parts.norms import NoNormConfig

CHANNELS = (64, 128, 256, 512, 512)


class VggConfig(ArchitectureConfig, frozen=True):
    """The family; `norm` is of the convolutions."""

    convs: ClassVar[tuple[int, ...]]
    """So many convolutions before each of the five pools; table 1 of the paper."""

    dropout: Probability = 0.5
    """Of the dense layers."""

    def misfit(self, inputs: Shape) -> str | None:
        return misfit(inputs)

    def layers(self, inputs: Shape) -> tuple[LayerConfig, ...]:
        features: list[LayerConfig] = []
        for count, channels in zip(self.convs, CHANNELS, strict=True):
            features += [ConvConfig(channels=channels, kernel=3, padding=1)] * count
            features.append(MaxPoolConfig(kernel=2))
        if min(inputs[1:]) < LARGE:
            drop, dense = DropoutConfig(p=self.dropout), self._dense(512)
            return (*features, FlattenConfig(), drop, dense, drop, dense)
        drop, dense = DropoutConfig(p=self.dropout), self._dense(4096)
        return (*features, AdaptivePoolConfig(size=7), FlattenConfig(), dense, drop, dense, drop)

    def _dense(self, units: int) -> LinearConfig:
        return LinearConfig(units=units, norm=None if self.norm.kind == "none" else NoNormConfig())


@final
class Vgg11Config(VggConfig, frozen=True):
    """VGG with 11 layers, for images of 32x32 or more: 132,863,336 parameters for ImageNet.

    Simonyan & Zisserman 2014, arXiv:1409.1556, column A. Images below 64x64 get the form that is
    usual for CIFAR, with 512 units in place of 4096.
    """

    kind: Literal["vgg11"] = "vgg11"
    convs: ClassVar[tuple[int, ...]] = (1, 1, 2, 2, 2)


@final
class Vgg16Config(VggConfig, frozen=True):
    """VGG with 16 layers, for images of 32x32 or more: 138,357,544 parameters for ImageNet.

    Simonyan & Zisserman 2014, arXiv:1409.1556, column D. Images below 64x64 get the form that is
    usual for CIFAR, with 512 units in place of 4096.
    """

    kind: Literal["vgg16"] = "vgg16"
    convs: ClassVar[tuple[int, ...]] = (2, 2, 3, 3, 3)


KINDS = (Vgg11Config, Vgg16Config)
