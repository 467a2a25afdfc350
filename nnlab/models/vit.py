"""`vit`, `vit_tiny` and `vit_b16`: transformers over the patches of an image.

Dosovitskiy et al. 2020, "An image is worth 16x16 words", arXiv:2010.11929. Their class token and
learned positions; the norm first.
"""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Literal, Self, final

from pydantic import PositiveInt

from nnlab.core.contracts import Shape
from nnlab.core.errors import MistakeError
from nnlab.models.transformer import Beginning, Blocks, Depth, TransformerFamily, blocks_of
from nnlab.parts.activations import Activation
from nnlab.parts.activations.smooth import GeluConfig
from nnlab.parts.initializers.scaled import LecunNormalConfig, XavierUniformConfig
from nnlab.parts.layers.attention import (
    ClassTokenConfig,
    FirstConfig,
    PatchesConfig,
    PositionsConfig,
)
from nnlab.parts.layers.family import LayerConfig
from nnlab.parts.layers.norm_layers import LayerNormConfig
from nnlab.parts.layers.plain import DropoutConfig
from nnlab.parts.layers.sequence import MeanTimeConfig
from nnlab.parts.layers.weighted import Pair, Probability


class VitFamily(TransformerFamily, frozen=True):
    """The family of transformers for images."""

    patch: Pair
    """Pixels on a side of a patch, or (height, width); patches cover the image."""
    dropout: Probability = 0.0
    """Of the inputs, of the weights of attention, and of what each half of a block adds."""
    activation: Activation = GeluConfig()
    """Of the hidden layer of each block."""
    pool: Literal["class_token", "mean"] = "class_token"
    """What goes on: a token before the patches that gathers what they are, or their mean."""
    init: Beginning = XavierUniformConfig()
    """Of the maps of the blocks; patches begin as N(0, 1 / pixels)."""

    @property
    @abstractmethod
    def sizes(self) -> tuple[int, int, int]:
        """Width, depth, heads."""

    def layers(self, inputs: Shape) -> tuple[LayerConfig, ...]:
        if len(inputs) != 3:
            text = f"needs images (channels, height, width), gets {inputs}"
            raise MistakeError(("model",), f"({self.kind}): {text} (transformer takes sequences)")
        width, depth, heads = self.sizes
        blocks = Blocks(
            width=width,
            depth=depth,
            heads=heads,
            causal=False,
            positions="none",
            # The papers' code divides by sqrt(variance + 1e-6).
            norm=LayerNormConfig(eps=1e-6),
            norm_first=True,
            feedforward=4,
            activation=self.activation,
            dropout=self.dropout,
            init=self.init,
        )
        last = FirstConfig() if self.pool == "class_token" else MeanTimeConfig()
        return (*self._before(width), *blocks_of(blocks), last)

    def _before(self, width: int) -> Iterator[LayerConfig]:
        """From an image to features of each place."""
        yield PatchesConfig(patch=self.patch, units=width, init=LecunNormalConfig())
        if self.pool == "class_token":
            yield ClassTokenConfig()
        yield PositionsConfig()
        if self.dropout:
            yield DropoutConfig(p=self.dropout)


@final
class VitConfig(VitFamily, frozen=True):
    """A vision transformer of any size: patches of an image as a sequence.

    Dosovitskiy et al. 2020, arXiv:2010.11929.
    """

    kind: Literal["vit"] = "vit"
    patch: Pair = 4
    width: PositiveInt = 64
    """Features of each place."""
    depth: Depth = 4
    """How many blocks."""
    heads: PositiveInt = 4
    """Of attention: so many look at once, each with its part of the features."""

    @classmethod
    def example(cls) -> Self:
        return cls(width=8, depth=1, heads=2)

    @property
    def sizes(self) -> tuple[int, int, int]:
        return self.width, self.depth, self.heads


@final
class VitTinyConfig(VitFamily, frozen=True):
    """ViT-Ti/16, 12 blocks of 192 features: 5,717,416 parameters for 224x224 and 1000 classes.

    Touvron et al. 2020, arXiv:2012.12877, table 1 (DeiT-Ti without distillation). `patch` may be
    changed for smaller images.
    """

    kind: Literal["vit_tiny"] = "vit_tiny"
    patch: Pair = 16

    @property
    def sizes(self) -> tuple[int, int, int]:
        return 192, 12, 3


@final
class VitB16Config(VitFamily, frozen=True):
    """ViT-B/16, 12 blocks of 768 features: 86,567,656 parameters for 224x224 and 1000 classes.

    Dosovitskiy et al. 2020, arXiv:2010.11929, table 1.
    """

    kind: Literal["vit_b16"] = "vit_b16"
    patch: Pair = 16

    @property
    def sizes(self) -> tuple[int, int, int]:
        return 768, 12, 12


KINDS = (VitConfig, VitB16Config, VitTinyConfig)
