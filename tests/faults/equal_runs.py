"""Two runs of one config, one of which was broken and went on: the same to the last bit."""

from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from nnlab.runs.folder import checkpoint
from nnlab.runs.folder.metrics import read_history
from nnlab.runs.folder.soundness import file_states
from nnlab.runs.folder.summary import read_summary

TIMES = ("samples_per_second",)


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
