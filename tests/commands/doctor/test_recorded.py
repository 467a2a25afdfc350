"""`nnlab doctor RUN`: one sick run and one healthy one, both trained here."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nnlab.cli import app
from nnlab.runs.run import train

SIZES = {"data": {"kind": "moons", "samples": 300}, "train": {"epochs": 25, "batch_size": 16}}


@pytest.fixture(scope="module")
def sick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifteen sigmoid layers."""
    model = {"kind": "mlp", "hidden": {"width": 6, "depth": 15}, "activation": "sigmoid"}
    folder = tmp_path_factory.mktemp("sick") / "run"
    train({**SIZES, "train": {"epochs": 4}, "model": model}, run_dir=folder)
    return folder


def doctor(*words: str) -> Any:
    return CliRunner().invoke(app, ["doctor", *words])


def test_names_the_sickness_the_place_the_number_and_the_change(sick: Path) -> None:
    done = doctor(str(sick))
    assert done.exit_code == 7
    assert "FAULT  vanishing gradient in hidden1" in done.stdout
    assert "--set model.activation=relu" in done.stdout
    # A line that names the run is as long as its path.
    lines = [line for line in done.stdout.splitlines() if str(sick) not in line]
    assert max(map(len, lines)) <= 80


def test_prints_one_object_with_json(sick: Path) -> None:
    found = json.loads(doctor(str(sick), "--json").stdout)
    assert found["healthy"] is False
    first = found["findings"][0]
    assert (first["name"], first["layer"], first["since"]) == ("vanishing_gradient", "hidden1", 0)
    readings = [json.loads(line) for line in (sick / "metrics.jsonl").read_text().splitlines()]
    start = readings[0]
    ratio = start["grad_rms/00_hidden1.weight"] / start["grad_rms/15_output.weight"]
    assert first["measured"] == pytest.approx(ratio, rel=1e-3)
    assert list(found["layers"])[-1] == "output"


def test_a_healthy_run_has_nothing_above_a_note(tmp_path: Path) -> None:
    optimizer = {"kind": "adam", "lr": 0.01}
    model = {"kind": "mlp", "hidden": [16, 16]}
    train({**SIZES, "model": model, "optimizer": optimizer}, run_dir=tmp_path / "run")
    done = doctor(str(tmp_path / "run"))
    assert done.exit_code == 0, done.stdout


def test_refuses_what_is_no_run() -> None:
    assert doctor("nothing-of-this-name").exit_code != 0
