from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nnlab.choices import kinds_of
from nnlab.parts.augments import (
    Augment,
    AugmentConfig,
    FlipConfig,
    NoiseConfig,
    ShiftConfig,
    chain,
)
from nnlab.parts.draws import normal, uniform

ROWS = torch.arange(100, 140)
IMAGES = torch.rand(40, 3, 8, 6, generator=torch.Generator().manual_seed(0)) + 0.1
CONFIGS: list[Any] = [kind.example() for kind in kinds_of(Augment).values()]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.kind)
class TestEveryAugment:
    @pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
    def test_keeps_shape_and_type(self, config: AugmentConfig, dtype: torch.dtype) -> None:
        changed = config.build()(IMAGES.to(dtype), ROWS, 1)
        assert (changed.shape, changed.dtype) == (IMAGES.shape, dtype)

    def test_an_example_changes_alike_in_any_batch(self, config: AugmentConfig) -> None:
        augment = config.build()
        order = torch.randperm(40)[:7]
        together = augment(IMAGES, ROWS, 9)[order]
        assert torch.equal(augment(IMAGES[order], ROWS[order], 9), together)

    def test_another_seed_changes_otherwise(self, config: AugmentConfig) -> None:
        augment = config.build()
        assert not torch.equal(augment(IMAGES, ROWS, 1), augment(IMAGES, ROWS, 2))

    def test_leaves_its_inputs_alone(self, config: AugmentConfig) -> None:
        before = IMAGES.clone()
        config.build()(IMAGES, ROWS, 1)
        assert torch.equal(IMAGES, before)

    def test_draws_nothing_from_torch_generators(self, config: AugmentConfig) -> None:
        before = torch.get_rng_state()
        config.build()(IMAGES, ROWS, 1)
        assert torch.equal(torch.get_rng_state(), before)


def moved(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """One image moved by whole pixels, zeros coming in, pixel by pixel."""
    result = np.zeros_like(image)
    _, height, width = image.shape
    for y in range(height):
        for x in range(width):
            if 0 <= y - down < height and 0 <= x - right < width:
                result[:, y, x] = image[:, y - down, x - right]
    return result


def shifts_of(images: Tensor, changed: Tensor, most: int) -> list[tuple[int, int]]:
    """The one (down, right) of each image that explains its change."""
    found: list[tuple[int, int]] = []
    steps = range(-most, most + 1)
    for image, after in zip(images.numpy(), changed.numpy(), strict=True):
        fits = [(d, r) for d in steps for r in steps if (moved(image, d, r) == after).all()]
        assert len(fits) == 1
        found += fits
    return found


def test_shift_moves_each_image_by_whole_pixels_with_zeros_coming_in() -> None:
    shifts_of(IMAGES, ShiftConfig(pixels=2).build()(IMAGES, ROWS, 5), 2)


def test_shift_takes_every_distance_equally_often() -> None:
    images = torch.rand(900, 1, 5, 5) + 0.1
    changed = ShiftConfig(pixels=1).build()(images, torch.arange(900), 5)
    counts = np.unique(np.array(shifts_of(images, changed, 1)), axis=0, return_counts=True)[1]
    # 9 directions, 100 each on average: four deviations of a binomial count.
    assert len(counts) == 9
    assert np.abs(counts - 100).max() < 4 * np.sqrt(900 * (1 / 9) * (8 / 9))


def test_shift_by_more_than_the_image_gives_an_image() -> None:
    assert ShiftConfig(pixels=20).build()(IMAGES, ROWS, 1).shape == IMAGES.shape


@pytest.mark.parametrize(("direction", "axis"), [("horizontal", 3), ("vertical", 2)])
def test_flip_mirrors_the_drawn_examples_and_no_other(direction: str, axis: int) -> None:
    config = FlipConfig.model_validate({"direction": direction, "probability": 0.4})
    changed = config.build()(IMAGES, ROWS, 3)
    drawn = uniform(ROWS, 3, 1)[:, 0] < 0.4
    assert torch.equal(changed[drawn], IMAGES[drawn].flip(axis))
    assert torch.equal(changed[~drawn], IMAGES[~drawn])


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_flip_is_sure_at_the_ends(probability: float) -> None:
    changed = FlipConfig(probability=probability).build()(IMAGES, ROWS, 3)
    assert torch.equal(changed, IMAGES.flip(3) if probability else IMAGES)


def test_noise_adds_normal_numbers_of_its_deviation() -> None:
    inputs = torch.ones(40, 5)
    changed = NoiseConfig(deviation=0.5).build()(inputs, ROWS, 3)
    torch.testing.assert_close(changed, 1.0 + 0.5 * normal(ROWS, 3, 5))


def test_only_noise_takes_what_is_no_image() -> None:
    assert [c.kind for c in CONFIGS if not c.needs_images] == ["noise"]


def test_chain_applies_in_order() -> None:
    both = chain([FlipConfig(probability=1.0), FlipConfig(direction="vertical", probability=1.0)])
    assert torch.equal(both(IMAGES, ROWS, 1), IMAGES.flip(3).flip(2))


def test_chain_gives_each_augmentation_its_own_draws() -> None:
    both = chain([FlipConfig(), FlipConfig()])(IMAGES, ROWS, 2**63 - 1)
    # With the same draws, the second flip would undo the first.
    assert not torch.equal(both, IMAGES)


def test_chain_of_nothing_changes_nothing() -> None:
    assert chain([])(IMAGES, ROWS, 1) is IMAGES
