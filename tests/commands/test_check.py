from pathlib import Path

import numpy as np
import pytest

from nnlab.commands.check import annotation, check_files
from nnlab.comparison.comparison import settle_first
from nnlab.config.loading import bundled_configs

GOOD = "data: xor\nmodel: {kind: mlp, hidden: [4]}\n"
WRONG = "data: xor\nmodel: {kind: mlp, hidden: [4], activation: rellu}\n"


def file(folder: Path, text: str, name: str = "net.yaml") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", list(bundled_configs()))
def test_every_bundled_config_is_right_without_its_data(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNLAB_DATA", str(tmp_path))
    assert check_files([name], style="text") == 0


def test_says_what_would_be_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = file(tmp_path, GOOD)
    assert check_files([path], style="text") == 0
    # 2 * 4 + 4 weights and biases, then 4 * 2 + 2; one batch of four rows in each of the 200 epochs
    # that `train.epochs: auto` takes at most.
    expected = f"{path}: ok (xor, 4 examples, mlp, 22 parameters, 200 steps)\n"
    assert capsys.readouterr() == (expected, "")


def test_checks_what_set_changes_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [file(tmp_path, GOOD, "a.yaml"), file(tmp_path, GOOD, "b.yaml")]
    assert check_files(paths, ["train.epochs=3"], style="text") == 0
    assert capsys.readouterr().out.count("22 parameters, 3 steps") == 2
    assert check_files(paths, ["train.epochs=three"], style="text") == 2
    assert "train.epochs" in capsys.readouterr().err


def test_tells_all_files_and_fails_if_one_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong, good = file(tmp_path, WRONG, "a.yaml"), file(tmp_path, GOOD, "b.yaml")
    assert check_files([wrong, good, "nothing.yaml"], style="text") == 2
    out, err = capsys.readouterr()
    assert out.startswith(f"{good}: ok")
    first, second = err.splitlines()
    assert first.startswith(f"{wrong}:2:45: model.activation: 'rellu' is not one of")
    assert second.startswith("nothing.yaml: no such file")


def test_missing_rows_of_its_own_are_a_data_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "data: {kind: csv, path: none.csv, target: y}\nmodel: {kind: mlp, hidden: [4]}\n"
    assert check_files([file(tmp_path, text)], style="text") == 3
    assert "none.csv" in capsys.readouterr().err


def test_github_shows_the_mistake_beside_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(tmp_path, WRONG)
    assert check_files([path], style="github") == 2
    err = capsys.readouterr().err
    assert err.startswith(f"::error file={path},line=2,col=45::model.activation: 'rellu' is not")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "a,b.yaml:3:4: x: 50% is\nmuch",
            "::error file=a%2Cb.yaml,line=3,col=4::x: 50%25 is%0Amuch",
        ),
        ("a.yaml: no such file", "::error file=a.yaml::no such file"),
    ],
)
def test_annotations_escape_what_github_would_take_for_its_own(line: str, expected: str) -> None:
    assert annotation(line, "a.yaml") == expected


def test_overrides_are_checked_too() -> None:
    assert settle_first("xor", ["train.epochs=3"]).config.train.epochs == 3


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("rows", [60, 700_000], ids=["read", "looked through"])
def test_refuses_arrays_that_training_would_refuse(
    tmp_path: Path, bad: float, rows: int, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = np.zeros((rows, 3), np.float64)
    inputs[:, 0] = np.arange(rows)
    inputs[7, 1] = bad
    np.savez(tmp_path / "mine.npz", inputs=inputs, targets=np.arange(rows) % 3)
    path = file(tmp_path, "data: {kind: npz, path: mine.npz}\nmodel: linear\n")
    assert check_files([path], style="text") == 3
    text = f"1 value of the inputs not finite, first {bad} in row 7, column x2"
    assert text in capsys.readouterr().err


def test_refuses_counts_below_zero_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.csv").write_text(
        "x,y\n" + "".join(f"{i},{i / 7 - 2:.3f}\n" for i in range(60))
    )
    text = "data: {kind: csv, path: mine.csv, target: y}\nmodel: linear\nloss: poisson_nll\n"
    assert check_files([file(tmp_path, text)], style="text") == 3
    assert "poisson_nll needs counts as targets, got -2 (loss: mse)" in capsys.readouterr().err


def test_refuses_inputs_that_a_unit_of_0_and_1_cannot_take(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"{i % 2},{i % 3},{'yes' if i % 2 else 'no'}\n" for i in range(60))
    (tmp_path / "mine.csv").write_text(f"a,b,y\n{rows}")
    text = "data: {kind: csv, path: mine.csv, target: y, scale: none}\nrule: none\n"
    text += "model: {kind: mcculloch_pitts, weights: [1, 1], threshold: 1}\n"
    assert check_files([file(tmp_path, text)], style="text") == 3
    assert "inputs are 0 or 1 for a McCulloch-Pitts unit" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_calls_data_of_ones_own_by_their_file(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = np.arange(120.0).reshape(60, 2)
    np.savez(tmp_path / "mine.npz", inputs=inputs, targets=np.arange(60) % 3)
    rows = "".join(f"{a},{b},{'rst'[i % 3]}\n" for i, (a, b) in enumerate(inputs.tolist()))
    (tmp_path / "mine.csv").write_text(f"a,b,y\n{rows}")
    target = ", target: y" if kind == "csv" else ""
    path = file(tmp_path, f"data: {{kind: {kind}, path: mine.{kind}{target}}}\nmodel: linear\n")
    assert check_files([path], style="text") == 0
    assert f"{path}: ok (mine.{kind}, 42 examples, linear" in capsys.readouterr().out
