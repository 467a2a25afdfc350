"""What every initializer says of itself, and the distributions that many share."""

from abc import abstractmethod
from collections.abc import Callable
from math import prod, sqrt
from typing import ClassVar

from nnlab.core.contracts import Shape
from nnlab.core.kinds import Kind
from nnlab.core.lazy import Generator, Tensor, init

TRUNCATED_STD = 0.87962566103423978
"""Standard deviation of N(0, 1) cut off at +-2; Keras's VarianceScaling divides by it too."""


def fan_in_and_out(shape: Shape) -> tuple[int, int]:
    """Fan-in and fan-out of a weight: (out, in), or (out, in / groups, height, width).

    Raises:
        ValueError: for fewer than two axes.
    """
    if len(shape) < 2:
        raise ValueError(f"fan-in needs two axes or more, got shape {shape}")
    area = prod(shape[2:])
    return shape[1] * area, shape[0] * area


class InitializerConfig(Kind, frozen=True):
    """The family of initializers.

    Attributes:
        calibrated: whether `calibrate` has something to do, for which training data are needed.
    """

    calibrated: ClassVar[bool] = False

    def misfit(self, shape: Shape) -> str | None:
        """Why a tensor of this shape cannot be filled. Default: any can."""
        return None

    @abstractmethod
    def fill(
        self, tensor: "Tensor", *, fan_in: int, fan_out: int, gain: float, generator: "Generator"
    ) -> None:
        """Fills a weight, or the bias beside it, in place; records no gradient.

        Args:
            tensor: on the generator's device.
            fan_in: of the weight, for its bias too; see `fan_in_and_out`.
            fan_out: of the weight, for its bias too.
            gain: of the activation that follows; only the he kinds multiply by it.
            generator: where random numbers come from.
        """

    def calibrate(self, weight: "Tensor", outputs: "Callable[[], Tensor]") -> None:
        """Changes a filled weight by what its layer makes of training data. Default: nothing.

        Called layer by layer, the first of the network first, without gradients; draws nothing.

        Args:
            weight: on the run's device.
            outputs: the layer's outputs (N, units, ...) with the weight as it is now, before the
                norm and the activation.
        """


def fill_normal(tensor: "Tensor", variance: float, generator: "Generator") -> None:
    """N(0, variance)."""
    init.normal_(tensor, 0.0, sqrt(variance), generator=generator)


def fill_uniform(tensor: "Tensor", variance: float, generator: "Generator") -> None:
    """U(-b, b) with b^2 / 3 = variance."""
    bound = sqrt(3.0 * variance)
    init.uniform_(tensor, -bound, bound, generator=generator)


def fill_truncated(tensor: "Tensor", variance: float, generator: "Generator") -> None:
    """N(0, s^2) without what lies beyond 2 s, where s is such that the variance is as asked."""
    std = sqrt(variance) / TRUNCATED_STD
    init.trunc_normal_(tensor, 0.0, std, -2.0 * std, 2.0 * std, generator=generator)
