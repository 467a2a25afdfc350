"""Files as people have them that are no plain csv: what is read, what is said, what is advised."""

import gzip
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nnlab.commands.predict.files import _refuse_irregular  # pyright: ignore[reportPrivateUsage]
from nnlab.core.errors import ConfigError, DataError
from nnlab.core.wrap import eye_key, told_apart
from nnlab.parts.datasets.family import Place
from nnlab.parts.datasets.files.csv_table import CsvConfig
from nnlab.parts.datasets.files.image_folder import ImageFolderConfig
from nnlab.parts.datasets.files.npz import NpzConfig
from nnlab.parts.datasets.files.sheets.notation import Notation, looks_like
from nnlab.parts.datasets.files.sheets.reading import Layout, sheets_of

TABLE = "x,y,kind\n" + "".join(f"{n},{n * n},{'ab'[n % 2]}\n" for n in range(12))


def table(place: Place, data: str | bytes, name: str = "t.csv", **fields: Any) -> CsvConfig:
    (place.folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    given = {"target": "kind", "validation": "none", "test": "none", **fields}
    return CsvConfig.model_validate({"path": name, **given})


def workbook(path: Path, *names: str) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "<x/>")
    return path.read_bytes()


@pytest.mark.parametrize(
    ("data", "what", "way"),
    [
        (gzip.compress(TABLE.encode(), mtime=0), "packed by gzip", "gunzip --keep "),
        (b"PAR1" + bytes(range(256)), "Parquet", "pandas.read_parquet("),
        (b"%PDF-1.7\n", "a PDF", ""),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an Excel workbook", "save it there as csv"),
        (b"<!DOCTYPE html>\n<html>a, b</html>\n", "a page of the web", ""),
        (b'[{"x": 1, "kind": "a"},\n{"x": 2, "kind": "b"}]\n', "JSON", "t-table.csv"),
    ],
)
def test_another_format_is_named_with_what_makes_csv_of_it(
    place: Place, data: bytes, what: str, way: str
) -> None:
    with pytest.raises(DataError, match=f"is no csv, it is {what} ") as refused:
        table(place, data).describe(place)
    assert way in str(refused.value)


@pytest.mark.parametrize(
    ("inside", "what"),
    [("xl/workbook.xml", "a workbook"), ("rows.csv", "a zip archive"), ("x.npy", "npz")],
)
def test_an_archive_is_told_by_what_it_holds(place: Place, inside: str, what: str) -> None:
    data = workbook(place.folder / "a.zip", inside)
    with pytest.raises(DataError, match=f"is no csv, it is {what} "):
        table(place, data).describe(place)


def test_arff_is_read_as_its_message_says(place: Place) -> None:
    head = "% made by hand\n@relation t\n\n@attribute x numeric\n@attribute kind {a,b}\n@data\n"
    rows = "".join(f"{n},{'ab'[n % 2]}\n" for n in range(8))
    with pytest.raises(DataError, match=r"ARFF.*\(skip_lines: 6, header: none .*target: x2"):
        table(place, head + rows).describe(place)
    found = table(place, head + rows, skip_lines=6, header="none", target="x2").read(place)
    assert (len(found.targets), found.source.classes) == (8, ("a", "b"))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_told(place: Place, encoding: str) -> None:
    made = table(place, TABLE.encode(encoding))
    with pytest.raises(DataError, match=rf"\(encoding: {encoding}\)"):
        made.describe(place)
    with pytest.raises(DataError, match=r"\(encoding: utf-16\)"):
        table(place, f"\ufeff{TABLE}".encode(encoding)).describe(place)
    marked = table(place, f"\ufeff{TABLE}".encode(encoding), encoding=encoding)
    assert marked.read(place).source.columns == ("x", "y")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TABLE + '5,6,"a\n7,8,b\n', r":14: a quotation mark that opens here is never closed"),
        (TABLE + '5,6,"a"b\n', r":14: a quotation mark stands inside a cell"),
        (TABLE + "1" * 200_000 + ",6,b\n", r":14: a cell of more than 131,072 characters"),
        (TABLE + "Total,12\n", r":14: has 2 cells, the header has 3 \(complete or delete the line"),
        (TABLE + "1,2,a,b\n", r":14: has 4 cells.*that holds ',' needs quotation marks"),
        ("kind\na\nb\n", "no column is left but the target"),
        ("x,kind\n,a\n,b\n", r"no column but the target has a value \(x\)"),
        ("1.5  2 0.1\n3 4   0.2\n", r"is the delimiter ' '\? \(delimiter: \" \"\)"),
    ],
)
def test_a_line_that_does_not_fit_is_named_with_a_way(place: Place, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        table(place, text).describe(place)


def test_files_that_were_put_together(place: Place) -> None:
    """Marks of an encoding and of DOS's end within them are no data; a header in them is said."""
    rows = TABLE.partition("\n")[2]
    whole = table(place, TABLE + rows).read(place)
    marked = table(place, f"\ufeff{TABLE}\ufeff{rows}\x1a").read(place)
    np.testing.assert_array_equal(np.asarray(marked.inputs), np.asarray(whole.inputs))
    with pytest.raises(DataError, match=r":14: repeats the header \(where two files were put"):
        table(place, TABLE + TABLE).describe(place)
    named_alike = "a,b\na,b\nc,d\n"  # without names, the first line is a row as any other
    assert len(table(place, named_alike, header="none", target="x2").read(place).targets) == 3


def test_several_blanks_are_one_delimiter(place: Place) -> None:
    """As in files of old: aligned with blanks, tabs among them, quoted names at the end."""
    lines = ["x     y  kind", ' 1.0   20\t"ford pinto"', '11.5    3   "vw  1131"   ', ""]
    found = table(place, "\n".join(lines), delimiter=" ").read(place)
    assert found.source.columns == ("x", "y")
    assert found.source.classes == ("ford pinto", "vw  1131")
    np.testing.assert_array_equal(np.asarray(found.inputs), [[1.0, 20.0], [11.5, 3.0]])
    big = "x  y kind\n" + "".join(f"{n}  {-n}   {'ab'[n % 2]}\n" for n in range(9000))
    held = table(place, big, delimiter=" ").read(place)  # as large as the quick reader takes
    assert np.asarray(held.inputs)[-1].tolist() == [8999.0, -8999.0]


@pytest.mark.parametrize(
    ("cells", "what"),
    [
        ([f"{n}.5K" if n % 2 else f"{n}M" for n in range(1, 20)], "a letter for thousands"),
        ([f"~{n}" for n in range(20)], "roughly"),
        ([f"{n}.5±0.1" for n in range(20)], "their error"),
        ([hex(n) for n in range(20)], "hexadecimal"),
        ([f"{n}_000" for n in range(1, 20)], "a _ between thousands"),
        ([f"0.{n}D+02" for n in range(1, 20)], "Fortran"),
        ([f"{n + 100}/{n + 60}" for n in range(20)], "two numbers each"),
        ([f"[{n}, {n}.5]" for n in range(20)], "lists of numbers"),
        ([f"52\u00b0{n}'10\u2033N" for n in range(20)], "angles"),
    ],
)
def test_numbers_that_no_setting_reads_are_not_categories(cells: list[str], what: str) -> None:
    found = looks_like(cells, "x", Notation(), delimiter=",")
    assert found is not None
    assert what in found.what
    # A few of them may be names: sizes, marks, grades.
    assert looks_like(cells[:4], "x", Notation(), delimiter=",") is None


@pytest.mark.parametrize(
    "cells",
    [
        [f"PC {n}" for n in range(20)],
        [f"C{n}" for n in range(20)],
        [f"A/5 {n}" for n in range(20)],
        [f"{n}-{n + 9}" for n in range(0, 200, 10)],
        [f"{n} Main Street" for n in range(20)],
    ],
)
def test_names_with_figures_stay_names(cells: list[str]) -> None:
    assert looks_like(cells, "x", Notation(), delimiter=",") is None


def test_a_long_cell_is_not_told_whole(place: Place) -> None:
    text = "x,kind\n" + "".join(f"{n},{10**300 * 10**300 + n}\n" for n in range(30))
    with pytest.raises(DataError, match="too many for classes") as refused:
        table(place, text).describe(place)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("labels", [("01", "02", "10"), ("007", "1", "12")])
def test_classes_keep_the_zeros_before_them(place: Place, labels: tuple[str, ...]) -> None:
    cells = [labels[n % 3] for n in range(12)]
    text = "x,kind\n" + "".join(f"{n},{cell}\n" for n, cell in enumerate(cells))
    ordered = tuple(sorted(labels, key=float))
    found = table(place, text).read(place)
    assert found.source.classes == ordered
    assert [ordered[number] for number in found.targets.tolist()] == cells
    np.savez(place.folder / "t.npz", inputs=np.arange(24.0).reshape(12, 2), targets=cells)
    from_npz = NpzConfig(path="t.npz").read(place)
    assert from_npz.source.classes == ordered
    assert from_npz.targets.tolist() == found.targets.tolist()


def test_labels_of_bytes_stay_apart(place: Place) -> None:
    cells = np.array([b"a\xff", b"a\xfe", b"b"])[np.arange(12) % 3]
    np.savez(place.folder / "t.npz", inputs=np.arange(24.0).reshape(12, 2), targets=cells)
    assert NpzConfig(path="t.npz").read(place).source.classes == ("a\\xfe", "a\\xff", "b")


def test_a_folder_to_predict_is_told_with_its_own_files(tmp_path: Path) -> None:
    (tmp_path / "a b" / "cat").mkdir(parents=True)
    (tmp_path / "a b" / "cat" / "1.JPG").touch()
    with pytest.raises(DataError, match=r"is a folder \(name its files: '.*/a b/cat'/\*\.JPG\)"):
        _refuse_irregular(tmp_path / "a b")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no file that can be read"):
        _refuse_irregular(tmp_path / "empty")


def test_one_number_in_two_writings_is_one_class_and_said(place: Place) -> None:
    text = "x,kind\n" + "".join(f"{n},{('01', '1', '2')[n % 3]}\n" for n in range(12))
    made = table(place, text)
    assert made.read(place).source.classes == ("1", "2")
    assert "01 and 1 are one class" in " ".join(made.remarks(place))


def test_days_in_figures_are_told(place: Place) -> None:
    rows = "".join(f"2024{n % 12 + 1:02}{n % 28 + 1:02},{'ab'[n % 2]}\n" for n in range(24))
    made = table(place, "when,kind\n" + rows)
    (said,) = made.remarks(place)
    assert 'columns: {dates: {when: "%Y%m%d"}}' in said
    table(place, "when,kind\n" + rows, columns={"dates": {"when": "%Y%m%d"}}).describe(place)


def test_a_number_of_nines_far_from_all_others_is_told(place: Place) -> None:
    cells = [-999 if n % 9 == 0 else n / 10 for n in range(60)]
    text = "x,kind\n" + "".join(f"{cell},{'ab'[n % 2]}\n" for n, cell in enumerate(cells))
    made = table(place, text)
    (said,) = made.remarks(place)
    assert "x: 7 of 60 numbers are -999, far from all others (missing_as: [-999]," in said
    assert "x 7 (of 60)" in " ".join(table(place, text, missing_as=(-999,)).remarks(place))
    wide = "x,kind\n" + "".join(f"{n if n % 9 else -9},{'ab'[n % 2]}\n" for n in range(60))
    assert not table(place, wide).remarks(place)  # as far off as the others from each other
    assert not table(place, text.replace("-999", "-999.5")).remarks(place)


ALIKE = [("Gr\u00f6\u00dfe", "Gro\u0308\u00dfe"), ("a b", "a\u00a0b"), ("Art", "Art\u200b")]


@pytest.mark.parametrize(("name", "other"), ALIKE)
def test_names_that_look_the_same_are_told_in_escapes(place: Place, name: str, other: str) -> None:
    assert eye_key(name) == eye_key(other)
    made = table(place, f"x,{other}\n1,a\n2,b\n", target=name)
    with pytest.raises(DataError, match="did you mean") as refused:
        made.describe(place)
    offered = told_apart(other, name)
    assert offered in str(refused.value)
    assert offered.isascii()
    from ruamel.yaml import YAML

    assert YAML(typ="safe").load(f"target: {offered}") == {"target": other}


@pytest.mark.parametrize("pair", [*ALIKE, ("Yes", "yes")])
def test_classes_that_look_the_same_are_told(place: Place, pair: tuple[str, str]) -> None:
    cells = [pair[n % 2] for n in range(12)]
    text = "x,kind\n" + "".join(f"{n},{cell}\n" for n, cell in enumerate(cells))
    np.savez(place.folder / "t.npz", inputs=np.arange(24.0).reshape(12, 2), targets=cells)
    for made in (table(place, text), NpzConfig(path="t.npz")):
        assert "are classes of their own" in " ".join(made.remarks(place))


def test_a_file_is_not_two_splits(place: Place) -> None:
    (place.folder / "link.csv").symlink_to("t.csv")
    for name in ("t.csv", "./t.csv", "link.csv"):
        with pytest.raises(ConfigError, match=r"data\.test: .* holds the training rows too"):
            table(place, TABLE, test={"file": name}).describe(place)
    (place.folder / "other.csv").write_text(TABLE)
    both: dict[str, Any] = {"test": {"file": "other.csv"}, "validation": {"file": "other.csv"}}
    with pytest.raises(ConfigError, match=r"data\.test: .* holds validation too"):
        table(place, TABLE, **both).describe(place)


def test_targets_too_small_for_float32_are_refused(place: Place) -> None:
    rows = "".join(f"{n},{n}e-42\n" for n in range(1, 40))
    with pytest.raises(DataError, match="too small for float32"):
        table(place, "x,kind\n" + rows).describe(place)


@pytest.mark.parametrize("view", ["image", "time"])
def test_check_looks_at_the_rows_in_any_view(place: Place, view: str) -> None:
    text = "x,y,kind\n" + "".join(f"{n},{n},{'ab'[n // 8]}\n" for n in range(16))
    made = table(place, text, view=view, limit={"first": 4})
    with pytest.raises(DataError, match="all 4 training rows are of class 'a'"):
        made.describe(place)


def test_check_refuses_the_images_that_training_would(place: Place) -> None:
    for kind in ("cat", "dog"):
        (place.folder / "images" / kind).mkdir(parents=True)
        for number in range(4):
            image = Image.fromarray(np.full((40, 40, 3), 40 * number, np.uint8))
            image.save(place.folder / "images" / kind / f"{number}.png")
    cats = place.folder / "images" / "cat"
    (cats / "0.png").write_bytes(b"")
    whole = (cats / "1.png").read_bytes()
    (cats / "1.png").write_bytes(whole[: len(whole) // 2])
    (cats / "2.png").unlink()
    (cats / "2.png").symlink_to("nowhere")
    made = ImageFolderConfig(path="images", image_size=8)
    with pytest.raises(DataError, match="3 images cannot be read in all") as refused:
        made.opened(place, {})
    assert 'data.skip: ["cat/0.png", "cat/1.png", "cat/2.png"]' in str(refused.value)
    names = ("cat/0.png", "cat/1.png", "cat/2.png")
    left = made.model_copy(update={"skip": names}).opened(place, {})
    assert "left out by data.skip: 3" in " ".join(left.remarks(place))


def test_damaged_notes_of_an_image_are_not_worth_a_warning(tmp_path: Path) -> None:
    """Warnings are errors here; the picture itself is whole."""
    from nnlab.parts.datasets.files.image_files import read_image

    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\xff" + b"\xff" * 50
    Image.fromarray(np.full((8, 8, 3), 200, np.uint8)).save(tmp_path / "x.jpg", exif=exif)
    assert read_image(tmp_path / "x.jpg", (3, 8, 8)).mean() == pytest.approx(200, abs=2)


def test_a_table_of_r_says_its_delimiter(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text('"x" "kind"\n"1" 2.5 "a"\n"2" 3.5 "b"\n')
    with pytest.raises(DataError, match=r"is the delimiter ' '\? \(delimiter: \" \"\)"):
        next(sheets_of(tmp_path / "r.txt", Layout(), rows=10))


def test_what_svmlight_writes_is_said_with_its_reader(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1 1:0.5 3:2.5\n-1 2:1e-3 # note\n")
    with pytest.raises(DataError, match=r"svmlight.*load_svmlight_file"):
        next(sheets_of(tmp_path / "a.txt", Layout(), rows=10))
