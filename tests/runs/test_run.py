"""Whole runs: what they learn, what they leave behind, how they go on after a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from nnlab.__main__ import main
from nnlab.core.errors import CheckpointError, ConfigError, DataError, ResourceError
from nnlab.core.events import EpochEnd, SaveDue
from nnlab.display.open_view import open_view
from nnlab.runs.finished.evaluate import evaluate
from nnlab.runs.finished.reopen import load_network
from nnlab.runs.folder import checkpoint
from nnlab.runs.folder.folder import lock_folder
from nnlab.runs.folder.summary import read_summary
from nnlab.runs.run import resume, stream_run, train

CONFIG: dict[str, Any] = {
    "name": "tiny",
    "data": {"kind": "moons", "samples": 200, "augment": ["noise"]},
    "model": {"kind": "mlp", "hidden": [8], "dropout": 0.2, "norm": "batch"},
    "optimizer": {"kind": "adam", "lr": 0.01},
    "schedule": {"kind": "cosine", "warmup": "5 steps"},
    "train": {"epochs": 6, "batch_size": 16},
}


def run_tiny(folder: Path, **sections: Any) -> Any:
    return train({**CONFIG, **sections}, run_dir=folder)


def last_bytes(folder: Path) -> dict[str, bytes]:
    found = checkpoint.named_checkpoint(folder / "checkpoints", "last")
    return {k: v.contiguous().view(torch.uint8).numpy().tobytes() if v.ndim else v.numpy().tobytes()
            for k, v in found.tensors.items()}  # fmt: skip


def readings(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [
        {k: v for k, v in json.loads(line).items() if k != "samples_per_second"} for line in lines
    ]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "run"
    run_tiny(folder)
    return folder


def test_learns_blobs_to_95_percent(tmp_path: Path) -> None:
    config = {"data": "blobs", "model": {"kind": "mlp", "hidden": [16]}, "train": {"epochs": 20}}
    summary = train(config, run_dir=tmp_path / "run")
    assert summary.status == "completed"
    assert evaluate(tmp_path / "run")["accuracy"] >= 0.95


def test_the_folder_holds_what_the_design_says(finished: Path) -> None:
    names = {path.name.split(".tfevents")[0] for path in finished.iterdir()}
    assert {"config.yaml", "env.json", "metrics.jsonl", "summary.json", "checkpoints",
            "events.out"} <= names  # fmt: skip
    summary = json.loads((finished / "summary.json").read_text())
    assert summary["status"] == "completed"
    assert set(summary) >= {"format", "name", "status", "seed", "parameters", "epochs", "steps",
                            "monitor", "best", "last", "seconds", "samples_per_second"}  # fmt: skip
    assert set(summary["best"]) == {"split", "epoch", "step", "loss", "scores"}
    assert set(summary["seconds"]) == {"startup", "build", "compile", "train", "total"}
    began = summary["began"]
    # The first update comes behind what is done before it, and before the end.
    ready = began["session"] + sum(summary["seconds"][k] for k in ("startup", "build", "compile"))
    assert ready <= began["training"] <= began["session"] + summary["seconds"]["total"] + 0.1
    assert summary["compiled"] == {}


def test_best_is_the_lowest_validation_loss_of_the_readings(finished: Path) -> None:
    values = {r["step"]: r["loss"] for r in readings(finished) if r["split"] == "validation"}
    step = min(values, key=lambda s: values[s])
    assert read_summary(finished).best is not None
    best = (finished / "checkpoints" / "best").read_text().strip()
    assert best == f"step-{step:08d}"


def test_the_written_config_trains_to_the_same_bits(finished: Path, tmp_path: Path) -> None:
    train(finished / "config.yaml", run_dir=tmp_path / "again")
    assert last_bytes(tmp_path / "again") == last_bytes(finished)
    assert readings(tmp_path / "again") == readings(finished)
    first, second = ((f / "config.yaml").read_text() for f in (finished, tmp_path / "again"))
    assert first == second


def test_another_seed_gives_other_bits(finished: Path, tmp_path: Path) -> None:
    run_tiny(tmp_path / "other", seed=1)
    assert last_bytes(tmp_path / "other") != last_bytes(finished)


def test_evaluating_more_often_does_not_change_the_weights(finished: Path, tmp_path: Path) -> None:
    run_tiny(tmp_path / "often", log={"every": "1 steps"})
    model = {k: v for k, v in last_bytes(tmp_path / "often").items() if k.startswith("model/")}
    assert model == {k: v for k, v in last_bytes(finished).items() if k.startswith("model/")}


@pytest.mark.parametrize("leave_at", [SaveDue, EpochEnd])
def test_break_and_resume_equals_no_break(
    finished: Path, tmp_path: Path, leave_at: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every epoch is saved, however long a save takes on a busy machine.
    monkeypatch.setattr("nnlab.training.loop.SAVE_SHARE", 1e9)
    folder = tmp_path / "broken"
    for _ in range(2):
        stream = stream_run(
            CONFIG, run_dir=folder, resume=True, view=open_view(quiet=True, stream=sys.stderr)
        )
        for event in stream:
            if isinstance(event, leave_at) and getattr(event, "step", 0) > 9:
                break
        stream.close()
    assert read_summary(folder).status == "pruned"
    resume(folder)
    assert last_bytes(folder) == last_bytes(finished)
    assert readings(folder) == readings(finished)


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_resume_of_a_longer_run_goes_on_from_the_end(tmp_path: Path, model: str) -> None:
    same: dict[str, Any] = {"schedule": "constant"}
    if model == "cnn":
        same |= {"data": {"kind": "digits", "limit": 100}}
        same |= {"model": {"kind": "cnn", "channels": [4], "norm": "batch", "dropout": 0.2}}
    run_tiny(tmp_path / "short", **same, train={"epochs": 3, "batch_size": 16})
    resume(tmp_path / "short", overrides=["train.epochs=6"])
    run_tiny(tmp_path / "long", **same)
    short, long = (last_bytes(tmp_path / name) for name in ("short", "long"))
    assert {k: v for k, v in short.items() if not k.startswith("window")} == {
        k: v for k, v in long.items() if not k.startswith("window")
    }


def test_resume_refuses_another_experiment(finished: Path) -> None:
    with pytest.raises(ConfigError, match=r"optimizer\.lr"):
        train(CONFIG, overrides=["optimizer.lr=0.5"], run_dir=finished, resume=True)


def test_a_used_folder_is_refused_without_resume(finished: Path) -> None:
    before = (finished / "summary.json").read_bytes()
    with pytest.raises(ConfigError, match="--resume"):
        run_tiny(finished)
    assert (finished / "summary.json").read_bytes() == before


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    with lock_folder(tmp_path / "run"), pytest.raises(ResourceError, match="in use"):
        run_tiny(tmp_path / "run")


def test_the_global_generator_and_threads_stay_as_they_were(tmp_path: Path) -> None:
    torch.manual_seed(5)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    for event in stream_run(
        CONFIG, run_dir=tmp_path / "r", view=open_view(quiet=True, stream=sys.stderr)
    ):
        assert torch.equal(torch.get_rng_state(), state), event
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_a_diverging_run_stops_keeps_its_last_sound_checkpoint_and_says_so(tmp_path: Path) -> None:
    summary = train(
        {"data": "diabetes", "model": "linear", "optimizer": {"kind": "sgd", "lr": 1e6}},
        run_dir=tmp_path / "run",
    )
    assert (summary.status, summary.exit_code) == ("diverged", 5)
    found = checkpoint.named_checkpoint(tmp_path / "run" / "checkpoints", "last")
    assert all(t.isfinite().all() for t in found.tensors.values() if t.is_floating_point())


def test_evaluation_equals_the_reading_of_the_best_step(finished: Path) -> None:
    best = read_summary(finished).best
    assert best is not None
    values = evaluate(finished, split="validation")
    assert values["loss"] == best["loss"]
    assert json.loads((finished / "eval" / "validation.json").read_text()) == values


def test_evaluation_refuses_a_split_that_there_is_not(finished: Path) -> None:
    with pytest.raises(ConfigError, match="--split oops"):
        evaluate(finished, split="oops")


def test_evaluation_refuses_data_that_have_changed(tmp_path: Path) -> None:
    run_tiny(tmp_path / "run")
    path = tmp_path / "run" / "config.yaml"
    path.write_text(path.read_text().replace("samples: 200", "samples: 300"))
    with pytest.raises((DataError, CheckpointError), match="data"):
        evaluate(tmp_path / "run")


def test_load_gives_the_best_network_in_evaluation_mode(finished: Path) -> None:
    network = load_network(finished)
    assert not network.training
    assert network(torch.zeros(3, 2)).shape == (3, 2)


def start(folder: Path, config: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "nnlab", "train", str(config), "--run-dir", str(folder), "--resume"],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip


def saved_step(folder: Path) -> int:
    try:
        return int((folder / "checkpoints" / "last").read_text().strip().removeprefix("step-"))
    except FileNotFoundError:
        return 0


def wait_for_a_save(folder: Path, process: "subprocess.Popen[str]") -> int:
    deadline = time.monotonic() + 300  # Of a start on a busy machine; it takes two seconds.
    while saved_step(folder) == 0:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return saved_step(folder)


SLOW = pytest.mark.slow
"""Each waits for a process of its own: up to twenty seconds on a busy machine."""


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGKILL,
        pytest.param(signal.SIGTERM, marks=SLOW),
        pytest.param(signal.SIGINT, marks=SLOW),
    ],
)
def test_a_killed_run_goes_on_from_its_last_checkpoint_to_the_same_weights(
    tmp_path: Path, number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "data: digits\nmodel: {kind: mlp, hidden: [32], dropout: 0.1}\ntrain: {epochs: 15}\n"
    config = tmp_path / "tiny.yaml"
    config.write_text(text)
    whole = train(config, run_dir=tmp_path / "whole")
    process = start(tmp_path / "killed", config)
    step = wait_for_a_save(tmp_path / "killed", process)
    process.send_signal(number)
    process.communicate(timeout=60)
    expected = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[number]
    # The run may have ended before the signal came.
    assert process.returncode in (expected, 0)
    if number != signal.SIGKILL and process.returncode:
        assert read_summary(tmp_path / "killed").status == "interrupted"
    # The process that died is another one; this one knows nothing of it but its folder.
    words = ["train", str(config), "--run-dir", str(tmp_path / "killed"), "--resume"]
    assert main(words) == 0
    assert "resumed at step" in capsys.readouterr().err
    assert saved_step(tmp_path / "killed") == whole.steps >= step > 0
    assert last_bytes(tmp_path / "killed") == last_bytes(tmp_path / "whole")
