"""Augmentations: small random changes of the training inputs, new in every epoch.

To add one: write a class here and name it in `Augment` at the foot of the file.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, final

from pydantic import Field, NonNegativeFloat, PositiveInt

from nnlab.base import Kind, lazy
from nnlab.choices import Menu
from nnlab.parts.draws import normal, uniform

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.nn import functional as F
else:
    torch = lazy("torch")
    F = lazy("torch.nn.functional")

AugmentFn = Callable[["Tensor", "Tensor", int], "Tensor"]
"""(inputs (N, *shape) scaled, rows (N,) int64, seed in [0, 2^63)) to inputs of the same form."""

# Odd and without a pattern, so that the seeds of one run's augmentations are far apart.
_SEED_STRIDE = 0x9E3779B97F4A7C15


class AugmentConfig(Kind, frozen=True):
    """The family of augmentations."""

    @property
    def needs_images(self) -> bool:
        """Whether inputs must be (channels, height, width)."""
        return True

    @abstractmethod
    def build(self) -> AugmentFn:
        """The function of a batch; what it draws depends on seed and row number alone."""


@final
class ShiftConfig(AugmentConfig, frozen=True):
    """Moves the image by up to `pixels` in each direction; what comes in is 0.

    Whole pixels, drawn for each example and axis; the 0 is that of the scaled inputs.
    LeCun et al. 1998, "Gradient-based learning applied to document recognition", section III.
    """

    kind: Literal["shift"] = "shift"
    pixels: PositiveInt = 2

    def build(self) -> AugmentFn:
        most = self.pixels

        def shift(inputs: "Tensor", rows: "Tensor", seed: int) -> "Tensor":
            channels, height, width = inputs.shape[1:]
            # In the padded image the corner of the window lies between 0 and twice `most`.
            corner = (uniform(rows, seed, 2) * (2 * most + 1)).to(torch.int64)
            down = torch.arange(height, device=rows.device) + corner[:, :1]
            right = torch.arange(width, device=rows.device) + corner[:, 1:]
            example = torch.arange(len(rows), device=rows.device)[:, None, None, None]
            channel = torch.arange(channels, device=rows.device)[:, None, None]
            padded = F.pad(inputs, (most, most, most, most))
            return padded[example, channel, down[:, None, :, None], right[:, None, None, :]]

        return shift


@final
class FlipConfig(AugmentConfig, frozen=True):
    """Mirrors the image with a given probability: left and right, or top and bottom.

    Krizhevsky et al. 2012, "ImageNet classification with deep convolutional neural networks",
    section 4.1.
    """

    kind: Literal["flip"] = "flip"
    direction: Literal["horizontal", "vertical"] = "horizontal"
    probability: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5

    def build(self) -> AugmentFn:
        axis = -1 if self.direction == "horizontal" else -2
        probability = self.probability

        def flip(inputs: "Tensor", rows: "Tensor", seed: int) -> "Tensor":
            chosen = uniform(rows, seed, 1)[:, :, None, None] < probability
            return torch.where(chosen, inputs.flip(axis), inputs)

        return flip


@final
class NoiseConfig(AugmentConfig, frozen=True):
    """Adds noise from N(0, deviation^2) to every scaled input value.

    It acts like a penalty on large slopes: Bishop 1995, "Training with noise is equivalent to
    Tikhonov regularization", doi:10.1162/neco.1995.7.1.108.
    """

    kind: Literal["noise"] = "noise"
    deviation: NonNegativeFloat = 0.1

    @property
    def needs_images(self) -> bool:
        return False

    def build(self) -> AugmentFn:
        deviation = self.deviation

        def noise(inputs: "Tensor", rows: "Tensor", seed: int) -> "Tensor":
            draws = normal(rows, seed, inputs[0].numel()).view(inputs.shape)
            return inputs + (deviation * draws).to(inputs.dtype)

        return noise


def chain(augments: Sequence[AugmentConfig]) -> AugmentFn:
    """All augmentations in order, each with a seed of its own.

    With one seed for all, a shift to the left and a flip would always come together.
    """
    built = [augment.build() for augment in augments]

    def apply(inputs: "Tensor", rows: "Tensor", seed: int) -> "Tensor":
        for position, augment in enumerate(built):
            inputs = augment(inputs, rows, (seed + position * _SEED_STRIDE) % (1 << 63))
        return inputs

    return apply


Augment = Annotated[FlipConfig | NoiseConfig | ShiftConfig, Menu()]
