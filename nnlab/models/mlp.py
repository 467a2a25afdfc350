"""`mlp` and `linear`: networks of fully connected layers."""

from typing import TYPE_CHECKING, Annotated, Literal, Self, final

from pydantic import Field, PositiveInt

from nnlab.core.contracts import Shape
from nnlab.core.kinds import Config, Forms
from nnlab.models import by_name
from nnlab.models.by_name import ByName, OwnConfig
from nnlab.models.family import ModelConfig
from nnlab.parts.activations import Activation
from nnlab.parts.activations.textbook import ReluConfig
from nnlab.parts.initializers import BiasInitializer
from nnlab.parts.initializers.plain import ZerosConfig
from nnlab.parts.layers.family import Defaults, LayerConfig, Placed, name_layers
from nnlab.parts.layers.plain import FlattenConfig
from nnlab.parts.layers.weighted import AutoInit, LinearConfig, Probability, settled_init
from nnlab.parts.norms import NoNormConfig, Norm

if TYPE_CHECKING:
    from nnlab.models.stack import StackConfig


class EqualLayers(Config, frozen=True):
    """`depth` layers of `width` units each."""

    width: PositiveInt
    depth: Annotated[int, Field(ge=1, le=1000)]


_Widths = Annotated[tuple[PositiveInt, ...], Field(max_length=1000)]


@final
class MlpConfig(ModelConfig, frozen=True):
    """A multilayer perceptron: every unit sees all units of the layer before."""

    kind: Literal["mlp"] = "mlp"
    hidden: Annotated[_Widths | EqualLayers, Forms()]
    """Units of each hidden layer: [64, 32], or {width: 32, depth: 20}."""
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
    """A share of the outputs of each hidden layer that is 0 in training."""
    layers: ByName = Field(default_factory=dict[str, OwnConfig])
    """What single layers have of their own: {hidden1: {activation: tanh, init: zeros}}."""

    @classmethod
    def example(cls) -> Self:
        return cls(hidden=(16, 16))

    def _widths(self) -> tuple[int, ...]:
        if isinstance(self.hidden, EqualLayers):
            return (self.hidden.width,) * self.hidden.depth
        return self.hidden

    def _linear(self) -> tuple[LinearConfig, ...]:
        return tuple(LinearConfig(units=n, bias=self.bias) for n in self._widths())

    def expanded(self, inputs: Shape) -> "StackConfig":
        from nnlab.models.stack import StackConfig

        layers = by_name.written_layers(self._linear(), self.layers)
        # A stack has a layer at least; a row of numbers stays what it is when flattened.
        flat = len(inputs) == 1 and len(layers) > 0
        return StackConfig.of(
            activation=self.activation,
            init=self.init,
            bias_init=self.bias_init,
            norm=self.norm,
            dropout=self.dropout,
            layers=layers if flat else (FlattenConfig(), *layers),
            output=self.output,
        )

    def hidden_layers(self, inputs: Shape) -> tuple[Placed, ...]:
        widths = self._widths()
        if isinstance(self.hidden, EqualLayers):
            paths = [("model", "hidden")] * len(widths)
        else:
            paths = [("model", "hidden", index) for index in range(len(widths))]
        layers: list[LayerConfig] = [*self._linear()]
        if len(inputs) > 1:
            layers, paths = [FlattenConfig(), *layers], [("model",), *paths]
        return by_name.settle_layers(
            name_layers(tuple(layers), tuple(paths)), self.layers, self._defaults()
        )

    def _defaults(self) -> Defaults:
        return Defaults(self.norm, self.activation, self.init, self.bias_init, self.dropout)

    def resolved(self) -> Self:
        init = settled_init(self.init, self.activation)
        layers = by_name.resolve_autos(self.layers, self._defaults())
        return self.model_copy(update={"init": init, "layers": layers})


@final
class LinearModelConfig(ModelConfig, frozen=True):
    """One linear layer: linear, logistic or softmax regression, by the loss."""

    kind: Literal["linear"] = "linear"

    def expanded(self, inputs: Shape) -> "StackConfig":
        from nnlab.models.stack import StackConfig

        return StackConfig(layers=(FlattenConfig(),), output=self.output)

    def hidden_layers(self, inputs: Shape) -> tuple[Placed, ...]:
        if len(inputs) > 1:
            return name_layers((FlattenConfig(),), (("model",),))
        return ()


KINDS = (LinearModelConfig, MlpConfig)
