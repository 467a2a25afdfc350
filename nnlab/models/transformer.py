"""`transformer` and `gpt2`: attention over a sequence of tokens or numbers, block by block.

A block is two residual lists, so that what is known of residual blocks (probes, gradients by depth,
the doctor, pictures) holds of it. `blocks_of` is shared with the networks for images.
"""

from abc import abstractmethod
from collections.abc import Iterator
from math import sqrt
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, Self, final

from pydantic import Field, PositiveInt

from nnlab.core.contracts import DataShape, Shape, TokenShape
from nnlab.core.errors import MistakeError
from nnlab.core.kinds import Forms, Menu
from nnlab.models.family import ModelConfig
from nnlab.parts.activations import Activation
from nnlab.parts.activations.smooth import GeluConfig
from nnlab.parts.initializers import Initializer
from nnlab.parts.initializers.family import InitializerConfig
from nnlab.parts.initializers.plain import NormalConfig
from nnlab.parts.layers.attention import AttentionConfig, PositionsConfig, SwigluConfig
from nnlab.parts.layers.family import LayerConfig, Placed, name_layers
from nnlab.parts.layers.norm_layers import LayerNormConfig, RmsNormConfig
from nnlab.parts.layers.plain import DropoutConfig
from nnlab.parts.layers.residual import ResidualConfig
from nnlab.parts.layers.sequence import EmbeddingConfig, LastConfig, MeanTimeConfig
from nnlab.parts.layers.weighted import LinearConfig, Probability
from nnlab.parts.norms import LayerwiseConfig, NoNormConfig, Norm, RmsConfig

if TYPE_CHECKING:
    from nnlab.models.stack import StackConfig

Depth = Annotated[int, Field(ge=1, le=1000)]
FeedForward = Annotated[PositiveInt | Annotated[SwigluConfig, Menu()], Forms()]
Beginning = Annotated[Literal["gpt2"] | Initializer, Forms()]


class Blocks(NamedTuple):
    """What the blocks of a transformer have in common."""

    width: int
    depth: int
    heads: int
    causal: bool
    positions: Literal["none", "rotary", "alibi"]
    norm: LayerConfig | None
    norm_first: bool
    feedforward: int | SwigluConfig
    activation: Activation
    dropout: float
    init: InitializerConfig | str

    def first_weights(self) -> tuple[InitializerConfig, InitializerConfig]:
        """How the maps of a block begin, and those that end in its sum.

        Every block adds twice to what goes around it: at the ends' 1 / sqrt(2 depth) the sum stays
        of the size of one. Radford et al. 2019, "Language models are unsupervised multitask
        learners", section 2.3.
        """
        if isinstance(self.init, InitializerConfig):
            return self.init, self.init
        return NormalConfig(std=STD), NormalConfig(std=STD / sqrt(2.0 * self.depth))


STD = 0.02
"""Of the first weights of GPT and GPT-2. Radford et al. 2018, section 4.1."""


def blocks_of(blocks: Blocks) -> tuple[LayerConfig, ...]:
    """The layers of all blocks; where the norm comes first, one more stands behind the last."""
    init, end = blocks.first_weights()
    attention = AttentionConfig(
        heads=blocks.heads,
        causal=blocks.causal,
        positions=blocks.positions,
        dropout=blocks.dropout,
        init=init,
        out_init=end,
    )
    halves = ((attention, *_dropped(blocks)), _feedforward(blocks, init, end))
    norm = () if blocks.norm is None else (blocks.norm,)
    found: list[LayerConfig] = []
    for _ in range(blocks.depth):
        for half in halves:
            if blocks.norm_first:
                found.append(ResidualConfig(layers=(*norm, *half)))
            else:
                found += [ResidualConfig(layers=half), *norm]
    return (*found, *norm) if blocks.norm_first else tuple(found)


def norm_layer(norm: Norm) -> LayerConfig | None:
    """A norm as the layer of a sequence; None for none.

    Raises:
        MistakeError: if it is not one of each place by itself.
    """
    if isinstance(norm, LayerwiseConfig):
        return LayerNormConfig(eps=norm.eps)
    if isinstance(norm, RmsConfig):
        return RmsNormConfig(eps=norm.eps)
    if isinstance(norm, NoNormConfig):
        return None
    text = f"{norm.kind} norm mixes the places of a sequence (use layer or rms)"
    raise MistakeError(("model", "norm"), text)


def _dropped(blocks: Blocks) -> tuple[LayerConfig, ...]:
    return (DropoutConfig(p=blocks.dropout),) if blocks.dropout else ()


def _feedforward(
    blocks: Blocks, init: InitializerConfig, end: InitializerConfig
) -> tuple[LayerConfig, ...]:
    if isinstance(blocks.feedforward, SwigluConfig):
        layer = blocks.feedforward.model_copy(update={"init": init, "out_init": end})
        return (layer, *_dropped(blocks))
    units = blocks.feedforward * blocks.width
    return (
        LinearConfig(units=units, activation=blocks.activation, init=init),
        LinearConfig(units=blocks.width, init=end, dropout=blocks.dropout),
    )


class TransformerFamily(ModelConfig, frozen=True):
    """The family of transformers over sequences of tokens or numbers."""

    @abstractmethod
    def layers(self, inputs: Shape) -> tuple[LayerConfig, ...]:
        """The layers before the output, as a stack has them."""

    def expanded(self, inputs: Shape) -> "StackConfig":
        from nnlab.models.stack import StackConfig

        return StackConfig.of(layers=self.layers(inputs), output=self.output)

    def hidden_layers(self, inputs: Shape) -> tuple[Placed, ...]:
        layers = self.expanded(inputs).settled_layers()
        return name_layers(layers, (("model",),) * len(layers))


@final
class TransformerConfig(TransformerFamily, frozen=True):
    """Blocks of attention and feedforward layers. Vaswani et al. 2017, arXiv:1706.03762.

    With the norm before each half of a block, as in GPT-2, unless norm_first says otherwise.
    """

    kind: Literal["transformer"] = "transformer"
    width: PositiveInt = 64
    """Features of each place."""
    depth: Depth = 2
    """How many blocks."""
    heads: PositiveInt = 4
    """Of attention: so many look at once, each with its part of the features."""
    causal: Literal["auto"] | bool = "auto"
    """A place sees those before it alone; auto: true where each step has a target, else false."""
    positions: Literal["learned", "sinusoidal", "rotary", "alibi", "none"] = "learned"
    """What tells a place where it stands: added to the inputs, or in attention (rotary, alibi)."""
    norm: Norm = LayerwiseConfig()
    """Of each place: layer, rms or none."""
    norm_first: bool = True
    """false: behind each sum, as in 2017; it then needs a warm-up. Xiong 2020, arXiv:2002.04745."""
    feedforward: FeedForward = 4
    """Units of a block's hidden layer, so many times the width; or swiglu."""
    activation: Activation = GeluConfig()
    """Of the hidden layer of each block."""
    dropout: Probability = 0.0
    """Of the inputs, of the weights of attention, and of what each half of a block adds."""
    tie: Literal["auto"] | bool = "auto"
    """The output layer has the embedding's weights; auto: where the next token is told."""
    init: Beginning = "gpt2"
    """gpt2: N(0, 0.02^2), in what ends a half of a block over sqrt(2 depth)."""
    pool: Literal["auto", "mean", "last", "every"] = "auto"
    """What of the sequence goes on; auto: every where each step has a target, else mean."""

    @classmethod
    def example(cls) -> Self:
        return cls(width=8, depth=1, heads=2)

    def settled_for(self, data: DataShape) -> Self:
        every = bool(data.places)
        output = self.output
        tie = self.tie if self.tie != "auto" else every and data.tokens == data.outputs
        if tie:
            given = output.model_fields_set
            output = output.model_copy(
                update={"tie": True} | ({} if "bias" in given else {"bias": False})
            )
        elif output.init == "auto":
            init = NormalConfig(std=STD) if isinstance(self.init, str) else self.init
            output = output.model_copy(update={"init": init})
        return self.model_copy(
            update={
                "causal": every if self.causal == "auto" else self.causal,
                "pool": ("every" if every else "mean") if self.pool == "auto" else self.pool,
                "tie": tie,
                "output": output,
            }
        )

    def layers(self, inputs: Shape) -> tuple[LayerConfig, ...]:
        before = tuple(self._before(inputs))
        behind = {"mean": (MeanTimeConfig(),), "last": (LastConfig(),)}.get(self.pool, ())
        return (*before, *blocks_of(self._blocks()), *behind)

    def _blocks(self) -> Blocks:
        inside = self.positions if self.positions in ("rotary", "alibi") else "none"
        return Blocks(
            width=self.width,
            depth=self.depth,
            heads=self.heads,
            causal=self.causal is True,
            positions=inside,
            norm=norm_layer(self.norm),
            norm_first=self.norm_first,
            feedforward=self.feedforward,
            activation=self.activation,
            dropout=self.dropout,
            init=self.init,
        )

    def _before(self, inputs: Shape) -> Iterator[LayerConfig]:
        """From tokens or numbers to features of each place."""
        init, _ = self._blocks().first_weights()
        if isinstance(inputs, TokenShape):
            yield EmbeddingConfig(units=self.width, init=init)
        elif len(inputs) == 2:
            yield LinearConfig(units=self.width, init=init)
        else:
            text = f"({self.kind}): needs a sequence (time, features), gets {inputs}"
            raise MistakeError(("model",), f"{text} (images: model: vit, or data.view: rows)")
        if self.positions in ("learned", "sinusoidal"):
            yield PositionsConfig(encoding=self.positions)
        if self.dropout:
            yield DropoutConfig(p=self.dropout)


@final
class Gpt2Config(TransformerFamily, frozen=True):
    """GPT-2, the smallest: 124,439,808 parameters for 50,257 tokens and windows of 1024.

    Radford et al. 2019, "Language models are unsupervised multitask learners": 12 blocks of 768
    features with 12 heads, the norm first, gelu by its tanh form, the output tied to the embedding.
    """

    kind: Literal["gpt2"] = "gpt2"
    dropout: Probability = 0.1
    """Of the inputs, of the weights of attention, and of what each half of a block adds."""

    def settled_for(self, data: DataShape) -> Self:
        if not data.places or data.tokens != data.outputs:
            text = "tells the next token of a text (data: text or shakespeare)"
            raise MistakeError(("model",), f"gpt2 {text}; transformer takes any sequence")
        return self.model_copy(update={"output": self._plain().settled_for(data).output})

    def _plain(self) -> TransformerConfig:
        return TransformerConfig(
            width=768,
            depth=12,
            heads=12,
            causal=True,
            activation=GeluConfig(approximate="tanh"),
            dropout=self.dropout,
            tie=True,
            pool="every",
            output=self.output,
        )

    def layers(self, inputs: Shape) -> tuple[LayerConfig, ...]:
        return self._plain().layers(inputs)


KINDS = (Gpt2Config, TransformerConfig)
