"""Smooth relatives of ReLU."""

from math import erf, pi, sqrt
from typing import Literal, final

from pydantic import PositiveFloat

from nnlab.core.lazy import Floats, nn, np
from nnlab.parts.activations.family import ActivationConfig, ReluFamily, sigmoid, softplus


def _inner(z: "Floats") -> "Floats":
    """Inside the tanh that stands for the error function."""
    return sqrt(2.0 / pi) * (z + 0.044715 * z**3)


def _normal_cdf(z: "Floats") -> "Floats":
    return 0.5 * (1.0 + np.vectorize(erf, otypes=[np.float64])(z / sqrt(2.0)))


@final
class GeluConfig(ReluFamily, frozen=True):
    """x times the normal distribution function of x. Hendrycks & Gimpel 2016, arXiv:1606.08415."""

    kind: Literal["gelu"] = "gelu"
    approximate: Literal["none", "tanh"] = "none"

    def build(self) -> "nn.Module":
        return nn.GELU(self.approximate)

    def value(self, z: "Floats") -> "Floats":
        if self.approximate == "tanh":
            return 0.5 * z * (1.0 + np.tanh(_inner(z)))
        return z * _normal_cdf(z)

    def derivative(self, z: "Floats") -> "Floats":
        if self.approximate == "tanh":
            t = np.tanh(_inner(z))
            rate = sqrt(2.0 / pi) * (1.0 + 3.0 * 0.044715 * z**2)
            return 0.5 * (1.0 + t) + 0.5 * z * (1.0 - t**2) * rate
        return _normal_cdf(z) + z * np.exp(-(z**2) / 2.0) / sqrt(2.0 * pi)


@final
class SiluConfig(ReluFamily, frozen=True):
    """x * sigmoid(x), also called swish. Ramachandran et al. 2017, arXiv:1710.05941."""

    kind: Literal["silu"] = "silu"

    def build(self) -> "nn.Module":
        return nn.SiLU()

    def value(self, z: "Floats") -> "Floats":
        return z * sigmoid(z)

    def derivative(self, z: "Floats") -> "Floats":
        s = sigmoid(z)
        return s * (1.0 + z * (1.0 - s))


@final
class MishConfig(ReluFamily, frozen=True):
    """x * tanh(softplus(x)). Misra 2019, arXiv:1908.08681."""

    kind: Literal["mish"] = "mish"

    def build(self) -> "nn.Module":
        return nn.Mish()

    def value(self, z: "Floats") -> "Floats":
        return z * np.tanh(softplus(z))

    def derivative(self, z: "Floats") -> "Floats":
        t = np.tanh(softplus(z))
        return t + z * (1.0 - t**2) * sigmoid(z)


@final
class SoftplusConfig(ReluFamily, frozen=True):
    """log(1 + exp(beta * x)) / beta: a smooth ReLU, whose slope is the sigmoid. Dugas 2001.

    Above threshold / beta torch takes x itself.
    """

    kind: Literal["softplus"] = "softplus"
    beta: PositiveFloat = 1.0
    threshold: PositiveFloat = 20.0

    def build(self) -> "nn.Module":
        return nn.Softplus(self.beta, self.threshold)

    def value(self, z: "Floats") -> "Floats":
        smooth = softplus(self.beta * z) / self.beta
        return np.where(self.beta * z > self.threshold, z, smooth)

    def derivative(self, z: "Floats") -> "Floats":
        return np.where(self.beta * z > self.threshold, 1.0, sigmoid(self.beta * z))


@final
class HardSwishConfig(ReluFamily, frozen=True):
    """x * relu6(x + 3) / 6: silu from straight pieces. Howard et al. 2019, arXiv:1905.02244."""

    kind: Literal["hard_swish"] = "hard_swish"

    def build(self) -> "nn.Module":
        return nn.Hardswish()

    def value(self, z: "Floats") -> "Floats":
        return z * np.clip(z + 3.0, 0.0, 6.0) / 6.0

    def derivative(self, z: "Floats") -> "Floats":
        inner = (2.0 * z + 3.0) / 6.0
        return np.where(z <= -3, 0.0, np.where(z >= 3, 1.0, inner))


@final
class LogSigmoidConfig(ActivationConfig, frozen=True):
    """log(sigmoid(x)): below 0 everywhere."""

    kind: Literal["log_sigmoid"] = "log_sigmoid"

    def build(self) -> "nn.Module":
        return nn.LogSigmoid()

    def value(self, z: "Floats") -> "Floats":
        return -softplus(-z)

    def derivative(self, z: "Floats") -> "Floats":
        return sigmoid(-z)


KINDS = (GeluConfig, HardSwishConfig, LogSigmoidConfig, MishConfig, SiluConfig, SoftplusConfig)
