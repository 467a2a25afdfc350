"""Activations: the nonlinearity between layers, applied to each unit (softmax: to each example).

To add one: write a class here and name it in `Activation` at the foot of the file.
"""

from abc import abstractmethod
from math import sqrt
from typing import TYPE_CHECKING, Annotated, Literal, final

from pydantic import Field, NonNegativeFloat, PositiveFloat

from nnlab.base import Kind, lazy
from nnlab.choices import Menu

if TYPE_CHECKING:
    from torch import nn
else:
    nn = lazy("torch.nn")


class ActivationConfig(Kind, frozen=True):
    """The family of activations."""

    @property
    def gain(self) -> float:
        """What He initialization multiplies by, so that the signal keeps its size."""
        return 1.0

    @property
    def auto_init(self) -> Literal["xavier_normal", "he_normal"]:
        """What `init: auto` takes: Xavier for bounded activations, He for the ReLU family."""
        return "xavier_normal"

    @property
    def parameters(self) -> int:
        """How many weights it learns."""
        return 0

    @abstractmethod
    def build(self) -> "nn.Module":
        """The module: any shape to the same shape."""


class _ReluFamily(ActivationConfig, frozen=True):
    """Half of the line passes: gain sqrt(2), He et al. 2015, arXiv:1502.01852, eq. 10."""

    @property
    def gain(self) -> float:
        return sqrt(2.0)

    @property
    def auto_init(self) -> Literal["xavier_normal", "he_normal"]:
        return "he_normal"


@final
class StepConfig(ActivationConfig, frozen=True):
    """1 for x >= 0, else 0. Its gradient is 0: nothing below it learns. McCulloch & Pitts 1943."""

    kind: Literal["step"] = "step"

    def build(self) -> "nn.Module":
        from nnlab.parts.modules import Step

        return Step()


@final
class SigmoidConfig(ActivationConfig, frozen=True):
    """1 / (1 + exp(-x)), between 0 and 1; its slope is at most 1/4."""

    kind: Literal["sigmoid"] = "sigmoid"

    def build(self) -> "nn.Module":
        return nn.Sigmoid()


@final
class TanhConfig(ActivationConfig, frozen=True):
    """tanh(x) = 2 sigmoid(2x) - 1, between -1 and 1; its slope is at most 1."""

    kind: Literal["tanh"] = "tanh"

    @property
    def gain(self) -> float:
        return 5.0 / 3.0

    def build(self) -> "nn.Module":
        return nn.Tanh()


@final
class ScaledTanhConfig(ActivationConfig, frozen=True):
    """scale * tanh(slope * x): with these numbers 1 at 1 and -1 at -1. LeCun et al. 1998.

    "Gradient-based learning applied to document recognition", appendix A.
    """

    kind: Literal["scaled_tanh"] = "scaled_tanh"
    scale: PositiveFloat = 1.7159
    slope: PositiveFloat = 2.0 / 3.0

    def build(self) -> "nn.Module":
        from nnlab.parts.modules import ScaledTanh

        return ScaledTanh(self.scale, self.slope)


@final
class ReluConfig(_ReluFamily, frozen=True):
    """max(0, x), with slope 0 at 0. Nair & Hinton 2010."""

    kind: Literal["relu"] = "relu"

    def build(self) -> "nn.Module":
        return nn.ReLU()


@final
class LeakyReluConfig(_ReluFamily, frozen=True):
    """x for x > 0, else slope * x: no unit can die. Maas et al. 2013."""

    kind: Literal["leaky_relu"] = "leaky_relu"
    slope: NonNegativeFloat = 0.01

    @property
    def gain(self) -> float:
        return sqrt(2.0 / (1.0 + self.slope**2))

    def build(self) -> "nn.Module":
        return nn.LeakyReLU(self.slope)


@final
class PreluConfig(_ReluFamily, frozen=True):
    """Leaky ReLU whose slope is learned, one for the layer. He et al. 2015, arXiv:1502.01852."""

    kind: Literal["prelu"] = "prelu"
    slope: Annotated[float, Field(ge=0.0, le=1.0)] = 0.25

    @property
    def gain(self) -> float:
        return sqrt(2.0 / (1.0 + self.slope**2))

    @property
    def parameters(self) -> int:
        return 1

    def build(self) -> "nn.Module":
        return nn.PReLU(init=self.slope)


@final
class EluConfig(_ReluFamily, frozen=True):
    """x for x > 0, else alpha * (exp(x) - 1). Clevert et al. 2015, arXiv:1511.07289."""

    kind: Literal["elu"] = "elu"
    alpha: PositiveFloat = 1.0

    def build(self) -> "nn.Module":
        return nn.ELU(self.alpha)


@final
class GeluConfig(_ReluFamily, frozen=True):
    """x times the normal distribution function of x. Hendrycks & Gimpel 2016, arXiv:1606.08415."""

    kind: Literal["gelu"] = "gelu"
    approximate: Literal["none", "tanh"] = "none"

    def build(self) -> "nn.Module":
        return nn.GELU(self.approximate)


@final
class SiluConfig(_ReluFamily, frozen=True):
    """x * sigmoid(x), also called swish. Ramachandran et al. 2017, arXiv:1710.05941."""

    kind: Literal["silu"] = "silu"

    def build(self) -> "nn.Module":
        return nn.SiLU()


@final
class SoftmaxConfig(ActivationConfig, frozen=True):
    """exp(x) over the sum of exp(x), along the units: positive, sums to 1."""

    kind: Literal["softmax"] = "softmax"

    def build(self) -> "nn.Module":
        return nn.Softmax(dim=1)


@final
class IdentityConfig(ActivationConfig, frozen=True):
    """x itself: a network of these alone is one linear map."""

    kind: Literal["identity"] = "identity"

    def build(self) -> "nn.Module":
        return nn.Identity()


Activation = Annotated[
    EluConfig
    | GeluConfig
    | IdentityConfig
    | LeakyReluConfig
    | PreluConfig
    | ReluConfig
    | ScaledTanhConfig
    | SigmoidConfig
    | SiluConfig
    | SoftmaxConfig
    | StepConfig
    | TanhConfig,
    Menu(),
]
