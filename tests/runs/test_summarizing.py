"""What a run says at its end is what it has read, under the right name."""

import io
import signal
from pathlib import Path
from typing import Any

import pytest

from nnlab.api import stream
from nnlab.core.errors import ConfigError
from nnlab.core.events import Reading, Stopped
from nnlab.display.open_view import open_view
from nnlab.runs.finished.evaluate import evaluate
from nnlab.runs.folder import checkpoint, listing
from nnlab.runs.folder.summary import Summary
from nnlab.runs.run import resume, train
from nnlab.training.loop import Trainer
from nnlab.training.progress import Progress

CONFIG: dict[str, Any] = {
    "name": "tiny",
    "data": {"kind": "moons", "samples": 200},
    "model": {"kind": "mlp", "hidden": [8]},
    "train": {"epochs": 3, "batch_size": 16},
}


def trained(folder: Path, *overrides: str, **sections: Any) -> tuple[Summary, list[str]]:
    """The summary and the lines that a person saw."""
    stream = io.StringIO()
    view = open_view(quiet=False, stream=stream)
    summary = train({**CONFIG, **sections}, overrides=overrides, run_dir=folder, view=view)
    return summary, stream.getvalue().splitlines()


def row(lines: list[str], name: str) -> list[str]:
    """The cells of a row of the last table."""
    (found,) = [line for line in lines if line.startswith(name) and "examples" not in line]
    return found.split()[-2:]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Summary, list[str]]:
    folder = tmp_path_factory.mktemp("summary") / "tiny" / "1"
    return trained(folder, "train.monitor=loss/train")


class TestMonitorOfTraining:
    def test_validation_in_the_last_table_is_validation(
        self, watched: tuple[Summary, list[str]]
    ) -> None:
        summary, lines = watched
        last = summary.last["validation"]
        assert row(lines, "validation")[0] == f"{last['loss']:#.4g}"

    def test_validation_in_the_list_of_runs_is_validation(
        self, watched: tuple[Summary, list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        summary = watched[0]
        monkeypatch.setenv("NNLAB_RUNS", str(summary.run.parent.parent))
        (found,) = listing.list_runs()
        assert found.scores["loss"] == summary.last["validation"]["loss"]

    def test_the_summary_says_of_which_split_the_best_is(
        self, watched: tuple[Summary, list[str]]
    ) -> None:
        best = watched[0].best
        assert best is not None
        assert best["split"] == "train"
        values = {r["step"]: r["loss"] for r in watched[0].history if r["split"] == "train"}
        assert best["loss"] == pytest.approx(min(values.values()), rel=1e-6)  # a float32 there


def read(**sections: Any) -> list[Reading]:
    """The readings of training at the ends of epochs."""
    found = [e for e in stream({**CONFIG, **sections}) if isinstance(e, Reading)]
    return [e for e in found if e.split == "train" and e.step and e.epoch.is_integer()]


class TestTheMeanOverAnEpoch:
    @pytest.mark.parametrize(
        ("data", "scores"),
        [
            ({"kind": "moons", "samples": 200}, ["accuracy", "f1"]),
            ({"kind": "function", "samples": 200}, ["r2", "rmse"]),
        ],
    )
    def test_is_what_one_window_over_all_of_it_reads(
        self, data: dict[str, Any], scores: list[str], tmp_path: Path, monkeypatch: Any
    ) -> None:
        monkeypatch.setenv("NNLAB_RUNS", str(tmp_path))
        # A batch of its own size at the end of each epoch; windows of two batches.
        config = {"data": data, "scores": scores, "regularize": {"l2": 0.01}}
        often = read(**config, log={"every": "2 steps"})
        once = read(**config, log={"every": 1})
        assert len(often) == 3
        for over, whole in zip(often, once, strict=True):
            assert set(over.epoch_means) >= {"loss", "penalty", scores[0]}
            assert len(over.epoch_means) == 4
            for key, value in over.epoch_means.items():
                assert value == pytest.approx(whole.values[key], rel=1e-9)
            assert over.values["loss"] != over.epoch_means["loss"]

    def test_stands_in_the_lines_and_the_table(self, tmp_path: Path) -> None:
        summary, lines = trained(tmp_path / "run", "log.every=1 steps")
        losses = [r["loss"] for r in summary.history if r["split"] == "train" and r["epoch"] > 2]
        last = evaluate(summary.run, split="train")["samples"] - 16 * (len(losses) - 1)
        sizes = [16] * (len(losses) - 1) + [last]
        mean = sum(x * n for x, n in zip(losses, sizes, strict=True)) / sum(sizes)
        assert row(lines, "train (mean of epoch 3)")[0] == f"{mean:#.4g}"
        (line,) = [line for line in lines if line.startswith("epoch 3/3")]
        assert f"loss {mean:#.4g} (val " in line

    def test_goes_on_after_a_stop_within_an_epoch(self, tmp_path: Path) -> None:
        folder = tmp_path / "run"
        _, lines = trained(folder, "train.epochs=null", "train.steps=13", "log.every=1 steps")
        assert row(lines, "train (mean of epoch 2 so far)")
        assert row(lines, "validation (after epoch 1.44)")
        resumed = resume(folder, overrides=["train.steps=18"])
        whole, expected = trained(tmp_path / "whole", "train.epochs=2", "log.every=1 steps")
        state = [
            checkpoint.named_checkpoint(run.run / "checkpoints", "last").state["progress"][
                "epoch_means"
            ]
            for run in (resumed, whole)
        ]
        assert state[0] == pytest.approx(state[1], rel=1e-6)
        assert row(expected, "train (mean of epoch 2)")[0] == f"{state[0]['loss']:#.4g}"

    def test_mistakes_of_a_perceptron_add_up(self, tmp_path: Path, monkeypatch: Any) -> None:
        monkeypatch.setenv("NNLAB_RUNS", str(tmp_path))
        ends = read(model="linear", rule="perceptron", log={"every": "1 steps"})
        assert sum(e.epoch_means["mistakes"] for e in ends) == ends[-1].values["mistakes/total"]


def test_without_a_test_split_the_next_command_names_one_that_is_there(tmp_path: Path) -> None:
    data = {"kind": "moons", "samples": 200, "test": "none"}
    summary, lines = trained(tmp_path / "run", data=data)
    assert f"nnlab eval {summary.run} --split validation" in [line[6:] for line in lines]
    with pytest.raises(ConfigError, match=r"has no test split, only .*\(use --split validation\)"):
        evaluate(summary.run)


def test_a_run_that_was_stopped_names_what_goes_on_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop_once(self: Trainer, progress: Progress) -> Stopped | None:
        if progress.step == 18:
            signal.raise_signal(signal.SIGINT)
        return ended(self, progress)

    ended = Trainer.ended
    monkeypatch.setattr(Trainer, "ended", stop_once)
    summary, lines = trained(tmp_path / "run")
    at = lines.index(f"next  nnlab resume {summary.run}")
    assert lines[at + 1] == f"      nnlab eval {summary.run}"
    monkeypatch.undo()
    assert resume(summary.run).steps > summary.steps == 18
    _, whole = trained(tmp_path / "whole")
    assert not any("nnlab resume" in line for line in whole)
