"""`rnn`, `lstm`, `gru`: networks for sequences of numbers or tokens."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Literal, Self, final

from pydantic import Field, PositiveInt

from nnlab.core.contracts import DataShape, PaddedShape, Shape, TokenShape
from nnlab.core.errors import MistakeError
from nnlab.core.kinds import Forms
from nnlab.models.family import ModelConfig
from nnlab.models.mlp import EqualLayers
from nnlab.parts.initializers import Initializer
from nnlab.parts.initializers.scaled import XavierUniformConfig
from nnlab.parts.initializers.structured import OrthogonalConfig
from nnlab.parts.layers.family import LayerConfig, Placed, name_layers
from nnlab.parts.layers.recurrent import (
    GruLayerConfig,
    LstmLayerConfig,
    RecurrentConfig,
    RnnLayerConfig,
)
from nnlab.parts.layers.sequence import (
    EmbeddingConfig,
    LastConfig,
    MaskingConfig,
    MeanTimeConfig,
)
from nnlab.parts.layers.weighted import Probability

if TYPE_CHECKING:
    from nnlab.models.stack import StackConfig

_Units = Annotated[tuple[PositiveInt, ...], Field(min_length=1, max_length=1000)]


class RecurrentModelConfig(ModelConfig, frozen=True):
    """The family of recurrent networks: embedding for tokens, recurrent layers, what goes on."""

    embed: Annotated[Literal["auto", "none"] | PositiveInt, Forms()] = "auto"
    """Units of the embedding of tokens; auto: 32. Numbers have none."""
    units: Annotated[PositiveInt | _Units | EqualLayers, Forms()] = 64
    """Of each layer: 128, [128, 64] for two layers, or {width: 128, depth: 2}."""
    bidirectional: bool = False
    """Each layer reads the sequence from its end too: not for a next token, which it would see."""
    dropout: Probability = 0.0
    """Behind each recurrent layer, the same units at every step. Gal & Ghahramani 2016."""
    init: Initializer = Field(default_factory=XavierUniformConfig)
    """Of the weights that see the inputs, gate by gate."""
    recurrent_init: Initializer = Field(default_factory=OrthogonalConfig)
    """Of the weights that see the state, gate by gate."""
    last: Literal["auto", "last", "mean", "every"] = "auto"
    """What of the sequence goes on: its last step, the mean over its steps, every step; auto: every
    where the targets are one for each step, else last."""

    @abstractmethod
    def layer(self, units: int) -> RecurrentConfig:
        """One recurrent layer."""

    def settled_for(self, data: DataShape) -> Self:
        if data.places and self.bidirectional:
            text = "sees the next token, which it is to tell (remove bidirectional)"
            raise MistakeError(("model", "bidirectional"), text)
        last = self.last
        if last == "auto":
            last = "every" if data.places else "last"
        embed = self.embed
        if embed == "auto":
            embed = 32 if data.tokens else "none"
        return self.model_copy(update={"last": last, "embed": embed})

    def _widths(self) -> tuple[int, ...]:
        if isinstance(self.units, EqualLayers):
            return (self.units.width,) * self.units.depth
        return self.units if isinstance(self.units, tuple) else (self.units,)

    def _layers(self, inputs: Shape) -> tuple[LayerConfig, ...]:
        layers: list[LayerConfig] = []
        if isinstance(inputs, TokenShape):
            width = self.embed if isinstance(self.embed, int) else 32
            layers.append(EmbeddingConfig(units=width))
        elif len(inputs) != 2:
            text = f"({self.kind}): needs a sequence (time, features), gets {inputs}"
            raise MistakeError(("model",), f"{text} (images: data.view: rows)")
        if isinstance(inputs, PaddedShape):
            layers.append(MaskingConfig())
        layers += [self.layer(units) for units in self._widths()]
        if self.last != "every":
            layers.append(MeanTimeConfig() if self.last == "mean" else LastConfig())
        return tuple(layers)

    def expanded(self, inputs: Shape) -> "StackConfig":
        from nnlab.models.stack import StackConfig

        return StackConfig.of(layers=self._layers(inputs), output=self.output)

    def hidden_layers(self, inputs: Shape) -> tuple[Placed, ...]:
        layers = self._layers(inputs)
        return name_layers(layers, (("model",),) * len(layers))


@final
class RnnConfig(RecurrentModelConfig, frozen=True):
    """Plain recurrent layers with tanh: the gradient fades or grows through time. Elman 1990."""

    kind: Literal["rnn"] = "rnn"

    @classmethod
    def example(cls) -> Self:
        return cls(units=16)

    def layer(self, units: int) -> RecurrentConfig:
        return RnnLayerConfig(
            units=units,
            bidirectional=self.bidirectional,
            dropout=self.dropout,
            init=self.init,
            recurrent_init=self.recurrent_init,
        )


@final
class LstmConfig(RecurrentModelConfig, frozen=True):
    """Long short-term memory: a cell that gates let in, keep and let out.

    Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735.
    """

    kind: Literal["lstm"] = "lstm"
    forget_bias: Annotated[float, Field(ge=-10.0, le=10.0)] = 1.0
    """The forget gates' biases begin with it: the cells remember. Jozefowicz et al. 2015."""

    @classmethod
    def example(cls) -> Self:
        return cls(units=16)

    def layer(self, units: int) -> RecurrentConfig:
        return LstmLayerConfig(
            units=units,
            bidirectional=self.bidirectional,
            dropout=self.dropout,
            init=self.init,
            recurrent_init=self.recurrent_init,
            forget_bias=self.forget_bias,
        )


@final
class GruConfig(RecurrentModelConfig, frozen=True):
    """Gated recurrent units: an LSTM without a cell, three quarters of its weights.

    Cho et al. 2014, arXiv:1406.1078.
    """

    kind: Literal["gru"] = "gru"

    @classmethod
    def example(cls) -> Self:
        return cls(units=16)

    def layer(self, units: int) -> RecurrentConfig:
        return GruLayerConfig(
            units=units,
            bidirectional=self.bidirectional,
            dropout=self.dropout,
            init=self.init,
            recurrent_init=self.recurrent_init,
        )


KINDS = (GruConfig, LstmConfig, RnnConfig)
