from typing import Any, Literal

import numpy as np
import pytest

from nnlab.core.errors import DataError
from nnlab.parts.datasets import scaling

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]
Scale = Literal["unit", "feature"]

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (50, 3, 6, 5), dtype=np.uint8)
POINTS = (RANDOM.normal(size=(50, 4)) * [1, 10, 1e-3, 5] + [0, 5, 1e3, -2]).astype(np.float32)
ROWS = RANDOM.permutation(50)[:30]


def scaled(scale: Scale, inputs: Array, *, peak: int = 255, by_column: bool = True) -> Array:
    fitted = scaling.fit_scale(scale, inputs, ROWS, peak=peak, by_column=by_column)
    return (inputs - fitted.shift) * fitted.factor


def test_feature_agrees_with_the_definition() -> None:
    fitted = scaling.fit_scale("feature", POINTS, ROWS, peak=255, by_column=True)
    exact = POINTS[ROWS].astype(np.float64)
    np.testing.assert_allclose(fitted.shift[0], exact.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(fitted.factor[0], 1.0 / exact.std(axis=0), rtol=1e-6)


def test_unit_brings_each_column_to_0_and_1() -> None:
    exact = POINTS.astype(np.float64)
    low, high = exact[ROWS].min(axis=0), exact[ROWS].max(axis=0)
    np.testing.assert_allclose(scaled("unit", POINTS), (exact - low) / (high - low), atol=1e-6)


def test_unit_divides_bytes_by_their_largest_value() -> None:
    np.testing.assert_allclose(scaled("unit", IMAGES), IMAGES / 255.0, rtol=1e-6)
    np.testing.assert_allclose(scaled("unit", IMAGES, peak=16), IMAGES / 16.0, rtol=1e-6)


def test_unit_keeps_the_pixels_of_float_images_comparable() -> None:
    images = IMAGES.astype(np.float32) * 3 - 7
    low, high = images[ROWS].min(), images[ROWS].max()
    found = scaled("unit", images, by_column=False)
    np.testing.assert_allclose(found, (images - low) / (high - low), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_channel_agrees_with_the_definition(
    dtype: type[np.uint8 | np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling, "_CHUNK", 7 * 90)
    images = IMAGES.astype(dtype)
    fitted = scaling.fit_scale("channel", images, ROWS, peak=255, by_column=False)
    exact = IMAGES[ROWS].astype(np.float64)
    np.testing.assert_allclose(fitted.shift.ravel(), exact.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(fitted.factor.ravel(), 1 / exact.std(axis=(0, 2, 3)), rtol=1e-6)
    assert fitted.shift.shape == fitted.factor.shape == (1, 3, 1, 1)


@pytest.mark.parametrize("scale", ["feature", "unit"])
def test_a_constant_column_keeps_factor_1(scale: Scale) -> None:
    points = POINTS.copy()
    points[:, 1] = 0.1
    found = scaled(scale, points)
    np.testing.assert_allclose(found[:, 1], 0.0, atol=1e-6)
    assert np.isfinite(found).all()


def test_only_training_rows_count() -> None:
    changed = POINTS.copy()
    changed[np.setdiff1d(np.arange(50), ROWS)] = 1e6
    first = scaling.fit_scale("feature", POINTS, ROWS, peak=255, by_column=True)
    second = scaling.fit_scale("feature", changed, ROWS, peak=255, by_column=True)
    np.testing.assert_array_equal(first.factor, second.factor)


def test_gaps_are_filled_with_the_mean_of_the_training_rows() -> None:
    points = POINTS.copy()
    points[:3, 0] = np.nan
    found = scaling.missing_fill(points, ROWS, "abcd")
    np.testing.assert_allclose(found, np.nanmean(points[ROWS].astype(float), axis=0), rtol=1e-6)
    points[ROWS, 2] = np.nan
    with pytest.raises(DataError, match="column 'c' has no value in the training rows"):
        scaling.missing_fill(points, ROWS, "abcd")


def test_center_takes_the_training_mean_away_and_nothing_else() -> None:
    fitted = scaling.fit_scale("center", POINTS, ROWS, peak=255, by_column=False)
    mean = POINTS[ROWS].astype(np.float64).mean(axis=0)
    # The shift is kept in float32.
    np.testing.assert_allclose(fitted.shift[0], mean, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(fitted.factor, np.ones((1, 4)))


def test_center_brings_images_to_a_peak_of_one_first() -> None:
    images = np.random.default_rng(0).integers(0, 17, (30, 1, 4, 4)).astype(np.uint8)
    fitted = scaling.fit_scale("center", images, np.arange(20), peak=16, by_column=False)
    expected = images / 16 - (images[:20] / 16).mean(axis=0)
    np.testing.assert_allclose((images - fitted.shift) * fitted.factor, expected, atol=1e-6)
