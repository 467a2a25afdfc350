"""Wrong labels in a run that kept no record of its examples: the best checkpoint is asked."""

from pathlib import Path
from typing import Any

import pytest

import nnlab
from nnlab.core.finding import Finding

DIGITS = {"kind": "digits", "limit": 900, "validation": 300}
BLOBS = {"kind": "blobs", "samples": 900, "centers": 4, "features": 4, "validation": 0.25}


def found_in(folder: Path, data: dict[str, Any], **sections: Any) -> dict[str, Finding]:
    config = {
        "data": data,
        "model": {"kind": "mlp", "hidden": [32]},
        "optimizer": {"kind": "adam", "lr": 3e-3},
        "train": {"epochs": 12, "batch_size": 30, "threads": 1},
        **sections,
    }
    done = nnlab.train(config, run_dir=folder / "run")
    assert not (done.run / "examples.safetensors").exists()
    return {f.name: f for f in nnlab.doctor(done, trials=False).findings}


@pytest.mark.parametrize("data", [DIGITS, BLOBS], ids=lambda data: data["kind"])
def test_labels_made_wrong_are_found_and_listed(data: dict[str, Any], tmp_path: Path) -> None:
    noisy = {**data, "label_noise": {"share": 0.2}}
    found = found_in(tmp_path, noisy)["label_noise"]
    assert found.level == "warning"
    assert (tmp_path / "run" / "eval" / "suspects.csv").exists()


@pytest.mark.parametrize("data", [DIGITS, BLOBS], ids=lambda data: data["kind"])
def test_right_labels_are_not(data: dict[str, Any], tmp_path: Path) -> None:
    found = found_in(tmp_path, data).get("label_noise")
    assert found is None or found.level == "note"
