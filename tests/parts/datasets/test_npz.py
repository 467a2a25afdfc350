import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlab.core.errors import ConfigError, DataError
from nnlab.parts.datasets.family import Place
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
        ({"inputs": np.ones((40, 2)), "targets": LABELS - 1}, "label -1 in row 0"),
        ({"inputs": np.ones((40, 2)), "targets": LABELS * 2}, "label 4 in row 2 .*0 to 3"),
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


def test_refuses_float_labels(place: Place) -> None:
    made = config(
        place, {"task": "classes"}, inputs=np.ones((40, 2)), targets=LABELS.astype(np.float32)
    )
    with pytest.raises(DataError, match="targets are float32"):
        made.describe(place)


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
