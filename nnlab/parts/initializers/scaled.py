"""Initializers whose variance follows the size of the layer."""

from typing import Literal, final

from pydantic import PositiveFloat

from nnlab.core.lazy import Generator, Tensor
from nnlab.parts.initializers.family import (
    InitializerConfig,
    fill_normal,
    fill_truncated,
    fill_uniform,
)


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
        fill_normal(tensor, 2.0 * self.gain**2 / (fan_in + fan_out), generator)


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
        fill_uniform(tensor, 2.0 * self.gain**2 / (fan_in + fan_out), generator)


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
        fill_normal(tensor, gain**2 / (fan_in if self.mode == "fan_in" else fan_out), generator)


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
        fill_uniform(tensor, gain**2 / (fan_in if self.mode == "fan_in" else fan_out), generator)


@final
class LecunNormalConfig(InitializerConfig, frozen=True):
    """N(0, 1 / n_in): a sum of n_in inputs of variance 1 has variance 1.

    LeCun, Bottou, Orr & Müller 1998, "Efficient BackProp", section 4.6.
    """

    kind: Literal["lecun_normal"] = "lecun_normal"

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        fill_normal(tensor, 1.0 / fan_in, generator)


@final
class TorchDefaultConfig(InitializerConfig, frozen=True):
    """U(-b, b) with b = 1 / sqrt(n_in): what torch's linear and conv layers do by themselves.

    For weights and biases alike; torch writes it as kaiming_uniform_(a=sqrt(5)).
    """

    kind: Literal["torch_default"] = "torch_default"

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        fill_uniform(tensor, 1.0 / (3.0 * fan_in), generator)


@final
class LecunUniformConfig(InitializerConfig, frozen=True):
    """U(-b, b) with b = sqrt(3 / n_in): a sum of n_in inputs of variance 1 has variance 1.

    LeCun, Bottou, Orr & Müller 1998, "Efficient BackProp", section 4.6.
    """

    kind: Literal["lecun_uniform"] = "lecun_uniform"

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        fill_uniform(tensor, 1.0 / fan_in, generator)


@final
class VarianceScalingConfig(InitializerConfig, frozen=True):
    """Mean 0 and variance scale / n, where n is n_in, n_out or their mean; Keras's family.

    With scale 1: fan_in is LeCun's, fan_out N(0, 1/n_out), fan_avg Glorot's. Keras draws from the
    truncated normal distribution unless told otherwise (he_normal there is scale 2, fan_in).
    """

    kind: Literal["variance_scaling"] = "variance_scaling"
    scale: PositiveFloat = 1.0
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in"
    distribution: Literal["truncated_normal", "normal", "uniform"] = "truncated_normal"

    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2.0}
        draw = {"truncated_normal": fill_truncated, "normal": fill_normal, "uniform": fill_uniform}
        draw[self.distribution](tensor, self.scale / fans[self.mode], generator)


KINDS = (
    HeNormalConfig,
    HeUniformConfig,
    LecunNormalConfig,
    LecunUniformConfig,
    TorchDefaultConfig,
    VarianceScalingConfig,
    XavierNormalConfig,
    XavierUniformConfig,
)
