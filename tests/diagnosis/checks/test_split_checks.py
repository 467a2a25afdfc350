"""What a survey of the data finds: a sick table beside its healthy neighbour, on two kinds of data.

Numbers: two classes or a smooth function of six columns. Mixed: numbers beside categories.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from building import make
from sklearn import datasets

from nnlab.core.finding import Finding
from nnlab.diagnosis.watcher import Watcher
from nnlab.runs.observers.findings import facts_of

MLP = {"kind": "mlp", "hidden": [4]}
Columns = dict[str, Any]


def numbers(seed: int, rows: int = 600) -> Columns:
    made: Any = datasets.make_classification(
        rows, 6, n_informative=4, n_redundant=0, random_state=seed
    )
    inputs, label = made
    columns = {f"x{n}": inputs[:, n].round(5) for n in range(6)}
    return {**columns, "label": np.array(list("ab"))[label]}


def mixed(seed: int, rows: int = 600) -> Columns:
    draw = np.random.default_rng(seed)
    color, size = draw.choice(["red", "green", "blue"], rows), draw.choice(list("sml"), rows)
    age, mass = draw.gamma(3.0, 12.0, rows), draw.lognormal(1.0, 0.8, rows)
    height = draw.normal(170.0, 9.0, rows) + mass
    odds = (color == "red") * 1.5 + (age - 36.0) / 20.0 + np.log(mass) - 1.0
    label = np.where(draw.random(rows) < 1 / (1 + np.exp(-2 * odds)), "yes", "no")
    return {"age": age.round(2), "mass": mass.round(4), "height": height.round(3),
            "color": color, "size": size, "label": label}  # fmt: skip


def curve(seed: int, rows: int = 600) -> Columns:
    inputs, label = datasets.make_friedman1(rows, noise=0.5, random_state=seed)
    return {**{f"x{n}": inputs[:, n].round(6) for n in range(6)}, "label": label.round(5)}


SLOW = pytest.mark.slow
KINDS = pytest.mark.parametrize("kind", [pytest.param(numbers, marks=SLOW), mixed])
Made = Callable[[int], Columns]


def written(path: Path, columns: Columns, rows: Any = slice(None)) -> str:
    lines = zip(*(np.asarray(values)[rows] for values in columns.values()), strict=True)
    path.write_text("\n".join([",".join(columns), *(",".join(map(str, r)) for r in lines)]) + "\n")
    return str(path)


def found_in(folder: Path, columns: Columns, held: Columns | None = None, **sections: Any) -> Any:
    """The findings of a table, whose validation rows are drawn from it, or are another table.

    With another table the training rows stay in their order.
    """
    data: dict[str, Any] = {"kind": "csv", "path": written(folder / "t.csv", columns),
                            "target": "label", "validation": 0.25}  # fmt: skip
    if held is not None:
        data |= {"validation": {"file": written(folder / "v.csv", held)}, "test": "none",
                 "limit": {"first": len(columns["label"])}}  # fmt: skip
    made = make(data=data, model=MLP, **sections)
    watcher = Watcher(facts_of(made.experiment, made.examples, doubles=True))
    watcher.read(0, "train", {"loss": 0.7})
    found: dict[str, Finding] = watcher.findings
    return found


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=SLOW) for n in (1, 2))])
@pytest.mark.parametrize("kind", [numbers, mixed, curve])
def test_a_healthy_table_has_no_finding(kind: Made, seed: int, tmp_path: Path) -> None:
    found = found_in(tmp_path, kind(seed))
    assert {name for name, one in found.items() if one.worse_than("note")} <= {"targets_not_scaled"}
    assert not found.keys() & {"distribution_shift", "near_duplicates_across_splits"}


class TestOutliersUnderTheScaleOfTheirColumn:
    @KINDS
    @pytest.mark.parametrize(
        "size", [300.0, *(pytest.param(size, marks=SLOW) for size in (1e6, 1e12))]
    )
    def test_are_named(self, kind: Made, size: float, tmp_path: Path) -> None:
        columns = kind(0)
        name = next(iter(columns))
        columns[name] = columns[name].copy()
        columns[name][[100, 200]] = size * np.abs(columns[name]).max(), -size
        found = found_in(tmp_path, columns)["outlier_rows"]
        assert "row 100" in found.meaning or "row 200" in found.meaning
        assert f"column {name} is" in found.meaning

    @pytest.mark.parametrize(
        "tail", ["lognormal", *(pytest.param(tail, marks=SLOW) for tail in ("t", "zeros"))]
    )
    def test_a_long_tail_has_none(self, tail: str, tmp_path: Path) -> None:
        for seed in range(5):
            draw, columns = np.random.default_rng(seed), numbers(seed)
            columns["x0"] = {
                "lognormal": draw.lognormal(0.0, 2.0, 600),
                "t": draw.standard_t(2.0, 600),
                "zeros": (draw.random(600) < 0.2) * draw.lognormal(5.0, 1.5, 600),
            }[tail]
            assert "outlier_rows" not in found_in(tmp_path, columns)

    def test_of_targets_are_named_and_a_long_tail_has_none(self, tmp_path: Path) -> None:
        columns = curve(0)
        columns["label"][77] = 1e5
        found = found_in(tmp_path, columns)
        assert "row 77: the target is 1e+05" in found["outlier_targets"].meaning
        assert "targets_not_scaled" not in found
        columns["label"] = np.exp(curve(1)["label"] / 5.0)
        assert "outlier_targets" not in found_in(tmp_path, columns)

    def test_of_targets_of_validation_alone_too_as_every_score_is_theirs(
        self, tmp_path: Path
    ) -> None:
        held = curve(1, 200)
        assert "outlier_targets" not in found_in(tmp_path, curve(0), held)
        held["label"][7] = 9e7
        found = found_in(tmp_path, curve(0), held)["outlier_targets"]
        assert found.quantity.startswith("validation and test rows")
        assert "row 607: the target is 9e+07" in found.meaning


class TestTellingColumn:
    @KINDS
    @pytest.mark.parametrize("noise", [0.0, 0.1])
    def test_is_named_whether_it_is_the_target_or_nearly(
        self, kind: Made, noise: float, tmp_path: Path
    ) -> None:
        columns = kind(0)
        marks = columns["label"] == columns["label"][0]
        columns["paid"] = marks + noise * np.random.default_rng(0).normal(size=600)
        found = found_in(tmp_path, columns)["target_leakage"]
        assert found.level == "warning"
        assert "column paid alone" in found.meaning
        assert found.remedy == ('data.columns.drop=["paid"]',)

    @KINDS
    def test_a_good_column_is_none(self, kind: Made, tmp_path: Path) -> None:
        columns = kind(0)
        marks = columns["label"] == columns["label"][0]
        columns["paid"] = marks + 0.5 * np.random.default_rng(0).normal(size=600)
        assert "target_leakage" not in found_in(tmp_path, columns)

    def test_of_numbers(self, tmp_path: Path) -> None:
        columns = curve(0)
        columns["euro"] = (1.1 * columns["label"] + 0.02).round(4)
        assert "column euro alone" in found_in(tmp_path, columns)["target_leakage"].meaning
        # Beyond the outermost row a line goes on, where neighbours do not.
        columns["label"] = np.exp(columns["label"] / 3.0)
        columns["euro"] = 1.19 * columns["label"]
        assert "column euro alone" in found_in(tmp_path, columns)["target_leakage"].meaning
        noise = np.random.default_rng(0).normal(size=600)
        columns["euro"] = columns["label"] + 0.3 * columns["label"].std() * noise
        assert "target_leakage" not in found_in(tmp_path, columns)


@KINDS
def test_columns_that_say_the_same_are_named(kind: Made, tmp_path: Path) -> None:
    columns = kind(0)
    name = next(iter(columns))
    columns["fahrenheit"] = 1.8 * columns[name] + 32.0
    found = found_in(tmp_path, columns)["duplicate_columns"]
    assert (found.level, found.measured) == ("note", 1.0)
    assert f"fahrenheit is {name}" in found.meaning
    columns["fahrenheit"] = columns["fahrenheit"] + np.random.default_rng(0).normal(size=600)
    assert "duplicate_columns" not in found_in(tmp_path, columns)


def test_a_column_of_two_categories_is_no_copy_of_itself(tmp_path: Path) -> None:
    columns = numbers(0)
    columns["old"] = np.where(columns["x0"] > 0.3, "yes", "no")
    assert "duplicate_columns" not in found_in(tmp_path, columns)
    columns["alt"] = np.where(columns["old"] == "yes", "ja", "nein")
    assert "alt is old" in found_in(tmp_path, columns)["duplicate_columns"].meaning


@KINDS
@pytest.mark.parametrize("noise", [1e-4, 0.02])
def test_copies_with_a_little_noise_are_counted(kind: Made, noise: float, tmp_path: Path) -> None:
    columns, draw = kind(0), np.random.default_rng(0)
    again = draw.choice(600, 200, replace=False)
    for name, values in columns.items():
        copies = np.asarray(values)[again]
        if copies.dtype.kind == "f":
            copies = copies + noise * np.std(values) * draw.normal(size=200)
        columns[name] = np.append(values, copies)
    found = found_in(tmp_path, columns)["near_duplicates_across_splits"]
    assert found.level == "warning"
    # Of a pair one is in validation and one in train with 2 * 0.2 * 0.6 and more.
    assert found.measured == pytest.approx(0.22, abs=0.12)


@KINDS
def test_validation_of_another_kind_is_told_and_the_column_that_moved(
    kind: Made, tmp_path: Path
) -> None:
    columns = kind(0)
    name = next(iter(columns))
    for moved, told in ((0.0, False), (1.5, True)):
        held = kind(1)
        held[name] = held[name] + moved * np.std(held[name])
        found = found_in(tmp_path, columns if kind is mixed else kind(1), held)
        assert ("distribution_shift" in found) == told
        if told:
            assert found["distribution_shift"].level == "warning"
            assert f"column {name} moved most" in found["distribution_shift"].meaning


@KINDS
def test_a_class_that_a_split_lacks_is_named(kind: Made, tmp_path: Path) -> None:
    columns = kind(0)
    first = columns["label"] == columns["label"][0]
    part = {name: np.asarray(values)[first] for name, values in columns.items()}
    lost = str(columns["label"][~first][0])
    found = found_in(tmp_path, columns, part)["missing_classes"]
    assert found.level == "warning"
    assert f"no row of validation is of {lost}" in found.meaning
    assert "missing_classes" not in found_in(tmp_path, columns, kind(1))


@KINDS
def test_rows_in_the_order_of_the_target_are_found_where_nothing_shuffles(
    kind: Made, tmp_path: Path
) -> None:
    columns = kind(0)
    order = np.argsort(columns["label"], kind="stable")
    inputs = {name: np.asarray(values)[order] for name, values in columns.items()}
    train = {"epochs": 2, "batch_size": 32, "sampling": "in_order"}
    assert found_in(tmp_path, inputs, kind(1), train=train)["rows_in_order"].measured > 0.8
    shuffled = {**train, "sampling": "shuffled"}
    assert "rows_in_order" not in found_in(tmp_path, inputs, kind(1), train=shuffled)
    assert "rows_in_order" not in found_in(tmp_path, columns, kind(1), train=train)


def test_of_numbers_too(tmp_path: Path) -> None:
    columns = curve(0)
    order = np.argsort(columns["label"])
    inputs = {name: np.asarray(values)[order] for name, values in columns.items()}
    train = {"epochs": 2, "batch_size": 32, "sampling": "in_order"}
    assert found_in(tmp_path, inputs, curve(1), train=train)["rows_in_order"].measured > 0.8
    assert "rows_in_order" not in found_in(tmp_path, columns, curve(1), train=train)


@pytest.mark.parametrize(("rows", "level"), [(6, "warning"), (20, "note"), (200, None)])
@KINDS
def test_a_validation_split_of_a_few_rows_says_nothing(
    kind: Made, rows: int, level: str | None, tmp_path: Path
) -> None:
    few = {name: np.asarray(values)[:rows] for name, values in kind(1).items()}
    found = found_in(tmp_path, kind(0), few).get("validation_too_small")
    assert (found and found.level) == level
