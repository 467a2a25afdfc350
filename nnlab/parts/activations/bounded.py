"""Relatives of the sigmoid and of tanh: bounded on both sides."""

from typing import Literal, Self, final

from pydantic import PositiveFloat, model_validator
from pydantic_core import PydanticCustomError

from nnlab.core.lazy import Floats, nn, np
from nnlab.parts.activations.family import ActivationConfig


@final
class ScaledTanhConfig(ActivationConfig, frozen=True):
    """scale * tanh(slope * x): with these numbers 1 at 1 and -1 at -1. LeCun et al. 1998.

    "Gradient-based learning applied to document recognition", appendix A.
    """

    kind: Literal["scaled_tanh"] = "scaled_tanh"
    scale: PositiveFloat = 1.7159
    slope: PositiveFloat = 2.0 / 3.0

    @property
    def bounds(self) -> tuple[float, float] | None:
        return -self.scale, self.scale

    def build(self) -> "nn.Module":
        from nnlab.parts.modules import ScaledTanh

        return ScaledTanh(self.scale, self.slope)

    def value(self, z: "Floats") -> "Floats":
        return self.scale * np.tanh(self.slope * z)

    def derivative(self, z: "Floats") -> "Floats":
        return self.scale * self.slope * (1.0 - np.tanh(self.slope * z) ** 2)


@final
class SoftsignConfig(ActivationConfig, frozen=True):
    """x / (1 + |x|): like tanh, but it saturates slowly. Glorot & Bengio 2010."""

    kind: Literal["softsign"] = "softsign"

    @property
    def bounds(self) -> tuple[float, float] | None:
        return -1.0, 1.0

    def build(self) -> "nn.Module":
        return nn.Softsign()

    def value(self, z: "Floats") -> "Floats":
        return z / (1.0 + np.abs(z))

    def derivative(self, z: "Floats") -> "Floats":
        return 1.0 / (1.0 + np.abs(z)) ** 2


@final
class HardSigmoidConfig(ActivationConfig, frozen=True):
    """relu6(x + 3) / 6: the sigmoid from straight pieces. Howard et al. 2019, arXiv:1905.02244."""

    kind: Literal["hard_sigmoid"] = "hard_sigmoid"

    @property
    def bounds(self) -> tuple[float, float] | None:
        return 0.0, 1.0

    def build(self) -> "nn.Module":
        return nn.Hardsigmoid()

    def value(self, z: "Floats") -> "Floats":
        return np.clip(z + 3.0, 0.0, 6.0) / 6.0

    def derivative(self, z: "Floats") -> "Floats":
        return ((z > -3) & (z < 3)) / 6.0


@final
class HardTanhConfig(ActivationConfig, frozen=True):
    """x between low and high, else the nearer of the two. Collobert 2004."""

    kind: Literal["hard_tanh"] = "hard_tanh"
    low: float = -1.0
    high: float = 1.0

    @property
    def bounds(self) -> tuple[float, float] | None:
        return self.low, self.high

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low >= self.high:
            raise PydanticCustomError("value", "low must be below high")
        return self

    def build(self) -> "nn.Module":
        return nn.Hardtanh(self.low, self.high)

    def value(self, z: "Floats") -> "Floats":
        return np.clip(z, self.low, self.high)

    def derivative(self, z: "Floats") -> "Floats":
        return ((z > self.low) & (z < self.high)).astype(np.float64)


KINDS = (HardSigmoidConfig, HardTanhConfig, ScaledTanhConfig, SoftsignConfig)
