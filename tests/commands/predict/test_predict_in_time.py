"""Predictions for series and texts, against the network on windows cut by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nnlab.__main__ import main
from nnlab.runs.finished.evaluate import evaluate
from nnlab.runs.finished.reopen import open_run
from nnlab.runs.run import train

CPU = torch.device("cpu")
SENTENCE = "to be, or not to be, that is the question. "


def asked(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[list[Any], str]:
    capsys.readouterr()
    code = main(["predict", *map(str, words), "--format", "jsonl"])
    told = capsys.readouterr()
    assert code == 0, told.err
    return [json.loads(line) for line in told.out.splitlines()], told.err


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert main(["predict", *map(str, words)]) != 0
    return capsys.readouterr().err


def series_of(folder: Path, name: str, count: int, *, level: float = 0.0) -> Path:
    steps = np.random.default_rng(4).standard_normal(count).cumsum() + level
    load = np.sin(np.arange(count))
    lines = [f"{i},{a:.5f},{b:.5f}" for i, (a, b) in enumerate(zip(steps, load, strict=True))]
    path = folder / name
    path.write_text("\n".join(["day,value,load", *lines]) + "\n")
    return path


@pytest.mark.parametrize("difference", [False, True])
def test_each_row_of_a_series_is_the_last_that_is_seen(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, *, difference: bool
) -> None:
    path = series_of(tmp_path, "a.csv", 200)
    data = {"kind": "series", "path": str(path), "target": "value", "inputs": ["value", "load"],
            "window": 7, "horizon": 3, "difference": difference}  # fmt: skip
    config = {"data": data, "model": {"kind": "gru", "units": 5},
              "train": {"steps": 30, "batch_size": 16, "compile": "off"}}  # fmt: skip
    run = Path(train(config, run_dir=tmp_path / "run").run)
    opened = open_run(run, split="test", device=CPU)
    new = series_of(tmp_path, "b.csv", 25, level=3.0)
    found, told = asked(capsys, run, new)
    table = np.loadtxt(new, delimiter=",", skiprows=1)[:, 1:]
    assert [one["row"] for one in found] == [*range(7 if difference else 6, 25)]
    scale = opened.examples.target_scale
    assert scale is not None
    for one in found:
        row = one["row"]
        seen = np.diff(table, axis=0)[row - 7 : row] if difference else table[row - 6 : row + 1]
        inputs = (seen - opened.examples.shift) * opened.examples.factor
        with torch.no_grad():
            z = (
                opened.network.eval()(torch.from_numpy(inputs.reshape(1, 7, 2)).float())[0]
                .double()
                .numpy()
            )
        y = z * np.array(scale.deviation) + np.array(scale.mean) + difference * table[row, 0]
        assert [*one["values"].values()] == pytest.approx(y.tolist(), rel=1e-4, abs=1e-4)
        if row + 3 < 25:
            expected = table[row + 1 : row + 4, 0].tolist()
            assert [*one["target"].values()] == pytest.approx(expected)
        else:
            assert "target" not in one
    assert "(3 without target)" in told
    short = series_of(tmp_path, "short.csv", 5)
    assert f"a forecast needs {8 if difference else 7}" in refused(capsys, run, short)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    (folder / "text.txt").write_text(SENTENCE * 60)
    config = {
        "data": {"kind": "text", "path": str(folder / "text.txt"), "window": 10},
        "model": {"kind": "gru", "units": 8, "embed": 4},
        "optimizer": {"kind": "adam", "lr": 1e-2},
        "train": {"steps": 60, "batch_size": 16, "compile": "off"},
    }
    return Path(train(config, run_dir=folder / "run").run)


class TestAText:
    def test_is_told_token_by_token(
        self, run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        (tmp_path / "new.txt").write_text("not to be, or to be that\n")
        found, told = asked(capsys, run, tmp_path / "new.txt", "--proba")
        assert len(found) == 23
        opened = open_run(run, split="test", device=CPU)
        names = opened.experiment.shape.classes
        text = ["space" if c == " " else c for c in "not to be, or to be that"]
        cost = 0.0
        for one in found:
            place = one["row"]
            assert one["target"] == text[place]
            start = (place - 1) // 10 * 10
            seen = torch.tensor([[names.index(c) for c in text[start:place]]])
            with torch.no_grad():
                p = opened.network.eval()(seen)[0, -1].softmax(0)
            assert one["label"] == names[int(p.argmax())]
            assert one["probabilities"][text[place]] == pytest.approx(
                p[names.index(text[place])].item(), rel=1e-4
            )
            cost -= float(np.log(one["probabilities"][text[place]]))
        assert f"perplexity {np.exp(cost / 23):.4g}" in told

    def test_has_the_perplexity_of_an_evaluation(
        self, run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        opened = open_run(run, split="test", device=CPU)
        rows, windows = opened.examples.rows["test"], opened.examples.windows
        assert windows is not None
        some = windows.series[rows[0] * 10 : (rows[-1] + 1) * 10 + 1]
        names = opened.experiment.shape.classes
        text = "".join(" " if names[n] == "space" else names[n] for n in some)
        (tmp_path / "test.txt").write_text(text)
        _, told = asked(capsys, run, tmp_path / "test.txt")
        assert f"perplexity {evaluate(run)['perplexity']:.4g}" in told

    def test_with_an_unknown_character_is_refused(
        self, run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        (tmp_path / "new.txt").write_text("to be?")
        assert "'?' is not in the text" in refused(capsys, run, tmp_path / "new.txt")


def test_the_columns_of_a_table_are_the_steps(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Also where rows end early: each is told as it is told alone."""
    rng = np.random.default_rng(1)
    rows = [rng.standard_normal(5)[: 2 + i % 4].round(3).tolist() for i in range(40)]
    cells = [[*map(str, row), *[""] * (5 - len(row))] for row in rows]
    head, path = "a,b,c,d,e", tmp_path / "rows.csv"
    lines = [f"{','.join(row)},{i % 2}" for i, row in enumerate(cells)]
    path.write_text("\n".join([f"{head},y", *lines]))
    data = {"kind": "csv", "path": str(path), "target": "y", "task": "regression",
            "view": "time", "lengths": "different"}  # fmt: skip
    config = {"data": data, "model": {"kind": "gru", "units": 4},
              "train": {"steps": 5, "batch_size": 16, "compile": "off"}}  # fmt: skip
    run = Path(train(config, run_dir=tmp_path / "run").run)
    opened = open_run(run, split="test", device=CPU)
    scale, examples = opened.examples.target_scale, opened.examples
    assert scale is not None
    new = tmp_path / "new.csv"
    new.write_text(
        "\n".join(["e,d,c,b,a", *[",".join(row[::-1]) for row in cells[:6]], "1,,2,3,4"])
    )
    found, told = asked(capsys, run, new)
    assert "goes on behind a step that is missing" in told
    assert len(found) == 6
    for one, row in zip(found, rows, strict=False):
        inputs = (np.array(row)[None, :, None] - examples.shift) * examples.factor
        with torch.no_grad():
            z = opened.network.eval()(torch.from_numpy(inputs).float())[0].double().numpy()
        y = z * np.array(scale.deviation) + np.array(scale.mean)
        assert one["value"] == pytest.approx(float(y[0]), rel=1e-5)
    arrays = np.full((2, 5), np.nan, np.float32)
    for place in range(2):
        arrays[place, : len(rows[place])] = rows[place]
    np.savez(tmp_path / "new.npz", x=arrays)
    again, _ = asked(capsys, run, tmp_path / "new.npz")
    assert [one["value"] for one in again] == [one["value"] for one in found[:2]]
