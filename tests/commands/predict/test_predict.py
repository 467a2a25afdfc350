"""`nnlab predict`: what `nnlab.predict` says of the same rows, and what `eval` counts."""

import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import nnlab
from nnlab.__main__ import main
from nnlab.config.loading import load_config, place_for
from nnlab.core.errors import DataError
from nnlab.runs.folder.data_json import read_data


def trained(folder: Path, **sections: Any) -> Path:
    config = {"model": {"kind": "mlp", "hidden": [8]}, "train": {"epochs": 2}, **sections}
    return nnlab.train(config, run_dir=folder).run


def examples_of(run: Path) -> Any:
    return load_config(run / "config.yaml").data.load(place_for(run))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    few = {"epochs": 8}
    return {
        "iris": trained(folder / "iris", data="iris", train=few),
        "digits": trained(folder / "digits", data="digits"),
        "diabetes": trained(folder / "diabetes", data="diabetes", train=few),
    }


def told(capsys: pytest.CaptureFixture[str], *words: object) -> list[dict[str, Any]]:
    """The answers as JSON lines."""
    assert main(["predict", *map(str, words), "--format", "jsonl"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def table(file: Path, names: Sequence[str], rows: Any) -> Path:
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(names)
        writer.writerows(rows)
    return file


def test_csv_gives_the_bits_of_the_python_function(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    examples = examples_of(runs["iris"])
    names = examples.shape.columns
    # Columns in another order, and one more.
    rows = [[*map(repr, map(float, row[::-1])), "x"] for row in examples.inputs]
    file = table(tmp_path / "rows.csv", [*names[::-1], "remark"], rows)
    found = told(capsys, runs["iris"], file, "--proba", "--top", 2)
    expected = nnlab.predict(runs["iris"], examples.inputs)
    assert expected.probabilities is not None
    assert [row["label"] for row in found] == list(expected.labels)
    shares = [list(row["probabilities"].values()) for row in found]
    assert np.array_equal(np.array(shares, np.float32), expected.probabilities)
    assert [row["row"] for row in found] == list(range(150))
    for row in found:
        order = sorted(row["probabilities"].items(), key=lambda pair: -pair[1])[:2]
        assert [(one["label"], one["probability"]) for one in row["top"]] == order
        assert row["probability"] == max(row["probabilities"].values())


def test_accuracy_on_the_written_out_test_rows_is_that_of_eval(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    examples = examples_of(runs["iris"])
    rows = examples.rows["test"]
    classes = examples.shape.classes
    cells = [
        [*map(repr, map(float, examples.inputs[row])), classes[examples.targets[row]]]
        for row in rows
    ]
    file = table(tmp_path / "rows.csv", [*examples.shape.columns, "target"], cells)
    assert main(["predict", str(runs["iris"]), str(file), "--format", "csv"]) == 0
    done = capsys.readouterr()
    right = [row["right"] for row in csv.DictReader(done.out.splitlines())]
    accuracy = right.count("True") / len(right)
    assert accuracy == pytest.approx(nnlab.evaluate(runs["iris"])["accuracy"], abs=1e-12)
    assert f"accuracy {accuracy:#.4g}: {right.count('True')} of {len(rows)} right" in done.err


@pytest.mark.parametrize("name", ["species", "Species", "class", "target"])
def test_a_set_s_own_name_of_its_target_is_the_target(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    examples = examples_of(runs["iris"])
    rows = examples.rows["test"]
    cells = [
        [*map(repr, map(float, examples.inputs[row])),
         examples.shape.classes[examples.targets[row]], "x"]
        for row in rows
    ]  # fmt: skip
    file = table(tmp_path / "rows.csv", [*examples.shape.columns, name, "remark"], cells)
    assert main(["predict", str(runs["iris"]), str(file), "--format", "csv"]) == 0
    done = capsys.readouterr()
    right = [row["right"] for row in csv.DictReader(done.out.splitlines())]
    accuracy = right.count("True") / len(right)
    assert accuracy == pytest.approx(nnlab.evaluate(runs["iris"])["accuracy"], abs=1e-12)
    assert "that this run does not use: remark\n" in done.err


def test_arrays_are_read_in_pieces_with_the_same_answers(
    runs: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    examples = examples_of(runs["digits"])
    rows = examples.rows["test"]
    inputs = examples.inputs[rows]
    np.savez_compressed(tmp_path / "a.npz", x=inputs[:, 0], y=examples.targets[rows])
    # The order of columns in memory, and only one array.
    np.savez(tmp_path / "b.npz", digits=np.asfortranarray(inputs))
    accuracy = nnlab.evaluate(runs["digits"])["accuracy"]
    monkeypatch.setattr("nnlab.commands.predict.files._ROWS", 50)

    def fifty(_: object) -> int:
        return 50

    monkeypatch.setattr("nnlab.runs.finished.predict.evaluation_batch", fifty)
    found = told(capsys, runs["digits"], tmp_path / "a.npz", tmp_path / "b.npz")
    expected = list(nnlab.predict(runs["digits"], inputs).labels)
    assert [row["label"] for row in found] == expected * 2
    assert [row["row"] for row in found] == [*range(len(rows))] * 2
    right = [row["right"] for row in found if "right" in row]
    assert len(right) == len(rows)
    assert np.mean(right) == pytest.approx(accuracy)


def test_numbers_are_in_the_unit_of_the_targets(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    examples = examples_of(runs["diabetes"])
    rows = examples.rows["test"]
    cells = np.concatenate([examples.inputs[rows], examples.targets[rows]], axis=1).tolist()
    file = table(tmp_path / "rows.csv", [*examples.shape.columns, "target"], cells)
    assert main(["predict", str(runs["diabetes"]), str(file), "--format", "jsonl"]) == 0
    done = capsys.readouterr()
    found = [json.loads(line) for line in done.out.splitlines()]
    expected = nnlab.predict(runs["diabetes"], examples.inputs[rows]).outputs[:, 0]
    assert np.array_equal(np.array([row["value"] for row in found], np.float32), expected)
    mae = nnlab.evaluate(runs["diabetes"])["mae"]
    assert np.mean([abs(row["error"]) for row in found]) == pytest.approx(mae, rel=1e-6)
    assert f"mae {mae:#.4g}" in done.err


def test_an_image_is_brought_to_the_form_of_the_data(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = examples_of(runs["digits"]).inputs[:3, 0]  # 8 x 8, 0 to 16
    files: list[Path] = []
    for number, digit in enumerate(stored):
        files.append(tmp_path / f"{number}.png")
        bytes_ = np.rint(digit * (255 / 16)).astype(np.uint8)
        Image.fromarray(bytes_).convert("RGB").save(files[-1])
    found = told(capsys, runs["digits"], *files)
    expected = nnlab.predict(runs["digits"], stored[:, None])
    assert [row["label"] for row in found] == list(expected.labels)
    assert [row["file"] for row in found] == [str(file) for file in files]
    assert expected.probabilities is not None
    shares = [row["probability"] for row in found]
    assert np.array_equal(np.array(shares, np.float32), expected.probabilities.max(axis=1))
    Image.fromarray(np.zeros((30, 60), np.uint8)).save(tmp_path / "wide.png")
    assert main(["predict", str(runs["digits"]), str(tmp_path / "wide.png")]) == 0
    err = capsys.readouterr().err
    assert "60 x 30 pixels become 8 x 8 (stretched); 0 to 255 becomes 0 to 16" in err


def test_an_own_csv_finds_categories_targets_and_gaps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    rows = [
        [n, "" if n % 10 == 3 else f"{rng.normal():.3f}", "rgb"[n % 3], "yes" if n % 2 else "no"]
        for n in range(60)
    ]
    file = table(tmp_path / "own.csv", ["id", "size", "color", "good"], rows)
    data = {"kind": "csv", "path": str(file), "target": "good", "missing": "mean"}
    run = trained(tmp_path / "run", data={**data, "columns": {"drop": ["id"]}})
    examples = examples_of(run)
    expected = nnlab.predict(run, examples.inputs)
    # A file of its own, with the columns in another order and only two of the colors.
    some = [n for n in range(60) if n % 3]
    other = table(tmp_path / "b.csv", ["good", "color", "size"], [rows[n][:0:-1] for n in some])
    assert main(["predict", str(run), str(other), "--format", "jsonl"]) == 0
    done = capsys.readouterr()
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [row["label"] for row in found] == [expected.labels[n] for n in some]
    assert [row["target"] for row in found] == [rows[n][3] for n in some]
    assert "not use" not in done.err


@pytest.mark.parametrize(
    ("names", "row", "says"),
    [
        (["size", "good"], ["1", "no"], "has no column 'color' (it has 'size', 'good')"),
        (
            ["Size", "good", "colour"],
            ["1", "no", "r"],
            "has no column 'size' (did you mean 'Size'?), 'color' (did you mean 'colour'?)\n",
        ),
        (["a size", "b"], ["1", "r"], "'color' (it has 'a size', 'b')"),
        (["size", "color"], ["1", "pink"], "b.csv:2: column 'color': 'pink' is not one of b, g, r"),
        (["size", "color"], ["tall", "r"], "b.csv:2: column 'size': 'tall' is not a number"),
        (["size", "color"], ["", "r"], "column 'size' has no value: the cell is empty (this run"),
        (["size", "color"], ["nan", "r"], "column 'size' has no value: 'nan' stands for none ("),
    ],
)
def test_says_which_cell_does_not_fit(
    own: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    names: list[str],
    row: list[str],
    says: str,
) -> None:
    assert main(["predict", str(own), str(table(tmp_path / "b.csv", names, [row]))]) == 3
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("odd", "says"),
    [
        (["", "r"], "b.csv:3: column 'size' has no value: the cell is empty (this run was"),
        (["1", "pink"], "b.csv:3: column 'color': 'pink' is not one of b, g, r"),
        (["1", "NA"], "b.csv:3: column 'color' has no value: 'NA' stands for none (no row did in"),
        (["1,5", "r"], "b.csv:3: column 'size': '1,5' is not a number"),
    ],
)
def test_a_row_that_does_not_fit_leaves_the_others_their_answers(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], odd: list[str], says: str
) -> None:
    names = ["size", "color"]
    whole = told(capsys, own, table(tmp_path / "a.csv", names, [["1", "r"], ["2", "g"]]))
    file = table(tmp_path / "b.csv", names, [["1", "r"], odd, ["2", "g"]])
    assert main(["predict", str(own), str(file), "--format", "jsonl"]) == 0
    done = capsys.readouterr()
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [row["row"] for row in found] == [0, 2]
    assert [row["probability"] for row in found] == [row["probability"] for row in whole]
    assert says in done.err
    assert "b.csv: 1 of 3 rows have no answer" in done.err


def test_a_target_that_is_no_class_is_not_compared(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [["1", "r", "maybe"], ["2", "g", "no"], ["2", "g", ""]]
    file = table(tmp_path / "b.csv", ["size", "color", "good"], rows)
    assert main(["predict", str(own), str(file), "--format", "jsonl"]) == 0
    done = capsys.readouterr()
    found = [json.loads(line) for line in done.out.splitlines()]
    assert ["target" in row for row in found] == [False, True, False]
    assert "'maybe' is not one of the classes no, yes; 1 of 3 targets are not known" in done.err
    assert "(2 without target)" in done.err


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a csv of its own, without gaps."""
    folder = tmp_path_factory.mktemp("own")
    rows = [[n / 7, "rgb"[n % 3], "yes" if n % 2 else "no"] for n in range(60)]
    file = table(folder / "own.csv", ["size", "color", "good"], rows)
    return trained(folder / "run", data={"kind": "csv", "path": str(file), "target": "good"})


def test_says_which_file_does_not_fit(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(run: str, name: str, *more: str, code: int = 3) -> str:
        assert main(["predict", str(runs[run]), str(tmp_path / name), *more]) == code
        return capsys.readouterr().err

    np.savez(tmp_path / "wrong.npz", x=np.zeros((2, 3)))
    np.savez(tmp_path / "two.npz", a=np.zeros((2, 4)), b=np.zeros((2, 4)))
    np.savez(tmp_path / "nan.npz", x=np.full((2, 4), np.nan))
    (tmp_path / "torn.npz").write_bytes((tmp_path / "two.npz").read_bytes()[:200])
    (tmp_path / "broken.png").write_bytes(b"nothing")
    (tmp_path / "notes.docx").write_text("")
    Image.new("L", (8, 8)).save(tmp_path / "good.png")
    assert "x has rows of shape (3,), expected (N, 4)" in refused("iris", "wrong.npz")
    assert "has the arrays a, b, and none is called x" in refused("iris", "two.npz")
    assert "not finite" in refused("iris", "nan.npz")
    assert "cannot be read as npz" in refused("iris", "torn.npz")
    assert "cannot be read as an image" in refused("digits", "broken.png")
    assert "is an image, this run takes rows of 4 columns" in refused("iris", "good.png")
    assert "is of no known kind" in refused("iris", "notes.docx")
    assert "no such file" in refused("iris", "absent.csv")
    np.savez(tmp_path / "good.npz", x=np.zeros((2, 10)))
    assert "predicts numbers" in refused("diabetes", "good.npz", "--proba", code=2)


def test_labels_of_which_an_example_can_have_several(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(80, 3)).astype(np.float32)
    marks = (inputs[:, :2] > 0).astype(np.int64)
    np.savez(tmp_path / "own.npz", inputs=inputs, targets=marks)
    data = {"kind": "npz", "path": str(tmp_path / "own.npz"), "task": "labels"}
    run = trained(tmp_path / "run", data=data, train={"epochs": 20})
    assert main(["predict", str(run), str(tmp_path / "own.npz"), "--format", "jsonl"]) == 0
    done = capsys.readouterr()
    found = [json.loads(line) for line in done.out.splitlines()]
    expected = nnlab.predict(run, inputs)
    assert expected.probabilities is not None
    for row, shares in zip(found, expected.probabilities, strict=True):
        over = {name: s for name, s in zip("01", shares.tolist(), strict=True) if s > 0.5}
        assert row["labels"] == pytest.approx(over)
    agree = ((expected.outputs > 0) == (marks > 0)).mean()
    assert f"accuracy, the mean over labels {agree:#.4g}" in done.err


def test_half_precision_predicts_what_its_evaluation_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(tmp_path / "run", data="digits", train={"epochs": 2, "precision": "bf16"})
    examples = examples_of(run)
    rows = examples.rows["test"]
    np.savez(tmp_path / "a.npz", x=examples.inputs[rows], y=examples.targets[rows])
    found = told(capsys, run, tmp_path / "a.npz")
    accuracy = nnlab.evaluate(run)["accuracy"]
    assert np.mean([row["right"] for row in found]) == pytest.approx(accuracy, abs=1e-12)


def test_a_table_for_people(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "a.npz", x=examples_of(runs["iris"]).inputs[:2])
    shutil.copy(tmp_path / "a.npz", tmp_path / "b.npz")
    assert main(["predict", str(runs["iris"]), str(tmp_path / "a.npz")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["row", "label", "probability"]
    assert [line.split()[0] for line in lines[1:]] == ["0", "1"]
    two = [str(tmp_path / name) for name in ("a.npz", "b.npz")]
    assert main(["predict", str(runs["iris"]), *two]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [two[0]] * 2 + [two[1]] * 2


def test_a_row_of_an_array_that_is_not_finite_leaves_the_others(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = examples_of(runs["iris"]).inputs[:6].copy()
    whole = nnlab.predict(runs["iris"], inputs)
    inputs[2, 1] = np.nan
    inputs[4, 0] = np.inf
    np.savez(tmp_path / "a.npz", x=inputs, y=np.eye(3)[np.zeros(6, int)])
    assert main(["predict", str(runs["iris"]), str(tmp_path / "a.npz"), "--format", "jsonl"]) == 0
    done = capsys.readouterr()
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [row["row"] for row in found] == [0, 1, 3, 5]
    assert [row["label"] for row in found] == [whole.labels[row] for row in (0, 1, 3, 5)]
    assert {row["target"] for row in found} == {"setosa"}
    assert "values of row 2, 4 are not finite (rows count from 0): 2 of 6 rows" in done.err
    np.savez(tmp_path / "b.npz", x=inputs[2:3])
    assert main(["predict", str(runs["iris"]), str(tmp_path / "b.npz")]) == 3


def test_numbers_beyond_float32_have_no_answer(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the network answered NaN, and nothing said so."""
    inputs = examples_of(runs["iris"]).inputs[:4].astype(np.float64)
    whole = nnlab.predict(runs["iris"], inputs)
    inputs[1, 0], inputs[2, 3] = 1e300, -1e39
    columns = read_data(runs["iris"])["columns"]
    np.savez(tmp_path / "a.npz", x=inputs)
    for file in (table(tmp_path / "a.csv", columns, inputs.tolist()), tmp_path / "a.npz"):
        found = told(capsys, runs["iris"], file)
        assert [row["row"] for row in found] == [0, 3]
        assert [row["label"] for row in found] == [whole.labels[row] for row in (0, 3)]
    with pytest.raises(DataError, match="hold 2 values that are not finite, first in row 1"):
        nnlab.predict(runs["iris"], inputs)
    inputs[1, 0], inputs[2, 3] = 3e38, 1.0  # of which scaling makes more than float32 has
    with pytest.raises(DataError, match=r"row 1 .* has no finite answer"):
        nnlab.predict(runs["iris"], inputs)
