"""Rows that are in two splits, and tables whose rows agree by chance."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from building import make

from nnlab.core.finding import Finding
from nnlab.diagnosis.evidence.data_facts import data_facts
from nnlab.diagnosis.evidence.facts import Facts
from nnlab.diagnosis.watcher import Watcher

MLP = {"kind": "mlp", "hidden": [4]}


def table(folder: Path, columns: dict[str, Any]) -> dict[str, Any]:
    path = folder / "t.csv"
    rows = zip(*columns.values(), strict=True)
    path.write_text("\n".join([",".join(columns), *(",".join(map(str, r)) for r in rows)]) + "\n")
    return {"kind": "csv", "path": str(path), "target": "label", "validation": 0.3}


def found_in(data: dict[str, Any]) -> dict[str, Finding]:
    made = make(data=data, model=MLP)
    looked = data_facts(made.experiment, made.examples, doubles=True)
    watcher = Watcher(Facts(made.experiment, looked))
    watcher.read(0, "train", {"loss": 0.7})
    return watcher.findings


def categories(draw: np.random.Generator, rows: int) -> dict[str, Any]:
    """Three columns of few categories: most rows have the inputs of others."""
    return {
        "color": draw.choice(["red", "green", "blue"], rows),
        "size": draw.choice(["s", "m", "l", "xl"], rows),
        "old": draw.choice(["yes", "no"], rows),
    }


def test_a_table_of_categories_has_no_doubles_whether_targets_follow_or_not(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    columns = categories(draw, 400)
    follows = np.where((columns["color"] == "red") ^ (columns["old"] == "yes"), "a", "b")
    assert "duplicates_across_splits" not in found_in(
        table(tmp_path, {**columns, "label": follows})
    )
    chance = draw.choice(["a", "b"], 400)
    assert "duplicates_across_splits" not in found_in(table(tmp_path, {**columns, "label": chance}))


def test_rows_written_twice_are_found_in_numbers_and_in_many_categories(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    twice = np.tile(np.arange(200), 2)
    label = np.where(draw.random(200) < 0.5, "a", "b")[twice]
    numbers = {f"x{n}": draw.normal(size=200).round(4)[twice] for n in range(4)}
    words = {f"c{n}": draw.choice(list("pqrs"), 200)[twice] for n in range(12)}
    for columns in (numbers, words):
        found = found_in(table(tmp_path, {**columns, "label": label}))["duplicates_across_splits"]
        assert found.level == "warning"
        assert found.measured == pytest.approx(0.6, abs=0.15)


def test_a_column_that_is_nearly_always_the_same_is_none_that_never_changes(tmp_path: Path) -> None:
    """Of 9,000 rows one is another: a sample of 2,000 does not have it, or has it by luck."""
    draw = np.random.default_rng(0)
    rare, still = np.zeros(9000, int), np.full(9000, 7)
    rare[[*range(0, 9000, 1500)]] = 1
    columns = {"x": draw.normal(size=9000).round(4), "rare": rare, "still": still,
               "word": ["same"] * 9000, "label": draw.choice(["a", "b"], 9000)}  # fmt: skip
    found = found_in(table(tmp_path, columns))["constant_features"]
    assert found.measured == 2.0
    assert found.quantity.startswith("columns, of 4, that are the same in all")
    assert found.remedy == ('data.columns.drop=["still", "word"]',)
    data = {**table(tmp_path, columns), "columns": {"drop": ["still", "word"]}}
    assert "constant_features" not in found_in(data)
