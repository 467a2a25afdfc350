"""Images as sequences."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlab.config.loading import place_for
from nnlab.core.contracts import Shape
from nnlab.core.errors import ConfigError
from nnlab.parts.datasets.downloads.bundled import DigitsConfig, IrisConfig
from nnlab.parts.datasets.tables import Table, TableSource
from nnlab.parts.datasets.views import View, viewed_shape, viewed_table

PLACE = place_for(Path.cwd())


@pytest.mark.parametrize(("view", "shape"), [("rows", (8, 8)), ("pixels", (64, 1))])
def test_digits_are_seen_from_the_first_row_to_the_last(view: View, shape: Shape) -> None:
    plain, seen = DigitsConfig().load(PLACE), DigitsConfig(view=view).load(PLACE)
    assert DigitsConfig(view=view).describe(PLACE) == seen.shape
    assert seen.shape.inputs == shape
    flat = np.asarray(plain.inputs).reshape(len(plain.targets), -1)
    assert np.array_equal(np.asarray(seen.inputs).reshape(flat.shape), flat)
    assert all(np.array_equal(plain.rows[split], rows) for split, rows in seen.rows.items())
    assert float(seen.factor.item()) == float(plain.factor.item())


@pytest.mark.parametrize("view", ["rows", "pixels"])
def test_a_step_holds_all_channels_of_its_pixels(view: View) -> None:
    images = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    source = TableSource((3, 4, 5), "classes", 2, ("a", "b"), 2)
    found = viewed_table(Table(source, images, np.zeros(2, np.int64)), view)
    assert found.inputs.shape == (2, *viewed_shape((3, 4, 5), view))
    steps = np.asarray(found.inputs).reshape(2, 4, 5, 3)
    for row in range(4):
        for column in range(5):
            assert np.array_equal(steps[:, row, column], images[:, :, row, column])


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (IrisConfig(view="rows"), "rows is for images, iris has none"),
        (DigitsConfig(view="rows", scale="channel"), "can take none, unit"),
    ],
)
def test_what_cannot_be_seen_so_is_refused(config: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        config.describe(PLACE)
