"""Activations that draw small numbers to 0."""

from typing import Literal, final

from pydantic import NonNegativeFloat

from nnlab.core.lazy import Floats, nn, np
from nnlab.parts.activations.family import ActivationConfig


@final
class TanhshrinkConfig(ActivationConfig, frozen=True):
    """x - tanh(x): flat around 0."""

    kind: Literal["tanhshrink"] = "tanhshrink"

    def build(self) -> "nn.Module":
        return nn.Tanhshrink()

    def value(self, z: "Floats") -> "Floats":
        return z - np.tanh(z)

    def derivative(self, z: "Floats") -> "Floats":
        return np.tanh(z) ** 2


@final
class SoftshrinkConfig(ActivationConfig, frozen=True):
    """x moved towards 0 by `lambd`, 0 where it is smaller: the proximal step of an L1 term."""

    kind: Literal["softshrink"] = "softshrink"
    lambd: NonNegativeFloat = 0.5

    def build(self) -> "nn.Module":
        return nn.Softshrink(self.lambd)

    def value(self, z: "Floats") -> "Floats":
        return np.sign(z) * np.maximum(np.abs(z) - self.lambd, 0.0)

    def derivative(self, z: "Floats") -> "Floats":
        return (np.abs(z) > self.lambd).astype(np.float64)


@final
class HardshrinkConfig(ActivationConfig, frozen=True):
    """x where |x| is above `lambd`, else 0."""

    kind: Literal["hardshrink"] = "hardshrink"
    lambd: NonNegativeFloat = 0.5

    def build(self) -> "nn.Module":
        return nn.Hardshrink(self.lambd)

    def value(self, z: "Floats") -> "Floats":
        return np.where(np.abs(z) > self.lambd, z, 0.0)

    def derivative(self, z: "Floats") -> "Floats":
        return (np.abs(z) > self.lambd).astype(np.float64)


KINDS = (HardshrinkConfig, SoftshrinkConfig, TanhshrinkConfig)
