"""The activations of every textbook: identity, step, sigmoid, tanh, ReLU, softmax."""

from typing import ClassVar, Literal, final

from nnlab.core.lazy import Floats, nn, np
from nnlab.parts.activations.family import ActivationConfig, ReluFamily, sigmoid


@final
class IdentityConfig(ActivationConfig, frozen=True):
    """x itself: a network of these alone is one linear map."""

    kind: Literal["identity"] = "identity"

    def build(self) -> "nn.Module":
        return nn.Identity()

    def value(self, z: "Floats") -> "Floats":
        return z

    def derivative(self, z: "Floats") -> "Floats":
        return np.ones_like(z)


@final
class StepConfig(ActivationConfig, frozen=True):
    """1 for x >= 0, else 0. Its gradient is 0: nothing below it learns. McCulloch & Pitts 1943."""

    kind: Literal["step"] = "step"
    differentiable: ClassVar[bool] = False

    def build(self) -> "nn.Module":
        from nnlab.parts.modules import StepActivation

        return StepActivation()

    def value(self, z: "Floats") -> "Floats":
        return (z >= 0).astype(np.float64)

    def derivative(self, z: "Floats") -> "Floats":
        return np.zeros_like(z)


@final
class SigmoidConfig(ActivationConfig, frozen=True):
    """1 / (1 + exp(-x)), between 0 and 1; its slope is at most 1/4."""

    kind: Literal["sigmoid"] = "sigmoid"

    @property
    def bounds(self) -> tuple[float, float] | None:
        return 0.0, 1.0

    def build(self) -> "nn.Module":
        return nn.Sigmoid()

    def value(self, z: "Floats") -> "Floats":
        return sigmoid(z)

    def derivative(self, z: "Floats") -> "Floats":
        return sigmoid(z) * sigmoid(-z)


@final
class TanhConfig(ActivationConfig, frozen=True):
    """tanh(x) = 2 sigmoid(2x) - 1, between -1 and 1; its slope is at most 1."""

    kind: Literal["tanh"] = "tanh"

    @property
    def bounds(self) -> tuple[float, float] | None:
        return -1.0, 1.0

    @property
    def gain(self) -> float:
        return 5.0 / 3.0

    def build(self) -> "nn.Module":
        return nn.Tanh()

    def value(self, z: "Floats") -> "Floats":
        return np.tanh(z)

    def derivative(self, z: "Floats") -> "Floats":
        return 1.0 - np.tanh(z) ** 2


@final
class ReluConfig(ReluFamily, frozen=True):
    """max(0, x), with slope 0 at 0. Nair & Hinton 2010."""

    kind: Literal["relu"] = "relu"

    def build(self) -> "nn.Module":
        return nn.ReLU()

    def value(self, z: "Floats") -> "Floats":
        return np.maximum(z, 0.0)

    def derivative(self, z: "Floats") -> "Floats":
        return (z > 0).astype(np.float64)


@final
class SoftmaxConfig(ActivationConfig, frozen=True):
    """exp(x) over the sum of exp(x), along the units: positive, sums to 1."""

    kind: Literal["softmax"] = "softmax"

    def build(self) -> "nn.Module":
        return nn.Softmax(dim=1)

    def value(self, z: "Floats") -> "Floats":
        # The same for all z shifted alike; shifted so that the largest is 0, nothing overflows.
        e = np.exp(z - z.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    def derivative(self, z: "Floats") -> "Floats":
        """The diagonal of the Jacobian."""
        a = self.value(z)
        return a * (1.0 - a)

    def backward(self, z: "Floats", grad: "Floats") -> "Floats":
        # The Jacobian is diag(a) - a a^T.
        a = self.value(z)
        return a * (grad - (grad * a).sum(axis=-1, keepdims=True))


KINDS = (IdentityConfig, ReluConfig, SigmoidConfig, SoftmaxConfig, StepConfig, TanhConfig)
