"""The doctor of a comparison, and of a name that is a run and a config."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import nnlab
from nnlab.cli import app
from nnlab.commands.options import is_run_name

COMPARED: dict[str, Any] = {
    "name": "rates",
    "data": {"kind": "moons", "samples": 240},
    "model": {"kind": "mlp", "hidden": [12]},
    "optimizer": {"kind": "adam", "lr": 0.02},
    "train": {"epochs": 12, "batch_size": 16, "threads": 1},
    "variants": {"usual": {}, "tiny": {"optimizer.lr": 1e-7}},
    "seeds": 2,
}


def doctor(*words: str) -> Any:
    return CliRunner().invoke(app, ["doctor", *words])


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("several") / "rates"
    nnlab.train_comparison(COMPARED, run_dir=folder)
    return folder


def test_a_comparison_has_one_page_with_a_line_for_each_run(compared: Path) -> None:
    done = doctor(str(compared))
    assert done.exit_code == 7
    lines = done.stdout.splitlines()
    # The folder of the test may be long: the line wraps.
    assert "rates: 4 runs, 2 with something wrong" in " ".join(done.stdout.split())
    (usual,) = (line.split() for line in lines if line.startswith("usual-s0"))
    (tiny,) = (line for line in lines if line.startswith("tiny-s1"))
    assert usual == ["usual-s0", "completed"]
    assert "warning" in tiny
    assert "learning rate too low" in tiny
    assert "WARNING  learning rate too low: 2 runs" in lines
    assert len(lines) < 40


def test_the_run_that_it_names_has_a_page_of_its_own(compared: Path) -> None:
    page = doctor(str(compared)).stdout
    path = page.replace("\n", "").partition("nnlab doctor ")[2].partition("left out")[0]
    alone = doctor(path.partition("this look")[0].strip())
    assert "tiny-s0: completed" in alone.stdout.replace("\n", "")


def test_json_has_every_run_in_full(compared: Path) -> None:
    runs = json.loads(doctor(str(compared), "--json").stdout)["runs"]
    assert [run["healthy"] for run in runs] == [True, True, False, False]
    assert all(run["layers"] for run in runs)


def test_a_name_of_both_is_the_run_unless_a_config_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNLAB_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    assert not is_run_name("xor", prefer="run")  # there is no run yet
    nnlab.train("xor", set={"train.epochs": 2})
    assert is_run_name("xor", prefer="run")
    assert not is_run_name("xor")
    assert "xor/1: completed" in doctor("xor").stdout
    assert "not trained" in doctor("xor", "--set", "optimizer.lr=0.2").stdout
    last = tmp_path / "last"
    last.write_text("data: xor\nmodel: linear\n")
    assert not is_run_name("./last", prefer="run")


def test_last_is_the_newest_run_though_a_file_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNLAB_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    nnlab.train("xor", set={"train.epochs": 2})
    (tmp_path / "last").write_text("data: xor\nmodel: linear\n")
    assert is_run_name("last", prefer="run")


def test_a_run_that_diverged_has_a_fault(tmp_path: Path) -> None:
    sick = {**COMPARED, "optimizer": {"kind": "sgd", "lr": 1e9}}
    del sick["variants"], sick["seeds"]
    done = nnlab.train(sick, run_dir=tmp_path / "run")
    assert done.status == "diverged"
    assert any(finding.level == "fault" for finding in nnlab.doctor(done).findings)
    page = doctor(str(tmp_path / "run")).stdout
    assert next(
        line for line in page.splitlines() if line.startswith(("FAULT", "WARN"))
    ).startswith("FAULT")
