"""What is advised after it was tried: nothing that harms, and what heals by its own name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doctor_data import table
from sklearn import datasets

from nnlab.commands.doctor.recorded import examine_run
from nnlab.commands.doctor.report import DoctorReport
from nnlab.commands.doctor.trials import Trial, Trials
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


def noisy(folder: Path, share: float) -> dict[str, Any]:
    """300 rows of which two inputs say that share of the target; the rest of it is noise."""
    draw = np.random.default_rng(8)
    inputs = draw.normal(size=(900, 5)).astype(np.float32)
    told = (inputs[:, 0] + inputs[:, 1]) / 2**0.5
    targets = share**0.5 * told + (1.0 - share) ** 0.5 * draw.normal(size=900)
    np.savez(folder / "noisy.npz", inputs=inputs, targets=targets.astype(np.float32)[:, None])
    return {
        "data": {"kind": "npz", "path": str(folder / "noisy.npz"), "validation": 0.4},
        "model": {"kind": "mlp", "hidden": [6]},
        "optimizer": {"kind": "adam", "lr": 0.01},
        "train": {"epochs": 40, "batch_size": 20},
    }


def test_rows_that_hold_no_more_are_not_a_network_that_is_too_small(tmp_path: Path) -> None:
    found = {f.name: f for f in examined(noisy(tmp_path, 0.12), tmp_path / "run").findings}
    assert found["underfitting"].level == "note"
    assert found["underfitting"].remedy == ()
    assert "a larger network does no better" in found["underfitting"].meaning
    assert not [f.line for f in found.values() if f.worse_than("note")]


@pytest.mark.slow
def test_a_network_that_is_too_small_still_is_one(tmp_path: Path) -> None:
    draw = np.random.default_rng(8)
    inputs = draw.uniform(-1, 1, size=(900, 2)).astype(np.float32)
    targets = np.sign(inputs[:, :1] * inputs[:, 1:]).astype(np.float32)
    np.savez(tmp_path / "signs.npz", inputs=inputs, targets=targets)
    sections = noisy(tmp_path, 0.5)
    sections["data"]["path"] = str(tmp_path / "signs.npz")
    sections |= {"model": {"kind": "mlp", "hidden": [1]}, "data": {**sections["data"],
                 "task": "regression"}}  # fmt: skip
    story = examined(sections, tmp_path / "run").findings
    assert story[0].worse_than("note")
    assert any(change.startswith("model.hidden=") for change in story[0].remedy)


def test_scores_of_one_kind_leave_the_word_to_a_loss_that_is_another_altogether(
    tmp_path: Path,
) -> None:
    """A rate a thousand times too high may score well by luck, at a loss of hundreds."""
    made: Any = datasets.make_classification(
        1000, 20, n_informative=10, n_classes=3, class_sep=1.5, random_state=21
    )
    inputs, labels = made
    np.savez(tmp_path / "three.npz", inputs=inputs.astype(np.float32), targets=labels)
    sections: dict[str, Any] = {
        "data": {"kind": "npz", "path": str(tmp_path / "three.npz"), "validation": 0.3},
        "model": {"kind": "mlp", "hidden": [32]},
        "optimizer": {"kind": "adam", "lr": 2.8},
        "train": {"epochs": 15, "batch_size": 32},
    }
    story = examined(sections, tmp_path / "run").findings
    assert story[0].name == "learning_rate_too_high"
    assert story[0].remedy == ("optimizer.lr=0.001",)


def test_no_higher_rate_is_tried_than_one_that_is_too_high(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refuse(_: Trials, remedy: Sequence[str], *, share: float = 1.0) -> Trial:
        asked.extend(remedy)
        return Trial(tuple(remedy), "harms", 99, True, f"tried with {share}", -1.0)

    monkeypatch.setattr(Trials, "try_change", refuse)
    sections: dict[str, Any] = {
        "data": {"kind": "moons", "samples": 400},
        "model": {"kind": "mlp", "hidden": [12, 12]},
        "optimizer": {"kind": "adam", "lr": 2.0},
        "train": {"epochs": 15, "batch_size": 20},
    }
    story = examined(sections, tmp_path / "run").findings
    assert story[0].name == "learning_rate_too_high"
    rates = [float(c.partition("=")[2]) for c in asked if c.startswith("optimizer.lr=")]
    assert max(rates) < 2.0
    assert {0.2, 0.02} <= set(rates)


def test_first_weights_are_never_left_as_they_are_for_the_sake_of_another_rate(
    tmp_path: Path,
) -> None:
    """Usual first weights diverge at this rate too: both are changed, or the cause would stay."""
    sections: dict[str, Any] = {
        "data": {"kind": "moons", "samples": 500, "noise": 0.15},
        "model": {"kind": "mlp", "hidden": {"width": 30, "depth": 8},
                  "init": {"kind": "normal", "std": 0.9}},
        "optimizer": {"kind": "sgd", "lr": 0.3, "momentum": 0.9},
        "train": {"epochs": 10, "batch_size": 25},
    }  # fmt: skip
    story = examined(sections, tmp_path / "run").findings
    assert story[0].name in ("poor_initialization", "exploding_gradient")
    assert "model.init=auto" in story[0].remedy
    assert any(change.startswith("optimizer.lr=") for change in story[0].remedy)


@pytest.mark.slow
def test_wrong_labels_that_are_learned_by_heart_are_left_out_and_the_run_stopped(
    tmp_path: Path,
) -> None:
    """Rows without wrong labels are learned by heart, too: the loss would rise all the same."""
    path = table(tmp_path, 9, rows=1430, columns=16, flips=0.3)
    story = examined(
        {
            "data": {"kind": "csv", "path": str(path), "target": "label", "validation": 0.25},
            "model": {"kind": "mlp", "hidden": [128, 96]},
            "optimizer": {"kind": "adam", "lr": 3e-3},
            "train": {"epochs": 50, "batch_size": 16},
        },
        tmp_path / "run",
    ).findings
    assert [(f.name, f.because) for f in story[:2]] == [
        ("label_noise", ()), ("overfitting", ("label_noise",)),
    ]  # fmt: skip
    fields = [change.partition("=")[0] for change in story[0].remedy]
    assert fields == ["data.exclude", "train.early_stopping", "regularize.l2"]
