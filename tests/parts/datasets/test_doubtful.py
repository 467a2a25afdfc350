"""Numbers that may not be meant as such are said, with what would read them otherwise."""

from pathlib import Path

import numpy as np
import pytest

from nnlab.__main__ import main
from nnlab.core.errors import DataError
from nnlab.parts.datasets.family import Place
from nnlab.parts.datasets.files.csv_table import CsvConfig
from nnlab.parts.datasets.files.sheets.quick import LEAST_BYTES


def remarks(place: Place, name: str, cells: list[str], *, rows: int = 0) -> tuple[str, ...]:
    """What is said of a column; of so many rows, where they are to be read by the quick reader."""
    cells = [cells[row % len(cells)] for row in range(rows or len(cells))]
    text = "".join(f"{cell},{'ab'[row % 2]}\n" for row, cell in enumerate(cells))
    (place.folder / "t.csv").write_text(f"{name},y\n{text}")
    return CsvConfig(path="t.csv", target="y").remarks(place)


@pytest.mark.parametrize("rows", [0, 20_000], ids=["strict", "quick"])
@pytest.mark.parametrize(
    ("name", "cells", "says"),
    [
        ("zip", ["01234", "12345", "99999", "00501"], "2 cells begin with a 0 (01234), which"),
        ("code", ["7", "12", "007"], "a cell begins with a 0 (007), which numbers do not keep"),
        (
            "price",
            ["1.234", "950", "12.000", "3.500"],
            "1.234 was read as a number below 1000",
        ),
    ],
)
def test_are_said(place: Place, name: str, cells: list[str], says: str, rows: int) -> None:
    assert (place.folder / "t.csv").exists() is False
    (remark,) = remarks(place, name, cells, rows=rows)
    if rows:
        assert (place.folder / "t.csv").stat().st_size > LEAST_BYTES
        assert remark.startswith(f"data: {name}: ")
    else:
        assert remark.startswith(f"data: {name}: {says}")


@pytest.mark.parametrize("name", ["PassengerId", "user_id", "ID", "zip code", "customer-no id"])
def test_whole_numbers_with_the_name_of_an_id(place: Place, name: str) -> None:
    (remark,) = remarks(place, name, [str(7 * row) for row in range(40)])
    assert "40 different whole numbers, taken for quantities; by its name they are names" in remark


@pytest.mark.parametrize("first", [0, 1])
def test_a_column_that_counts_the_rows(place: Place, first: int) -> None:
    (remark,) = remarks(place, "x1", [str(first + row) for row in range(40)])
    assert "x1: counts the rows, and was taken for a quantity (columns: {drop: [x1]}" in remark


def test_a_survey_writes_99_for_no_answer(place: Place) -> None:
    (remark,) = remarks(place, "trust", ["1", "5", "3", "2", "99", "4"] * 5)
    assert "5 of 30 numbers are 99, far from all others (missing_as: [99]" in remark


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("weight", ["1.234", "2.500", "12.000", "3.500"]),  # measured to three digits
        ("weight", ["1.234", "950", "12.25", "3.500"]),
        ("weight", ["0.234", "950", "0.250", "0.500"]),
        ("paid", [str(row) for row in range(40)]),
        ("width", [str(row) for row in range(40)]),
        ("x1", [str(row) for row in range(40)][::-1]),
        ("x1", [str(row) for row in range(29)]),
        ("id", ["0.5", "1.5", "2.5", "3.5"]),
        ("group_id", ["1", "2", "3"] * 20),
        ("zero", ["0", "1", "0.5", "10"]),
    ],
)
def test_plain_numbers_are_not(place: Place, name: str, cells: list[str]) -> None:
    assert remarks(place, name, cells) == ()


def test_what_is_said_reads_them_otherwise(place: Place) -> None:
    remarks(place, "price", ["1.234", "950", "12.000", "3.500"])
    made = CsvConfig(path="t.csv", target="y", thousands=".", decimal=",")
    table = made.read(place)
    assert isinstance(table.inputs, np.ndarray)
    assert table.inputs[:, 0].tolist() == [1234.0, 950.0, 12000.0, 3500.0]
    assert made.remarks(place) == ()


class TestUnits:
    """What stands beside numbers is part of a run: files that are predicted have the same."""

    CONFIG = """\
data: {{kind: csv, path: t.csv, target: y, columns: {{numeric: {numeric}}}}}
model: linear
train: {{epochs: 1, threads: 1}}
"""

    def trained(self, place: Place, cells: list[str], numeric: str = "[x]") -> Path:
        rows = "".join(f"{cell},{'ab'[row % 2]}\n" for row, cell in enumerate(cells))
        (place.folder / "t.csv").write_text(f"x,y\n{rows}")
        (place.folder / "net.yaml").write_text(self.CONFIG.format(numeric=numeric))
        run = place.folder / "run"
        assert main(["train", str(place.folder / "net.yaml"), "-q", "--run-dir", str(run)]) == 0
        return run

    def predicted(
        self, place: Place, run: Path, cells: list[str], capsys: pytest.CaptureFixture[str]
    ) -> tuple[int, str]:
        (place.folder / "new.csv").write_text("\n".join(["x", *cells]) + "\n")
        capsys.readouterr()
        words = ["predict", str(run), str(place.folder / "new.csv"), "--format", "csv"]
        assert main([*words, "--device", "cpu"]) == 0
        out, err = capsys.readouterr()
        return len(out.splitlines()) - 1, err

    def test_of_another_kind_get_no_answer(
        self, place: Place, capsys: pytest.CaptureFixture[str]
    ) -> None:
        run = self.trained(place, [f"{row} kg" for row in range(40)])
        assert "x: kg" in (run / "config.yaml").read_text()
        answers, err = self.predicted(place, run, ["3 kg", "4", "5 lb", "6 g", "-"], capsys)
        assert answers == 2
        assert "column 'x': '5 lb' has another unit than 'kg', got 'lb'" in err
        assert "column 'x': '-' is not a number" in err
        assert "3 of 5 rows have no answer" in err

    def test_are_said_where_the_run_knew_none(
        self, place: Place, capsys: pytest.CaptureFixture[str]
    ) -> None:
        plain = [str(row) for row in range(40)]
        for numeric in ("[x]", "[]"):
            run = self.trained(place, plain, numeric)
            answers, err = self.predicted(place, run, ["3 kg", "4"], capsys)
            assert answers == 1
            assert "'3 kg'" in err
            assert "the run was trained on numbers alone" in err
            for path in sorted(run.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            run.rmdir()

    def test_one_that_is_written_is_held_to(self, place: Place) -> None:
        (place.folder / "t.csv").write_text("x,y\n1 kg,a\n2 kg,b\n")
        made = CsvConfig.model_validate(
            {"path": "t.csv", "target": "y", "columns": {"numeric": {"x": "lb"}}}
        )
        with pytest.raises(DataError, match="'1 kg' has another unit than 'lb', got 'kg'"):
            made.read(place)
