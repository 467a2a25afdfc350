"""`cnn`: convolutions with pooling, then fully connected layers."""

from typing import TYPE_CHECKING, Annotated, Literal, Self, final

from pydantic import AfterValidator, Field, PositiveInt
from pydantic_core import PydanticCustomError

from nnlab.core.contracts import Shape
from nnlab.core.errors import Path
from nnlab.models import by_name
from nnlab.models.by_name import ByName, OwnConfig
from nnlab.models.family import ModelConfig
from nnlab.parts.activations import Activation
from nnlab.parts.activations.textbook import ReluConfig
from nnlab.parts.initializers import BiasInitializer
from nnlab.parts.initializers.plain import ZerosConfig
from nnlab.parts.layers.family import Defaults, LayerConfig, Placed, name_layers
from nnlab.parts.layers.plain import FlattenConfig
from nnlab.parts.layers.pools import MaxPoolConfig
from nnlab.parts.layers.weighted import (
    AutoInit,
    ConvConfig,
    LinearConfig,
    Probability,
    settled_init,
)
from nnlab.parts.norms import NoNormConfig, Norm

if TYPE_CHECKING:
    from nnlab.models.stack import StackConfig

_Widths = Annotated[tuple[PositiveInt, ...], Field(max_length=1000)]


def _odd(value: int) -> int:
    if value % 2 == 0:
        text = "must be odd, got {value} (even kernels have no same padding; a stack can have them)"
        raise PydanticCustomError("value", text, {"value": value})
    return value


@final
class CnnConfig(ModelConfig, frozen=True):
    """Per entry of channels: conv (same padding), activation, max pool; then dense layers.

    LeCun et al. 1998; 3 x 3 kernels as in Simonyan & Zisserman 2014, arXiv:1409.1556.
    """

    kind: Literal["cnn"] = "cnn"
    channels: Annotated[_Widths, Field(min_length=1)] = (32, 64)
    dense: _Widths = (128,)
    kernel: Annotated[PositiveInt, AfterValidator(_odd)] = 3
    """Pixels on a side of each window."""
    pool: PositiveInt = 2
    bias: bool = True
    """Of the hidden layers; that of the output layer is output.bias."""
    activation: Activation = ReluConfig()
    """Behind each hidden layer."""
    init: AutoInit = "auto"
    """First weights; auto: Xavier for sigmoid and tanh, He for relu and its relatives."""
    bias_init: BiasInitializer = ZerosConfig()
    """First biases."""
    norm: Norm = NoNormConfig()
    """Behind the weights of each hidden layer, before its activation."""
    dropout: Probability = 0.0
    """Of the dense layers; the convolutions have none."""
    layers: ByName = Field(default_factory=dict[str, OwnConfig])
    """What single layers have of their own: {conv1: {activation: tanh, init: dirac}}."""

    def expanded(self, inputs: Shape) -> "StackConfig":
        from nnlab.models.stack import StackConfig

        layers: list[LayerConfig] = []
        for channels in self.channels:
            conv = self._conv(channels)
            if self.dropout:
                conv = conv.model_copy(update={"dropout": 0.0})
            layers += [conv, MaxPoolConfig(kernel=self.pool)]
        layers += [FlattenConfig(), *(self._linear(n) for n in self.dense)]
        return StackConfig.of(
            activation=self.activation,
            init=self.init,
            bias_init=self.bias_init,
            norm=self.norm,
            dropout=self.dropout,
            layers=by_name.written_layers(layers, self.layers),
            output=self.output,
        )

    def hidden_layers(self, inputs: Shape) -> tuple[Placed, ...]:
        layers: list[LayerConfig] = []
        paths: list[Path] = []
        for index, channels in enumerate(self.channels):
            conv = self._conv(channels).model_copy(update={"dropout": 0.0})
            layers += [conv, MaxPoolConfig(kernel=self.pool)]
            paths += [("model", "channels", index)] * 2
        layers.append(FlattenConfig())
        paths.append(("model",))
        for index, units in enumerate(self.dense):
            layers.append(self._linear(units))
            paths.append(("model", "dense", index))
        return by_name.settle_layers(
            name_layers(tuple(layers), tuple(paths)), self.layers, self._defaults()
        )

    def _conv(self, channels: int) -> ConvConfig:
        return ConvConfig(channels=channels, kernel=self.kernel, padding="same", bias=self.bias)

    def _linear(self, units: int) -> LinearConfig:
        return LinearConfig(units=units, bias=self.bias)

    def _defaults(self) -> Defaults:
        return Defaults(self.norm, self.activation, self.init, self.bias_init, self.dropout)

    def resolved(self) -> Self:
        init = settled_init(self.init, self.activation)
        layers = by_name.resolve_autos(self.layers, self._defaults())
        return self.model_copy(update={"init": init, "layers": layers})


KINDS = (CnnConfig,)
