"""Residual networks and, for comparison, plain ones of the same depth.

He, Zhang, Ren & Sun 2015, "Deep residual learning for image recognition", arXiv:1512.03385. The
number is that of the layers with weights, projections not counted.
"""

from abc import abstractmethod
from typing import ClassVar, Literal, final

from pydantic import PositiveInt

from nnlab.core.contracts import Shape
from nnlab.models.architecture import ArchitectureConfig
from nnlab.parts.activations.textbook import IdentityConfig
from nnlab.parts.layers.family import LayerConfig
from nnlab.parts.layers.pools import GlobalPoolConfig, MaxPoolConfig
from nnlab.parts.layers.residual import ResidualConfig
from nnlab.parts.layers.weighted import ConvConfig
from nnlab.parts.norms import BatchConfig, Norm


class StagedConfig(ArchitectureConfig, frozen=True):
    """Blocks in stages; each stage halves the image and doubles the channels."""

    blocks: ClassVar[tuple[int, ...]]
    """How many in each stage."""
    begins: ClassVar[Literal["cifar", "imagenet"]]
    """With a 3x3 convolution; or with a 7x7 one and a pool, which leave a sixteenth."""

    norm: Norm = BatchConfig()
    width: PositiveInt
    """Channels of the first stage; 16 for CIFAR and 64 for ImageNet in the paper."""

    @abstractmethod
    def block(self, channels: int, *, stride: int, first: bool) -> tuple[LayerConfig, ...]:
        """A block; `first` of its stage."""

    def layers(self, inputs: Shape) -> tuple[LayerConfig, ...]:
        layers: list[LayerConfig] = [self.conv(self.width)]
        if self.begins == "imagenet":
            pool = MaxPoolConfig(kernel=3, stride=2, padding=1)
            layers = [self.conv(self.width, kernel=7, stride=2), pool]
        for stage, count in enumerate(self.blocks):
            for index in range(count):
                stride = 2 if stage > 0 and index == 0 else 1
                layers += self.block(self.width * 2**stage, stride=stride, first=index == 0)
        return (*layers, GlobalPoolConfig())

    def conv(
        self, channels: int, *, kernel: int = 3, stride: int = 1, last: bool = False
    ) -> ConvConfig:
        """A convolution with its norm, `last` of a block without an activation of its own."""
        return ConvConfig(
            channels=channels,
            kernel=kernel,
            stride=stride,
            padding=kernel // 2,
            # The norm behind it subtracts whatever a bias adds.
            bias=self.norm.kind == "none",
            activation=IdentityConfig() if last else None,
        )


class PlainStagesConfig(StagedConfig, frozen=True):
    """Pairs of 3x3 convolutions and no way around them."""

    def block(self, channels: int, *, stride: int, first: bool) -> tuple[LayerConfig, ...]:
        return (self.conv(channels, stride=stride), self.conv(channels))


class ResidualStagesConfig(StagedConfig, frozen=True):
    """Residual blocks: two 3x3 convolutions, or 1x1, 3x3, 1x1 with four times the channels."""

    bottleneck: ClassVar[bool] = False
    shortcut: Literal["projection", "pad"] = "projection"
    """Where the shape changes: a 1x1 convolution (option B), or zeros as new channels (A)."""
    zero_init: bool = False
    """true: blocks begin as their skip. Goyal et al. 2017, arXiv:1706.02677, section 5.1."""

    def block(self, channels: int, *, stride: int, first: bool) -> tuple[LayerConfig, ...]:
        inner = (self.conv(channels, stride=stride), self.conv(channels, last=True))
        if self.bottleneck:
            # The stride in the 3x3 convolution, as in torchvision; the paper's is in the first.
            inner = (
                self.conv(channels, kernel=1),
                self.conv(channels, stride=stride),
                self.conv(4 * channels, kernel=1, last=True),
            )
        changes = first and (stride > 1 or self.bottleneck)
        pad = changes and self.shortcut == "pad"
        block = ResidualConfig(
            layers=inner, skip="pad" if pad else "auto", zero_init=self.zero_init
        )
        return (block,)


class CifarResNetConfig(ResidualStagesConfig, frozen=True):
    """Section 4.2 of the paper: three stages behind a 3x3 convolution."""

    begins: ClassVar[Literal["cifar", "imagenet"]] = "cifar"
    width: PositiveInt = 16
    shortcut: Literal["projection", "pad"] = "pad"


class CifarPlainConfig(PlainStagesConfig, frozen=True):
    """The plain networks of section 4.2."""

    begins: ClassVar[Literal["cifar", "imagenet"]] = "cifar"
    width: PositiveInt = 16


class ImageNetResNetConfig(ResidualStagesConfig, frozen=True):
    """Table 1 of the paper: four stages behind a 7x7 convolution and a pool."""

    begins: ClassVar[Literal["cifar", "imagenet"]] = "imagenet"
    width: PositiveInt = 64


class ImageNetPlainConfig(PlainStagesConfig, frozen=True):
    """The plain networks of section 3.3."""

    begins: ClassVar[Literal["cifar", "imagenet"]] = "imagenet"
    width: PositiveInt = 64


@final
class ResNet20Config(CifarResNetConfig, frozen=True):
    """ResNet with 20 layers for small images, such as CIFAR's: 269,722 parameters there.

    He et al. 2015, arXiv:1512.03385, section 4.2, n = 3. Images of any size.
    """

    kind: Literal["resnet20"] = "resnet20"
    blocks: ClassVar[tuple[int, ...]] = (3, 3, 3)


@final
class ResNet56Config(CifarResNetConfig, frozen=True):
    """ResNet with 56 layers for small images, such as CIFAR's: 853,018 parameters there.

    He et al. 2015, arXiv:1512.03385, section 4.2, n = 9. Images of any size.
    """

    kind: Literal["resnet56"] = "resnet56"
    blocks: ClassVar[tuple[int, ...]] = (9, 9, 9)


@final
class Plain20Config(CifarPlainConfig, frozen=True):
    """resnet20 without the skips. He et al. 2015, arXiv:1512.03385, section 4.2, n = 3."""

    kind: Literal["plain20"] = "plain20"
    blocks: ClassVar[tuple[int, ...]] = (3, 3, 3)


@final
class Plain56Config(CifarPlainConfig, frozen=True):
    """resnet56 without the skips: it trains worse than plain20.

    He et al. 2015, arXiv:1512.03385, section 4.2, fig. 6.
    """

    kind: Literal["plain56"] = "plain56"
    blocks: ClassVar[tuple[int, ...]] = (9, 9, 9)


@final
class ResNet18Config(ImageNetResNetConfig, frozen=True):
    """ResNet with 18 layers: 11,689,512 parameters for ImageNet's 1000 classes.

    He et al. 2015, arXiv:1512.03385, table 1. Images of any size; 224x224 in the paper.
    """

    kind: Literal["resnet18"] = "resnet18"
    blocks: ClassVar[tuple[int, ...]] = (2, 2, 2, 2)


@final
class ResNet34Config(ImageNetResNetConfig, frozen=True):
    """ResNet with 34 layers: 21,797,672 parameters for ImageNet's 1000 classes.

    He et al. 2015, arXiv:1512.03385, table 1. Images of any size; 224x224 in the paper.
    """

    kind: Literal["resnet34"] = "resnet34"
    blocks: ClassVar[tuple[int, ...]] = (3, 4, 6, 3)


@final
class ResNet50Config(ImageNetResNetConfig, frozen=True):
    """ResNet with 50 layers in bottleneck blocks: 25,557,032 parameters for ImageNet.

    He et al. 2015, arXiv:1512.03385, table 1; blocks halve the image in their 3x3 convolution, as
    torchvision's do ("ResNet v1.5"). Images of any size; 224x224 in the paper.
    """

    kind: Literal["resnet50"] = "resnet50"
    blocks: ClassVar[tuple[int, ...]] = (3, 4, 6, 3)
    bottleneck: ClassVar[bool] = True


@final
class Plain18Config(ImageNetPlainConfig, frozen=True):
    """resnet18 without the skips. He et al. 2015, arXiv:1512.03385, section 4.1."""

    kind: Literal["plain18"] = "plain18"
    blocks: ClassVar[tuple[int, ...]] = (2, 2, 2, 2)


@final
class Plain34Config(ImageNetPlainConfig, frozen=True):
    """resnet34 without the skips: it trains worse than plain18.

    He et al. 2015, arXiv:1512.03385, section 4.1, fig. 4.
    """

    kind: Literal["plain34"] = "plain34"
    blocks: ClassVar[tuple[int, ...]] = (3, 4, 6, 3)


KINDS = (
    ResNet18Config,
    ResNet34Config,
    ResNet50Config,
    Plain18Config,
    Plain34Config,
    ResNet20Config,
    ResNet56Config,
    Plain20Config,
    Plain56Config,
)
