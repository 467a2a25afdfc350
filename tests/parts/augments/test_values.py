from typing import Any

import pytest
import torch
from torchvision.transforms.v2 import functional as tv

from nnlab.core.contracts import Batch
from nnlab.parts.augments.pixel_values import (
    BrightnessConfig,
    ContrastConfig,
    ErasingConfig,
    NoiseConfig,
)
from nnlab.parts.augments.rectangles import random_boxes
from nnlab.parts.row_random import normal_rows, uniform_rows

ROWS = torch.arange(100, 140)


def test_noise_adds_normal_numbers_of_its_deviation(change: Any) -> None:
    inputs = torch.ones(40, 5)
    changed = change(NoiseConfig(deviation=0.5), inputs, ROWS, 3)
    torch.testing.assert_close(changed, 1.0 + 0.5 * normal_rows(ROWS, 3, 5))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", [BrightnessConfig, ContrastConfig])
def test_brightness_and_contrast_are_torchvisions(kind: Any, channels: int, change: Any) -> None:
    # Middling values, so that torchvision cuts none off at 0 or 1.
    images = 0.3 + 0.3 * torch.rand(40, channels, 8, 6)
    changed = change(kind(amount=0.5), images, ROWS, 3)
    reference = tv.adjust_brightness if kind is BrightnessConfig else tv.adjust_contrast
    factors = 0.5 + uniform_rows(ROWS, 3, 1)[:, 0]
    for image, after, factor in zip(images, changed, factors.tolist(), strict=True):
        torch.testing.assert_close(after, reference(image, factor), atol=1e-5, rtol=0.0)


def test_erasing_is_torchvisions(batch: Batch, change: Any) -> None:
    config = ErasingConfig(probability=1.0, value=0.25)
    changed = change(config, batch.inputs, batch.rows, 5)
    box = random_boxes(batch.rows, 5, size=(8, 6), scale=(0.02, 0.33), ratio=(0.3, 3.3))
    for image, after, *place in zip(batch.inputs, changed, *(b.tolist() for b in box), strict=True):
        top, left, height, width, found = place
        expected = tv.erase(image, top, left, height, width, torch.tensor(0.25))
        assert torch.equal(after, expected if found else image)


def test_erasing_falls_on_its_share_of_the_examples(change: Any) -> None:
    images = torch.ones(4000, 1, 6, 6)
    changed = change(ErasingConfig(probability=0.3), images, torch.arange(4000), 5)
    share = float((changed != images).flatten(1).any(dim=1).double().mean())
    # Four deviations of a binomial share.
    assert abs(share - 0.3) < 4 * (0.3 * 0.7 / 4000) ** 0.5


def test_erasing_with_random_puts_normal_numbers_in(change: Any) -> None:
    images = torch.full((300, 1, 20, 20), 9.0)
    config = ErasingConfig(probability=1.0, scale=(0.5, 0.5), value="random")
    changed = change(config, images, torch.arange(300), 5)
    hidden = changed[changed != 9.0]
    assert abs(float(hidden.mean())) < 0.05
    assert abs(float(hidden.std()) - 1.0) < 0.05


def test_scale_and_ratio_are_least_and_greatest() -> None:
    with pytest.raises(ValueError, match="smaller number first"):
        ErasingConfig(scale=(0.5, 0.1))
    with pytest.raises(ValueError, match="at most 1"):
        ErasingConfig(scale=(0.5, 1.1))
