"""LeNet-5, as it is taught today and as it was in 1998.

LeCun, Bottou, Bengio & Haffner 1998, "Gradient-based learning applied to document recognition",
doi:10.1109/5.726791, section II-B.
"""

from typing import Literal, final

from nnlab.contracts import Shape
from nnlab.models.architecture import ArchitectureConfig, across
from nnlab.parts.activations import Activation
from nnlab.parts.activations.bounded import ScaledTanhConfig
from nnlab.parts.activations.common import TanhConfig
from nnlab.parts.layers.dense import ConvConfig, LinearConfig
from nnlab.parts.layers.family import LayerConfig
from nnlab.parts.layers.historical import SubsamplingConfig, TableConvConfig
from nnlab.parts.layers.plain import FlattenConfig
from nnlab.parts.layers.pools import AvgPoolConfig

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
    return f"needs images of 28x28 or 32x32, gets {across(inputs)} ({way})"


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


KINDS = (Lenet5Config, Lenet51998Config)
