"""Random rectangles inside an image, for what cuts out and what erases."""

from math import log
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, PositiveFloat
from pydantic_core import PydanticCustomError

from nnlab.core.lazy import Tensor, torch
from nnlab.parts.row_random import uniform_rows

TRIES = 10
"""Rectangles drawn for each example, of which the first that fits is taken: as torchvision does."""


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise PydanticCustomError("value", "needs the smaller number first")
    return pair


Between = Annotated[tuple[PositiveFloat, PositiveFloat], AfterValidator(_ordered)]
"""The least and the greatest of a number that is drawn."""


def _share(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[1] > 1.0:
        raise PydanticCustomError("value", "needs shares of the image, at most 1")
    return pair


Shares = Annotated[Between, AfterValidator(_share)]


class Boxes(NamedTuple):
    """A rectangle for each of N examples, in whole pixels; int64 on the rows' device."""

    top: "Tensor"
    left: "Tensor"
    height: "Tensor"
    width: "Tensor"
    found: "Tensor"
    """(N,) bool: whether one of the tries fitted; the others have the whole image."""


def random_boxes(
    rows: "Tensor",
    seed: int,
    *,
    size: tuple[int, int],
    scale: tuple[float, float],
    ratio: tuple[float, float],
) -> Boxes:
    """Rectangles of random area, shape and place.

    Args:
        rows: (N,) row numbers.
        seed: of these draws.
        size: height and width of the image.
        scale: least and greatest share of the image's area.
        ratio: least and greatest width / height; its logarithm is drawn uniformly.
    """
    draws = uniform_rows(rows, seed, 2 * TRIES + 2)
    area = (scale[0] + (scale[1] - scale[0]) * draws[:, :TRIES]) * (size[0] * size[1])
    low, high = log(ratio[0]), log(ratio[1])
    shape = torch.exp(low + (high - low) * draws[:, TRIES : 2 * TRIES])
    heights = torch.sqrt(area / shape).round().to(torch.int64)
    widths = torch.sqrt(area * shape).round().to(torch.int64)
    fits = (heights > 0) & (heights <= size[0]) & (widths > 0) & (widths <= size[1])
    # argmax gives the first of equals.
    first = fits.to(torch.uint8).argmax(dim=1, keepdim=True)
    found = fits.any(dim=1)
    height = torch.where(found, heights.gather(1, first)[:, 0], size[0])
    width = torch.where(found, widths.gather(1, first)[:, 0], size[1])
    top = (draws[:, -2] * (size[0] - height + 1)).to(torch.int64)
    left = (draws[:, -1] * (size[1] - width + 1)).to(torch.int64)
    return Boxes(top, left, height, width, found)
