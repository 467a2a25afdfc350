"""`data.exclude`: training rows that are left out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlab.config.loading import load_config, place_for
from nnlab.core.errors import ConfigError, DataError

MOONS: dict[str, Any] = {"kind": "moons", "samples": 100}


def data(**fields: Any) -> Any:
    return load_config({"data": {**MOONS, **fields}, "model": "linear"}).data


def test_the_rows_are_left_out_of_train_and_nothing_else_moves(tmp_path: Path) -> None:
    place = place_for(tmp_path)
    whole = data(label_noise=0.2).load(place)
    some = whole.rows["train"][[5, 20, 21]]
    (tmp_path / "rows.csv").write_text("row,label\n" + "".join(f"{row},a\n" for row in some))
    left = data(label_noise=0.2, exclude="rows.csv").load(place)
    np.testing.assert_array_equal(left.rows["train"], np.delete(whole.rows["train"], [5, 20, 21]))
    for split in ("validation", "test"):
        np.testing.assert_array_equal(left.rows[split], whole.rows[split])
    np.testing.assert_array_equal(left.targets, whole.targets)
    assert left.digest == whole.digest


def test_the_size_is_known_before_the_data_are_loaded(tmp_path: Path) -> None:
    place = place_for(tmp_path)
    row = int(data().load(place).rows["train"][0])
    (tmp_path / "rows").write_text(f"{row}\n\n")
    config = data(exclude="rows")
    assert config.describe(place).sizes["train"] == data().describe(place).sizes["train"] - 1
    assert config.resolved(place).exclude == str(tmp_path / "rows")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3\n3\n", r"rows:2: '3' a second time"),
        ("1\nx\n", r"rows:2: 'x' \(needs a row number, 0 is the first\)"),
        ("-1\n-2\n", r"rows:2: '-2' \(needs a row number"),
        ("1000000\n", "1000000 is no training row"),
    ],
)
def test_refuses_what_are_no_training_rows(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "rows").write_text(text)
    with pytest.raises(DataError, match=message):
        data(exclude="rows").load(place_for(tmp_path))


def test_refuses_a_file_that_is_not_there_and_one_with_all_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        data(exclude="none").describe(place_for(tmp_path))
    (tmp_path / "all").write_text("\n".join(map(str, range(100))))
    with pytest.raises(ConfigError, match="leaves no training row"):
        data(exclude="all").describe(place_for(tmp_path))
