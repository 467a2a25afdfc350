from pathlib import Path

import numpy as np
import pytest

from nnlab.core.contracts import DataShape, Examples
from nnlab.core.errors import DataError
from nnlab.parts.datasets.checks import check_rows, check_table, data_notes, digest_of
from nnlab.parts.datasets.downloads.bundled import IrisConfig
from nnlab.parts.datasets.family import Place
from nnlab.parts.datasets.synthetic.gates import XorConfig

TABLE = DataShape((2,), "classes", 3, ("a", "b", "c"), {"train": 4}, ("width", "height"))
CURVE = DataShape((2,), "regression", 1, (), {"train": 4})


def table(**changed: float) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    inputs = np.ones((4, 2), np.float32)
    for place, value in changed.items():
        inputs[int(place[1]), int(place[2])] = value
    return inputs


LABELS = np.array([0, 1, 2, 0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_names_the_first_value_that_is_not_finite(bad: float) -> None:
    with pytest.raises(DataError, match=r"2 values of the inputs .* row 1, column height"):
        check_table(table(x11=bad, x30=bad), LABELS, TABLE, gaps=False)


def test_takes_nan_for_a_gap_where_gaps_are_filled() -> None:
    check_table(table(x11=np.nan), LABELS, TABLE, gaps=True)
    with pytest.raises(DataError, match="1 value of the inputs"):
        check_table(table(x11=np.inf), LABELS, TABLE, gaps=True)


def test_names_the_first_target_that_is_not_finite() -> None:
    targets = np.array([[1.0], [2.0], [np.nan], [4.0]], np.float32)
    with pytest.raises(DataError, match=r"1 value of the targets .* row 2"):
        check_table(table(), targets, CURVE, gaps=False)


@pytest.mark.parametrize("label", [-100, -1, 3, 255])
def test_names_the_first_label_out_of_range(label: int) -> None:
    with pytest.raises(DataError, match=f"first {label} in row 2 .*0 to 2"):
        check_table(table(), np.array([0, 1, label, 0]), TABLE, gaps=False)


def test_refuses_labels_that_are_no_whole_numbers() -> None:
    with pytest.raises(DataError, match="labels are float64"):
        check_table(table(), LABELS.astype(np.float64), TABLE, gaps=False)


def test_refuses_lengths_and_shapes_that_do_not_fit() -> None:
    with pytest.raises(DataError, match="4 inputs, but 3 targets"):
        check_table(table(), LABELS[:3], TABLE, gaps=False)
    with pytest.raises(DataError, match=r"inputs have shape \(3,\), expected \(2,\)"):
        check_table(np.ones((4, 3), np.float32), LABELS, TABLE, gaps=False)
    with pytest.raises(DataError, match=r"targets have shape \(2,\), expected \(1,\)"):
        check_table(table(), np.ones((4, 2), np.float32), CURVE, gaps=False)


def test_refuses_arrays_of_objects() -> None:
    with pytest.raises(DataError, match="inputs are object, not numbers"):
        check_table(table().astype(object), LABELS, TABLE, gaps=False)


def test_refuses_one_class_and_empty_splits() -> None:
    with pytest.raises(DataError, match="all 2 training rows are of class 'a'"):
        check_rows(
            {"train": np.array([0, 3])},
            LABELS,
            DataShape((2,), "classes", 3, ("a", "b", "c"), {"train": 2}),
        )
    with pytest.raises(DataError, match=r"data\.test: the split is empty"):
        check_rows({"train": np.arange(4), "test": np.array([], np.int64)}, LABELS, TABLE)


def test_refuses_numbers_that_are_all_the_same() -> None:
    curve = DataShape((2,), "regression", 1, (), {"train": 3})
    with pytest.raises(DataError, match=r"all 3 training rows have the same target, 5\.5"):
        check_rows({"train": np.arange(3)}, np.full((4, 1), 5.5), curve)
    check_rows({"train": np.arange(1, 4)}, np.array([[5.5], [5.5], [5.5], [5.6]]), curve)


def test_the_digest_sees_content_type_and_shape() -> None:
    one = np.arange(6, dtype=np.float32)
    same = np.arange(12, dtype=np.float32)[::2] / 2
    assert digest_of(one, LABELS) == digest_of(same, LABELS)
    others = [one.reshape(2, 3), one.astype(np.float64), one + 1]
    assert len({digest_of(other, LABELS) for other in [one, *others]}) == 4
    assert digest_of(one, LABELS) != digest_of(one, LABELS[::-1])


def test_notes_tell_of_shared_rows_missing_classes_and_constant_columns(tmp_path: Path) -> None:
    place = Place(tmp_path, tmp_path, tmp_path)
    assert data_notes(IrisConfig().load(place)) == ()
    assert "validation and test use the rows of train" in data_notes(XorConfig().load(place))[0]
    examples = Examples(
        inputs=table(x00=2.0),
        targets=LABELS,
        rows={"train": np.array([0, 1, 3]), "test": np.array([2])},
        shape=TABLE,
        shift=np.zeros((1, 1), np.float32),
        factor=np.ones((1, 1), np.float32),
        digest="",
    )
    assert data_notes(examples) == (
        "train has no example of c",
        "test has no example of a, b",
        "constant in train, so of no use: height",
    )
