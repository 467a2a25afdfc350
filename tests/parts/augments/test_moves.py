from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nnlab.core.contracts import Batch
from nnlab.parts.augments.moves import CropConfig, FlipConfig, ShiftConfig
from nnlab.parts.row_random import uniform_rows

NUMPY_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def moved(image: np.ndarray, down: int, right: int, mode: str = "zeros") -> np.ndarray:
    """One image moved by whole pixels; NumPy pads."""
    most = max(abs(down), abs(right))
    kind: Any = NUMPY_MODES[mode]
    padded = np.pad(image, ((0, 0), (most, most), (most, most)), kind)
    _, height, width = image.shape
    return padded[:, most - down :, most - right :][:, :height, :width]


def shifts_of(images: Tensor, changed: Tensor, most: int, mode: str) -> list[tuple[int, int]]:
    """The one (down, right) of each image that explains its change."""
    found: list[tuple[int, int]] = []
    steps = range(-most, most + 1)
    for image, after in zip(images.numpy(), changed.numpy(), strict=True):
        fits = [(d, r) for d in steps for r in steps if (moved(image, d, r, mode) == after).all()]
        assert len(fits) == 1
        found += fits
    return found


def test_shift_moves_each_image_by_whole_pixels_with_zeros_coming_in(
    batch: Batch, change: Any
) -> None:
    changed = change(ShiftConfig(pixels=2), batch.inputs, batch.rows, 5)
    shifts_of(batch.inputs, changed, 2, "zeros")


def test_shift_takes_every_distance_equally_often(change: Any) -> None:
    images = torch.rand(900, 1, 5, 5) + 0.1
    changed = change(ShiftConfig(pixels=1), images, torch.arange(900), 5)
    found = np.array(shifts_of(images, changed, 1, "zeros"))
    counts = np.unique(found, axis=0, return_counts=True)[1]
    # 9 directions, 100 each on average: four deviations of a binomial count.
    assert len(counts) == 9
    assert np.abs(counts - 100).max() < 4 * np.sqrt(900 * (1 / 9) * (8 / 9))


def test_shift_by_more_than_the_image_gives_an_image(batch: Batch, change: Any) -> None:
    changed = change(ShiftConfig(pixels=20), batch.inputs, batch.rows, 1)
    assert changed.shape == batch.inputs.shape


@pytest.mark.parametrize("mode", NUMPY_MODES)
def test_crop_pads_as_numpy_does(mode: str, batch: Batch, change: Any) -> None:
    config = CropConfig.model_validate({"padding": 2, "padding_mode": mode})
    changed = change(config, batch.inputs, batch.rows, 5)
    shifts_of(batch.inputs, changed, 2, mode)


def test_crop_with_zeros_is_shift(batch: Batch, change: Any) -> None:
    crop = change(CropConfig(padding=3), batch.inputs, batch.rows, 5)
    assert torch.equal(crop, change(ShiftConfig(pixels=3), batch.inputs, batch.rows, 5))


@pytest.mark.parametrize(
    ("mode", "padding", "fits"),
    [("reflect", 5, True), ("reflect", 6, False), ("circular", 6, True), ("circular", 7, False),
     ("zeros", 6, True), ("replicate", 6, True)],
)  # fmt: skip
def test_crop_says_how_much_a_mode_can_pad(mode: str, padding: int, fits: bool) -> None:
    config = CropConfig.model_validate({"padding": padding, "padding_mode": mode})
    assert (config.misfit((3, 8, 6)) == "") == fits
    torch_mode = "constant" if mode == "zeros" else mode
    if fits:
        torch.nn.functional.pad(torch.zeros(1, 3, 8, 6), (padding,) * 4, torch_mode)
    else:
        with pytest.raises(RuntimeError):
            torch.nn.functional.pad(torch.zeros(1, 3, 8, 6), (padding,) * 4, torch_mode)


def test_no_image_is_moved_by_more_than_its_size() -> None:
    for mode in ("zeros", "replicate"):
        crop = CropConfig.model_validate({"padding": 7, "padding_mode": mode})
        assert crop.misfit((3, 8, 6)) == f"{mode} pads images of 8x6 by at most 6, got 7"
    assert ShiftConfig(pixels=6).misfit((3, 8, 6)) == ""
    assert ShiftConfig(pixels=7).misfit((3, 8, 6)) == "moves images of 8x6 by at most 6, got 7"


@pytest.mark.parametrize(("direction", "axis"), [("horizontal", 3), ("vertical", 2)])
def test_flip_mirrors_the_drawn_examples_and_no_other(
    direction: str, axis: int, batch: Batch, change: Any
) -> None:
    config = FlipConfig.model_validate({"direction": direction, "probability": 0.4})
    changed = change(config, batch.inputs, batch.rows, 3)
    drawn = uniform_rows(batch.rows, 3, 1)[:, 0] < 0.4
    assert torch.equal(changed[drawn], batch.inputs[drawn].flip(axis))
    assert torch.equal(changed[~drawn], batch.inputs[~drawn])


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_flip_is_sure_at_the_ends(probability: float, batch: Batch, change: Any) -> None:
    changed = change(FlipConfig(probability=probability), batch.inputs, batch.rows, 3)
    assert torch.equal(changed, batch.inputs.flip(3) if probability else batch.inputs)
