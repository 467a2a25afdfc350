"""The record of a run that was cut anywhere: every reading once, in the file and in TensorBoard."""

import json
import os
import sys
import threading
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from faults.injected import FORKS
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from nnlab.core.errors import CheckpointError
from nnlab.core.events import EpochEnd, Event, Reading
from nnlab.display.open_view import open_view
from nnlab.runs.folder import checkpoint
from nnlab.runs.folder.metrics import JsonLines, read_history
from nnlab.runs.run import resume, stream_run, train

CONFIG: dict[str, Any] = {
    "data": {"kind": "moons", "samples": 100},
    "model": {"kind": "mlp", "hidden": [4]},
    "train": {"epochs": 6, "batch_size": 20},
}
NOT_COMPARED = ("samples_per_second",)


def moments(folder: Path) -> list[tuple[int, str]]:
    return [(r["step"], r["split"]) for r in read_history(folder / "metrics.jsonl")]


def record_of(folder: Path) -> list[dict[str, Any]]:
    found = read_history(folder / "metrics.jsonl")
    return [{k: v for k, v in r.items() if k not in NOT_COMPARED} for r in found]


def board_of(folder: Path) -> dict[str, list[tuple[int, float]]]:
    board = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    board.Reload()
    found: Any = board.Tags()["scalars"]
    tags = [str(tag) for tag in found if "samples_per_second" not in str(tag)]
    return {tag: [(e.step, e.value) for e in board.Scalars(tag)] for tag in tags}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(CONFIG, run_dir=tmp_path_factory.mktemp("whole") / "run").run


class Cut(BaseException):
    """As a kill: what runs after it writes nothing more."""


@pytest.fixture
def slow_writer(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The writer thread writes a line only when it is let, or when it is waited for."""
    go, write = threading.Event(), JsonLines.write

    def slowly(self: JsonLines, reading: Reading) -> None:
        go.wait(0.05)
        write(self, reading)

    monkeypatch.setattr(JsonLines, "write", slowly)
    yield go
    go.set()


def events_of(folder: Path) -> Generator[Event, None, object]:
    view = open_view(quiet=True, stream=sys.stderr)
    return stream_run(CONFIG, run_dir=folder, resume=True, view=view)


@pytest.mark.usefixtures("slow_writer")
class TestBest:
    """A `best` that is not `last` is a checkpoint like any other."""

    @pytest.fixture
    def cut(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr("nnlab.training.loop.SAVE_SHARE", 0.0)
        stream = events_of(tmp_path / "run")
        for event in stream:
            if isinstance(event, EpochEnd) and event.epoch == 3:
                break
        stream.close()
        return tmp_path / "run"

    def test_knows_how_long_the_record_was(self, cut: Path, whole: Path) -> None:
        best = checkpoint.named_checkpoint(cut / "checkpoints", "best")
        kept = (cut / "metrics.jsonl").read_bytes()[: best.state["metrics_bytes"]]
        lines = [json.loads(line) for line in kept.splitlines()]
        expected = [r for r in moments(whole) if r[0] <= best.step]
        assert best.step > 0
        assert [(line["step"], line["split"]) for line in lines] == expected

    def test_goes_on_to_the_same_end(self, cut: Path, whole: Path) -> None:
        folder = cut / "checkpoints"
        checkpoint.point_to(folder, "last", checkpoint.named_checkpoint(folder, "best").path.name)
        resume(cut)
        assert record_of(cut) == record_of(whole)
        assert board_of(cut) == board_of(whole)
        ours, theirs = (
            checkpoint.named_checkpoint(f / "checkpoints", "last").tensors for f in (cut, whole)
        )
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def _train_and_end_behind(name: str, nth: int, folder: Path) -> None:
    """A process of its own: what dies with it is only what dies with a kill."""
    from nnlab.runs.saving import Saver

    count, method = 0, getattr(Saver, name)

    def ending(self: Saver, *args: Any, **kwargs: Any) -> None:
        nonlocal count
        method(self, *args, **kwargs)
        count += 1
        if count == nth:
            os._exit(9)

    setattr(Saver, name, ending)
    train(CONFIG, run_dir=folder)


@pytest.mark.parametrize("name", ["initial", "save", "save_best", "keep_best"])
@pytest.mark.parametrize("nth", [1, 2])
def test_a_run_that_is_cut_around_a_save_has_every_reading_once(
    tmp_path: Path, whole: Path, name: str, nth: int
) -> None:
    folder = tmp_path / "run"
    child = FORKS.Process(target=_train_and_end_behind, args=(name, nth, folder))
    child.start()
    child.join(60)
    assert child.exitcode in (0, 9)
    train(CONFIG, run_dir=folder, resume=True)
    assert max(Counter(moments(folder)).values()) == 1
    assert record_of(folder) == record_of(whole)
    assert board_of(folder) == board_of(whole)


def test_a_record_that_was_changed_is_not_continued(tmp_path: Path) -> None:
    run = train(CONFIG, run_dir=tmp_path / "run").run
    data = (run / "metrics.jsonl").read_bytes()
    for changed in (data.replace(b"0.", b"1.", 1), data[:-200]):
        (run / "metrics.jsonl").write_bytes(changed)
        with pytest.raises(CheckpointError, match=r"metrics\.jsonl: .*remove it to go on without"):
            resume(run, overrides=["train.epochs=7"])
        assert (run / "metrics.jsonl").read_bytes() == changed
    (run / "metrics.jsonl").unlink()
    resume(run, overrides=["train.epochs=7"])
    assert min(moments(run))[0] == 25
