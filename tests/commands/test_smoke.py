"""Smoke runs: every stage, in a temporary folder, with the data or without."""

import io
import sys
from pathlib import Path

import pytest

from nnlab.commands.smoke import SMOKE_STEPS, smoke_run
from nnlab.display.open_view import open_view
from nnlab.experiment.handed import experiment_of


@pytest.mark.parametrize("source", ["digits_mlp", "diabetes", "xor"])
def test_runs_every_stage_on_the_data(source: str) -> None:
    found = smoke_run(experiment_of(source), view=open_view(quiet=True, stream=sys.stderr))
    assert (found["status"], found["steps"]) == ("completed", SMOKE_STEPS)
    assert found["test"]["split"] == "test"
    assert found["test"]["samples"] > 0


def test_moves_what_begins_late_in_a_run_into_the_short_one() -> None:
    train = {"epochs": 5, "unfreeze": {"hidden1": 3}, "averaging": {"kind": "swa", "start": 4}}
    model = {"kind": "mlp", "hidden": [4], "freeze": ["hidden1"]}
    config = {
        "data": "iris",
        "model": model,
        "train": train,
        "schedule": {"kind": "cosine", "warmup": 2},
    }
    found = smoke_run(experiment_of(config), view=open_view(quiet=True, stream=sys.stderr))
    assert (found["status"], found["steps"]) == ("completed", SMOKE_STEPS)


def test_takes_random_data_where_a_named_set_is_absent_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NNLAB_DATA", str(tmp_path / "empty"))
    config = {"data": "mnist", "model": {"kind": "mlp", "hidden": [4]}}
    found = smoke_run(experiment_of(config), view=open_view(quiet=True, stream=sys.stderr))
    assert found["data"] == "random"
    assert "random data" in capsys.readouterr().err
    assert found["test"]["samples"] == 64


def test_leaves_nothing_behind_and_names_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNLAB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    said = io.StringIO()
    smoke_run(experiment_of("xor"), view=open_view(quiet=False, stream=said))
    assert "4 train" in said.getvalue()
    assert str(tmp_path) not in said.getvalue()
    assert list(tmp_path.iterdir()) == []
