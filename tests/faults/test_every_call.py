"""Every n-th call to the system fails or is the last, of a short run and of its resume.

Whatever happens: no exit 1, no hang; and going on gives the weights, the record and TensorBoard's
values of the run to which nothing happened.
"""

import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from faults.injected import ENDED, FAULTS, HUNG, Fault, broken_at, in_a_process, nothing
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from nnlab.runs.folder import checkpoint
from nnlab.runs.folder.metrics import read_history
from nnlab.runs.folder.soundness import file_states
from nnlab.runs.folder.summary import read_summary
from nnlab.runs.saving import Saver

CONFIG = """
data: {kind: moons, samples: 40}
model: {kind: mlp, hidden: [2]}
train: {epochs: 3, batch_size: 20}
log: {checkpoints: 3}
"""
_GOES_ON = "training goes on without it"
"""Said once where TensorBoard's file cannot be written: it is not the record."""
TIMES = ("samples_per_second",)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults")
    (folder / "tiny.yaml").write_text(CONFIG)
    return folder


def words_of(place: Path, run: Path) -> list[str]:
    return ["train", str(place / "tiny.yaml"), "--run-dir", str(run), "--resume", "-q"]


@pytest.fixture(scope="module")
def whole(place: Path) -> Path:
    run = place / "whole"
    assert in_a_process(words_of(place, run), nothing, place / "log") == 0
    return run


def end_behind_a_save() -> None:
    save = Saver.save

    def saved(self: Saver, *, stays: bool = False) -> None:
        save(self, stays=stays)
        os._exit(ENDED)

    Saver.save = saved


@pytest.fixture(scope="module")
def cut(place: Path, whole: Path) -> Path:
    """A run that was ended behind a save in its middle: where each resume begins."""
    run, log = place / "cut", place / "log"

    assert in_a_process(words_of(place, run), end_behind_a_save, log) == ENDED
    assert 0 < checkpoint.named_checkpoint(run / "checkpoints", "last").step < 6
    return run


def numbers_of(run: Path) -> dict[str, Any]:
    record = [
        {k: v for k, v in r.items() if k not in TIMES} for r in read_history(run / "metrics.jsonl")
    ]
    board = EventAccumulator(str(run), size_guidance={"scalars": 0})
    board.Reload()
    tags: Any = board.Tags()["scalars"]
    shown = {t: [(e.step, e.value) for e in board.Scalars(t)] for t in tags if TIMES[0] not in t}
    return {"record": record, "board": shown}


def assert_equal_runs(run: Path, whole: Path, *, board: bool) -> None:
    assert read_summary(run).status == "completed"
    assert [s for s in file_states(run) if s.state != "sound"] == []
    ours, theirs = numbers_of(run), numbers_of(whole)
    assert ours["record"] == theirs["record"]
    if board:
        assert ours["board"] == theirs["board"]
    for name in ("last", "best", "init"):
        mine, other = (checkpoint.named_checkpoint(f / "checkpoints", name) for f in (run, whole))
        assert mine.step == other.step
        assert mine.tensors.keys() == other.tensors.keys()
        for key, tensor in other.tensors.items():
            assert mine.tensors[key].numpy().tobytes() == tensor.numpy().tobytes(), key
    assert checkpoint.kept_checkpoints(run / "checkpoints") == checkpoint.kept_checkpoints(
        whole / "checkpoints"
    )
    assert not list(run.rglob("*.tmp-*"))


def goes_through(
    place: Path, whole: Path, fault: Fault, *, begun: Path | None, stride: int, start: int
) -> int:
    """Breaks every stride-th call until a process ends before its call comes."""
    counted = place / "count"
    for done, n in enumerate(range(start, 2000, stride), start=1):
        run, log = place / f"{fault} {n}".replace(" ", "-"), place / f"log-{fault}-{n}"
        shutil.rmtree(run, ignore_errors=True)
        if begun is not None:
            shutil.copytree(begun, run)
        code = in_a_process(words_of(place, run), partial(broken_at, n, fault, counted), log)
        said = log.read_text()
        # 2 and 4: what could not be read was a config, or a file of the run.
        assert code in (0, ENDED, 2, 4, 6), (n, code, said)
        assert code != HUNG, (n, said)
        assert "Traceback" not in said, (n, said)
        if code == 0 and int(counted.read_text()) < n:
            shutil.rmtree(run)
            return done
        assert in_a_process(words_of(place, run), nothing, log) == 0, (n, log.read_text())
        try:
            assert_equal_runs(run, whole, board=_GOES_ON not in said)
        except BaseException as error:
            error.add_note(f"call {n}, {fault}: {log.read_text()}")
            raise
        shutil.rmtree(run)
    raise AssertionError("never got through")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("which", ["run", "resume"])
def test_some_calls(place: Path, whole: Path, cut: Path, fault: Fault, which: str) -> None:
    """A sample of the next test, another for each fault."""
    begun = cut if which == "resume" else None
    start = 1 + 3 * FAULTS.index(fault)
    assert goes_through(place, whole, fault, begun=begun, stride=97, start=start) > 1


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("which", ["run", "resume"])
def test_every_call(place: Path, whole: Path, cut: Path, fault: Fault, which: str) -> None:
    begun = cut if which == "resume" else None
    assert goes_through(place, whole, fault, begun=begun, stride=1, start=1) > 50
