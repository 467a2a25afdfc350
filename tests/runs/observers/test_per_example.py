"""The record of each training example: what it holds, that it changes nothing, what it finds."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from nnlab.cli import app
from nnlab.config.loading import load_config, place_for
from nnlab.core.errors import CheckpointError
from nnlab.display.views import QuietView, calm_stream
from nnlab.runs.building.row_answers import margins
from nnlab.runs.folder.examples import FILE, read_record
from nnlab.runs.folder.summary import read_summary
from nnlab.runs.observers.findings import read_findings
from nnlab.runs.run import resume, stream_run, train

NOISY: dict[str, Any] = {
    "data": {"kind": "digits", "limit": 800, "label_noise": {"share": 0.1, "seed": 3}},
    "model": {"kind": "mlp", "hidden": [32], "dropout": 0.1},
    "optimizer": {"kind": "adam", "lr": 4e-3},
    "train": {"epochs": 10, "batch_size": 32, "threads": 1},
    "log": {"examples": "auto", "probes": "off"},
}


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("noisy") / "run"
    train(NOISY, run_dir=folder)
    return folder


def planted(folder: Path) -> set[int]:
    examples = load_config(folder / "config.yaml").data.load(place_for(folder))
    assert examples.clean is not None
    return set(np.flatnonzero(examples.targets != examples.clean).tolist())


def test_margins_are_those_of_numpy() -> None:
    outputs = torch.randn(50, 4, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(50) % 4
    expected = [
        row[label] - max(np.delete(row, label))
        for row, label in zip(outputs.numpy(), labels.tolist(), strict=True)
    ]
    np.testing.assert_allclose(margins(outputs, labels).numpy(), expected, rtol=1e-6)


def test_keeps_ten_moments_of_all_training_rows(noisy: Path) -> None:
    record = read_record(noisy)
    assert record.steps.tolist() == sorted({*record.steps.tolist()})
    assert len(record.steps) == 10
    assert record.losses.shape == (10, 800)
    assert record.margins is not None
    assert record.predicted is not None
    # Cross entropy of a label that is not answered is at least ln 2.
    against = record.predicted != record.labels
    assert (against == (record.margins < 0)).mean() > 0.999
    assert record.losses[against].min() >= np.log(2) - 1e-6


def test_keeps_the_margins_of_validation(noisy: Path) -> None:
    """At the end so many are positive as the last reading counts right answers."""
    record, last = read_record(noisy), read_summary(noisy).last["validation"]
    assert record.held is not None
    assert len(record.held) == 10
    assert (record.held[-1] > 0).mean() == pytest.approx(last["scores"]["accuracy"], rel=1e-6)


def test_weights_are_the_same_bytes_with_and_without(noisy: Path, tmp_path: Path) -> None:
    train(NOISY, overrides=["log.examples=off"], run_dir=tmp_path / "run")
    assert not (tmp_path / "run" / FILE).exists()

    def last(folder: Path) -> bytes:
        name = (folder / "checkpoints" / "last").read_text().strip()
        return (folder / "checkpoints" / name / "model.safetensors").read_bytes()

    assert last(tmp_path / "run") == last(noisy)


def test_the_doctor_lists_the_planted_rows(noisy: Path) -> None:
    """Precision and recall against the rows that data.label_noise has made wrong."""
    done = CliRunner().invoke(app, ["doctor", str(noisy)])
    assert done.exit_code == 7
    assert "WARNING  label noise" in done.stdout
    with (noisy / "eval" / "suspects.csv").open() as file:
        rows = list(csv.DictReader(file))
    found, wrong = {int(row["row"]) for row in rows}, planted(noisy)
    assert len(found & wrong) / len(found) >= 0.8
    assert len(found & wrong) / len(wrong) >= 0.85
    assert all(row["label"] != row["answered"] for row in rows)


def test_the_end_of_the_run_tells_it_too(noisy: Path) -> None:
    told = {one.name: one for one in read_findings(noisy)}
    assert told["label_noise"].level == "warning"
    assert "nnlab doctor lists them" in told["label_noise"].advice
    summary = json.loads((noisy / "summary.json").read_text())
    assert "label_noise" in json.dumps(summary["findings"])


def test_left_out_the_run_scores_better(noisy: Path, tmp_path: Path) -> None:
    CliRunner().invoke(app, ["doctor", str(noisy)])
    path = (noisy / "eval" / "suspects.csv").absolute()
    cured = train(NOISY, overrides=[f"data.exclude={path}"], run_dir=tmp_path / "run")
    before = train(NOISY, run_dir=tmp_path / "again")
    assert cured.last["validation"]["loss"] < before.last["validation"]["loss"]
    left = read_record(tmp_path / "run")
    assert len(left.rows) == 800 - (len(path.read_text().splitlines()) - 1)


def test_a_resumed_run_goes_on_with_its_record(noisy: Path, tmp_path: Path) -> None:
    import sys

    view = QuietView(calm_stream(sys.stderr))
    for event in stream_run(NOISY, run_dir=tmp_path / "run", view=view):
        if type(event).__name__ == "EpochEnd" and event.step > 100:  # pyright: ignore
            break
    resume(tmp_path / "run", view=view)
    whole, later = read_record(noisy), read_record(tmp_path / "run")
    np.testing.assert_array_equal(later.steps, whole.steps)
    np.testing.assert_array_equal(later.losses, whole.losses)


def test_numbers_to_learn_have_losses_and_no_margins(tmp_path: Path) -> None:
    sections = {
        "data": {"kind": "function", "samples": 60},
        "model": {"kind": "mlp", "hidden": [4]},
        "train": {"epochs": 3},
        "log": {"examples": 2},
    }
    train(sections, run_dir=tmp_path / "run")
    record = read_record(tmp_path / "run")
    assert record.margins is None
    assert record.losses.shape == (2, len(record.rows))
    assert CliRunner().invoke(app, ["doctor", str(tmp_path / "run")]).exit_code in (0, 7)


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"nothing of this kind")
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_record(tmp_path)
