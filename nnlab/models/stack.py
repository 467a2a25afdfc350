"""`stack`: any network that is a list of layers. What is written is what is built."""

from typing import Annotated, Any, Literal, Self, final

from pydantic import Field

from nnlab.core.contracts import Shape
from nnlab.core.errors import MistakeError
from nnlab.models.family import OUTPUT_SENTENCE, ModelConfig
from nnlab.parts.activations import Activation
from nnlab.parts.activations.textbook import IdentityConfig
from nnlab.parts.initializers import BiasInitializer
from nnlab.parts.initializers.plain import ZerosConfig
from nnlab.parts.layers import AnyLayer
from nnlab.parts.layers.family import Defaults, LayerConfig, Placed, name_layers, settled_by
from nnlab.parts.layers.plain import ActivationLayerConfig
from nnlab.parts.layers.weighted import (
    AutoInit,
    LinearConfig,
    Probability,
    WeightedConfig,
    settled_init,
)
from nnlab.parts.norms import NoNormConfig, Norm

MOST_WRITTEN = 1000
"""Layers of a list that somebody writes."""


@final
class StackConfig(ModelConfig, frozen=True):
    """A list of layers. Linear and conv layers take what is said above the list, or their own."""

    kind: Literal["stack"] = "stack"
    activation: Activation = IdentityConfig()
    """Behind each hidden layer."""
    init: AutoInit = "auto"
    """First weights; auto: Xavier for sigmoid and tanh, He for relu and its relatives."""
    bias_init: BiasInitializer = ZerosConfig()
    """First biases."""
    norm: Norm = NoNormConfig()
    """Behind the weights of each hidden layer, before its activation."""
    dropout: Probability = 0.0
    """A share of the outputs of each hidden layer that is 0 in training."""
    layers: Annotated[tuple[AnyLayer, ...], Field(min_length=1, max_length=MOST_WRITTEN)]

    @classmethod
    def example(cls) -> Self:
        return cls(layers=(LinearConfig(units=16),))

    @classmethod
    def of(cls, layers: tuple[LayerConfig, ...], **said: Any) -> Self:
        """What a shorthand stands for: it may be more layers than one writes in a list."""
        return cls.model_construct(layers=layers, **said)

    def _defaults(self) -> Defaults:
        return Defaults(self.norm, self.activation, self.init, self.bias_init, self.dropout)

    def settled_layers(self) -> tuple[LayerConfig, ...]:
        """The layers with what is said above the list, and no `auto` left."""
        return settled_by(self.layers, self._defaults())

    def expanded(self, inputs: Shape) -> "StackConfig":
        return self

    def hidden_layers(self, inputs: Shape) -> tuple[Placed, ...]:
        settled = self.settled_layers()
        ends = {kind: _end_of(kind) for kind in {*map(type, settled)}}
        for index, layer in enumerate(settled):
            end = ends[type(layer)]
            if end and (function := getattr(layer, end)) and function.kind == "softmax":
                text = f"({layer.kind}): a softmax inside a network: {OUTPUT_SENTENCE}"
                raise MistakeError(("model", "layers", index), f"{text} (remove it)")
        return name_layers(
            settled, tuple(("model", "layers", index) for index in range(len(settled)))
        )

    def resolved(self) -> Self:
        layers = self.settled_layers()
        init = settled_init(self.init, self.activation)
        return self.model_copy(update={"layers": layers, "init": init})


def _end_of(kind: type[LayerConfig]) -> str:
    """The field of a kind that says the activation which it ends with; "" where it has none."""
    if issubclass(kind, WeightedConfig):
        return "activation"
    return "function" if issubclass(kind, ActivationLayerConfig) else ""


KINDS = (StackConfig,)
