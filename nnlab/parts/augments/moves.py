"""Augmentations that move whole pixels: shift, crop, flip.

To add one: write a class here and name it in `KINDS` at the foot of the file.
"""

from typing import Literal, final

from pydantic import PositiveInt

from nnlab.core.contracts import AugmentFn, DataShape, Shape
from nnlab.core.lazy import F, Tensor, torch
from nnlab.parts.augments.family import AugmentConfig, AugmentProbability, InputsFn, on_inputs
from nnlab.parts.row_random import uniform_rows

_PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]


def _moved(most: int, mode: _PaddingMode) -> InputsFn:
    """Pads by `most` on every side and cuts a window of the old size out, drawn per example."""
    torch_mode = "constant" if mode == "zeros" else mode

    def move(inputs: "Tensor", rows: "Tensor", seed: int) -> "Tensor":
        channels, height, width = inputs.shape[1:]
        # In the padded image the corner of the window lies between 0 and twice `most`.
        corner = (uniform_rows(rows, seed, 2) * (2 * most + 1)).to(torch.int64)
        down = torch.arange(height, device=rows.device) + corner[:, :1]
        right = torch.arange(width, device=rows.device) + corner[:, 1:]
        example = torch.arange(len(rows), device=rows.device)[:, None, None, None]
        channel = torch.arange(channels, device=rows.device)[:, None, None]
        padded = F.pad(inputs, (most, most, most, most), mode=torch_mode)
        return padded[example, channel, down[:, None, :, None], right[:, None, None, :]]

    return move


def _too_far(what: str, pixels: int, inputs: Shape, mode: _PaddingMode) -> str:
    """Why an image cannot be moved by so many pixels; empty if it can.

    By more than its size nothing of it would be left; a mirror image lacks the edge itself.
    """
    most = min(inputs[-2:]) - (1 if mode == "reflect" else 0)
    size = "x".join(map(str, inputs[-2:]))
    return "" if pixels <= most else f"{what} images of {size} by at most {most}, got {pixels}"


@final
class ShiftConfig(AugmentConfig, frozen=True):
    """Moves the image by up to `pixels` in each direction; what comes in is 0.

    Whole pixels, drawn for each example and axis; the 0 is that of the scaled inputs.
    LeCun et al. 1998, "Gradient-based learning applied to document recognition", section III.
    """

    kind: Literal["shift"] = "shift"
    pixels: PositiveInt = 2

    def misfit(self, inputs: Shape) -> str:
        return _too_far("moves", self.pixels, inputs, "zeros")

    def build(self, shape: DataShape) -> AugmentFn:
        return on_inputs(_moved(self.pixels, "zeros"))


@final
class CropConfig(AugmentConfig, frozen=True):
    """Pads the image on every side, then cuts a window of the old size out at a random place.

    With padding_mode zeros it is shift; reflect mirrors the image at its edge, replicate repeats
    the edge, circular lets come in what goes out. Krizhevsky et al. 2012, "ImageNet classification
    with deep convolutional neural networks", section 4.1; with padding: He et al. 2015,
    arXiv:1512.03385, section 4.2.
    """

    kind: Literal["crop"] = "crop"
    padding: PositiveInt = 4
    padding_mode: _PaddingMode = "zeros"

    def misfit(self, inputs: Shape) -> str:
        return _too_far(f"{self.padding_mode} pads", self.padding, inputs, self.padding_mode)

    def build(self, shape: DataShape) -> AugmentFn:
        return on_inputs(_moved(self.padding, self.padding_mode))


@final
class FlipConfig(AugmentConfig, frozen=True):
    """Mirrors the image with a given probability: left and right, or top and bottom.

    Krizhevsky et al. 2012, "ImageNet classification with deep convolutional neural networks",
    section 4.1.
    """

    kind: Literal["flip"] = "flip"
    direction: Literal["horizontal", "vertical"] = "horizontal"
    probability: AugmentProbability = 0.5

    def build(self, shape: DataShape) -> AugmentFn:
        axis = -1 if self.direction == "horizontal" else -2
        probability = self.probability

        def flip(inputs: "Tensor", rows: "Tensor", seed: int) -> "Tensor":
            chosen = uniform_rows(rows, seed, 1)[:, :, None, None] < probability
            return torch.where(chosen, inputs.flip(axis), inputs)

        return on_inputs(flip)


KINDS = (CropConfig, FlipConfig, ShiftConfig)
