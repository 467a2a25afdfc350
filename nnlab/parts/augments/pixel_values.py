"""Augmentations that change values where they are: noise, brightness, contrast, erasing.

To add one: write a class here and name it in `KINDS` at the foot of the file.
"""

from typing import Annotated, ClassVar, Literal, final

from pydantic import Field, NonNegativeFloat

from nnlab.core.contracts import AugmentFn, DataShape
from nnlab.core.kinds import Forms
from nnlab.core.lazy import Tensor, torch
from nnlab.parts.augments.family import AugmentConfig, AugmentProbability, on_inputs
from nnlab.parts.augments.rectangles import Between, Shares, random_boxes
from nnlab.parts.row_random import normal_rows, uniform_rows

Amount = Annotated[float, Field(ge=0.0, le=1.0)]

# ITU-R BT.601: how much of the brightness that one sees comes from red, green and blue.
_GREY = (0.2989, 0.587, 0.114)
# Draws of the values that come in, apart from those of the rectangle.
_VALUES = 0x5851F42D4C957F2D


@final
class NoiseConfig(AugmentConfig, frozen=True):
    """Adds noise from N(0, deviation^2) to every scaled input value.

    It acts like a penalty on large slopes: Bishop 1995, "Training with noise is equivalent to
    Tikhonov regularization", doi:10.1162/neco.1995.7.1.108.
    """

    kind: Literal["noise"] = "noise"
    needs_images: ClassVar[bool] = False
    deviation: NonNegativeFloat = 0.1

    def build(self, shape: DataShape) -> AugmentFn:
        deviation = self.deviation

        def noise(inputs: "Tensor", rows: "Tensor", seed: int) -> "Tensor":
            draws = normal_rows(rows, seed, inputs[0].numel()).view(inputs.shape)
            return inputs + (deviation * draws).to(inputs.dtype)

        return on_inputs(noise)


def _factors(rows: "Tensor", seed: int, amount: float, dtype: "torch.dtype") -> "Tensor":
    """(N, 1, 1, 1) from 1 - amount to 1 + amount."""
    draws = 1.0 + amount * (2.0 * uniform_rows(rows, seed, 1) - 1.0)
    return draws[:, :, None, None].to(dtype)


@final
class BrightnessConfig(AugmentConfig, frozen=True):
    """Multiplies the image by a factor from 1 - amount to 1 + amount.

    The factor falls on the scaled inputs, so it means brightness where 0 is black (`scale: unit`);
    nothing is cut off at 1. Krizhevsky et al. 2012, "ImageNet classification with deep
    convolutional neural networks", section 4.1, of which it is the simplest form.
    """

    kind: Literal["brightness"] = "brightness"
    amount: Amount = 0.2

    def build(self, shape: DataShape) -> AugmentFn:
        amount = self.amount

        def brighten(inputs: "Tensor", rows: "Tensor", seed: int) -> "Tensor":
            return inputs * _factors(rows, seed, amount, inputs.dtype)

        return on_inputs(brighten)


@final
class ContrastConfig(AugmentConfig, frozen=True):
    """Moves each value away from the image's mean, or towards it: m + factor * (x - m).

    The factor is from 1 - amount to 1 + amount, m the mean grey of the image (0.2989 red + 0.587
    green + 0.114 blue, ITU-R BT.601); nothing is cut off at 0 and 1. Howard 2013, arXiv:1312.5402,
    section 2.
    """

    kind: Literal["contrast"] = "contrast"
    amount: Amount = 0.2

    def build(self, shape: DataShape) -> AugmentFn:
        amount = self.amount

        def contrast(inputs: "Tensor", rows: "Tensor", seed: int) -> "Tensor":
            means = inputs.mean(dim=(2, 3), keepdim=True)
            if means.shape[1] == 3:
                # Python numbers travel with the kernel; a tensor of them would be copied.
                mean = sum(part * means[:, i : i + 1] for i, part in enumerate(_GREY))
            else:
                mean = means.mean(dim=1, keepdim=True)
            return mean + _factors(rows, seed, amount, inputs.dtype) * (inputs - mean)

        return on_inputs(contrast)


@final
class ErasingConfig(AugmentConfig, frozen=True):
    """Replaces a random rectangle with a given probability: the network must look elsewhere too.

    Of the image's area it takes a share from `scale`, its width / height is from `ratio`. `value`
    is what comes in, in scaled inputs, or `random` for N(0, 1) in every pixel. Zhong et al. 2017,
    arXiv:1708.04896, algorithm 1; numbers as in torchvision. DeVries & Taylor 2017,
    arXiv:1708.04552 (cutout) is the square of a fixed size.
    """

    kind: Literal["erasing"] = "erasing"
    probability: AugmentProbability = 0.5
    scale: Shares = (0.02, 0.33)
    ratio: Between = (0.3, 3.3)
    value: Annotated[float | Literal["random"], Forms()] = 0.0

    def build(self, shape: DataShape) -> AugmentFn:
        probability, scale, ratio, value = self.probability, self.scale, self.ratio, self.value

        def erase(inputs: "Tensor", rows: "Tensor", seed: int) -> "Tensor":
            height, width = inputs.shape[2:]
            box = random_boxes(rows, seed, size=(height, width), scale=scale, ratio=ratio)
            y = torch.arange(height, device=rows.device)[:, None] - box.top[:, None, None]
            x = torch.arange(width, device=rows.device) - box.left[:, None, None]
            inside = (y >= 0) & (y < box.height[:, None, None])
            inside = inside & (x >= 0) & (x < box.width[:, None, None])
            other = (seed + _VALUES) % (1 << 63)
            chosen = (uniform_rows(rows, other, 1)[:, 0] < probability) & box.found
            hidden = (inside & chosen[:, None, None])[:, None]
            if isinstance(value, float):
                return inputs.masked_fill(hidden, value)
            draws = normal_rows(rows, other + 1, inputs[0].numel()).view(inputs.shape)
            return torch.where(hidden, draws.to(inputs.dtype), inputs)

        return on_inputs(erase)


KINDS = (BrightnessConfig, ContrastConfig, ErasingConfig, NoiseConfig)
