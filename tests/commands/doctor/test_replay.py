"""The update that broke a run, its layer and its rows, by making the updates again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from building import make
from typer.testing import CliRunner

from nnlab.cli import app
from nnlab.runs.run import train

ROWS = (137, 400)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """600 rows, of which two are far too large."""
    folder = tmp_path_factory.mktemp("large")
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(600, 6)).astype(np.float32)
    targets = (inputs[:, 0] > 0).astype(np.int64)
    inputs[ROWS, 2] = 3e25
    np.savez(folder / "large.npz", inputs=inputs, targets=targets)
    sections = {
        "data": {"kind": "npz", "path": str(folder / "large.npz"), "scale": "none"},
        "model": {"kind": "mlp", "hidden": [16]},
        "optimizer": {"kind": "sgd", "lr": 0.05},
        "train": {"epochs": 10, "batch_size": 32, "threads": 1},
        "log": {"every": "7 steps"},
    }
    train(sections, run_dir=folder / "run")
    return folder / "run", sections


def found(folder: Path) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["doctor", str(folder), "--json"])
    findings = json.loads(done.stdout)["findings"]
    return {finding["name"]: finding for finding in findings}


def test_names_the_update_whose_batch_holds_a_broken_row(
    broken: tuple[Path, dict[str, Any]],
) -> None:
    folder, sections = broken
    finding = found(folder)["divergence"]
    order = make(**sections).built.trainer.order
    batches = [rows for epoch in range(2) for rows in order.batches(epoch)]
    first = next(n for n, rows in enumerate(batches) if {*rows.tolist()} & {*ROWS})
    assert finding["since"] == first
    (row,) = {*batches[first].tolist()} & {*ROWS}
    assert f"row {row}" in finding["meaning"]
    assert finding["quantity"] == f"loss of row {row} at that update"


def test_leaving_those_rows_out_lets_it_train(
    broken: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, sections = broken
    assert found(folder)["divergence"]["because"] == ["outlier_rows"]
    finding = found(folder)["outlier_rows"]
    assert finding["remedy"] == [f"data.exclude={folder / 'eval' / 'outliers.csv'}"]
    # Such a row may be in validation or test as well: train learns all the same.
    summary = train(sections, overrides=finding["remedy"], run_dir=tmp_path / "run")
    assert summary.status == "completed"


def test_a_rate_that_breaks_the_weights_names_the_update_and_a_layer(tmp_path: Path) -> None:
    sections = {
        "data": {"kind": "moons", "samples": 200},
        "model": {"kind": "mlp", "hidden": [8, 8]},
        "loss": "quadratic",
        "optimizer": {"kind": "sgd", "lr": 1e12},
        "train": {"epochs": 20, "batch_size": 16, "threads": 1},
        "log": {"every": "9 steps"},
    }
    summary = train(sections, run_dir=tmp_path / "run")
    assert summary.status == "diverged"
    findings = found(tmp_path / "run")
    finding = findings["divergence"]
    # An oracle of its own: the same updates, looked at one by one.
    made = make(**sections)
    step, trainer = made.built.step, made.built.trainer
    first = None
    for number in range(summary.steps):
        epoch, position = divmod(number, trainer.order.per_epoch)
        trainer.fill(number)
        step.update(trainer.order.batches(epoch)[position])
        loss = step.read()["loss"]
        weights = [bool(torch.isfinite(p).all()) for p in made.built.network.parameters()]
        if not np.isfinite(loss) or loss > 1e6 or not all(weights):
            first = number
            break
    assert first is not None
    assert abs(finding["since"] - first) <= 1  # seen before the update, or after it
    assert 0 < finding["since"] < summary.steps
    (cause,) = finding["because"]
    assert cause == "learning_rate_too_high"
    assert findings[cause]["remedy"][0].startswith("optimizer.lr=")
