from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from pydantic import ValidationError

from nnlab.__main__ import main
from nnlab.core.errors import ConfigError, DataError
from nnlab.parts.datasets.family import Place
from nnlab.parts.datasets.files import csv_table
from nnlab.parts.datasets.files.csv_table import CsvConfig
from nnlab.parts.datasets.files.sheets.reading import Layout
from nnlab.parts.datasets.files.sheets.sheet import Sheet
from nnlab.parts.datasets.split_sizes import FromColumn, FromFile

HEADER = "length,color,width,species\n"
ROWS = "1.5,red,3,rose\n2.5,blue,4,iris\n3.5,red,5,rose\n4.5,green,6,iris\n"


def config(place: Place, text: str, **fields: Any) -> CsvConfig:
    (place.folder / "t.csv").write_text(text, "utf-8")
    given = {"target": "species", "validation": "none", "test": "none", **fields}
    return CsvConfig.model_validate({"path": "t.csv", **given})


def inputs_of(found: Any) -> Any:
    return np.asarray(found.inputs)


def test_numbers_stay_and_words_become_one_hot_in_sorted_order(place: Place) -> None:
    found = config(place, HEADER + ROWS).read(place)
    assert found.source.columns == ("length", "color=blue", "color=green", "color=red", "width")
    assert inputs_of(found).tolist() == [
        [1.5, 0, 0, 1, 3],
        [2.5, 1, 0, 0, 4],
        [3.5, 0, 0, 1, 5],
        [4.5, 0, 1, 0, 6],
    ]
    assert found.source.classes == ("iris", "rose")
    assert found.targets.tolist() == [1, 0, 1, 0]


def test_numbers_can_be_categories(place: Place) -> None:
    found = config(place, HEADER + ROWS, columns={"categorical": ("width",)}).read(place)
    assert found.source.columns[-4:] == ("width=3", "width=4", "width=5", "width=6")


def test_columns_can_be_dropped(place: Place) -> None:
    found = config(place, HEADER + ROWS, columns={"drop": ("color", "length")}).read(place)
    assert found.source.columns == ("width",)


def test_numeric_labels_are_sorted_by_value(place: Place) -> None:
    text = "x,y\n1,10\n2,9\n3,10.0\n4,100\n"
    found = config(place, text, target="y").read(place)
    assert found.source.classes == ("9", "10", "100")
    assert found.targets.tolist() == [1, 0, 1, 2]


@pytest.mark.parametrize(
    ("labels", "task"),
    [
        (["a", "b", "3"], "classes"),
        (["1", "2", "3"], "classes"),
        (["1", "2.5", "3"], "regression"),
        ([str(n) for n in range(20)], "classes"),
        ([str(n) for n in range(21)], "regression"),
    ],
)
def test_guesses_the_task_from_the_targets(place: Place, labels: list[str], task: str) -> None:
    text = "x,y\n" + "".join(f"{i},{label}\n" for i, label in enumerate(labels))
    assert config(place, text, target="y").resolved(place).task == task


def test_several_targets_make_a_regression(place: Place) -> None:
    found = config(place, "a,b,c\n1,2,3\n4,5,6\n", target=("c", "a")).read(place)
    assert found.source.outputs == 2
    assert found.targets.tolist() == [[3.0, 1.0], [6.0, 4.0]]
    assert inputs_of(found).tolist() == [[2.0], [5.0]]
    with pytest.raises(ConfigError, match="one target column, got 2"):
        config(place, "a,b,c\n1,2,3\n4,5,6\n", target=("c", "a"), task="classes").read(place)


def test_reads_semicolons_and_decimal_commas(place: Place) -> None:
    found = config(
        place, "\ufeffx;y\n1,5;a\n-2e3;b\n", target="y", delimiter=";", decimal=","
    ).read(place)
    assert inputs_of(found).tolist() == [[1.5], [-2000.0]]
    with pytest.raises(DataError, match=r"'1\.5' is not a number"):
        config(place, "x;y\n1.5;a\n2;b\n", target="y", delimiter=";", decimal=",").read(place)


def test_quoted_cells_may_hold_delimiters_and_lines(place: Place) -> None:
    text = 'x,y\n1,"a, b"\n2,"c\nd"\nbad,c\n'
    with pytest.raises(DataError, match=r"t\.csv:5: column 'x': 'bad' is not a number"):
        config(place, text, target="y").read(place)


@pytest.mark.parametrize("cell", ["", "NA", "nan", "?", " "])
def test_missing_values_are_filled_dropped_or_refused(place: Place, cell: str) -> None:
    text = HEADER + ROWS + f"{cell},red,7,rose\n"
    with pytest.raises(DataError) as refused:
        config(place, text, missing="refuse").describe(place)
    told = f"{cell!r} stands for none" if cell.strip() else "the cell is empty"
    assert (
        f"t.csv:6: column 'length' has no value: {told}; rows without a value: length 1 ("
        in str(refused.value)
    )
    assert config(place, text, missing="drop").describe(place).sizes["train"] == 4
    for policy in ("fill", "mean"):
        examples = config(place, text, missing=policy).load(place)
        assert inputs_of(examples)[4, 0] == 3.0
        assert np.isfinite(inputs_of(examples)).all()


def test_says_all_columns_that_miss_values_at_once(place: Place) -> None:
    text = HEADER + ROWS + "1,red,nan,rose\n,red,7,rose\n1,NA,7,rose\n,red,7,\n"
    with pytest.raises(DataError, match=r"csv:6: .*: 'nan' stands for none; .*: length 2, width 1"):
        config(place, text, missing="refuse").describe(place)
    with pytest.raises(DataError, match="species 1, color 1"):
        config(place, text, missing="refuse").describe(place)


def test_a_row_without_a_target_is_left_out_and_counted(place: Place) -> None:
    made = config(place, HEADER + ROWS + "1,red,7,\n")
    assert made.read(place).targets.tolist() == [1, 0, 1, 0]
    (remark,) = made.remarks(place)
    assert remark == "warning: data: 1 of 5 rows have no target and were left out: species 1"


def test_a_missing_word_is_a_category_of_its_own(place: Place) -> None:
    made = config(place, HEADER + ROWS + "1,NA,7,rose\n")
    found = made.read(place)
    assert found.source.columns[1:5] == (
        "color=blue",
        "color=green",
        "color=red",
        "color=(missing)",
    )
    assert inputs_of(found)[:, 4].tolist() == [0, 0, 0, 0, 1]
    assert made.remarks(place) == (
        "warning: data: rows without a value, which get a category of its own: color 1 (of 5)",
    )


def test_the_mean_is_that_of_the_training_rows(place: Place) -> None:
    text = "x,y\n" + "".join(f"{n},{n % 2}\n" for n in range(40)) + ",0\n1000,1\n"
    made = config(place, text, target="y", missing="mean", test={"last": 1})
    examples = made.load(place)
    assert inputs_of(examples)[40, 0] == np.mean(range(40))


def test_a_column_can_say_the_splits(place: Place) -> None:
    marks = ["train", "val", "Test", "train", "train", "train", "validation", "test"]
    text = "x,y,fold\n" + "".join(f"{i},{i % 2},{mark}\n" for i, mark in enumerate(marks))
    both = {"validation": {"column": "fold"}, "test": {"column": "fold"}}
    examples = config(place, text, target="y", **both).load(place)
    assert examples.shape.columns == ("x",)
    assert sorted(examples.rows["train"]) == [0, 3, 4, 5]
    assert examples.rows["validation"].tolist() == [1, 6]
    assert examples.rows["test"].tolist() == [2, 7]
    with pytest.raises(DataError, match=r"t\.csv:3: .* marks validation: write data\.validation"):
        config(place, text, target="y", test={"column": "fold"}).load(place)


def test_a_column_with_another_word_is_refused(place: Place) -> None:
    text = "x,y,fold\n1,0,train\n2,1,holdout\n"
    with pytest.raises(DataError, match=r"t\.csv:3: column 'fold': 'holdout' is not one of train"):
        config(place, text, target="y", test={"column": "fold"}).load(place)


def test_a_file_can_be_a_split(place: Place) -> None:
    (place.folder / "more.csv").write_text(HEADER + "9,violet,1,rose\n,red,1,iris\n")
    made = config(place, HEADER + ROWS, test={"file": "more.csv"}, missing="drop")
    examples = made.load(place)
    assert examples.rows["test"].tolist() == [4]
    assert "color=violet" in examples.shape.columns
    assert made.resolved(place).test == FromFile(file=str(place.folder / "more.csv"))
    (place.folder / "more.csv").write_text("length,width,species\n1,1,rose\n")
    with pytest.raises(DataError, match=r"more\.csv:1: must have the columns .*'color'"):
        made.load(place)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        (HEADER, "has a header but no rows"),
        ("1,2,3\n4,5,6\n", "must name the columns"),
        ("x,,species\n1,2,a\n", ":1: column 2 has no name"),
        ("x,x,species\n1,2,a\n", "two columns are called 'x'"),
        (HEADER + "1,red,3\n", ":2: has 3 cells, the header has 4"),
        (HEADER + '1,"red,3,rose\n', ":2: a quotation mark that opens here is never closed"),
        ("length,colour,species\n1,red,a\nx7,red,b\n", ":3: column 'length': 'x7' is not a number"),
        ("length,species\n1,a\ninf,b\n", ":3: column 'length': 'inf' is not a number"),
        ("length,species\n1_000,a\n2,b\n", "'1_000' is not a number"),
        ("length,species\n=1+1,a\n2,b\n", "'=1.1' is not a number"),
        ("length,width,spezies\n1,2,a\n", r"'species' is not a column .*did you mean spezies\?"),
        ("species\na\nb\n", "no column is left but the target"),
        (",".join(f"c{i}" for i in range(10_001)) + "\n", "has 10001 columns"),
        (
            "name,species\n" + "".join(f"n{i},{'ab'[i % 2]}\n" for i in range(10_001)),
            "has 10001 categories",
        ),
    ],
)
def test_refuses_files_that_do_not_fit(place: Place, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        config(place, text).read(place)


def test_refuses_what_is_no_text_or_not_there(place: Place) -> None:
    made = config(place, "")
    (place.folder / "t.csv").write_bytes(b"x,species\n\xff\xfe,1\n")
    with pytest.raises(DataError, match="is not UTF-8 text"):
        made.describe(place)
    (place.folder / "t.csv").unlink()
    with pytest.raises(DataError, match=r"t\.csv: cannot be read: No such file"):
        made.describe(place)


def test_refuses_columns_that_are_not_there_or_named_twice(place: Place) -> None:
    with pytest.raises(DataError, match=r"data\.columns\.drop: 'colour' .*did you mean color\?"):
        config(place, HEADER + ROWS, columns={"drop": ("colour",)}).read(place)
    with pytest.raises(ConfigError, match="'species' is named twice"):
        config(place, HEADER + ROWS, columns={"drop": ("species",)}).read(place)
    with pytest.raises(DataError, match=r"data\.test\.column: 'fold' is not a column"):
        config(place, HEADER + ROWS).model_copy(update={"test": FromColumn(column="fold")}).read(
            place
        )


@pytest.mark.parametrize(
    "wrong",
    [
        {"delimiter": ""},
        {"delimiter": "::"},
        {"delimiter": "a"},
        {"delimiter": ",", "decimal": ","},
        {"target": ""},
        {"target": ()},
    ],
)
def test_refuses_settings_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CsvConfig.model_validate({"path": "t.csv", "target": "y", **wrong})


def test_a_relative_path_starts_at_the_folder_of_the_config(place: Place, tmp_path: Path) -> None:
    made = config(place, HEADER + ROWS)
    assert made.resolved(place).path == str(tmp_path / "t.csv")


class TestReadOnce:
    def test_settling_and_loading_parse_a_file_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "t.csv").write_text("a,y\n" + "1.5,0\n2.5,1\n" * 20)
        place, count = Place(tmp_path, tmp_path, tmp_path), list[Path]()
        parse = csv_table.read_sheet

        def counted(path: Path, layout: Layout) -> Sheet:
            count.append(path)
            return parse(path, layout)

        monkeypatch.setattr(csv_table, "read_sheet", counted)
        config = CsvConfig(path="t.csv", target="y").opened(place, {})
        config.describe(place)
        config.resolved(place).load(place)
        assert len(count) == 1

    def test_a_file_that_has_changed_is_read_again(self, tmp_path: Path) -> None:
        place = Place(tmp_path, tmp_path, tmp_path)
        config = CsvConfig(path="t.csv", target="y", test="none")
        for rows in (20, 30):
            (tmp_path / "t.csv").write_text("a,y\n" + "1.5,0\n2.5,1\n" * rows)
            assert len(config.load(place).targets) == 2 * rows

    @pytest.mark.parametrize("cell", ["1_000", "inf", "word"])
    def test_what_only_python_takes_for_a_number_is_none(self, tmp_path: Path, cell: str) -> None:
        (tmp_path / "t.csv").write_text("a,y\n" + f"{cell},1\n2,0\n" * 3)
        with pytest.raises(DataError, match="is not a number"):
            CsvConfig(path="t.csv", target="y").describe(Place(tmp_path, tmp_path, tmp_path))


def test_says_where_few_whole_numbers_are_taken_for_classes(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,price\n" + "1,100\n2,200\n3,300\n" * 5)
    place = Place(tmp_path, tmp_path, tmp_path)
    config = CsvConfig(path="t.csv", target="price")
    (remark,) = config.remarks(place)
    assert remark == (
        "data: price holds 3 different whole numbers, taken for classes "
        "(task: regression, if they are quantities)"
    )
    assert config.resolved(place).remarks(place) == ()


def test_a_cell_of_several_labels_is_said_with_what_reads_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{k}.{i},{['a', 'b', 'a|b'][k]}" for i in range(9) for k in range(3)]
    (tmp_path / "rows.csv").write_text("\n".join(["x,tag", *rows]))
    config = tmp_path / "c.yaml"
    config.write_text("data: {kind: csv, path: rows.csv, target: tag}\nmodel: linear\n")
    assert main(["check", str(config)]) == 0
    told = capsys.readouterr().err
    assert "tag: 'a|b' is taken for one class (if it is several labels:" in told
    frame = pandas.read_csv(tmp_path / "rows.csv")
    code = told.partition("pandas' ")[2].partition(" writes")[0]
    eval(code, {"df": frame}).to_csv(tmp_path / "rows.csv", index=False)
    words = ["--set", "data.target=[a, b]", "--set", "data.task=labels"]
    assert main(["check", str(config), *words]) == 0
    assert "several labels" not in capsys.readouterr().err
