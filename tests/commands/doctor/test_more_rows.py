"""Where validation rows are too few to tell a score from a guess, others are asked."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nnlab
from nnlab.core.finding import Finding

ROWS, HELD = 500, 250
CONFIG: dict[str, Any] = {
    "model": {"kind": "mlp", "hidden": [16]},
    "optimizer": {"kind": "adam", "lr": 3e-3},
    "schedule": "cosine",
    "train": {"epochs": 12, "batch_size": 25, "threads": 1},
}


def examined(folder: Path, labels: Any, *, shift: float, right: float) -> Finding | None:
    """A run whose validation rows are answered right so often, whatever it learned.

    Their labels are written when its answers are known: they have no part in training.

    Args:
        folder: of all files.
        labels: (ROWS,) of training.
        shift: of the classes in one column, in deviations.
        right: share of the answers.
    """
    draw = np.random.default_rng(2)
    inputs = draw.normal(size=(ROWS, 8)).astype(np.float32)
    inputs[:, 0] += shift * labels
    held = draw.normal(size=(HELD, 8)).astype(np.float32)
    held[:, 0] += shift * (np.arange(HELD) % 2)
    np.savez(folder / "train.npz", inputs=inputs, targets=labels)
    np.savez(folder / "held.npz", inputs=held, targets=np.arange(HELD) % 2)
    data = {"kind": "npz", "path": str(folder / "train.npz"), "scale": "none", "test": "none",
            "validation": {"file": str(folder / "held.npz")}}  # fmt: skip
    first = nnlab.train({**CONFIG, "data": data}, run_dir=folder / "first")
    with torch.no_grad():
        answers = nnlab.load(first)(torch.from_numpy(held)).argmax(1).numpy()
    told = 1 - answers
    for answer in (0, 1):  # of both alike: a guess stays at a half
        rows = draw.permutation(np.flatnonzero(answers == answer))
        told[rows[: round(right * len(rows))]] = answer
    np.savez(folder / "held.npz", inputs=held, targets=told)
    done = nnlab.train({**CONFIG, "data": data}, run_dir=folder / "second")
    report = nnlab.doctor(done, trials=False)
    return next((f for f in report.findings if f.name == "no_better_than_baseline"), None)


@pytest.mark.parametrize("seed", [3, 6])
def test_labels_without_a_pattern_are_no_note_for_a_little_luck(seed: int, tmp_path: Path) -> None:
    """138 of 250 right is 1.6 standard errors above a guess: a note, were there no other rows.

    Of one in six draws of the labels the training rows are above a guess by chance as well.
    """
    labels = np.random.default_rng(seed).permutation(np.arange(ROWS) % 2)
    finding = examined(tmp_path, labels, shift=0.0, right=0.55)
    assert finding is not None
    assert "which may be chance" in finding.meaning
    assert "networks that had not seen them get 0." in finding.meaning
    assert finding.level == "warning"


def test_a_weak_pattern_that_other_rows_show_stays_a_note(tmp_path: Path) -> None:
    labels = np.random.default_rng(3).permutation(np.arange(ROWS) % 2)
    finding = examined(tmp_path, labels, shift=0.6, right=0.55)
    assert finding is not None
    assert "which may be chance" in finding.meaning
    assert finding.level == "note"
