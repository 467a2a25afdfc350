"""DataFrames from Python: columns by name, the same network as from the arrays in them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nnlab
from nnlab.core.errors import ConfigError, DataError
from nnlab.experiment.handed import arrays_of
from nnlab.parts.datasets.family import Place
from nnlab.parts.datasets.files import frames
from nnlab.parts.datasets.files.arrays import ArraysConfig
from nnlab.parts.datasets.files.csv_table import CsvConfig
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


def test_refuses_columns_of_other_things() -> None:
    frame, target = some()
    spans = pd.Series(pd.date_range("2024", periods=60)).diff()
    with pytest.raises(DataError, match=r"column 'new' holds Duration.* neither") as error:
        arrays_of((frame.assign(new=spans), target))
    way = re.search(r"(X\['new'\]\.dt\.total_seconds\(\))", str(error.value))
    assert way
    X = frame.assign(new=spans)  # noqa: N806 - as the advice calls it
    assert arrays_of((X.assign(new=eval(way[1])), target)).columns[-1] == "new"


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_dates_are_days_since_1970_as_in_a_csv_file(place: Place, zone: str | None) -> None:
    frame, target = some()
    moments = pd.Series(pd.date_range("1969-12-30 06:00", periods=60, freq="17h", tz=zone))
    new = frame[["age"]].assign(new=moments)
    new.loc[7, "new"] = pd.NaT
    held = arrays_of((new, target))
    csv = new.assign(y=target)
    csv["new"] = [one.isoformat() if one is not pd.NaT else "" for one in csv["new"]]
    csv.to_csv(place.folder / "a.csv", index=False)
    fields = {"path": "a.csv", "target": "y", "columns": {"dates": ("new",)}, "missing": "mean"}
    table = CsvConfig.model_validate(fields).read(place)
    days = np.asarray(table.inputs, np.float64)[:, 1]
    if table.base is not None:
        days = days + table.base[1]
    np.testing.assert_allclose(held.inputs[:, 1], days, rtol=0, atol=1e-4)  # float32 keeps 1e-5
    assert np.flatnonzero(held.gaps["new"]).tolist() == [7]


@pytest.mark.parametrize(
    ("form", "days"),
    [("%Y-%m-%d", 19723), ("%d/%m/%Y", 19723), ("%Y-%m-%dT%H:%M", 19723)],
)
def test_the_advice_on_words_that_are_dates_reads_them(form: str, days: int) -> None:
    frame, target = some()
    X = frame.assign(new=pd.date_range("2024-01-01", periods=60).strftime(form))  # noqa: N806
    with pytest.raises(DataError, match="look like dates") as error:
        arrays_of((X, target))
    line = re.search(r"\((X\['new'\] = pandas\..*), or X\.drop", str(error.value))
    assert line
    exec(line[1], {"X": X, "pandas": pd})
    read = arrays_of((X, target)).inputs[:, -1]
    np.testing.assert_array_equal(read, np.arange(days, days + 60))


@pytest.mark.parametrize("cell", ["{} kg", "{},5", "${}"])
def test_the_advice_on_words_that_are_numbers_reads_them(cell: str) -> None:
    frame, target = some()
    X = frame.assign(new=[cell.format(n) for n in range(60)])  # noqa: N806
    with pytest.raises(DataError, match="look like numbers") as error:
        arrays_of((X, target))
    line = re.search(r"\((X\['new'\] = .*), or X\.drop", str(error.value))
    assert line
    exec(line[1], {"X": X})
    read = arrays_of((X, target)).inputs[:, -1]
    np.testing.assert_array_equal(read, np.arange(60) + 0.5 * ("5" in cell))


def gapped() -> tuple[pd.DataFrame, pd.Series]:
    """Numbers, whole numbers, words, truths and targets, each with gaps."""
    frame, target = some()
    frame.loc[[3, 4, 50], "height"] = None
    frame["age"] = frame["age"].astype("Int64")
    frame.loc[[7], "age"] = pd.NA
    frame.loc[[0, 9], "port"] = None
    frame["member"] = frame["member"].astype(object)
    frame.loc[[2], "member"] = None
    target = target.astype(object)
    target[[11, 12]] = None
    return frame, target


def arrays_config(data: object, **fields: object) -> ArraysConfig:
    return ArraysConfig.model_validate(fields).holding(arrays_of(data))


POLICIES = [
    "fill",
    "drop",
    {"height": "drop"},
    {"port": "drop", "age": "mean"},
    {"port": "category", "height": "mean"},
]


@pytest.mark.parametrize("missing", POLICIES, ids=str)
def test_gaps_are_what_they_are_in_a_csv_file(place: Place, missing: object) -> None:
    frame, target = gapped()
    frame["member"] = frame["member"].astype("float64")  # as a csv file says it
    frame.assign(y=target).to_csv(place.folder / "t.csv", index=False)
    csv = CsvConfig.model_validate({"path": "t.csv", "target": "y", "missing": missing})
    expected, made = csv.read(place), arrays_config((frame, target), missing=missing)
    found = made.read(place)
    assert found.source.columns == expected.source.columns
    assert found.source.classes == expected.source.classes
    assert isinstance(expected.inputs, np.ndarray)
    np.testing.assert_array_equal(found.inputs, expected.inputs)
    np.testing.assert_array_equal(found.targets, expected.targets)
    assert found.gaps == expected.gaps
    assert made.remarks(place) == csv.remarks(place)


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("refuse", r"X: rows without a value: height 3, port 2, member 1, age 1 \(missing: fill"),
        ({"ages": "drop"}, "data.missing: 'ages' is not a column of X .it has age, height"),
        ({"port": "mean"}, "port holds words, which have no mean .port: category"),
        ({"age": "category"}, "age holds numbers, which are no categories"),
    ],
)
def test_says_what_a_policy_cannot_do(missing: object, says: str) -> None:
    with pytest.raises((ConfigError, DataError), match=says):
        arrays_config(gapped(), missing=missing)


def test_a_split_without_a_row_is_refused() -> None:
    frame, target = gapped()
    data = {"train": (frame, target), "test": (frame.head(1), target.head(1))}
    assert arrays_config(data).held.counts == {"train": 58, "test": 1}
    with pytest.raises(DataError, match=r"data\['test'\]: every row misses a value"):
        arrays_config(data, missing="drop")


def test_whole_numbers_with_gaps_are_classes_still(place: Place) -> None:
    frame, _ = some()
    target = pd.Series([1, 2, 3] * 20, dtype="Int64")
    target[5] = pd.NA
    made = arrays_config((frame, target))
    source = made.source(place)
    assert (source.task, source.classes, source.pool) == ("classes", ("1", "2", "3"), 59)


def test_objects_that_are_numbers_are_numbers() -> None:
    frame, target = some()
    mixed = pd.Series([None, 2, 2.5, True] * 15, dtype=object)
    held = arrays_of((frame[["age"]].assign(new=mixed), target))
    assert held.columns == ("age", "new")
    np.testing.assert_array_equal(held.inputs[:4, 1], [np.nan, 2.0, 2.5, 1.0])


def test_a_run_of_frames_with_gaps_answers_rows_with_gaps(tmp_path: Path) -> None:
    frame, target = gapped()
    run = nnlab.train(CONFIG, data=(frame, target), run_dir=tmp_path / "run").run
    held = arrays_config((frame, target)).held
    rows = np.flatnonzero(~np.isin(np.arange(60), [11, 12]))
    found = nnlab.predict(run, frame.iloc[rows])
    np.testing.assert_array_equal(found.outputs, nnlab.predict(run, held.inputs).outputs)
    assert np.isfinite(found.outputs).all()


def test_a_run_of_whole_rows_says_which_value_is_missing(tmp_path: Path) -> None:
    frame, target = some()
    run = nnlab.train(CONFIG, data=(frame, target), run_dir=tmp_path / "run").run
    with pytest.raises(
        DataError, match=r"first in row 1, column height .*: it misses, and the run"
    ):
        nnlab.predict(run, frame.assign(height=[170.0, None] * 30))
    with pytest.raises(DataError, match="port has no value in 1 of 60 rows, and no row did in tr"):
        nnlab.predict(run, frame.assign(port=[None, *frame["port"][1:]]))


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (
            pd.Series(range(7, 67), name="user_id"),
            "60 different whole numbers, taken for quantities",
        ),
        (
            pd.Series([f"P {n}" for n in range(60)], name="new"),
            "60 categories in 60 rows, an input",
        ),
        (pd.Series(["0,5", "1,0"] * 30, name="new"), "2 different words, such as '0,5', look like"),
        (pd.Series(["a", "b"] * 30, name="new"), None),
        (pd.Series([f"{n} kg" for n in range(60)], name="new", dtype="category"), None),
    ],
)
def test_says_of_columns_what_it_says_of_those_in_files(
    place: Place, column: pd.Series, says: str | None
) -> None:
    frame, target = some()
    found = arrays_config((frame.assign(**{str(column.name): column}), target)).remarks(place)
    assert len(found) == (1 if says else 0)
    assert all(says in line for line in found if says)


@pytest.mark.parametrize("cell", ["{} kg", "{},5", "2024-01-{:02}", "${}"])
def test_refuses_words_that_look_like_numbers(cell: str) -> None:
    frame, target = some()
    words = pd.Series([cell.format(1 + n % 28) for n in range(60)])
    with pytest.raises(
        DataError, match=r"column 'new': .* look like (numbers|dates) .*X\['new'\] = "
    ):
        arrays_of((frame.assign(new=words), target))


def test_arrays_and_lists_are_no_frames() -> None:
    for values in (np.ones((3, 2)), [[1, 2]], None, {"a": [1]}):
        assert not frames.is_frame(values)
        assert not frames.is_series(values)
