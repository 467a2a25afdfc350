"""LeNet-5, as it is taught today and as it was in 1998.

LeCun, Bottou, Bengio & Haffner 1998, "Gradient-based learning applied to document recognition",
doi:10.1109/5.726791, section II-B.
"""

from typing import ClassVar, Literal, final

from nnlab.core.contracts import Shape
from nnlab.models.architecture import ArchitectureConfig, shape_of_image
from nnlab.parts.activations import Activation
from nnlab.parts.activations.bounded import ScaledTanhConfig
from nnlab.parts.activations.textbook import TanhConfig
from nnlab.parts.layers.family import LayerConfig
from nnlab.parts.layers.historical import SubsamplingConfig, TableConvConfig
from nnlab.parts.layers.plain import DropoutConfig, FlattenConfig
from nnlab.parts.layers.pools import AdaptivePoolConfig, AvgPoolConfig, MaxPoolConfig
from nnlab.parts.layers.weighted import ConvConfig, LinearConfig, Probability
from nnlab.parts.norms import NoNormConfig

# Table I of the paper: the maps of S2 that each map of C3 sees.
C3: tuple[tuple[int, ...], ...] = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5), (0, 1, 2, 3, 4, 5)),
)


def _misfit(inputs: Shape) -> str | None:
    if inputs[1:] in ((28, 28), (32, 32)):
        return None
    way = "resnet20 takes images of any size, cnn and stack any layers"
    return f"needs images of 28x28 or 32x32, gets {shape_of_image(inputs)} ({way})"


def _first(inputs: Shape) -> ConvConfig:
    """The paper's images were 28x28 digits in the middle of 32x32."""
    return ConvConfig(channels=6, kernel=5, padding=2 if inputs[1] == 28 else 0)


@final
class Lenet5Config(ArchitectureConfig, frozen=True):
    """LeNet-5 as it is taught today, for images of 28x28 or 32x32: 61,706 parameters on digits.

    LeCun et al. 1998, with average pooling that learns nothing, plain tanh, a second convolution
    that sees all maps, and the output layer of the loss. Images of 28x28 are padded by 2.
    """

    kind: Literal["lenet5"] = "lenet5"
    activation: Activation = TanhConfig()

    def misfit(self, inputs: Shape) -> str | None:
        return _misfit(inputs)

    def layers(self, inputs: Shape) -> tuple[LayerConfig, ...]:
        return (
            _first(inputs),
            AvgPoolConfig(kernel=2),
            ConvConfig(channels=16, kernel=5),
            AvgPoolConfig(kernel=2),
            FlattenConfig(),
            LinearConfig(units=120),
            LinearConfig(units=84),
        )


@final
class Lenet51998Config(ArchitectureConfig, frozen=True):
    """LeNet-5 of 1998, for images of 28x28 or 32x32: 60,000 parameters before its output layer.

    LeCun et al. 1998: trainable subsampling, 1.7159 tanh(2 x / 3), the table of connections in C3.
    What differs: the paper's output is ten radial units, the squared distances of F6 to fixed
    7x12 pictures of the digits; here it is the loss's own layer. Weights began as
    U(-2.4 / n_in, 2.4 / n_in) and learned by a stochastic diagonal Levenberg-Marquardt method.
    """

    kind: Literal["lenet5_1998"] = "lenet5_1998"
    activation: Activation = ScaledTanhConfig()

    def misfit(self, inputs: Shape) -> str | None:
        return _misfit(inputs)

    def layers(self, inputs: Shape) -> tuple[LayerConfig, ...]:
        return (
            _first(inputs),
            SubsamplingConfig(kernel=2),
            TableConvConfig(table=C3, kernel=5),
            SubsamplingConfig(kernel=2),
            ConvConfig(channels=120, kernel=5),
            FlattenConfig(),
            LinearConfig(units=84),
        )


SMALLEST = 32
LARGE = 64
"""From here on images get the published form; below, 11x11 windows with pools leave nothing."""


def misfit(inputs: Shape) -> str | None:
    """For networks whose five halvings need 32 pixels."""
    if min(inputs[1:]) >= SMALLEST:
        return None
    way = "lenet5 takes 28x28, resnet20 any size"
    return f"needs images of 32x32 or more, gets {shape_of_image(inputs)} ({way})"


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


KINDS = (Lenet5Config, Lenet51998Config, AlexnetConfig, Vgg11Config, Vgg16Config)
