"""What every activation says of itself."""

from abc import abstractmethod
from math import sqrt
from typing import ClassVar, Literal, final

from nnlab.core.kinds import Kind
from nnlab.core.lazy import Floats, nn, np

AutoInit = Literal["xavier_normal", "he_normal", "lecun_normal"]


class ActivationConfig(Kind, frozen=True):
    """The family of activations.

    `value` and `derivative` are the formulas as the books write them, in NumPy: the oracle of the
    tests and what `nnlab backprop` computes with.

    Attributes:
        differentiable: whether a gradient can pass: not through a step.
        auto_init: what `init: auto` takes: Xavier for bounded activations, He for the ReLU family.
    """

    differentiable: ClassVar[bool] = True
    auto_init: ClassVar[AutoInit] = "xavier_normal"

    @property
    def gain(self) -> float:
        """What He initialization multiplies by, so that the signal keeps its size."""
        return 1.0

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The values it flattens out at on both sides, low and high. Default: None, it does not.

        A rectifier's zero is no such bound: half of its line is meant to be flat.
        """
        return None

    def parameters(self, units: int) -> int:
        """How many weights it learns behind so many units or channels. Default: none."""
        return 0

    @final
    def parameters_behind(self, layer: str, units: int) -> dict[str, tuple[int, ...]]:
        """The weights that it learns behind a layer (PReLU's slope): full name -> shape."""
        count = self.parameters(units)
        return {f"{layer}_activation.weight": (count,)} if count else {}

    @abstractmethod
    def build(self) -> "nn.Module":
        """The module: any shape to the same shape."""

    def build_for(self, units: int) -> "nn.Module":
        """The module behind so many units or channels. Default: `build()`, which asks for none."""
        return self.build()

    @abstractmethod
    def value(self, z: "Floats") -> "Floats":
        """f(z), element by element; softmax along the last axis, (N, units)."""

    @abstractmethod
    def derivative(self, z: "Floats") -> "Floats":
        """f'(z); at a kink what torch takes, such as 0 for ReLU at 0."""

    def backward(self, z: "Floats", grad: "Floats") -> "Floats":
        """dC/dz from dC/da, both (N, units): the chain rule. Default: grad * f'(z)."""
        return grad * self.derivative(z)


class ReluFamily(ActivationConfig, frozen=True):
    """Half of the line passes: gain sqrt(2), He et al. 2015, arXiv:1502.01852, eq. 10."""

    auto_init: ClassVar[AutoInit] = "he_normal"

    @property
    def gain(self) -> float:
        return sqrt(2.0)


def sigmoid(z: "Floats") -> "Floats":
    """1 / (1 + exp(-z)) without overflow."""
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, small) / (1.0 + small)


def softplus(z: "Floats") -> "Floats":
    """log(1 + exp(z)) without overflow."""
    return np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z)))
