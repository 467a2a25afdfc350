"""Relatives of ReLU: one side passes, the other is bent in one way or another."""

from math import sqrt
from typing import Annotated, ClassVar, Literal, Self, final

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator
from pydantic_core import PydanticCustomError

from nnlab.core.lazy import Floats, nn, np
from nnlab.parts.activations.family import ActivationConfig, AutoInit, ReluFamily


@final
class LeakyReluConfig(ReluFamily, frozen=True):
    """x for x > 0, else slope * x: no unit can die. Maas et al. 2013."""

    kind: Literal["leaky_relu"] = "leaky_relu"
    slope: NonNegativeFloat = 0.01

    @property
    def gain(self) -> float:
        return sqrt(2.0 / (1.0 + self.slope**2))

    def build(self) -> "nn.Module":
        return nn.LeakyReLU(self.slope)

    def value(self, z: "Floats") -> "Floats":
        return np.where(z > 0, z, self.slope * z)

    def derivative(self, z: "Floats") -> "Floats":
        return np.where(z > 0, 1.0, self.slope)


@final
class PreluConfig(ReluFamily, frozen=True):
    """Leaky ReLU whose slope is learned. He et al. 2015, arXiv:1502.01852, eq. 1."""

    kind: Literal["prelu"] = "prelu"
    slope: Annotated[float, Field(ge=0.0, le=1.0)] = 0.25
    """Where it begins."""
    per: Literal["layer", "channel"] = "layer"
    """layer: one slope for all, as in torch; channel: one for each channel or unit."""

    @property
    def gain(self) -> float:
        return sqrt(2.0 / (1.0 + self.slope**2))

    def parameters(self, units: int) -> int:
        return units if self.per == "channel" else 1

    def build(self) -> "nn.Module":
        return self.build_for(1)

    def build_for(self, units: int) -> "nn.Module":
        return nn.PReLU(self.parameters(units), init=self.slope)

    def value(self, z: "Floats") -> "Floats":
        return np.where(z > 0, z, self.slope * z)

    def derivative(self, z: "Floats") -> "Floats":
        return np.where(z > 0, 1.0, self.slope)


@final
class RreluConfig(ReluFamily, frozen=True):
    """Leaky ReLU whose slope is drawn for each number; its mean at evaluation. Xu 2015.

    arXiv:1505.00853.
    """

    kind: Literal["rrelu"] = "rrelu"
    lower: Annotated[float, Field(ge=0.0, le=1.0)] = 0.125
    upper: Annotated[float, Field(ge=0.0, le=1.0)] = 1.0 / 3.0

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.lower > self.upper:
            raise PydanticCustomError("value", "lower must not be above upper")
        return self

    @property
    def gain(self) -> float:
        """With the mean of slope^2 over the draws, where the leaky ReLU has slope^2."""
        square = (self.lower**2 + self.lower * self.upper + self.upper**2) / 3.0
        return sqrt(2.0 / (1.0 + square))

    def build(self) -> "nn.Module":
        from nnlab.parts.modules import RowRReLU

        return RowRReLU(self.lower, self.upper)

    def value(self, z: "Floats") -> "Floats":
        return np.where(z > 0, z, (self.lower + self.upper) / 2.0 * z)

    def derivative(self, z: "Floats") -> "Floats":
        return np.where(z > 0, 1.0, (self.lower + self.upper) / 2.0)


@final
class EluConfig(ReluFamily, frozen=True):
    """x for x > 0, else alpha * (exp(x) - 1). Clevert et al. 2015, arXiv:1511.07289."""

    kind: Literal["elu"] = "elu"
    alpha: PositiveFloat = 1.0

    def build(self) -> "nn.Module":
        return nn.ELU(self.alpha)

    def value(self, z: "Floats") -> "Floats":
        return np.where(z > 0, z, self.alpha * np.expm1(np.minimum(z, 0.0)))

    def derivative(self, z: "Floats") -> "Floats":
        return np.where(z > 0, 1.0, self.alpha * np.exp(np.minimum(z, 0.0)))


@final
class CeluConfig(ReluFamily, frozen=True):
    """x for x > 0, else alpha * (exp(x / alpha) - 1): its slope is continuous. Barron 2017.

    arXiv:1704.07483.
    """

    kind: Literal["celu"] = "celu"
    alpha: PositiveFloat = 1.0

    def build(self) -> "nn.Module":
        return nn.CELU(self.alpha)

    def value(self, z: "Floats") -> "Floats":
        return np.where(z > 0, z, self.alpha * np.expm1(np.minimum(z, 0.0) / self.alpha))

    def derivative(self, z: "Floats") -> "Floats":
        return np.where(z > 0, 1.0, np.exp(np.minimum(z, 0.0) / self.alpha))


@final
class SeluConfig(ActivationConfig, frozen=True):
    """1.0507 * ELU with alpha 1.6733: keeps mean 0 and variance 1. Klambauer et al. 2017.

    arXiv:1706.02515, eq. 2 and appendix A3 (the digits); it wants lecun_normal weights.
    """

    kind: Literal["selu"] = "selu"
    alpha: ClassVar[float] = 1.6732632423543772848170429916717
    scale: ClassVar[float] = 1.0507009873554804934193349852946
    auto_init: ClassVar[AutoInit] = "lecun_normal"

    def build(self) -> "nn.Module":
        return nn.SELU()

    def value(self, z: "Floats") -> "Floats":
        low = self.alpha * np.expm1(np.minimum(z, 0.0))
        return self.scale * np.where(z > 0, z, low)

    def derivative(self, z: "Floats") -> "Floats":
        low = self.alpha * np.exp(np.minimum(z, 0.0))
        return self.scale * np.where(z > 0, 1.0, low)


@final
class Relu6Config(ReluFamily, frozen=True):
    """min(max(0, x), 6): fits few bits. Howard et al. 2017, arXiv:1704.04861."""

    kind: Literal["relu6"] = "relu6"

    def build(self) -> "nn.Module":
        return nn.ReLU6()

    def value(self, z: "Floats") -> "Floats":
        return np.clip(z, 0.0, 6.0)

    def derivative(self, z: "Floats") -> "Floats":
        return ((z > 0) & (z < 6)).astype(np.float64)


@final
class ThresholdConfig(ReluFamily, frozen=True):
    """x for x > limit, else below. ReLU is both at 0."""

    kind: Literal["threshold"] = "threshold"
    limit: float = 0.1
    below: float = 0.0

    def build(self) -> "nn.Module":
        return nn.Threshold(self.limit, self.below)

    def value(self, z: "Floats") -> "Floats":
        return np.where(z > self.limit, z, self.below)

    def derivative(self, z: "Floats") -> "Floats":
        return (z > self.limit).astype(np.float64)


KINDS = (
    CeluConfig,
    EluConfig,
    LeakyReluConfig,
    PreluConfig,
    Relu6Config,
    RreluConfig,
    SeluConfig,
    ThresholdConfig,
)
