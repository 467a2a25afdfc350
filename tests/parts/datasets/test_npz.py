import re
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nnlab.core.errors import ConfigError, DataError
from nnlab.experiment.handed import arrays_of
from nnlab.parts.datasets.family import Place
from nnlab.parts.datasets.files.arrays import ArraysConfig, held_of
from nnlab.parts.datasets.files.csv_table import CsvConfig
from nnlab.parts.datasets.files.npz import NpzConfig

RANDOM = np.random.default_rng(0)
LABELS = np.arange(40) % 4


def config(place: Place, fields: dict[str, Any] | None = None, **arrays: Any) -> NpzConfig:
    np.savez_compressed(place.folder / "a.npz", **arrays)
    given = {"validation": "none", "test": "none", **(fields or {})}
    return NpzConfig.model_validate({"path": "a.npz", **given})


@pytest.mark.parametrize(
    ("inputs", "shape", "scale"),
    [
        (RANDOM.normal(size=(40, 6)), (6,), "feature"),
        (RANDOM.integers(0, 9, (40, 6)), (6,), "feature"),
        (RANDOM.integers(0, 256, (40, 5, 7), dtype=np.uint8), (1, 5, 7), "unit"),
        (RANDOM.integers(0, 256, (40, 3, 5, 7), dtype=np.uint8), (3, 5, 7), "unit"),
        (RANDOM.normal(size=(40, 1, 5, 7)), (1, 5, 7), "unit"),
        (RANDOM.normal(size=(40, 5, 7)), (5, 7), "none"),
        (RANDOM.normal(size=40), (1,), "feature"),
    ],
)
def test_tells_images_from_tables_by_shape_and_type(
    place: Place, inputs: Any, shape: tuple[int, ...], scale: str
) -> None:
    made = config(place, inputs=inputs, targets=LABELS)
    examples = made.load(place)
    assert examples.shape == made.describe(place)
    assert examples.shape.inputs == shape
    assert made.resolved(place).scale == scale
    assert isinstance(examples.inputs, np.ndarray)
    np.testing.assert_array_equal(
        examples.inputs, inputs.reshape(-1, *shape).astype(examples.inputs.dtype)
    )
    assert (examples.inputs.dtype == np.uint8) == (inputs.dtype == np.uint8)


def test_reads_the_files_of_keras(place: Place) -> None:
    images = RANDOM.integers(0, 256, (60, 28, 28), dtype=np.uint8)
    labels = (np.arange(60) % 10).astype(np.uint8)
    made = config(
        place,
        {
            "inputs": "x_train",
            "targets": "y_train",
            "test_inputs": "x_test",
            "test_targets": "y_test",
            "test": "auto",
        },
        x_train=images[:40],
        y_train=labels[:40, None],
        x_test=images[40:],
        y_test=labels[40:, None],
    )
    assert made.resolved(place).test == "official"
    examples = made.load(place)
    assert examples.shape.sizes == {"train": 40, "test": 20}
    assert examples.rows["test"].tolist() == list(range(40, 60))
    np.testing.assert_array_equal(examples.targets, labels)


def test_another_file_can_be_a_split(place: Place) -> None:
    np.savez(place.folder / "b.npz", inputs=np.ones((8, 2)), targets=np.arange(8) % 4)
    made = config(
        place, {"validation": {"file": "b.npz"}}, inputs=RANDOM.normal(size=(40, 2)), targets=LABELS
    )
    examples = made.load(place)
    assert examples.rows["validation"].tolist() == list(range(40, 48))
    assert dict(made.describe(place).sizes) == {"train": 40, "validation": 8}


@pytest.mark.parametrize("shape", [(40,), (40, 1), (40, 3)])
def test_numbers_make_a_regression(place: Place, shape: tuple[int, ...]) -> None:
    targets = RANDOM.normal(size=shape)
    made = config(place, inputs=RANDOM.normal(size=(40, 2)), targets=targets)
    examples = made.load(place)
    assert made.resolved(place).task == "regression"
    assert examples.targets.shape == (40, examples.shape.outputs)
    np.testing.assert_allclose(examples.targets, targets.reshape(40, -1), rtol=1e-6)


def test_classes_can_be_more_than_occur(place: Place) -> None:
    made = config(place, {"classes": 7}, inputs=np.ones((40, 2)), targets=LABELS)
    assert made.describe(place).classes == tuple("0123456")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"targets": LABELS}, r"has no array 'inputs' \(it has targets;"),
        ({"inputs": np.ones((39, 2)), "targets": LABELS}, "39 inputs, but 40 targets"),
        ({"inputs": np.ones((0, 2)), "targets": LABELS[:0]}, r"shape \(0, 2\)"),
        ({"inputs": np.array(["a"] * 40), "targets": LABELS}, "inputs holds <U1, not numbers"),
        ({"inputs": np.ones((40, 2)), "targets": np.array(["a", ""] * 20)}, "row 1 .*empty name"),
        ({"inputs": np.ones((40, 2)), "targets": np.ones((40, 2, 2))}, r"not \(N,\) or \(N, K\)"),
        ({"inputs": np.ones((40, 8, 9, 3)), "targets": LABELS}, r"looks like \(N, H, W, C\)"),
        ({"inputs": np.full((40, 2), np.nan), "targets": LABELS}, "80 values of the inputs"),
        ({"inputs": np.full((40, 2), 1e300), "targets": LABELS}, "80 values of the inputs"),
        ({"inputs": np.ones((40, 2)), "targets": LABELS * 0}, "all 40 training rows are of class"),
    ],
)
def test_refuses_arrays_that_do_not_fit(place: Place, arrays: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        config(place, **arrays).load(place)


def test_float_labels_are_classes_if_asked_as_in_a_csv_file(place: Place) -> None:
    fields = {"task": "classes"}
    made = config(place, fields, inputs=np.ones((40, 2)), targets=LABELS.astype(np.float32))
    np.testing.assert_array_equal(made.load(place).targets, LABELS)
    made = config(place, fields, inputs=np.ones((40, 2)), targets=LABELS + 0.5)
    np.testing.assert_array_equal(made.load(place).targets, LABELS)
    assert made.describe(place).classes == tuple(str(k + 0.5) for k in range(LABELS.max() + 1))
    gap = np.where(np.arange(40) == 7, np.nan, LABELS)
    made = config(place, fields, inputs=np.ones((40, 2)), targets=gap)
    with pytest.raises(DataError, match=r"row 7 .* is nan, which names no class"):
        made.describe(place)


def test_one_hot_has_a_class_for_each_column_though_one_has_no_row(place: Place) -> None:
    marks = np.eye(4)[np.arange(60) % 3]
    made = config(place, inputs=np.ones((60, 2)), targets=marks)
    source = made.source(place)
    assert source.classes == ("0", "1", "2", "3")
    assert "one-hot" in made.remarks(place)[0]


def test_check_sees_a_target_that_is_no_number(place: Place) -> None:
    gap = np.where(np.arange(40) == 7, np.nan, np.linspace(0, 1, 40))
    with pytest.raises(DataError, match="row 7"):
        config(place, inputs=np.ones((40, 2)), targets=gap).describe(place)


def test_what_follows_from_a_guess_says_so(place: Place) -> None:
    one = np.zeros(40, np.int64)
    made = config(place, inputs=np.ones((40, 2)), targets=one)
    with pytest.raises(DataError, match=r"is a guess; task: regression"):
        made.load(place)


def test_unpickles_nothing(place: Place, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return subprocess.call, (["touch", f"{tmp_path}/trapped"],)

    made = config(place, inputs=np.array([[Trap()]] * 40, object), targets=LABELS)
    with pytest.raises(DataError, match="holds object, not numbers"):
        made.load(place)
    assert not (tmp_path / "trapped").exists()


def test_believes_no_header_about_memory(place: Place) -> None:
    made = config(place, inputs=np.ones((40, 2)), targets=LABELS)
    header = np.lib.format.magic(1, 0)
    text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 2), }\n"
    with zipfile.ZipFile(place.folder / "a.npz", "w") as archive:
        archive.writestr("inputs.npy", header + len(text).to_bytes(2, "little") + text)
    with pytest.raises(DataError, match="needs more than 16 GiB"):
        made.describe(place)


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04 and then nothing"])
def test_refuses_what_is_no_npz(place: Place, content: bytes) -> None:
    made = config(place, inputs=np.ones((40, 2)), targets=LABELS)
    (place.folder / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npz: cannot be read as npz"):
        made.describe(place)


def test_refuses_a_truncated_file(place: Place) -> None:
    made = config(place, inputs=RANDOM.normal(size=(40, 20)), targets=LABELS)
    path = place.folder / "a.npz"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError):
        made.load(place)


def test_test_inputs_go_together_with_test_targets(place: Place) -> None:
    made = config(place, {"test_inputs": "x"}, inputs=np.ones((40, 2)), targets=LABELS)
    with pytest.raises(ConfigError, match="goes together with test_targets"):
        made.describe(place)


NAMES = np.array(["lily", "iris", "rose"])


@pytest.mark.parametrize(
    ("targets", "fields", "classes"),
    [
        (np.arange(40) % 3 + 1, {}, ("1", "2", "3")),
        (np.arange(40) % 3 + 1, {"classes": 3}, ("1", "2", "3")),
        (np.arange(40) % 3 + 1, {"classes": 4}, ("0", "1", "2", "3")),
        (np.arange(40) % 2 * 2 - 1, {}, ("-1", "1")),
        (np.arange(40) % 2 * 2 - 1, {"classes": 2}, ("-1", "1")),
        (np.array([1005, 5])[np.arange(40) % 2], {}, ("5", "1005")),
        (LABELS * 2, {}, ("0", "2", "4", "6")),
        (NAMES[np.arange(40) % 3], {}, ("iris", "lily", "rose")),
        (NAMES.astype("S")[np.arange(40) % 3], {}, ("iris", "lily", "rose")),
        (np.array(["10", "9"])[np.arange(40) % 2], {}, ("9", "10")),
        (np.eye(4)[LABELS], {}, ("0", "1", "2", "3")),
        (np.eye(4, dtype=np.int64)[LABELS], {}, ("0", "1", "2", "3")),
        (LABELS > 1, {}, ("0", "1")),
    ],
)
def test_labels_are_the_classes_as_they_are(
    place: Place, targets: Any, fields: dict[str, Any], classes: tuple[str, ...]
) -> None:
    """As in a csv file, in npz and in arrays from Python alike."""
    made = config(place, fields, inputs=np.ones((40, 2)), targets=targets)
    handed = ArraysConfig.model_validate({"validation": "none", "test": "none", **fields}).holding(
        held_of({"train": (np.ones((40, 2)), targets)})
    )
    one = targets.argmax(1) if targets.ndim == 2 else targets
    one = one.astype(str) if one.dtype.kind in "US" else one.astype(np.int64).astype(str)
    for kind in (made, handed):
        examples = kind.load(place)
        assert examples.shape.task == "classes"
        assert examples.shape.classes == classes
        np.testing.assert_array_equal(np.array(classes)[examples.targets], one)


@pytest.mark.parametrize("labels", [["a", "b", "c"], [1, 2, 3], [-1, 1], [5, 1005], [0, 1, 3]])
def test_csv_npz_and_arrays_agree_on_labels(place: Place, labels: list[Any]) -> None:
    rows = [labels[row % len(labels)] for row in range(40)]
    text = "".join(f"{row},{label}\n" for row, label in enumerate(rows))
    (place.folder / "a.csv").write_text(f"x,y\n{text}")
    given = {"validation": "none", "test": "none"}
    table = CsvConfig.model_validate({"path": "a.csv", "target": "y", **given}).load(place)
    arrays = config(place, inputs=np.arange(40.0), targets=np.array(rows)).load(place)
    assert table.shape.classes == arrays.shape.classes
    np.testing.assert_array_equal(table.targets, arrays.targets)


@pytest.mark.parametrize("count", [20, 21, 40])
def test_csv_npz_arrays_and_frames_agree_on_what_whole_numbers_are(
    place: Place, count: int
) -> None:
    targets = pd.Series(np.arange(400) % count * 3)
    frame = pd.DataFrame({"x": np.arange(400.0)})
    frame.assign(y=targets).to_csv(place.folder / "a.csv", index=False)
    given = {"validation": "none", "test": "none"}
    made = config(place, inputs=np.arange(400.0)[:, None], targets=targets.to_numpy())
    handed = [
        ArraysConfig.model_validate(given).holding(arrays_of((inputs, y)))
        for inputs, y in ((frame, targets), (frame.to_numpy(), targets.to_numpy()))
    ]
    every = [CsvConfig.model_validate({"path": "a.csv", "target": "y", **given}), made, *handed]
    found = {kind.describe(place).task for kind in every}
    assert found == {"classes" if count <= 20 else "regression"}
    asked = config(place, {"classes": 3 * count}, inputs=np.ones((400, 1)), targets=targets)
    assert asked.describe(place).task == "classes"


def test_whole_numbers_of_images_are_classes_where_they_come_again(place: Place) -> None:
    images = np.zeros((400, 1, 2, 2), np.uint8)
    for count, task in ((100, "classes"), (300, "regression")):
        made = config(place, inputs=images, targets=np.arange(400) % count)
        assert made.describe(place).task == task


def test_a_number_of_classes_that_cannot_be_is_refused_with_a_way_out(place: Place) -> None:
    made = config(place, {"classes": 3}, inputs=np.ones((40, 2)), targets=LABELS * 2)
    with pytest.raises(DataError, match=r"says 3, and there are 4 .*remove data.classes"):
        made.describe(place)
    assert made.model_copy(update={"classes": None}).describe(place).outputs == 4


def test_names_with_gaps_in_the_type_are_refused_with_a_way_out(place: Place) -> None:
    targets = np.array(["a", None] * 20, object)
    with pytest.raises(DataError, match=r"y is: object, neither .*y\.astype\(str\)"):
        held_of({"train": (np.ones((40, 2)), targets)})


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (np.arange(400) % 20 * 2, "20 different whole numbers, taken for classes .task: regr"),
        (np.arange(400) % 30, "30 different whole .*int64, taken for numbers .task: classes"),
        (np.arange(400) % 3 * 50, "3 different whole numbers, taken for classes"),
        (np.arange(400.0) % 3, "3 different whole .*float64, taken for numbers .task: classes"),
        (np.arange(400.0) % 30, "30 different whole .*taken for numbers .task: classes"),
        (np.arange(400) % 5 / 2, "5 different numbers .*taken for numbers .task: classes"),
        (np.eye(4)[np.arange(400) % 4], "taken for 4 classes .task: regression"),
        (np.tile([[1, 1], [0, 1]], (200, 1)), "taken for numbers .task: labels"),
        (np.arange(400) % 10, None),
        (np.arange(400) % 3 + 1, None),
        (np.linspace(0, 1, 400), None),
        (NAMES[np.arange(400) % 3], None),
    ],
)
def test_a_guess_is_told_where_it_could_be_the_other_one(
    place: Place, targets: Any, words: str | None
) -> None:
    made = config(place, inputs=np.ones((400, 2)), targets=targets)
    found = made.remarks(place)
    assert len(found) == (words is not None)
    if words:
        assert re.search(words, found[0])
        asked = re.search(r"task: (\w+)", found[0])
        assert asked
        way = made.model_copy(update={"task": asked[1]})
        assert way.describe(place).task == asked[1]
        assert way.remarks(place) == ()


def test_a_path_can_begin_with_the_home(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    made = config(place, inputs=np.ones((40, 2)), targets=LABELS)
    monkeypatch.setenv("HOME", str(place.folder))
    away = Place(place.folder / "elsewhere", place.root, place.cache)
    assert made.model_copy(update={"path": "~/a.npz"}).describe(away).inputs == (2,)


@pytest.mark.parametrize("path", ["https://a.org/x/a.npz", "s3://a/a.npz", "HTTP://a.org/a.npz"])
def test_an_address_is_refused_with_the_way_to_a_file(place: Place, path: str) -> None:
    way = "copy it to this machine" if path.startswith("s3") else r"curl -L -o a\.npz"
    with pytest.raises(DataError, match=f"is an address, .*{way}"):
        NpzConfig(path=path).describe(place)


@pytest.mark.parametrize(
    ("names", "way"),
    [
        (("X", "y"), "inputs: X, targets: y"),
        (
            ("x_train", "y_train", "x_test", "y_test"),
            "inputs: x_train, targets: y_train, test_inputs: x_test, test_targets: y_test",
        ),
    ],
)
def test_usual_names_of_arrays_are_the_way_out(
    place: Place, names: tuple[str, ...], way: str
) -> None:
    arrays = {n: LABELS if n[0] == "y" else np.ones((40, 2)) for n in names}
    np.savez(place.folder / "named.npz", **arrays)  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataError) as error:
        NpzConfig(path="named.npz").describe(place)
    assert way in str(error.value)
    fields = dict(pair.split(": ") for pair in way.split(", "))
    assert (
        NpzConfig.model_validate({"path": "named.npz", **fields}).describe(place).task == "classes"
    )


def test_one_array_alone_is_no_npz_and_is_told_so(place: Place) -> None:
    np.save(place.folder / "a.npy", np.ones((40, 2)))
    with pytest.raises(DataError, match=r"one array alone: numpy\.savez\('.*a\.npz', inputs="):
        NpzConfig(path="a.npy").describe(place)
