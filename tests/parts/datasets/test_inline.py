"""Rows written in the config."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from building import make

from nnlab.commands.show.page import show_page
from nnlab.config.loading import Text, load_config
from nnlab.config.run_config import dump_config
from nnlab.core.errors import ConfigError, DataError
from nnlab.parts.datasets.family import Place
from nnlab.parts.datasets.synthetic.inline import InlineConfig
from nnlab.runs.run import train

SHEET = {"kind": "inline", "inputs": ((0.05, 0.10),), "targets": ((0.01, 0.99),)}
MLP = {"kind": "mlp", "hidden": (2,)}


def inline(**keys: Any) -> InlineConfig:
    return InlineConfig.model_validate(keys)


@pytest.mark.parametrize(
    ("targets", "classes", "stored"),
    [
        ((0, 1, 1), ("0", "1"), [0, 1, 1]),
        ((7, -2, 7), ("-2", "7"), [1, 0, 1]),
        (("no", "yes", "maybe"), ("maybe", "no", "yes"), [1, 2, 0]),
        ((0.5, 1, 2), (), [[0.5], [1.0], [2.0]]),
        (((0, 1), (1, 0), (1, 1)), (), [[0, 1], [1, 0], [1, 1]]),
    ],
)
def test_targets_say_the_task(
    targets: Any, classes: tuple[str, ...], stored: list[Any], place: Place
) -> None:
    config = inline(inputs=((1, 2), (3, 4), (5, 6)), targets=targets)
    examples = config.load(place)
    assert examples.shape.classes == classes
    assert examples.shape.task == ("classes" if classes else "regression")
    assert examples.targets.tolist() == stored
    assert isinstance(examples.inputs, np.ndarray)
    assert examples.inputs.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_all_splits_are_the_same_rows_unless_told(place: Place) -> None:
    config = inline(inputs=((0,), (1,), (2,)), targets=(0, 1, 1))
    assert dict(config.describe(place).sizes) == {"train": 3, "validation": 3, "test": 3}
    resolved = config.resolved(place)
    assert (resolved.validation, resolved.test) == ("same", "same")
    assert config.model_copy(update={"test": "none"}).load(place).rows.keys() == {
        "train",
        "validation",
    }


def test_a_split_may_have_rows_of_its_own(place: Place) -> None:
    own = {"inputs": ((9,), (8,)), "targets": (1, 0)}
    config = inline(inputs=((0,), (1,), (2,)), targets=(0, 1, 1), test=own)
    examples = config.load(place)
    assert dict(examples.shape.sizes) == {"train": 3, "test": 2}
    assert isinstance(examples.inputs, np.ndarray)
    assert examples.inputs[examples.rows["test"]].tolist() == [[9], [8]]
    assert sorted(examples.rows["train"].tolist()) == [0, 1, 2]
    both = inline(inputs=((0,), (1,)), targets=(0, 1), test=own, validation="same").load(place)
    assert both.rows["validation"].tolist() == [0, 1]


def test_a_split_may_be_drawn(place: Place) -> None:
    rows = tuple((float(i),) for i in range(20))
    config = inline(inputs=rows, targets=tuple(i % 2 for i in range(20)), validation=0.2)
    examples = config.load(place)
    assert dict(examples.shape.sizes) == {"train": 16, "validation": 4}
    assert not set(examples.rows["train"]) & set(examples.rows["validation"])


def test_rows_may_be_images() -> None:
    data = {"kind": "inline", "inputs": ((0, 1, 0, 1),) * 2, "targets": (0, 1), "shape": (1, 2, 2)}
    cnn = {"kind": "cnn", "channels": (2,), "dense": ()}
    assert make(data=data, model=cnn).examples.shape.inputs == (1, 2, 2)


def test_the_worksheet_is_written_into_its_run_and_read_again(tmp_path: Path) -> None:
    config = {"data": SHEET, "model": MLP, "loss": "quadratic", "train": {"epochs": 2}}
    summary = train(config, run_dir=tmp_path / "run")
    assert summary.status == "completed"
    again = train(tmp_path / "run" / "config.yaml", run_dir=tmp_path / "again")
    assert again.last["train"]["loss"] == summary.last["train"]["loss"]


def test_survives_being_written_as_yaml() -> None:
    settled = make(data={**SHEET, "targets": ((1e-5, 1e10),)}, model=MLP).experiment.config
    read = load_config(Text(dump_config(settled), "dump", Path.cwd(), "dump"), ())
    assert read.data == settled.data


def test_show_counts_them(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(f"data: {json.dumps(SHEET)}\nmodel: {json.dumps(MLP)}\n")
    found = json.loads(show_page(str(file), (), data=True, as_json=True))
    assert found["data"]["sizes"] == {"train": 1, "validation": 1, "test": 1}
    assert found["splits"]["ranges"]["target 2"]["mean"] == pytest.approx(0.99)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"inputs": ((1, 2), (3,)), "targets": (0, 1)}, r"inputs\.1: has 1 numbers, the first"),
        ({"inputs": ((1,), (2,)), "targets": (0,)}, r"targets: 1 targets for 2 inputs"),
        ({"inputs": ((1,), (2,)), "targets": (0, "a")}, r"targets\.1: is a word, the first tar"),
        ({"inputs": ((1,), (2,)), "targets": ((0, 1), (0,))}, r"targets\.1: is a list of 1, the"),
        ({"inputs": ((1,), (2,)), "targets": (0, True)}, r"targets\.1: needs a number or text or"),
        ({"inputs": ((1,), (float("nan"),)), "targets": (0, 1)}, r"inputs\.1\.0: must be a finite"),
        ({"inputs": ((1,), ("2",)), "targets": (0, 1)}, r"inputs\.1\.0: must be a number, got"),
        ({"inputs": (1, 2), "targets": (0, 1)}, r"inputs\.0: must be a list, got 1"),
        ({"inputs": (), "targets": ()}, "inputs: must be a list of at least 1, got an empty list"),
        ({"inputs": ((),), "targets": (0,)}, r"inputs\.0: needs at least one number"),
        ({"inputs": ((1,) * 10_000,), "targets": (0.5,)}, "10,001 numbers are more than the limit"),
        ({"inputs": ((1, 2),), "targets": (0.5,), "shape": (3,)}, "3 are not the 2 numbers of a r"),
        (
            {
                "inputs": ((1,),),
                "targets": (0.5,),
                "test": {"inputs": ((1, 2),), "targets": (0.5,)},
            },
            r"data\.test\.inputs\.0: has 2 numbers, the first row has 1",
        ),
        ({"inputs": ((1,),), "labels": (0,)}, "labels is called targets here"),
    ],
)
def test_refuses_rows_that_do_not_fit(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make(data={"kind": "inline", **keys}, model="linear")


def test_refuses_a_number_that_is_too_large_for_float32() -> None:
    data = {"kind": "inline", "inputs": ((1e300,),), "targets": (0.5,)}
    with pytest.raises(DataError, match="not finite, first inf in row 0"):
        make(data=data, model="linear")
