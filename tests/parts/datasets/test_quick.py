"""The quick and the strict reader: the same columns of any file, or no answer of the quick one."""

from pathlib import Path

import numpy as np
import pytest

from nnlab.core.errors import DataError
from nnlab.parts.datasets.family import Place
from nnlab.parts.datasets.files.csv_table import CsvConfig
from nnlab.parts.datasets.files.sheets import quick
from nnlab.parts.datasets.files.sheets.columns import plain_numbers
from nnlab.parts.datasets.files.sheets.notation import Notation
from nnlab.parts.datasets.files.sheets.quick import quick_sheet
from nnlab.parts.datasets.files.sheets.reading import Layout, read_sheet
from nnlab.parts.datasets.files.sheets.sheet import Sheet

BODY = "1,2.5,a,x\n-3,1e-7,b,y\n"
CORPUS = {
    "plain numbers": "a,b,y\n1,2,3\n4.5,-6e3,.7\n",
    "words": f"a,b,c,y\n{BODY}",
    "gaps": "a,b,y\n1,,x\n,2,\n3,NA,y\n",
    "blanks around": "a , b,y\n 1, 2 , x \n3\t,4,y\n",
    "every digit": "a,y\n0.1,1\n0.30000000000000004,2\n123456789.123456789,3\n5e-324,4\n",
    "signs and points": "a,y\n+1,1\n-.5,2\n5.,3\n1E5,4\n",
    "large whole numbers": "a,y\n9007199254740993,1\n18446744073709551615,2\n",
    "too large": "a,y\n1e999,1\n2,2\n",
    "no number": "a,y\nnan,1\ninf,2\n-Infinity,3\n",
    "only Python's": "a,y\n1_000,1\n2,2\n",
    "hexadecimal": "a,y\n0x10,1\n0x1p3,2\n",
    "other digits": "a,y\n\u0661,1\n2,2\n",
    "quotes": 'a,b,y\n"1",2,"x, y"\n3,4,"q\nr"\n5,6,"say ""so"""\n',
    "bad quotes": 'a,b,y\n"1"2,2,x\n3,4,y\n',
    "open quote": 'a,b,y\n1,2,"x\n3,4,y\n',
    "carriage returns": "a,b,y\r\n1,2,x\r\n3,4,y\r\n",
    "old Mac": "a,b,y\r1,2,x\r3,4,y\r",
    "no last newline": "a,b,y\n1,2,x\n3,4,y",
    "empty lines": "a,b,y\n\n1,2,x\n\n\n3,4,y\n\n",
    "lines of blanks": "a,b,y\n1,2,x\n   \n3,4,y\n",
    "too few cells": "a,b,y\n1,2,x\n3,4\n",
    "too many cells": "a,b,y\n1,2,x\n3,4,y,z\n",
    "trailing delimiters": "a,b,y,\n1,2,x,\n3,4,y,\n",
    "trailing in rows": "a,b,y\n1,2,x,\n3,4,y,\n",
    "an index": ",a,y\n0,1.5,x\n1,2.5,y\n",
    "an unnamed column": "a,,y\n1,2,x\n3,4,y\n",
    "one column": "a\n1\n2\n",
    "hashes": "a,b,y\n1,#2,x\n3,4,#\n# 5,6,7\n",
    "a byte order mark": "\ufeffa,b,y\n1,2,x\n3,4,y\n",
    "form feeds": "a,b,y\n1\x0c,2,x\x0b\n3,4\x1c,y\n",
    "other line ends": "a,b,y\n1,2,x\u2028x\n3,4,y\u0085\n",
    "a zero byte": "a,b,y\n1,2,x\0\n3,4,y\n",
    "numbers, then a word": "a,b,y\n" + "1,2,3\n" * 1200 + "1,w,3\n",
    "numbers, then a gap": "a,b,y\n" + "1,2,3\n" * 1200 + "1,,3\n",
    "words, then numbers": "a,b,y\n" + "1,w,3\n" * 1200 + "1,2,3\n",
    "header alone": "a,b,y\n",
    "nothing": "",
    "header of numbers": "1,2,3\n4,5,6\n",
    "names": "größe,naïve,日本\n1,2,x\n3,4,é\n",
    "Excel's line": "sep=,\na,b,y\n1,2,x\n3,4,y\n",
}


@pytest.fixture(autouse=True)
def _any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick, "LEAST_BYTES", 0)


def texts_as_numbers(sheet: Sheet) -> dict[str, object]:
    """The columns of the strict reader as the quick one gives them."""
    return {name: plain_numbers(sheet.texts(name), Notation()) for name in sheet.columns}


@pytest.mark.parametrize("name", CORPUS)
def test_both_read_the_same_columns(name: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(CORPUS[name].encode())
    found = quick_sheet(path, Layout())
    try:
        expected = read_sheet(path, Layout())
    except DataError:
        assert found is None  # what the strict reader refuses, it says
        return
    if found is None:
        return
    assert list(found.columns) == list(expected.columns)
    assert found.remarks == expected.remarks
    numbers = texts_as_numbers(expected)
    for column, cells in found.columns.items():
        if isinstance(cells, list):
            assert cells == expected.columns[column]
        else:
            assert np.array_equal(cells, np.asarray(numbers[column], np.float64))
            assert cells.tobytes() == np.asarray(numbers[column], np.float64).tobytes()


@pytest.mark.parametrize(
    "name", ["plain numbers", "words", "gaps", "every digit", "an index", "carriage returns"]
)
def test_the_quick_one_answers_where_nothing_surprises(name: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(CORPUS[name].encode())
    assert quick_sheet(path, Layout()) is not None


def test_random_tables_are_read_to_the_same_bits(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(1)
    for trial in range(12):
        rows, width = int(draw.integers(30, 90)), int(draw.integers(1, 6))
        scale = 10.0 ** draw.integers(-9, 12, width)
        cells = (draw.normal(size=(rows, width)) * scale).astype(str).astype(object)
        if trial % 2:
            cells[draw.random(cells.shape) < 0.1] = ""
        if trial % 3 == 0:
            cells[:, 0] = draw.choice(["red", "blue", "green"], rows)
        names = ",".join(f"c{i}" for i in range(width))
        lines = [",".join([*row, "ab"[i % 2]]) for i, row in enumerate(cells)]
        path = place.folder / f"t{trial}.csv"
        path.write_text("\n".join([f"{names},y", *lines]) + "\n")
        made = CsvConfig.model_validate({"path": path.name, "target": "y"})
        fast = made.load(place)
        monkeypatch.setattr(quick, "LEAST_BYTES", 1 << 40)
        slow = made.load(place)
        monkeypatch.setattr(quick, "LEAST_BYTES", 0)
        assert fast.digest == slow.digest
        assert np.array_equal(fast.shift, slow.shift)


def test_a_mistake_is_told_with_its_line(place: Place) -> None:
    text = "a,b,y\n" + "1,2,x\n3,4,y\n" * 700 + "\n7,oops,x\n"
    (place.folder / "t.csv").write_text(text)
    made = CsvConfig.model_validate({"path": "t.csv", "target": "y"})
    with pytest.raises(DataError, match=r"t\.csv:1403: column 'b': 'oops' is not a number"):
        made.describe(place)


def test_larger_files_are_read_too(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no limit to the size any more: chunks end anywhere."""
    monkeypatch.setattr(quick, "_CHUNK", 7)
    (place.folder / "t.csv").write_text('a,y\n1,"x"\n2,y\n')
    assert quick_sheet(place.folder / "t.csv", Layout()) is None


def test_categories_that_look_like_numbers_keep_their_text(place: Place) -> None:
    (place.folder / "t.csv").write_text("a,b,y\n" + "1.0,1,x\n2,2,y\n" * 20)
    made = CsvConfig.model_validate(
        {"path": "t.csv", "target": "y", "columns": {"categorical": ("a",)}}
    )
    assert made.read(place).source.columns == ("a=1.0", "a=2", "b")
