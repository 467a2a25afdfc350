"""Augmentations that read the image between its pixels: rotation, affine, elastic, resized_crop.

Values between pixels are bilinear. To add one: write a class here and name it in `KINDS` at the
foot of the file.
"""

from math import exp, pi
from typing import Annotated, Literal, final

from pydantic import Field, NonNegativeFloat

from nnlab.core.contracts import AugmentFn, DataShape
from nnlab.core.lazy import F, Tensor, torch
from nnlab.parts.augments.family import AugmentConfig, on_inputs
from nnlab.parts.augments.rectangles import Between, Shares, random_boxes
from nnlab.parts.row_random import uniform_rows

_PaddingMode = Literal["zeros", "border", "reflection"]
Degrees = Annotated[float, Field(ge=0.0, le=180.0)]
Slant = Annotated[float, Field(ge=0.0, lt=90.0)]


def _sampled(inputs: "Tensor", grid: "Tensor", mode: _PaddingMode) -> "Tensor":
    """Values at the points of an (N, H, W, 2) grid, x before y, the image from -1 to 1."""
    wide = inputs if inputs.dtype == torch.float64 else inputs.float()
    found = F.grid_sample(wide, grid.to(wide.dtype), padding_mode=mode, align_corners=False)
    return found.to(inputs.dtype)


def _turned(
    inputs: "Tensor",
    mode: _PaddingMode,
    *,
    angle: "Tensor",
    scale: "Tensor",
    slant: "Tensor",
    right: "Tensor",
    down: "Tensor",
) -> "Tensor":
    """Each image slanted, turned and scaled about its centre, then moved.

    With R the rotation by `angle` (from x towards y, y pointing down) and S = [[1, -tan(slant)],
    [0, 1]], the point p comes from (scale R S)^-1 (p - move): the inverse is written out below.

    Args:
        inputs: (N, C, H, W).
        mode: what lies outside.
        angle: (N,) radians.
        scale: (N,) how much larger.
        slant: (N,) radians, along x.
        right: (N,) pixels.
        down: (N,) pixels.
    """
    height, width = inputs.shape[2:]
    cos, sin, tan = angle.cos() / scale, angle.sin() / scale, slant.tan()
    xx, xy = cos - tan * sin, sin + tan * cos
    yx, yy = -sin, cos
    across = torch.stack(
        [xx, xy * (height / width), -(xx * right + xy * down) * (2.0 / width)], dim=1
    )
    along = torch.stack(
        [yx * (width / height), yy, -(yx * right + yy * down) * (2.0 / height)], dim=1
    )
    theta = torch.stack([across, along], dim=1)
    wide = theta.double() if inputs.dtype == torch.float64 else theta
    grid = F.affine_grid(wide, list(inputs.shape), align_corners=False)
    return _sampled(inputs, grid, mode)


def _spread(draws: "Tensor", most: float) -> "Tensor":
    """Draws from [0, 1) to [-most, most)."""
    return most * (2.0 * draws - 1.0)


@final
class RotationConfig(AugmentConfig, frozen=True):
    """Turns the image about its centre by up to `degrees` to either side.

    What comes in is 0 (of the scaled inputs), the border's value, or a mirror image. Simard,
    Steinkraus & Platt 2003, "Best practices for convolutional neural networks", section 2.
    """

    kind: Literal["rotation"] = "rotation"
    degrees: Degrees = 10.0
    padding_mode: _PaddingMode = "zeros"

    def build(self, shape: DataShape) -> AugmentFn:
        most, mode = self.degrees * pi / 180.0, self.padding_mode

        def rotate(inputs: "Tensor", rows: "Tensor", seed: int) -> "Tensor":
            # Counter-clockwise is negative where y points down.
            angle = -_spread(uniform_rows(rows, seed, 1)[:, 0], most)
            none, one = torch.zeros_like(angle), torch.ones_like(angle)
            return _turned(inputs, mode, angle=angle, scale=one, slant=none, right=none, down=none)

        return on_inputs(rotate)


@final
class AffineConfig(AugmentConfig, frozen=True):
    """Turns, moves, scales and slants the image, each by a random amount.

    `degrees` to either side; `translate` as a share of width and height in each direction; `scale`
    between two factors; `shear` in degrees along x. What comes in is 0 (of the scaled inputs), the
    border's value, or a mirror image. Simard, Steinkraus & Platt 2003, "Best practices for
    convolutional neural networks", section 2.
    """

    kind: Literal["affine"] = "affine"
    degrees: Degrees = 10.0
    translate: Annotated[float, Field(ge=0.0, le=1.0)] = 0.1
    scale: Between = (0.9, 1.1)
    shear: Slant = 0.0
    padding_mode: _PaddingMode = "zeros"

    def build(self, shape: DataShape) -> AugmentFn:
        turn, slant = self.degrees * pi / 180.0, self.shear * pi / 180.0
        share, (low, high), mode = self.translate, self.scale, self.padding_mode

        def affine(inputs: "Tensor", rows: "Tensor", seed: int) -> "Tensor":
            draws = uniform_rows(rows, seed, 5).unbind(dim=1)
            height, width = inputs.shape[2:]
            return _turned(
                inputs,
                mode,
                angle=_spread(draws[0], turn),
                scale=low + (high - low) * draws[1],
                slant=_spread(draws[2], slant),
                right=_spread(draws[3], share * width),
                down=_spread(draws[4], share * height),
            )

        return on_inputs(affine)


@final
class ElasticConfig(AugmentConfig, frozen=True):
    """Bends the image: every pixel is fetched from a place nearby, neighbours from near places.

    The displacement of each pixel, in pixels and along each axis, is alpha * G(u): u uniform in
    (-1, 1) for every pixel, G the average under a Gaussian of deviation sigma (cut off at 4 sigma).
    Simard, Steinkraus & Platt 2003, "Best practices for convolutional neural networks", section 2;
    alpha 34 and sigma 4 are theirs for digits of 29x29.
    """

    kind: Literal["elastic"] = "elastic"
    alpha: NonNegativeFloat = 34.0
    sigma: Annotated[float, Field(gt=0.0, le=1000.0)] = 4.0
    padding_mode: _PaddingMode = "zeros"

    def build(self, shape: DataShape) -> AugmentFn:
        alpha, sigma, mode = self.alpha, self.sigma, self.padding_mode

        def elastic(inputs: "Tensor", rows: "Tensor", seed: int) -> "Tensor":
            height, width = inputs.shape[2:]
            field = _spread(uniform_rows(rows, seed, 2 * height * width), alpha)
            field = field.view(-1, height, width)
            # As matrices: cuDNN's convolutions may round to 10 bits, and pad with more launches.
            field = _blur(height, sigma, rows.device) @ field @ _blur(width, sigma, rows.device)
            x, y = field.view(-1, 2, height, width).unbind(dim=1)
            x = x + torch.arange(width, device=rows.device)
            y = y + torch.arange(height, device=rows.device)[:, None]
            return _sampled(inputs, _normalized(x, y), mode)

        return on_inputs(elastic)


def _normalized(x: "Tensor", y: "Tensor") -> "Tensor":
    """Places (N, H, W) in pixels, the first pixel's centre at 0, to a grid from -1 to 1."""
    height, width = x.shape[1:]
    return torch.stack([(2.0 * x + 1.0) / width - 1.0, (2.0 * y + 1.0) / height - 1.0], dim=-1)


def _blur(size: int, sigma: float, device: "torch.device") -> "Tensor":
    """(size, size): a row's product with it averages under the Gaussian; zeros lie outside."""
    reach = int(4.0 * sigma + 0.5)
    total = sum(exp(-0.5 * (d / sigma) ** 2) for d in range(-reach, reach + 1))
    places = torch.arange(size, device=device)
    distance = places[:, None] - places
    weights = torch.exp(-0.5 * (distance / sigma).square()) / total
    return weights * (distance.abs() <= reach)


@final
class ResizedCropConfig(AugmentConfig, frozen=True):
    """Cuts a random rectangle out of the image and stretches it to the old size.

    Of the image's area it takes a share from `scale`, its width / height is from `ratio`. Szegedy
    et al. 2014, arXiv:1409.4842, section 6; numbers as there and in torchvision.
    """

    kind: Literal["resized_crop"] = "resized_crop"
    scale: Shares = (0.08, 1.0)
    ratio: Between = (0.75, 4 / 3)

    def build(self, shape: DataShape) -> AugmentFn:
        scale, ratio = self.scale, self.ratio

        def crop(inputs: "Tensor", rows: "Tensor", seed: int) -> "Tensor":
            height, width = inputs.shape[2:]
            box = random_boxes(rows, seed, size=(height, width), scale=scale, ratio=ratio)
            y = _within(box.top, box.height, height)[:, :, None].expand(-1, -1, width)
            x = _within(box.left, box.width, width)[:, None, :].expand(-1, height, -1)
            return _sampled(inputs, _normalized(x, y), "border")

        return on_inputs(crop)


def _within(start: "Tensor", length: "Tensor", size: int) -> "Tensor":
    """(N, size): where `size` pixels lie that share `length` pixels; none beyond their centres."""
    step = (torch.arange(size, device=start.device) + 0.5) / size
    places = step * length[:, None] - 0.5
    inside = torch.minimum(places.clamp_min(0.0), (length - 1)[:, None].to(places.dtype))
    return start[:, None] + inside


KINDS = (AffineConfig, ElasticConfig, ResizedCropConfig, RotationConfig)
