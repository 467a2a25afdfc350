"""Against torchvision's functional forms, image by image, with the parameters that were drawn."""

from math import log
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from nnlab.core.contracts import Batch
from nnlab.parts.augments.rectangles import TRIES, random_boxes
from nnlab.parts.augments.warps import (
    AffineConfig,
    ElasticConfig,
    ResizedCropConfig,
    RotationConfig,
)
from nnlab.parts.row_random import uniform_rows

BILINEAR = InterpolationMode.BILINEAR
# Both work in float32; coordinates of 8 pixels are rounded at about 1e-6.
CLOSE: dict[str, Any] = {"atol": 2e-5, "rtol": 0.0}


def test_rotation_is_torchvisions(batch: Batch, change: Any) -> None:
    changed = change(RotationConfig(degrees=60.0), batch.inputs, batch.rows, 5)
    angles = 60.0 * (2.0 * uniform_rows(batch.rows, 5, 1)[:, 0] - 1.0)
    for image, after, angle in zip(batch.inputs, changed, angles.tolist(), strict=True):
        torch.testing.assert_close(after, tv.rotate(image, angle, BILINEAR), **CLOSE)


def test_affine_is_torchvisions(batch: Batch, change: Any) -> None:
    config = AffineConfig(degrees=30.0, translate=0.3, scale=(0.7, 1.4), shear=25.0)
    changed = change(config, batch.inputs, batch.rows, 5)
    for image, after, row in zip(
        batch.inputs, changed, uniform_rows(batch.rows, 5, 5).tolist(), strict=True
    ):
        turn, size, slant, right, down = row
        expected = tv.affine(
            image,
            angle=30.0 * (2 * turn - 1),
            # torchvision's transform rounds these to whole pixels, the functional form does not.
            translate=[0.3 * 6 * (2 * right - 1), 0.3 * 8 * (2 * down - 1)],
            scale=0.7 + 0.7 * size,
            shear=[25.0 * (2 * slant - 1), 0.0],
            interpolation=BILINEAR,
        )
        torch.testing.assert_close(after, expected, **CLOSE)


def test_affine_without_amounts_changes_nothing(batch: Batch, change: Any) -> None:
    config = AffineConfig(degrees=0.0, translate=0.0, scale=(1.0, 1.0))
    changed = change(config, batch.inputs, batch.rows, 5)
    torch.testing.assert_close(changed, batch.inputs, **CLOSE)


@pytest.mark.parametrize("mode", ["border", "reflection"])
def test_constant_images_stay_constant_where_no_zeros_come_in(mode: str, change: Any) -> None:
    for kind in (RotationConfig, AffineConfig, ElasticConfig):
        config = kind.model_validate({"padding_mode": mode})
        changed = change(config, torch.ones(9, 1, 12, 12), torch.arange(9), 5)
        torch.testing.assert_close(changed, torch.ones(9, 1, 12, 12))


def test_elastic_fetches_from_a_smoothed_random_field(batch: Batch, change: Any) -> None:
    scipy_ndimage = pytest.importorskip("scipy.ndimage")
    changed = change(ElasticConfig(alpha=20.0, sigma=1.5), batch.inputs, batch.rows, 5)
    draws = 2.0 * uniform_rows(batch.rows, 5, 2 * 48).double().numpy() - 1.0
    for image, after, field in zip(batch.inputs, changed, draws.reshape(-1, 2, 8, 6), strict=True):
        smooth = [
            20.0 * scipy_ndimage.gaussian_filter(axis, 1.5, mode="constant") for axis in field
        ]
        # torchvision takes displacements in units of half the image, x before y.
        displacement = np.stack([smooth[0] * 2 / 6, smooth[1] * 2 / 8], axis=-1)[None]
        expected = tv.elastic(image, torch.from_numpy(displacement).float(), BILINEAR)
        torch.testing.assert_close(after, expected, atol=1e-4, rtol=0.0)


def test_elastic_with_alpha_0_changes_nothing(batch: Batch, change: Any) -> None:
    changed = change(ElasticConfig(alpha=0.0), batch.inputs, batch.rows, 5)
    torch.testing.assert_close(changed, batch.inputs, **CLOSE)


def test_resized_crop_is_torchvisions(batch: Batch, change: Any) -> None:
    changed = change(ResizedCropConfig(), batch.inputs, batch.rows, 5)
    box = random_boxes(batch.rows, 5, size=(8, 6), scale=(0.08, 1.0), ratio=(0.75, 4 / 3))
    for image, after, *place in zip(batch.inputs, changed, *(b.tolist() for b in box), strict=True):
        top, left, height, width, _ = place
        expected = tv.resized_crop(
            image, top, left, height, width, [8, 6], BILINEAR, antialias=False
        )
        torch.testing.assert_close(after, expected, **CLOSE)


def test_boxes_keep_to_their_limits() -> None:
    rows = torch.arange(2000)
    box = random_boxes(rows, 3, size=(20, 30), scale=(0.1, 0.5), ratio=(0.5, 2.0))
    assert bool(box.found.all())
    assert int((box.top + box.height).max()) <= 20
    assert int((box.left + box.width).max()) <= 30
    assert int(box.top.min()) == int(box.left.min()) == 0
    # Sides are rounded to whole pixels: at most half a pixel in each.
    area = box.height * box.width
    slack = (box.height + box.width) / 2 + 0.25
    assert bool((area >= 60 - slack).all())
    assert bool((area <= 300 + slack).all())


def test_a_box_that_never_fits_is_the_whole_image() -> None:
    box = random_boxes(torch.arange(50), 3, size=(8, 8), scale=(1.0, 1.0), ratio=(4.0, 5.0))
    assert not bool(box.found.any())
    assert bool(((box.height == 8) & (box.width == 8) & (box.top == 0) & (box.left == 0)).all())


def test_the_first_box_that_fits_is_taken() -> None:
    rows, scale, ratio = torch.arange(300), (0.3, 1.0), (0.25, 4.0)
    box = random_boxes(rows, 3, size=(9, 9), scale=scale, ratio=ratio)
    for draws, height, width in zip(
        uniform_rows(rows, 3, 2 * TRIES + 2).double().tolist(),
        box.height.tolist(),
        box.width.tolist(),
        strict=True,
    ):
        for area, shape in zip(draws[:TRIES], draws[TRIES:], strict=False):
            wide = np.exp(log(0.25) + log(16.0) * shape)
            h = round(np.sqrt((0.3 + 0.7 * area) * 81 / wide))
            w = round(np.sqrt((0.3 + 0.7 * area) * 81 * wide))
            if h <= 9 and w <= 9:
                assert (height, width) == (h, w)
                break
