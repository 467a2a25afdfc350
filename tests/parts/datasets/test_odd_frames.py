"""DataFrames and arrays as they come out of notebooks: odd names, odd types, odd orders."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import nnlab
from nnlab.core.errors import DataError
from nnlab.experiment.handed import arrays_of

DRAW = np.random.default_rng(0)
X = pd.DataFrame({"a": DRAW.normal(size=60), "b": DRAW.normal(size=60)})
Y = pd.Series(np.where(X["a"] > 0, "high", "low"))


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        ([0, 1], ("0", "1")),
        ([("a", "mean"), ("a", "std")], ("a_mean", "a_std")),
        ([1.5, None], ("1.5", "nan")),
    ],
)
def test_names_of_columns_need_not_be_text(names: list[Any], columns: tuple[str, ...]) -> None:
    frame = X.copy()
    frame.columns = pd.Index(names)
    held = arrays_of((frame, Y))
    assert held.columns == columns
    np.testing.assert_array_equal(held.inputs, X.to_numpy())


def test_a_frame_of_an_array_trains_and_predicts(tmp_path: Path) -> None:
    frame = pd.DataFrame(X.to_numpy())
    config = {"model": "linear", "train": {"steps": 2}}
    run = nnlab.train(config, data=(frame, Y), run_dir=tmp_path / "run").run
    answers = nnlab.predict(run, frame).outputs
    np.testing.assert_array_equal(answers, nnlab.predict(run, X.to_numpy()).outputs)


def test_two_columns_of_one_name_are_refused() -> None:
    for names in (["a", "a"], [1, "1"]):
        frame = X.copy()
        frame.columns = pd.Index(names)
        with pytest.raises(DataError, match="data: X: "):
            arrays_of((frame, Y))


def test_an_empty_column_is_left_out_and_said_as_in_a_file() -> None:
    held = arrays_of((X.assign(c=np.nan), Y))
    assert held.columns == ("a", "b")
    assert "data: c has no value in any row: left out" in held.remarks


@pytest.mark.parametrize(
    ("column", "way"),
    [
        (pd.to_timedelta(range(60), unit="h"), "X['c'].dt.total_seconds()"),
        (pd.arrays.SparseArray([0.0, 1.0] * 30), "numpy.asarray(X['c'], float)"),
        ([str(n) if n else "?x" for n in range(60)], "pandas.to_numeric(X['c'], errors='coerce')"),
    ],
    ids=["times", "sparse", "text"],
)
def test_what_is_advised_makes_numbers(column: Any, way: str) -> None:
    frame = X.assign(c=column)
    with pytest.raises(DataError) as refused:
        arrays_of((frame, Y))
    said = str(refused.value)
    assert way in said
    place = said.index(way)
    code = said[place : said.index(", or X.drop" if "to_num" not in way else "; or", place)]
    code = code.partition(", if")[0]
    made = eval(code, {"X": frame, "pandas": pd, "numpy": np})
    held = arrays_of((frame.assign(c=made), Y))
    assert held.columns == ("a", "b", "c")


def test_objects_that_are_numbers_are_taken_by_their_kind() -> None:
    held = arrays_of((X.assign(c=[Decimal(n) / 4 for n in range(60)]), Y))
    np.testing.assert_array_equal(held.inputs[:, 2], np.arange(60) / 4)
    whole = pd.Series([n % 2 + 1 for n in range(60)], dtype=object)
    assert arrays_of((X, whole)).targets.dtype.kind == "i"  # classes, as of whole numbers


def test_rows_of_another_order_are_told() -> None:
    moved = Y.set_axis(Y.index[::-1])
    assert "y.loc[X.index]" in " ".join(arrays_of((X, moved)).remarks)
    assert not arrays_of((X, Y)).remarks
    assert not arrays_of((X, Y.set_axis(range(100, 160)))).remarks
    assert not arrays_of((X.loc[moved.index], moved)).remarks


@pytest.mark.parametrize("kind", ["sparse", "complex", "structured"])
def test_arrays_of_another_kind_say_what_makes_numbers_of_them(kind: str) -> None:
    values = X.to_numpy()
    odd: Any = values + 1j
    if kind == "sparse":
        odd = scipy.sparse.csr_matrix(values)
    elif kind == "structured":
        odd = np.array([*map(tuple, values)], dtype=[("a", "f8"), ("b", "f8")])
    with pytest.raises(DataError) as caught:
        arrays_of((odd, Y.to_numpy()))
    way = str(caught.value).rpartition(" (")[2].removesuffix(")").partition(", ")[0]
    way = f"{way})" if way.count("(") > way.count(")") else way
    arrays_of((eval(way, {"X": odd, "numpy": np, "pandas": pd}), Y.to_numpy()))


def test_masked_values_are_not_used() -> None:
    hidden = np.ma.masked_greater(X.to_numpy(), 1.0)
    with pytest.raises(DataError, match=r"X hides values behind a mask.*X\.filled"):
        arrays_of((hidden, Y.to_numpy()))
    arrays_of((np.ma.masked_greater(X.to_numpy(), 9.0), Y.to_numpy()))


@pytest.mark.parametrize(
    "inputs",
    [np.arange(60.0), (np.arange(60 * 16) % 251).astype(np.uint8).reshape(60, 4, 4)],
    ids=["one column", "gray images"],
)
def test_what_was_trained_on_can_be_predicted(inputs: Any, tmp_path: Path) -> None:
    config = {"model": "linear", "train": {"steps": 2}}
    run = nnlab.train(config, data=(inputs, Y.to_numpy()), run_dir=tmp_path / "run").run
    assert nnlab.predict(run, inputs).outputs.shape == (60, 2)
