"""Initializers: what weights and biases hold before the first update.

To add one: write a class here and name it in `Initializer` at the foot of the file (and in
`BiasInitializer`, if it makes sense for a bias). In the formulas n_in and n_out are a unit's fan-in
and fan-out as torch.nn.init counts them; U(-b, b) has the variance b^2 / 3.
"""

from abc import abstractmethod
from math import prod, sqrt
from typing import TYPE_CHECKING, Annotated, Literal, Self, final

from pydantic import NonNegativeFloat, PositiveFloat, model_validator
from pydantic_core import PydanticCustomError

from nnlab.base import Kind, lazy
from nnlab.choices import Menu
from nnlab.contracts import Shape

if TYPE_CHECKING:
    from torch import Generator, Tensor
    from torch.nn import init
else:
    init = lazy("torch.nn.init")


def fans(shape: Shape) -> tuple[int, int]:
    """Fan-in and fan-out of a weight: (out, in), or (out, in / groups, height, width).

    Raises:
        ValueError: for fewer than two axes.
    """
    if len(shape) < 2:
        raise ValueError(f"fan-in needs two axes or more, got shape {shape}")
    area = prod(shape[2:])
    return shape[1] * area, shape[0] * area


class InitializerConfig(Kind, frozen=True):
    """The family of initializers."""

    @abstractmethod
    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        """Fills a weight, or the bias beside it, in place; records no gradient.

        Args:
            tensor: on the generator's device.
            fan_in: of the weight, for its bias too; see `fans`.
            fan_out: likewise.
            gain: of the activation that follows; only the he kinds multiply by it.
            generator: where random numbers come from.
        """


def _normal(tensor: "Tensor", variance: float, generator: "Generator") -> None:
    init.normal_(tensor, 0.0, sqrt(variance), generator=generator)


def _uniform(tensor: "Tensor", variance: float, generator: "Generator") -> None:
    bound = sqrt(3.0 * variance)
    init.uniform_(tensor, -bound, bound, generator=generator)


@final
class ZerosConfig(InitializerConfig, frozen=True):
    """All 0: for biases; with zero weights all units of a layer stay identical."""

    kind: Literal["zeros"] = "zeros"

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        init.zeros_(tensor)


@final
class ConstantConfig(InitializerConfig, frozen=True):
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
class XavierNormalConfig(InitializerConfig, frozen=True):
    """N(0, 2 gain^2 / (n_in + n_out)), for sigmoid and tanh; also called Glorot.

    Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural
    networks", eq. 12. The gain is this field, 1 in the paper, whatever the activation.
    """

    kind: Literal["xavier_normal"] = "xavier_normal"
    gain: PositiveFloat = 1.0

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        _normal(tensor, 2.0 * self.gain**2 / (fan_in + fan_out), generator)


@final
class XavierUniformConfig(InitializerConfig, frozen=True):
    """U(-b, b) with b = gain * sqrt(6 / (n_in + n_out)), for sigmoid and tanh; also called Glorot.

    Glorot & Bengio 2010, eq. 16. The gain is this field, 1 in the paper, whatever the activation.
    """

    kind: Literal["xavier_uniform"] = "xavier_uniform"
    gain: PositiveFloat = 1.0

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        _uniform(tensor, 2.0 * self.gain**2 / (fan_in + fan_out), generator)


@final
class HeNormalConfig(InitializerConfig, frozen=True):
    """N(0, gain^2 / n_in) with the activation's gain, sqrt(2) for ReLU; also called Kaiming.

    He et al. 2015, arXiv:1502.01852, eq. 10; `mode: fan_out` keeps the gradient's size (eq. 14).
    """

    kind: Literal["he_normal"] = "he_normal"
    mode: Literal["fan_in", "fan_out"] = "fan_in"

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        _normal(tensor, gain**2 / (fan_in if self.mode == "fan_in" else fan_out), generator)


@final
class HeUniformConfig(InitializerConfig, frozen=True):
    """U(-b, b), b = gain * sqrt(3 / n_in), gain of the activation (ReLU sqrt(2)); or Kaiming.

    He et al. 2015, arXiv:1502.01852, eq. 10; `mode: fan_out` keeps the gradient's size (eq. 14).
    """

    kind: Literal["he_uniform"] = "he_uniform"
    mode: Literal["fan_in", "fan_out"] = "fan_in"

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        _uniform(tensor, gain**2 / (fan_in if self.mode == "fan_in" else fan_out), generator)


@final
class LecunNormalConfig(InitializerConfig, frozen=True):
    """N(0, 1 / n_in): a sum of n_in inputs of variance 1 has variance 1.

    LeCun, Bottou, Orr & Müller 1998, "Efficient BackProp", section 4.6.
    """

    kind: Literal["lecun_normal"] = "lecun_normal"

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        _normal(tensor, 1.0 / fan_in, generator)


@final
class OrthogonalConfig(InitializerConfig, frozen=True):
    """gain times a random matrix with orthonormal rows or columns: keeps lengths.

    Saxe et al. 2013, arXiv:1312.6120. A conv weight is taken as (out, everything else).
    """

    kind: Literal["orthogonal"] = "orthogonal"
    gain: PositiveFloat = 1.0

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        init.orthogonal_(tensor, self.gain, generator=generator)


@final
class TorchDefaultConfig(InitializerConfig, frozen=True):
    """U(-b, b) with b = 1 / sqrt(n_in): what torch's linear and conv layers do by themselves.

    For weights and biases alike; torch writes it as kaiming_uniform_(a=sqrt(5)).
    """

    kind: Literal["torch_default"] = "torch_default"

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        _uniform(tensor, 1.0 / (3.0 * fan_in), generator)


Initializer = Annotated[
    ConstantConfig
    | HeNormalConfig
    | HeUniformConfig
    | LecunNormalConfig
    | NormalConfig
    | OrthogonalConfig
    | TorchDefaultConfig
    | UniformConfig
    | XavierNormalConfig
    | XavierUniformConfig
    | ZerosConfig,
    Menu(),
]

BiasInitializer = Annotated[
    ConstantConfig | NormalConfig | TorchDefaultConfig | UniformConfig | ZerosConfig, Menu()
]
