"""DataFrames from Python: columns by name, the same network as from the arrays in them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nnlab
from nnlab.core.errors import DataError
from nnlab.experiment.handed import arrays_of
from nnlab.parts.datasets.files import frames
from nnlab.runs.folder.data_json import read_data

CONFIG = {"model": {"kind": "mlp", "hidden": [4]}, "train": {"epochs": 2, "threads": 1}}


def some(rows: int = 60) -> tuple[pd.DataFrame, pd.Series]:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": draw.integers(20, 60, rows),
            "height": draw.normal(170, 9, rows),
            "member": draw.random(rows) < 0.5,
            "port": draw.choice(["S", "C", "Q"], rows),
        }
    )
    return frame, pd.Series(np.where(frame["age"] > 40, "old", "young"), name="is")


def test_numbers_keep_their_names_and_words_become_one_hot() -> None:
    frame, target = some()
    held = arrays_of((frame, target))
    assert held.columns == ("age", "height", "member", "port=C", "port=Q", "port=S")
    expected = pd.get_dummies(frame, columns=["port"], prefix_sep="=").to_numpy(np.float64)
    assert np.array_equal(held.inputs, expected)
    assert held.targets.tolist() == target.tolist()


def test_a_frame_trains_to_the_bits_of_its_array_and_predicts_by_name(tmp_path: Path) -> None:
    frame, target = some()
    numbers = frame.drop(columns=["member", "port"])
    run = nnlab.train(CONFIG, data=(numbers, target), run_dir=tmp_path / "frame").run
    same = nnlab.train(
        CONFIG, data=(numbers.to_numpy(), target.to_numpy(str)), run_dir=tmp_path / "b"
    )
    assert read_data(run)["columns"] == ["age", "height"]
    expected = nnlab.predict(same.run, numbers.to_numpy())
    turned = frame.drop(columns="port").iloc[:, ::-1]
    found = nnlab.predict(run, turned)
    assert np.array_equal(found.outputs, expected.outputs)
    assert found.labels == expected.labels


def test_a_frame_of_words_is_predicted_by_its_categories(tmp_path: Path) -> None:
    frame, target = some()
    run = nnlab.train(CONFIG, data=(frame, target), run_dir=tmp_path / "run").run
    one = frame[frame["port"] == "Q"].head(3)
    rows = arrays_of((frame, target)).inputs[one.index]
    assert np.array_equal(nnlab.predict(run, one).outputs, nnlab.predict(run, rows).outputs)
    with pytest.raises(DataError, match="port: 'X' is not one of C, Q, S"):
        nnlab.predict(run, one.assign(port="X"))
    with pytest.raises(DataError, match="has no column 'age'"):
        nnlab.predict(run, one.drop(columns="age"))


def test_splits_share_their_columns() -> None:
    frame, target = some()
    test = frame.head(10)[["port", "age", "member", "height"]].assign(port="Z")
    held = arrays_of({"train": (frame, target), "test": (test, target.head(10))})
    assert held.columns[-1] == "port=Z"
    assert held.inputs[-1, -1] == 1.0
    short = test.drop(columns="height")
    with pytest.raises(DataError, match="'height' is a column of only one"):
        arrays_of({"train": (frame, target), "test": (short, target.head(10))})


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (pd.Series([1.0, None] * 30), "column 'new' has no value in 30 of 60 rows"),
        (pd.Series(["a", None] * 30), "column 'new' has no value in 30 of 60 rows"),
        (pd.Series(pd.date_range("2024", periods=60)), "column 'new' holds Datetime.* neither"),
    ],
)
def test_refuses_columns_with_gaps_and_of_other_things(column: pd.Series, says: str) -> None:
    frame, target = some()
    with pytest.raises(DataError, match=says):
        arrays_of((frame.assign(new=column), target))


def test_arrays_and_lists_are_no_frames() -> None:
    for values in (np.ones((3, 2)), [[1, 2]], None, {"a": [1]}):
        assert not frames.is_frame(values)
        assert not frames.is_series(values)
