"""Images as sequences."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import Shape
from nnlab.core.errors import ConfigError
from nnlab.parts.datasets.downloads.bundled import DigitsConfig, IrisConfig
from nnlab.parts.datasets.tables import Table, TableSource
from nnlab.parts.datasets.views import View, viewed_shape, viewed_table
from nnlab.runs.run import train

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


class TestColumnsAsSteps:
    """Of a csv file and of arrays, in the order in which they stand there."""

    @pytest.fixture
    def table(self) -> np.ndarray:
        return np.random.default_rng(1).normal(3.0, 2.0, (40, 6)).astype(np.float32)

    @pytest.fixture(params=["csv", "npz"])
    def data(
        self, request: pytest.FixtureRequest, table: np.ndarray, tmp_path: Path
    ) -> dict[str, Any]:
        labels = np.arange(40) % 2
        if request.param == "npz":
            np.savez(tmp_path / "a.npz", inputs=table, targets=labels)
            return {"kind": "npz", "path": str(tmp_path / "a.npz")}
        lines = [
            ",".join([*map(repr, map(float, row)), "ab"[label]])
            for row, label in zip(table, labels, strict=True)
        ]
        (tmp_path / "a.csv").write_text("\n".join(["a,b,c,d,e,f,y", *lines]) + "\n")
        return {"kind": "csv", "path": str(tmp_path / "a.csv"), "target": "y"}

    def test_are_a_sequence_of_one_number(self, data: dict[str, Any], table: np.ndarray) -> None:
        config = load_config({"data": {**data, "view": "time"}, "model": {"kind": "rnn"}})
        found = config.data.load(PLACE)
        assert config.data.describe(PLACE) == found.shape
        assert found.shape.inputs == (6, 1)
        assert np.allclose(np.asarray(found.inputs)[:, :, 0], table)
        # One scale for all steps: a step that is larger stays larger.
        assert found.shift.size == found.factor.size == 1
        train = table[found.rows["train"]].astype(np.float64)
        assert float(found.shift.item()) == pytest.approx(train.mean(), rel=1e-5)
        assert float(found.factor.item()) == pytest.approx(1.0 / train.std(), rel=1e-5)

    def test_train_a_recurrent_network(self, data: dict[str, Any], tmp_path: Path) -> None:
        config = {"data": {**data, "view": "time"}, "model": {"kind": "gru", "units": 4},
                  "train": {"steps": 5, "compile": "off"}}  # fmt: skip
        assert train(config, run_dir=tmp_path / "run").status == "completed"

    def test_are_refused_of_images(self) -> None:
        with pytest.raises(ConfigError, match="time is for the columns of a table"):
            DigitsConfig(view="time").describe(PLACE)
