"""Initializers that do not look at the size of the layer."""

from typing import Literal, Self, final

from pydantic import NonNegativeFloat, PositiveFloat, model_validator
from pydantic_core import PydanticCustomError

from nnlab.core.lazy import Generator, Tensor, init
from nnlab.parts.initializers.family import InitializerConfig


@final
class ZerosConfig(InitializerConfig, frozen=True):
    """All 0: for biases; with zero weights all units of a layer stay identical."""

    kind: Literal["zeros"] = "zeros"

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        init.zeros_(tensor)


@final
class ConstantInitConfig(InitializerConfig, frozen=True):
    """All the same value: as weights, all units of a layer stay identical (symmetry)."""

    kind: Literal["constant"] = "constant"
    value: float

    @classmethod
    def example(cls) -> Self:
        return cls(value=0.1)

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        init.constant_(tensor, self.value)


@final
class NormalConfig(InitializerConfig, frozen=True):
    """N(mean, std^2), whatever the size of the layer."""

    kind: Literal["normal"] = "normal"
    mean: float = 0.0
    std: NonNegativeFloat = 1.0

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        init.normal_(tensor, self.mean, self.std, generator=generator)


@final
class UniformConfig(InitializerConfig, frozen=True):
    """U(low, high), whatever the size of the layer."""

    kind: Literal["uniform"] = "uniform"
    low: float = 0.0
    high: float = 1.0

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low > self.high:
            raise PydanticCustomError("value", "low must not be above high")
        return self

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        init.uniform_(tensor, self.low, self.high, generator=generator)


@final
class TruncatedNormalConfig(InitializerConfig, frozen=True):
    """N(mean, std^2) without what lies beyond two standard deviations; Keras's TruncatedNormal."""

    kind: Literal["truncated_normal"] = "truncated_normal"
    mean: float = 0.0
    std: PositiveFloat = 0.05

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        low, high = self.mean - 2.0 * self.std, self.mean + 2.0 * self.std
        init.trunc_normal_(tensor, self.mean, self.std, low, high, generator=generator)


KINDS = (ConstantInitConfig, NormalConfig, TruncatedNormalConfig, UniformConfig, ZerosConfig)
