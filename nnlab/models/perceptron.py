"""`perceptron`: the unit with which it all began."""

from typing import Annotated, Literal, final

from nnlab.choices import Forms
from nnlab.contracts import Shape
from nnlab.models.family import ModelConfig, OutputConfig
from nnlab.models.stack import StackConfig
from nnlab.parts.activations import Activation
from nnlab.parts.activations.common import StepConfig
from nnlab.parts.layers.family import Placed, place
from nnlab.parts.layers.plain import FlattenConfig


class StepOutputConfig(OutputConfig, frozen=True):
    """The output layer of a perceptron: a step, unless another activation is written."""

    activation: Annotated[Literal["auto"] | Activation, Forms()] = StepConfig()


@final
class PerceptronModelConfig(ModelConfig, frozen=True):
    """One linear unit with a step for each output: 1 if w . x + b >= 0, else 0.

    Rosenblatt 1958, doi:10.1037/h0042519. The step has gradient 0, so that no gradient method can
    train it: it needs a rule of its own, or a loss that takes any activation and stays as it is.
    """

    kind: Literal["perceptron"] = "perceptron"
    output: OutputConfig = StepOutputConfig()

    def expanded(self, inputs: Shape) -> StackConfig:
        fields = {name: getattr(self.output, name) for name in OutputConfig.model_fields}
        return StackConfig(layers=(FlattenConfig(),), output=OutputConfig(**fields))

    def hidden_layers(self, inputs: Shape) -> tuple[Placed, ...]:
        return place((FlattenConfig(),), (("model",),)) if len(inputs) > 1 else ()


KINDS = (PerceptronModelConfig,)
