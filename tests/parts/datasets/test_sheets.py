"""Tables as people have them: what is read, what is said, and that each way out works."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlab.config.loading import load_config
from nnlab.core.errors import ConfigError, DataError
from nnlab.parts.datasets.family import Place
from nnlab.parts.datasets.files.csv_table import CsvConfig
from nnlab.parts.datasets.files.sheets.notation import (
    ISO,
    Notation,
    date_forms,
    day_number,
    looks_like,
)


def config(place: Place, text: str, name: str = "t.csv", **fields: Any) -> CsvConfig:
    (place.folder / name).write_text(text, fields.get("encoding", "utf-8"))
    given = {"target": "y", "validation": "none", "test": "none", **fields}
    return CsvConfig.model_validate({"path": name, **given})


def column(place: Place, cells: list[str], **fields: Any) -> CsvConfig:
    rows = "".join(f'"{cell}";{"ab"[row % 2]}\n' for row, cell in enumerate(cells))
    return config(place, "x;y\n" + rows, delimiter=";", **fields)


def pasted(place: Place, made: CsvConfig, way: str) -> CsvConfig:
    """The config with what a message advises, read as YAML beside its other settings."""
    fields = made.model_dump(exclude_unset=True, exclude={"kind", "columns"})
    written = ", ".join(f"{key}: {_yaml(value)}" for key, value in fields.items())
    file = place.folder / "c.yaml"
    file.write_text(f"data: {{kind: csv, {written}, {way}}}\nmodel: linear\n")
    data = load_config(file).data
    assert isinstance(data, CsvConfig)
    return data


def _yaml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).replace("'", '"')


def advice(error: BaseException) -> list[str]:
    """The settings that a message names, in the order of the message."""
    found = re.search(r"\((.*)\)$", str(error), re.S)
    assert found, error
    ways = re.split(r"; or |, or (?=\{)|; | or (?=columns)", found[1])
    return [way if ":" in way.split("{")[0] else f"columns: {way}" for way in ways]


WRITINGS = [
    (
        "a decimal comma",
        [f"{n},{n}6" for n in range(1, 30)],
        [float(f"{n}.{n}6") for n in range(1, 30)],
    ),
    ("a comma between thousands", [f"{n},{n + 100}" for n in range(1, 30)], None),
    ("a point between thousands", [f"{n}.{n + 100}.000" for n in range(1, 30)], None),
    ("a decimal comma and points", [f"{n}.{n + 100},5" for n in range(1, 30)], None),
    ("blanks between thousands", [f"{n} {n + 100}" for n in range(1, 30)], None),
    ("apostrophes", [f"{n}'{n + 100}.5" for n in range(1, 30)], None),
    ("set apostrophes", [f"{n}\u2019{n + 100}.5" for n in range(1, 30)], None),
    (
        "India's commas",
        [f"{n},{n + 10},{n + 100}" for n in range(1, 30)],
        [n * 1e5 + (n + 10) * 1e3 + n + 100.0 for n in range(1, 30)],
    ),
    ("percent", [f"{n / 4}%" for n in range(1, 30)], [n / 4 for n in range(1, 30)]),
    ("percent with a blank", [f"{n / 4} %" for n in range(1, 30)], None),
    ("dollars", [f"${n},{n + 100}.00" for n in range(1, 30)], None),
    ("euros", [f"{n}.{n + 100},00 €" for n in range(1, 30)], None),
    ("kilograms", [f"{n} kg" for n in range(1, 30)], [float(n) for n in range(1, 30)]),
    ("days", [f"2024-01-{n:02}" for n in range(1, 30)], [19722.0 + n for n in range(1, 30)]),
    ("moments", [f"2024-01-{n:02} 12:00" for n in range(1, 30)], None),
    ("German days", [f"{n:02}.01.2024" for n in range(1, 30)], [19722.0 + n for n in range(1, 30)]),
    ("British days", [f"{n:02}/01/2024" for n in range(1, 30)], None),
    ("American days", [f"01/{n:02}/2024" for n in range(1, 30)], None),
    ("months", [f"{m} {year}" for m in ("Jan", "Feb", "Mar") for year in range(2000, 2009)], None),
    ("clock times", [f"{n % 24:02}:30" for n in range(1, 30)], None),
]


@pytest.mark.parametrize(
    ("cells", "values"), [w[1:] for w in WRITINGS], ids=[w[0] for w in WRITINGS]
)
class TestNumbersInAnotherWriting:
    def test_are_refused_with_what_reads_them(
        self, place: Place, cells: list[str], values: list[float] | None
    ) -> None:
        made = column(place, cells)
        with pytest.raises(DataError, match=r"look like (numbers|dates)") as refused:
            made.describe(place)
        (way, *others) = advice(refused.value)
        found = pasted(place, made, way).read(place)
        assert found.source.columns == ("x",)
        stored = np.asarray(found.inputs)[:, 0].astype(np.float64)
        stored += 0.0 if found.base is None else found.base[0]
        assert len(np.unique(stored)) == len(set(cells))
        if values is not None:
            assert np.allclose(stored, values, rtol=1e-6, atol=0.06)
        # The other ways leave the column out, or take it as it is; nothing else is in the table.
        assert [re.match(r"columns: \{(\w+)", other)[1] for other in others[-2:]] == [  # type: ignore[index]
            "drop",
            "categorical",
        ]
        assert pasted(place, made, others[-1]).read(place).source.columns[0].startswith("x=")

    def test_are_refused_as_targets(
        self, place: Place, cells: list[str], values: list[float] | None
    ) -> None:
        rows = "".join(f'{row};"{cell}"\n' for row, cell in enumerate(cells))
        made = config(place, "x;y\n" + rows, delimiter=";")
        with pytest.raises(DataError, match=r"different targets of .* look like") as refused:
            made.describe(place)
        assert pasted(place, made, advice(refused.value)[0]).read(place).source.task == "regression"


class TestDates:
    @pytest.mark.parametrize(
        ("cell", "form", "days"),
        [
            ("1970-01-02", ISO, 1.0),
            ("1970-01-01T12:00:00", ISO, 0.5),
            ("1970-01-01T12:00:00+02:00", ISO, 10 / 24),
            ("02/01/1970", "%d/%m/%Y", 1.0),
            ("1970-13-01", ISO, None),
            ("19700102", ISO, None),
        ],
    )
    def test_become_days(self, cell: str, form: str, days: float | None) -> None:
        assert day_number(cell, form) == days

    def test_whose_day_and_month_cannot_be_told_apart_are_refused(self, place: Place) -> None:
        cells = [f"0{n % 9 + 1}/0{(n + 3) % 9 + 1}/2024" for n in range(9)]
        made = column(place, cells, columns={"dates": ("x",)})
        with pytest.raises(DataError, match="day and month cannot be told apart") as refused:
            made.read(place)
        for way in advice(refused.value):
            assert pasted(place, made, way).read(place).source.columns == ("x",)

    def test_a_settled_config_says_how_they_are_written(self, place: Place) -> None:
        made = column(place, [f"{n:02}.01.2024" for n in range(1, 30)], columns={"dates": ("x",)})
        settled = made.resolved(place)
        assert settled.columns.dates == {"x": "%d.%m.%Y"}
        expected = np.asarray(made.read(place).inputs)
        assert np.array_equal(np.asarray(settled.read(place).inputs), expected)

    def test_are_found_by_all_cells(self) -> None:
        assert date_forms(["01/02/2024", "13/02/2024"]) == ("%d/%m/%Y",)
        assert date_forms(["01/02/2024", "02/13/2024"]) == ("%m/%d/%Y",)
        assert date_forms(["2024-01-01", "soon"]) == ()


class TestNotation:
    @pytest.mark.parametrize(
        ("cell", "thousands", "value"),
        [
            ("1,234.5", ",", 1234.5),
            ("1,234,567", ",", 1234567.0),
            ("-12,345", ",", -12345.0),
            ("1,23", ",", None),
            ("1234,567", ",", None),
            ("0,123", ",", None),
            ("1,234,56", ",", None),
            ("1 234", " ", 1234.0),
            ("1\u202f234", " ", 1234.0),
            ("5", ",", 5.0),
            ("1e3", ",", 1000.0),
        ],
    )
    def test_thousands_stand_in_groups_of_three(
        self, cell: str, thousands: str, value: float | None
    ) -> None:
        assert Notation(".", thousands).number(cell) == value

    @pytest.mark.parametrize(
        ("cell", "found"),
        [
            ("4.5%", (4.5, "%")),
            ("-4.5 %", (-4.5, "%")),
            ("$1,200", (1200.0, "$")),
            ("-$3", (-3.0, "$")),
            ("$-3", (-3.0, "$")),
            ("\u22123 °C", (-3.0, "°C")),
            ("(1,200)", (-1200.0, "")),
            ("12 kg", (12.0, "kg")),
            ("USD 12", (12.0, "USD")),
            ("kg", None),
            ("(12", None),
            ("12 of 13", None),
            ("", None),
        ],
    )
    def test_numbers_may_have_a_sign_or_a_unit(
        self, cell: str, found: tuple[float, str] | None
    ) -> None:
        assert Notation(".", ",").loose(cell) == found

    def test_two_units_in_a_column_are_refused(self, place: Place) -> None:
        made = column(place, ["1 kg", "200 g", "3 kg"], columns={"numeric": ("x",)})
        with pytest.raises(DataError, match=r"t\.csv:3: .*'200 g' has another unit than 'kg'"):
            made.read(place)

    @pytest.mark.parametrize(
        "words", [["3A", "4B"], ["10-19", "20-29"], ["5more"], ["A/5 21171"], ["S", "C"], ["1st"]]
    )
    def test_words_are_words(self, words: list[str]) -> None:
        assert looks_like(words, "x", Notation(), delimiter=",") is None

    def test_few_categories_that_look_like_numbers_are_told(self, place: Place) -> None:
        made = column(place, ["0,5", "1,0"] * 20)
        assert made.read(place).source.columns == ("x=0,5", "x=1,0")
        (remark,) = made.remarks(place)
        assert remark == (
            'data: x: 2 categories that look like numbers with a decimal comma (decimal: ",")'
        )


class TestNamesForEveryRow:
    @pytest.mark.parametrize(
        "cells",
        [
            [f"Passenger {n}" for n in range(40)],
            [f"id-{n % 20}" for n in range(40)],
            [f"{n}" if n % 3 else f"PC {n}" for n in range(40)],
        ],
    )
    def test_are_told_with_their_count(self, place: Place, cells: list[str]) -> None:
        made = column(place, cells)
        assert len(made.read(place).source.columns) == len(set(cells))
        (remark,) = made.remarks(place)
        said = f"data: x: {len(set(cells))} categories in 40 rows, an input for each"
        assert remark == f"{said} (columns: {{drop: [x]}})"

    def test_few_categories_are_not(self, place: Place) -> None:
        assert column(place, ["red", "blue"] * 20).remarks(place) == ()

    def test_a_target_of_names_is_refused(self, place: Place) -> None:
        rows = "".join(f"{n},name{n}\n" for n in range(40))
        with pytest.raises(DataError, match="39 other words in 40 rows are too many for classes"):
            config(place, "x,y\n" + rows).read(place)

    def test_a_word_among_numeric_targets_is_refused(self, place: Place) -> None:
        rows = "".join(f"{n},{n / 7}\n" for n in range(40)) + "1,x7\n"
        with pytest.raises(DataError, match=r"t\.csv:42: .*'x7' is not a number, as 40 others are"):
            config(place, "x,y\n" + rows).read(place)


class TestMissing:
    TEXT = "age,cabin,y\n,A,1\n31,,0\n42,B,1\n50,B,0\n61,A,1\n"

    def test_a_policy_can_be_said_by_column(self, place: Place) -> None:
        made = config(place, self.TEXT, missing={"age": "drop", "cabin": "category"})
        found = made.read(place)
        assert found.source.columns == ("age", "cabin=A", "cabin=B", "cabin=(missing)")
        assert np.asarray(found.inputs)[:, 0].tolist() == [31, 42, 50, 61]
        left, filled = made.remarks(place)[1:]
        assert left == (
            "warning: data: 1 of 5 rows miss a value (missing: drop) and were left out: age 1"
        )
        assert "get a category of its own: cabin 1 (of 4)" in filled

    @pytest.mark.parametrize(
        ("missing", "says"),
        [
            ({"age": "category"}, "age holds numbers, which are no categories"),
            ({"cabin": "mean"}, "cabin holds words, which have no mean"),
        ],
    )
    def test_a_policy_must_fit_its_column(
        self, place: Place, missing: dict[str, str], says: str
    ) -> None:
        with pytest.raises(ConfigError, match=says):
            config(place, self.TEXT, missing=missing).read(place)

    def test_a_policy_needs_a_column(self, place: Place) -> None:
        with pytest.raises(DataError, match=r"data\.missing: 'Age' is not .*did you mean age"):
            config(place, self.TEXT, missing={"Age": "drop"}).read(place)

    @pytest.mark.parametrize("sign", ["None", "-", "n.a.", "unknown", "#N/A", "inf"])
    def test_signs_for_none_among_numbers_are_named(self, place: Place, sign: str) -> None:
        made = column(place, ["1.5", sign, "2.5", "3.5"])
        with pytest.raises(DataError, match=r"t\.csv:3: .* is not a number") as refused:
            made.read(place)
        found = pasted(place, made, f'missing_as: ["{sign}"]')
        assert f'missing_as: ["{sign}"]' in str(refused.value)
        assert np.isnan(np.asarray(found.read(place).inputs)[1, 0])

    def test_a_number_can_stand_for_none(self, place: Place) -> None:
        made = column(place, ["1.5", "-999", "-999.0", "2.5"], missing_as=(-999, "x"))
        assert np.isnan(np.asarray(made.read(place).inputs)[:, 0]).tolist() == [0, 1, 1, 0]
        assert np.asarray(made.load(place).inputs)[1, 0] == 2.0

    def test_a_warning_begins_at_a_tenth(self, place: Place) -> None:
        for rows, warns in ((9, True), (20, False)):
            text = "x,y\n,1\n" + "1,0\n2,1\n" * (rows // 2)
            remarks = config(place, text, missing="drop").remarks(place)
            assert any(line.startswith("warning: ") for line in remarks) is warns

    def test_each_given_file_is_counted(self, place: Place) -> None:
        (place.folder / "more.csv").write_text("x,y\n,1\n,0\n3,0\n")
        made = config(place, "x,y\n1,0\n2,1\n,1\n3,0\n", missing="drop", test={"file": "more.csv"})
        told = [line for line in made.remarks(place) if "left out" in line]
        assert [line.split(": ", 2)[2] for line in told] == [
            "1 of 4 rows miss a value (missing: drop) and were left out: x 1",
            "2 of 3 rows miss a value (missing: drop) and were left out: x 2",
        ]

    def test_a_column_without_any_value_is_left_out(self, place: Place) -> None:
        made = config(place, "x,z,y\n,1,a\nNA,2,b\n", missing="mean")
        assert made.read(place).source.columns == ("z",)
        assert made.remarks(place) == ("data: x has no value in any row: left out",)


class TestFirstContact:
    @pytest.mark.parametrize("start", [0, 1])
    def test_an_index_of_pandas_is_left_out(self, place: Place, start: int) -> None:
        rows = "".join(f"{n + start},{n * 1.5},{'ab'[n % 2]}\n" for n in range(5))
        made = config(place, ",x,y\n" + rows)
        assert made.read(place).source.columns == ("x",)
        assert "its first column has no name and counts the rows" in made.remarks(place)[0]

    @pytest.mark.parametrize(
        "text", ["x,y,\n1,a,\n2,b,\n", "x,y\n1,a,\n2,b,\n", "x,y,\n1,a\n2,b\n"]
    )
    def test_a_delimiter_may_end_the_line(self, place: Place, text: str) -> None:
        assert config(place, text).read(place).source.columns == ("x",)

    def test_a_column_without_a_name_can_be_left_out(self, place: Place) -> None:
        made = config(place, "x,,y\n1,5,a\n2,7,b\n")
        with pytest.raises(DataError, match="column 2 has no name") as refused:
            made.read(place)
        way = re.search(r"\((columns: \{.*?\}) leaves", str(refused.value))
        assert way
        assert pasted(place, made, way[1]).read(place).source.columns == ("x",)

    @pytest.mark.parametrize("text", ["5.1,3.5,a\n4.9,3.0,b\n", "5,3,1\n4,3,0\n", "1,1,a\n2,3,b\n"])
    def test_a_file_without_names_says_how_to_read_it(self, place: Place, text: str) -> None:
        made = config(place, text)
        with pytest.raises(DataError, match="header: none") as refused:
            made.read(place)
        assert "x1 to x3" in str(refused.value)
        found = pasted(place, made.model_copy(update={"target": "x3"}), "header: none").read(place)
        assert found.source.columns == ("x1", "x2")
        assert len(found.targets) == 2

    @pytest.mark.parametrize("sign", [";", "\t", "|"])
    @pytest.mark.parametrize("quote", ["", '"'])
    def test_another_delimiter_is_named(self, place: Place, sign: str, quote: str) -> None:
        head = sign.join(f"{quote}{name}{quote}" for name in "xy")
        made = config(place, f"{head}\n1{sign}a\n2{sign}b\n")
        with pytest.raises(DataError, match="is the delimiter") as refused:
            made.read(place)
        way = re.search(r"\((delimiter: .*)\)", str(refused.value))
        assert way
        assert pasted(place, made, way[1]).read(place).source.columns == ("x",)

    def test_tsv_files_have_tabs(self, place: Place) -> None:
        made = config(place, "x\ty\n1\ta\n2\tb\n", "t.tsv")
        assert made.read(place).source.columns == ("x",)
        assert made.resolved(place).delimiter == "\t"

    def test_excel_may_name_the_delimiter(self, place: Place) -> None:
        assert config(place, "sep=;\nx;y\n1;a\n2;b\n").read(place).source.columns == ("x",)
        with pytest.raises(DataError, match=r"t\.csv:4: .*column .x.: .q. is not"):
            config(place, "sep=;\nx;y\n1;a\nq;b\n").read(place)

    @pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
    def test_another_encoding_is_named(self, place: Place, encoding: str) -> None:
        made = config(place, "größe,y\n1,a\n2,b\n", encoding=encoding)
        plain = made.model_copy(update={"encoding": "utf-8"})
        with pytest.raises(DataError, match=rf"encoding: {encoding}"):
            plain.read(place)
        assert made.read(place).source.columns == ("größe",)

    def test_lines_above_the_header_are_passed_over(self, place: Place) -> None:
        made = config(place, "# logger 2\nx,y\n1,a\n2,b\n")
        with pytest.raises(DataError, match=r"t\.csv:2: .*skip_lines: 1") as refused:
            made.read(place)
        assert pasted(place, made, "skip_lines: 1").read(place).source.columns == ("x",)
        assert "skip_lines: 1" in str(refused.value)

    def test_a_name_in_another_case_is_meant(self, place: Place) -> None:
        with pytest.raises(DataError, match=r"'y' is not a column of .*did you mean Y\?"):
            config(place, "X,Y\n1,a\n2,b\n").read(place)

    def test_names_of_rows_as_r_writes_them(self, place: Place) -> None:
        made = config(place, "x,y\nr1,1,a\nr2,2,b\n")
        with pytest.raises(DataError, match="skip_lines: 1, header: none"):
            made.read(place)
        again = made.model_copy(update={"target": "x3"})
        found = pasted(place, again, "skip_lines: 1, header: none").read(place)
        assert found.source.classes == ("a", "b")

    def test_two_columns_of_one_name(self, place: Place) -> None:
        made = config(place, "a,a,y\n1,2,k\n2,1,l\n")
        with pytest.raises(DataError, match=r"two columns are called 'a'.*skip_lines: 1, header"):
            made.read(place)
        again = made.model_copy(update={"target": "x3"})
        assert pasted(place, again, "skip_lines: 1, header: none").read(place).source.columns == (
            "x1",
            "x2",
        )

    def test_a_pipe_or_a_folder_is_no_table(self, place: Place, tmp_path: Path) -> None:
        made = CsvConfig.model_validate({"path": str(tmp_path), "target": "y"})
        with pytest.raises(DataError, match="is a folder"):
            made.read(place)
        made = CsvConfig.model_validate({"path": "/dev/zero", "target": "y"})
        with pytest.raises(DataError, match="is not a regular file"):
            made.read(place)

    def test_a_test_file_without_answers_is_for_predict(self, place: Place) -> None:
        (place.folder / "more.csv").write_text("x\n1\n")
        with pytest.raises(DataError, match=r"has no 'y': without the answers.*nnlab predict"):
            config(place, "x,y\n1,a\n2,b\n", test={"file": "more.csv"}).read(place)


class TestGuesses:
    def test_many_whole_numbers_are_told(self, place: Place) -> None:
        made = config(place, "x,y\n" + "".join(f"{n},{n % 24}\n" for n in range(96)))
        assert made.read(place).source.task == "regression"
        assert made.remarks(place) == (
            "data: y holds 24 different whole numbers, taken for numbers "
            "(task: classes, if they are names of something)",
        )
        assert made.resolved(place).remarks(place) == ()

    def test_prices_are_no_guess(self, place: Place) -> None:
        made = config(place, "x,y\n" + "".join(f"{n},{n * 1000 + 7}\n" for n in range(96)))
        assert made.remarks(place) == ()

    def test_columns_of_marks_are_classes(self, place: Place) -> None:
        text = "x,k,l,m\n1,0,1,0\n2,1,0,0\n3,0,0,1\n"
        made = config(place, text, target=("k", "l", "m"))
        found = made.read(place)
        assert found.source.classes == ("k", "l", "m")
        assert found.targets.tolist() == [1, 0, 2]
        assert "taken for 3 classes (task: regression, or labels" in made.remarks(place)[0]
        asked = config(place, text, target=("k", "l", "m"), task="classes")
        assert asked.read(place).targets.tolist() == [1, 0, 2]

    def test_several_marks_stay_numbers_and_are_told(self, place: Place) -> None:
        made = config(place, "x,k,l\n1,0,1\n2,1,1\n", target=("k", "l"))
        assert made.read(place).source.task == "regression"
        assert "taken for numbers (task: labels" in made.remarks(place)[0]

    def test_an_error_that_follows_from_a_guess_says_so(self, place: Place) -> None:
        text = "x,y\n" + "".join(f"{n},{n % 9}\n" for n in range(40)) + "1,9\n"
        made = config(place, text, validation=10, test=10)
        with pytest.raises(DataError, match=r"class '9' has 1 rows.*guess; task: regression"):
            made.describe(place)
        asked = config(place, text, validation=10, test=10, task="regression")
        assert asked.describe(place).task == "regression"


class TestCheckRefusesWhatTrainingWould:
    def test_a_class_of_one_row(self, place: Place) -> None:
        text = "x,y\n" + "1,a\n2,b\n" * 20 + "3,c\n"
        made = config(place, text, validation=0.2, test=0.2)
        with pytest.raises(DataError, match="class 'c' has 1 rows, too few"):
            made.describe(place)

    @pytest.mark.parametrize("classes", [(">50K.", "<=50K."), ("A", "B"), ("yes ", "no.")])
    def test_a_test_file_with_other_classes(self, place: Place, classes: tuple[str, str]) -> None:
        (place.folder / "more.csv").write_text(f"x,y\n1,{classes[0]}.\n2,{classes[1]}.\n")
        text = "x,y\n" + "1,>50K\n2,<=50K\n" * 20
        made = config(place, text, test={"file": "more.csv"})
        with pytest.raises(DataError, match=r"data\.test: 2 of 2 examples are of classes that no"):
            made.describe(place)

    def test_a_few_new_classes_are_only_told(self, place: Place) -> None:
        (place.folder / "more.csv").write_text("x,y\n1,a\n2,b\n3,c\n")
        made = config(place, "x,y\n" + "1,a\n2,b\n" * 20, test={"file": "more.csv"})
        assert made.describe(place).sizes["test"] == 3

    def test_one_class_alone(self, place: Place) -> None:
        with pytest.raises(DataError, match="there is nothing to learn"):
            config(place, "x,y\n1,a\n2,a\n").describe(place)

    def test_a_column_without_any_value_in_training(self, place: Place) -> None:
        made = config(place, "x,z,y\n,1,a\n,2,b\n3,4,a\n", test={"last": 1})
        with pytest.raises(DataError, match=r"column 'x' has no value in the training rows"):
            made.describe(place)


class TestWhatPeopleBring:
    """Tables of other programs, and the way out that each message names."""

    def made(self, place: Place, text: str, name: str = "d.csv", **fields: Any) -> CsvConfig:
        (place.folder / name).write_text(text)
        return CsvConfig(path=name, target="y", **fields)

    def test_an_index_that_pandas_named_is_left_out_as_one_without_a_name(
        self, place: Place
    ) -> None:
        rows = "".join(f"{k},{k * k % 7},{k % 3}\n" for k in range(30))
        for head in ("Unnamed: 0,a,y\n", ",a,y\n", '"Unnamed: 0",a,y\n'):
            made = self.made(place, head + rows)
            assert made.describe(place).columns == ("a",)
            assert any("index" in line for line in made.remarks(place))
        other = rows.replace("\n4,", "\n40,", 1)  # counts nothing: a column as any other
        assert "Unnamed: 0" in self.made(place, "Unnamed: 0,a,y\n" + other).describe(place).columns
        kept = self.made(place, "Unnamed: 0,a,y\n" + rows, columns={"drop": ("Unnamed: 0",)})
        assert kept.describe(place).columns == ("a",)

    def test_the_minus_of_typographers_is_one(self, place: Place) -> None:
        rows = "".join(f"\u2212{k + 1}.5,{k % 2}\n" for k in range(20))
        made = self.made(place, "a,y\n" + rows)
        assert made.describe(place).columns == ("a",)
        assert np.asarray(made.load(place).inputs).min() == -20.5

    def test_names_that_differ_in_capitals_alone_are_told(self, place: Place) -> None:
        rows = "".join(f"{k},{'red' if k % 3 else 'Red'},{'Yes' if k % 2 else 'yes'}\n"
                       for k in range(40))  # fmt: skip
        told = " ".join(self.made(place, "a,b,y\n" + rows).remarks(place))
        assert "y: 'Yes' and 'yes', which differ in capitals alone" in told
        assert "b: 'Red' and 'red'" in told

    def test_grades_could_be_classes(self, place: Place) -> None:
        rows = "".join(f"{k},{k % 5 / 2}\n" for k in range(100))
        made = self.made(place, "a,y\n" + rows)
        (told,) = made.remarks(place)
        assert "5 different numbers, taken for numbers (task: classes" in told
        asked = made.model_copy(update={"task": "classes"}).describe(place)
        assert asked.classes == ("0", "0.5", "1", "1.5", "2")
        measured = "".join(f"{k},{k / 7}\n" for k in range(100))
        assert self.made(place, "a,y\n" + measured).remarks(place) == ()

    def test_blanks_between_the_cells_are_asked_about(self, place: Place) -> None:
        text = "a b y\n" + "".join(f"{k} {k * 2} {k % 2}\n" for k in range(30))
        with pytest.raises(DataError, match=r"is the delimiter ' '\? \(delimiter: \" \"\)"):
            self.made(place, text).describe(place)
        assert self.made(place, text, delimiter=" ").describe(place).columns == ("a", "b")

    def test_a_missing_file_has_a_nearest_name(self, place: Place) -> None:
        self.made(place, "a,y\n1,2\n", "Rows.csv")
        near = CsvConfig(path="rows.CSV", target="y")
        with pytest.raises(DataError, match=r"did you mean Rows\.csv\?"):
            near.describe(place)
        with pytest.raises(DataError, match="there is no folder"):
            CsvConfig(path="no/rows.csv", target="y").describe(place)
        with pytest.raises(DataError, match="copy it to this machine"):
            CsvConfig(path="s3://bucket/rows.csv", target="y").describe(place)
