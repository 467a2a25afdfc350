"""The two tables that most people begin with, in their columns and gaps: no file is edited.

The rows are made up; names, kinds and shares of missing cells are those of the public tables.
"""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnlab
from nnlab.__main__ import main
from nnlab.parts.datasets.family import Place
from nnlab.parts.datasets.files.csv_table import CsvConfig

Maker = Callable[[Path, int], Path]
_RNG = np.random.default_rng(7)


def write(file: Path, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(names)
        writer.writerows(rows)
    return file


def titanic(file: Path, rows: int) -> Path:
    """PassengerId to Embarked: Age missing in a fifth, Cabin in three quarters, Embarked in two."""
    found: list[list[Any]] = []
    for n in range(rows):
        sex = str(_RNG.choice(["male", "female"]))
        fare = round(float(_RNG.exponential(30)), 4)
        found.append(
            [
                n + 1,
                int(_RNG.random() < (0.75 if sex == "female" else 0.2)),
                int(_RNG.integers(1, 4)),
                f'Name{n}, Mr. John "Jack" of {n}',
                sex,
                "" if _RNG.random() < 0.2 else round(float(_RNG.uniform(0.4, 80)), 2),
                int(_RNG.integers(0, 5)),
                int(_RNG.integers(0, 4)),
                f"PC {17000 + n}" if n % 4 == 0 else str(100000 + n),
                fare,
                f"C{n % 150}" if _RNG.random() < 0.23 else "",
                "" if n in (61, 129) else str(_RNG.choice(["S", "C", "Q"])),
            ]
        )
    names = "PassengerId,Survived,Pclass,Name,Sex,Age,SibSp,Parch,Ticket,Fare,Cabin,Embarked"
    return write(file, names.split(","), found)


def houses(file: Path, rows: int, *, priced: bool = True) -> Path:
    """Some of the 81 columns: NA stands for no alley, no pool, no garage year, no lot frontage."""
    found: list[list[Any]] = []
    for n in range(rows):
        area = int(_RNG.integers(600, 4000))
        garage = _RNG.random() < 0.94
        found.append(
            [
                n + 1,
                int(_RNG.choice([20, 30, 60, 120, 190])),
                str(_RNG.choice(["RL", "RM", "FV", "C (all)"])),
                "NA" if _RNG.random() < 0.18 else int(_RNG.integers(21, 150)),
                int(_RNG.integers(1300, 20000)),
                "Pave",
                "NA" if _RNG.random() < 0.94 else str(_RNG.choice(["Grvl", "Pave"])),
                str(_RNG.choice(["None", "BrkFace", "NA"], p=[0.6, 0.39, 0.01])),
                "NA" if _RNG.random() < 0.01 else int(_RNG.integers(0, 900)),
                int(_RNG.integers(1872, 2010)),
                "NA" if n == 17 else "SBrkr",
                area,
                "1stFlr" if n % 2 else "2Story",
                int(_RNG.integers(1900, 2011)) if garage else "NA",
                "NA" if _RNG.random() < 0.995 else "Gd",
                int(_RNG.integers(1, 13)),
                *([int(area * 110 + _RNG.normal(0, 20000))] if priced else []),
            ]
        )
    names = [
        *("Id", "MSSubClass", "MSZoning", "LotFrontage", "LotArea", "Street", "Alley"),
        *("MasVnrType", "MasVnrArea", "YearBuilt", "Electrical", "GrLivArea", "HouseStyle"),
        *("GarageYrBlt", "PoolQC", "MoSold"),
    ]
    return write(file, [*names, *(["SalePrice"] if priced else [])], found)


@pytest.mark.parametrize(
    ("make", "target", "task", "says"),
    [
        (titanic, "Survived", "classes", ("Age 1", "Cabin 6", "Embarked 2", "891 categories in")),
        (houses, "SalePrice", "regression", ("LotFrontage ", "PoolQC 8", "Alley 8", "GarageYrBlt")),
    ],
)
def test_trains_as_it_is(
    place: Place, tmp_path: Path, make: Maker, target: str, task: str, says: tuple[str, ...]
) -> None:
    file = make(tmp_path / "train.csv", 891)
    made = CsvConfig.model_validate({"path": str(file), "target": target})
    shape = made.describe(place)
    assert shape.task == task
    assert sum(shape.sizes.values()) == 891
    told = "\n".join(made.remarks(place))
    assert all(part in told for part in says), told
    assert "warning: data: rows without a value, which get their mean in training: " in told
    examples = made.load(place)
    assert np.isfinite(np.asarray(examples.inputs)).all()


def test_a_file_without_answers_is_predicted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = houses(tmp_path / "train.csv", 300)
    test = houses(tmp_path / "test.csv", 60, priced=False)
    config = {
        "data": {"kind": "csv", "path": str(train), "target": "SalePrice"},
        "model": {"kind": "mlp", "hidden": [4]},
        "train": {"epochs": 1, "threads": 1},
    }
    run = nnlab.train(config, run_dir=tmp_path / "run", set={"data.scale_target": "standard"}).run
    assert main(["predict", str(run), str(test), "--format", "csv"]) == 0
    done = capsys.readouterr()
    answered = list(csv.DictReader(done.out.splitlines()))
    assert len(answered) > 50  # "Gd" of a pool may be new
    assert "cells without a value, which get the training mean: LotFrontage" in done.err
