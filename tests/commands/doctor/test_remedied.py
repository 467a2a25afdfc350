"""What is advised after it was tried: nothing that harms, and what heals by its own name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlab.commands.doctor.recorded import examine_run
from nnlab.commands.doctor.report import DoctorReport
from nnlab.runs.run import train


def examined(sections: dict[str, Any], folder: Path) -> DoctorReport:
    train({**sections, "train": {"threads": 1, **sections["train"]}}, run_dir=folder)
    return examine_run(folder)


@pytest.fixture
def shares(tmp_path: Path) -> Path:
    """Targets between 0.4 and 0.6, which a sigmoid output begins near."""
    draw = np.random.default_rng(3)
    inputs = draw.normal(size=(500, 4)).astype(np.float32)
    targets = 0.5 + 0.05 * np.tanh(inputs[:, 0] + inputs[:, 1])
    np.savez(tmp_path / "shares.npz", inputs=inputs, targets=targets.astype(np.float32)[:, None])
    return tmp_path / "shares.npz"


def test_scaled_targets_are_not_advised_to_an_output_that_cannot_reach_them(
    shares: Path, tmp_path: Path
) -> None:
    found = examined(
        {
            "data": {"kind": "npz", "path": str(shares), "validation": 0.3},
            "model": {"kind": "mlp", "hidden": [16], "output": {"activation": "sigmoid"}},
            "loss": "mse",
            "optimizer": {"kind": "adam", "lr": 0.03},
            "train": {"epochs": 80, "batch_size": 32},
        },
        tmp_path / "run",
    )
    assert all("scale_target" not in change for f in found.findings for change in f.remedy)
    assert not [f.line for f in found.findings if f.worse_than("note")]


def test_a_field_that_no_record_convicts_is_named_where_the_run_does_better_without(
    tmp_path: Path,
) -> None:
    sections: dict[str, Any] = {
        "data": {"kind": "moons", "samples": 600, "noise": 0.1},
        "model": {"kind": "mlp", "hidden": [12, 12]},
        "optimizer": {"kind": "adagrad", "lr": 0.05, "lr_decay": 20.0},
        "train": {"epochs": 20, "batch_size": 32},
    }
    story = examined(sections, tmp_path / "run").findings
    assert story[0].name == "unusual_setting"
    assert story[0].remedy == ("optimizer.lr_decay=0.0",)
    assert story[0].tried.startswith("tried to its end: validation accuracy ")


def test_a_healthy_run_pays_for_no_trial(tmp_path: Path) -> None:
    report = examined(
        {
            "data": {"kind": "blobs", "samples": 300},
            "model": {"kind": "mlp", "hidden": [12]},
            "optimizer": {"kind": "adam", "lr": 0.01},
            "train": {"epochs": 20, "batch_size": 20},
        },
        tmp_path / "run",
    )
    assert not any("were tried" in remark for remark in report.remarks)
