"""What the published networks have in common: each is a stack, built for the images it gets.

To add one: write a class with `layers()`, the list as a user would write it, and name it at the
foot of its file. `nnlab show CONFIG --expand` prints that list to read and to change.
"""

from abc import abstractmethod
from typing import Self

from nnlab.core.contracts import Shape
from nnlab.core.errors import MistakeError
from nnlab.models.family import ModelConfig
from nnlab.models.stack import StackConfig
from nnlab.parts.activations import Activation
from nnlab.parts.activations.textbook import ReluConfig
from nnlab.parts.initializers import BiasInitializer
from nnlab.parts.initializers.plain import ZerosConfig
from nnlab.parts.layers.family import LayerConfig, Placed, name_layers
from nnlab.parts.layers.weighted import AutoInit, settled_init
from nnlab.parts.norms import NoNormConfig, Norm


class ArchitectureConfig(ModelConfig, frozen=True):
    """The family of published networks for images."""

    activation: Activation = ReluConfig()
    """Behind each hidden layer."""
    init: AutoInit = "auto"
    """First weights; auto: Xavier for sigmoid and tanh, He for relu and its relatives."""
    bias_init: BiasInitializer = ZerosConfig()
    """First biases."""
    norm: Norm = NoNormConfig()
    """Behind the weights of each hidden layer, before its activation."""

    @abstractmethod
    def layers(self, inputs: Shape) -> tuple[LayerConfig, ...]:
        """The layers before the output, as a stack has them, for images that `misfit` lets in."""

    def misfit(self, inputs: Shape) -> str | None:
        """What images it needs, where it cannot take these, and the way out. Default: None."""
        return None

    def expanded(self, inputs: Shape) -> StackConfig:
        if len(inputs) != 3:
            text = f"needs images (channels, height, width), gets {inputs} (mlp takes flat rows)"
            raise MistakeError(("model",), f"({self.kind}): {text}")
        if why := self.misfit(inputs):
            raise MistakeError(("model",), f"({self.kind}): {why}")
        return StackConfig.of(
            activation=self.activation,
            init=self.init,
            bias_init=self.bias_init,
            norm=self.norm,
            layers=self.layers(inputs),
            output=self.output,
        )

    def hidden_layers(self, inputs: Shape) -> tuple[Placed, ...]:
        layers = self.expanded(inputs).settled_layers()
        return name_layers(layers, (("model",),) * len(layers))

    def resolved(self) -> Self:
        return self.model_copy(update={"init": settled_init(self.init, self.activation)})


def shape_of_image(inputs: Shape) -> str:
    """A shape as people say it: 1x28x28."""
    return "x".join(map(str, inputs))
