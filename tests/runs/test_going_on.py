"""Runs that are cut short, fail, or are asked to go on: what stays behind is true."""

import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nnlab.core.errors import CheckpointError, ConfigError, DataError
from nnlab.core.events import SaveDue
from nnlab.display.open_view import open_view
from nnlab.display.views import View
from nnlab.runs.finished.evaluate import evaluate
from nnlab.runs.folder import checkpoint
from nnlab.runs.folder.folder import read_env
from nnlab.runs.folder.summary import read_summary
from nnlab.runs.run import resume, stream_run, train

CONFIG: dict[str, Any] = {
    "name": "tiny",
    "data": {"kind": "moons", "samples": 100},
    "model": {"kind": "mlp", "hidden": [4]},
    "train": {"epochs": 4, "batch_size": "full"},
}


def quiet() -> View:
    return open_view(quiet=True, stream=sys.stderr)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return train(CONFIG, run_dir=tmp_path / "run").run


@pytest.fixture
def rarely_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    """No save between the first and the last."""
    monkeypatch.setattr("nnlab.training.loop.SAVE_SHARE", 0.0)


def test_a_checkpoint_of_another_version_is_refused_in_words(run: Path) -> None:
    folder = run / "checkpoints"
    found = checkpoint.named_checkpoint(folder, "last")
    tensors = {k: v for k, v in found.tensors.items() if k != "window/epoch"}
    path = checkpoint.save_checkpoint(
        folder, step=found.step + 1, tensors=tensors, state=found.state
    )
    checkpoint.point_to(folder, "last", path.name)
    with pytest.raises(CheckpointError, match=r"has no window/epoch, another version of nnlab"):
        resume(run, overrides=["train.epochs=9"])
    assert evaluate(run)["samples"] > 0


def test_what_a_kill_left_of_a_checkpoint_goes_also_where_nothing_is_left_to_do(run: Path) -> None:
    half = run / "checkpoints" / "step-00000001.tmp-99"
    half.mkdir()
    (half / "state.json").write_text("{")
    assert resume(run).status == "completed"
    assert not half.exists()


@pytest.mark.usefixtures("rarely_saved")
class TestBestWeights:
    def test_of_a_diverged_run_are_those_of_its_summary(self, tmp_path: Path) -> None:
        config = {
            "data": {"kind": "function", "formula": "sine"},
            "model": "linear",
            "optimizer": {"kind": "sgd", "lr": 3.0},
            "schedule": {"kind": "constant", "warmup": "400 steps"},
            "train": {"epochs": 600, "batch_size": "full"},
        }
        summary = train(config, run_dir=tmp_path / "run")
        assert summary.status == "diverged"
        assert summary.best is not None
        assert summary.best["step"] > 0
        found = checkpoint.named_checkpoint(tmp_path / "run" / "checkpoints", "best")
        assert found.step == summary.best["step"]
        assert evaluate(summary.run, split="validation")["loss"] == summary.best["loss"]

    def test_of_a_run_that_an_error_ends_are_those_of_its_summary(self, tmp_path: Path) -> None:
        stream = stream_run(CONFIG, run_dir=tmp_path / "run", view=quiet())
        for event in stream:
            if getattr(event, "epoch", 0) == 3:
                break
        stream.close()
        summary = read_summary(tmp_path / "run")
        assert summary.best is not None
        found = checkpoint.named_checkpoint(tmp_path / "run" / "checkpoints", "best")
        assert found.step == summary.best["step"] > 0

    def test_of_steps_that_a_resume_takes_back_are_not_best_any_more(self, tmp_path: Path) -> None:
        stream = stream_run(CONFIG, run_dir=tmp_path / "run", view=quiet())
        for event in stream:
            if getattr(event, "epoch", 0) == 3:
                break
        stream.close()
        again = stream_run(CONFIG, run_dir=tmp_path / "run", resume=True, view=quiet())
        next(again)
        assert checkpoint.named_checkpoint(tmp_path / "run" / "checkpoints", "last").step == 1
        assert checkpoint.named_checkpoint(tmp_path / "run" / "checkpoints", "best").step == 1
        again.close()


class TestResume:
    def test_to_fewer_steps_than_were_made_is_refused(self, run: Path) -> None:
        before = (run / "config.yaml").read_text()
        with pytest.raises(ConfigError, match=r"for 4 steps .* cannot end at step 2"):
            resume(run, overrides=["train.epochs=2"])
        assert (run / "config.yaml").read_text() == before
        assert read_summary(run).status == "completed"

    def test_of_a_finished_run_says_that_nothing_is_left(
        self, run: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert resume(run).status == "completed"
        assert "nothing left to do: completed (4 steps)" in capsys.readouterr().err

    def test_of_an_early_stopped_run_to_more_epochs_says_so_and_keeps_its_config(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        slow = {"optimizer": {"kind": "sgd", "lr": 1e-9}}
        stopping = {"epochs": 50, "batch_size": "full", "early_stopping": {"patience": 1,
                    "min_delta": 1.0}}  # fmt: skip
        run = train({**CONFIG, **slow, "train": stopping}, run_dir=tmp_path / "run").run
        resume(run, overrides=["train.epochs=200"])
        assert "a longer train.early_stopping.patience" in capsys.readouterr().err
        assert "epochs: 50" in (run / "config.yaml").read_text()

    def test_to_another_length_tells_how_the_learning_rate_jumps(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        optimizer = {"kind": "sgd", "lr": 0.1}
        run = train({**CONFIG, "schedule": "cosine", "optimizer": optimizer},
                    run_dir=tmp_path / "run").run  # fmt: skip
        resume(run, overrides=["train.epochs=8"])
        # Half way down the cosine of eight epochs, from the end of that of four.
        assert "the learning rate jumps from 0 to 0.05" in capsys.readouterr().err

    def test_keeps_when_and_how_the_run_began(self, run: Path) -> None:
        first = read_env(run)
        resume(run, overrides=["train.epochs=5"])
        resume(run, overrides=["train.epochs=6"])
        env = read_env(run)
        assert (env["started"], env["command"]) == (first["started"], first["command"])
        assert [set(entry) for entry in env["resumed"]] == [{"started", "command"}] * 2


class TestFailedStart:
    @pytest.mark.parametrize("folder", [None, "there"])
    def test_leaves_no_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str | None
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("NNLAB_RUNS", "runs")
        inputs = np.array([[1.0, 2.0], [np.inf, 1.0]] * 20, np.float32)  # told while loading
        np.savez(tmp_path / "bad.npz", inputs=inputs, targets=np.arange(40) % 2)
        config = {**CONFIG, "data": {"kind": "npz", "path": str(tmp_path / "bad.npz")}}
        with pytest.raises(DataError, match="not finite"):
            train(config, run_dir=None if folder is None else tmp_path / folder)
        assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] in (
            ["bad.npz"], ["bad.npz", "runs"], ["runs", "bad.npz"]
        )  # fmt: skip


def test_the_summary_tells_the_scores_of_a_run_in_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nnlab.training.loop.SAVE_SHARE", 1e9)
    stream = stream_run(CONFIG, run_dir=tmp_path / "run", view=quiet())
    saves = 0
    for event in stream:
        if isinstance(event, SaveDue):
            saves += 1
            if saves == 2:
                break
    summary = read_summary(tmp_path / "run")
    assert (summary.status, summary.steps) == ("running", 2)
    assert summary.best is not None
    stream.close()


def test_a_run_that_a_pruner_stops_is_pruned_and_goes_on_to_the_same_end(tmp_path: Path) -> None:
    """By `break`, or by what a study raises in the loop."""

    class TrialPruned(Exception):  # noqa: N818
        """As optuna.TrialPruned, which need not be installed."""

    def until_step_two(folder: Path, error: BaseException | None) -> None:
        for event in stream_run(CONFIG, run_dir=folder, view=quiet()):
            if getattr(event, "step", 0) == 2:
                if error is not None:
                    raise error
                break

    whole = train(CONFIG, run_dir=tmp_path / "whole")
    for name, error in {"break": None, "raise": TrialPruned()}.items():
        folder = tmp_path / name
        with suppress(TrialPruned):
            until_step_two(folder, error)
        summary = read_summary(folder)
        assert summary.status == "pruned", name
        assert summary.exit_code == 0
        assert resume(folder).status == "completed"
        ours, theirs = (
            checkpoint.named_checkpoint(f / "checkpoints", "last").tensors
            for f in (folder, whole.run)
        )
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_a_stream_that_waits_leaves_signals_threads_and_generator_alone(tmp_path: Path) -> None:
    handler, threads = signal.getsignal(signal.SIGINT), torch.get_num_threads()
    state = torch.get_rng_state()
    wanted = threads + 1
    stream = stream_run(CONFIG, overrides=[f"train.threads={wanted}"], run_dir=tmp_path / "run",
                        view=quiet())  # fmt: skip
    for event in stream:
        assert signal.getsignal(signal.SIGINT) is handler, event
        assert torch.get_num_threads() == threads, event
        assert torch.equal(torch.get_rng_state(), state), event
