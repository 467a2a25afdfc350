import json
import math
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlab.core.contracts import Split
from nnlab.core.errors import CheckpointError, ResourceError
from nnlab.core.events import Reading
from nnlab.runs.folder.metrics import JsonLines, Sinks, read_history
from nnlab.training.probes.readings import float32, tag_of


def reading(step: int, split: Split = "train", **values: float) -> Reading:
    return Reading(step, step / 3, split, values or {"loss": 1 / (step + 1)})


def not_json(constant: str) -> None:
    pytest.fail(f"{constant} is no JSON")


@pytest.mark.parametrize("value", [0.1, 1e-45, 1e-50, 1e300, -1e39, math.pi, -0.0, 16777217.0])
def test_rounds_as_numpy_does(value: float) -> None:
    with np.errstate(over="ignore"):
        expected = float(np.float32(value))
    assert float32(value) == expected
    assert math.copysign(1, float32(value)) == math.copysign(1, expected)


def test_tags_are_those_of_the_design() -> None:
    keys = ["loss", "penalty", "learning_rate", "samples_per_second", "grad_norm/total"]
    assert [tag_of(key, "train") for key in keys] == [
        "loss/train",
        "penalty/train",
        "learning_rate",
        "speed/samples_per_second",
        "grad_norm/total",
    ]
    assert tag_of("accuracy", "validation") == "accuracy/validation"


def test_lines_are_strict_json_in_float32(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with Sinks([JsonLines(path, length=None)], pytest.fail) as sinks:
        sinks.write(reading(1, loss=0.1, accuracy=math.nan, other=math.inf, huge=1e39))
        sinks.write(reading(2, "validation"))
    first, second = path.read_text().splitlines()
    assert json.loads(first, parse_constant=not_json) == {
        "step": 1,
        "epoch": 1 / 3,
        "split": "train",
        "loss": float(np.float32(0.1)),
        "accuracy": None,
        "other": None,
        "huge": None,
    }
    assert json.loads(second)["split"] == "validation"
    assert [entry["step"] for entry in read_history(path)] == [1, 2]


def test_reads_past_a_torn_last_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    whole = [{"step": step, "epoch": 0.5, "split": "train", "loss": 0.1} for step in (1, 2)]
    path.write_text("".join(json.dumps(r) + "\n" for r in whole) + '{"step": 3, "lo')
    assert read_history(path) == whole


def test_refuses_a_damaged_line_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    line = json.dumps({"step": 1, "epoch": 0.5, "split": "train"})
    path.write_text(f'{line}\n{{"st\n{line}\n')
    with pytest.raises(CheckpointError, match="line 2"):
        read_history(path)


def test_resumes_where_the_checkpoint_stood(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = JsonLines(path, length=None)
    with Sinks([lines], pytest.fail) as sinks:
        sinks.write(reading(1))
        sinks.flush()
        length = lines.length
        assert length == path.stat().st_size
        sinks.write(reading(2, loss=5.0))
    with Sinks([JsonLines(path, length=length)], pytest.fail) as sinks:
        sinks.write(reading(2, loss=6.0))
        sinks.write(reading(3))
    assert [(entry["step"], entry["loss"]) for entry in read_history(path)] == [
        (1, 0.5),
        (2, 6.0),
        (3, 0.25),
    ]


def test_resumes_where_readings_were_lost(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"st')
    lines = JsonLines(path, length=100)
    lines.close()
    assert path.read_text() == '{"step": 1}\n'
    assert (lines.length, lines.lost) == (12, 84)


def test_starting_anew_empties_the_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("old\n")
    JsonLines(path, length=None).close()
    assert path.read_text() == ""


def fill_disk(patch: pytest.MonkeyPatch, *, after: int) -> None:
    """The disk takes so many bytes more, the last of them of half a line."""
    original = os.write
    room = after

    def write(handle: int, data: Any) -> int:
        nonlocal room
        if room == 0:
            raise OSError(28, "No space left on device")
        written = original(handle, data[:room])
        room -= written
        return written

    patch.setattr(os, "write", write)


def test_a_full_disk_leaves_whole_lines_and_stops_training(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    sinks = Sinks([JsonLines(path, length=None)], pytest.fail)
    sinks.write(reading(1))
    sinks.flush()
    with pytest.MonkeyPatch.context() as patch:
        fill_disk(patch, after=20)
        sinks.write(reading(2))
        with pytest.raises(ResourceError, match=r"metrics\.jsonl: no space left on device"):
            sinks.flush()
    with pytest.raises(ResourceError):
        sinks.write(reading(3))
    with pytest.raises(ResourceError):
        sinks.close()
    assert [entry["step"] for entry in read_history(path)] == [1]
    assert path.read_bytes().endswith(b"\n")


def test_a_path_that_cannot_be_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match="file"):
        JsonLines(tmp_path / "file" / "metrics.jsonl", length=None)


class Probe:
    """A sink that does as told."""

    def __init__(self, act: Callable[[], object], *, needed: bool) -> None:
        self.act, self.needed = act, needed
        self.calls = 0
        self.threads: set[int] = set()

    def write(self, reading: Reading) -> None:
        self.calls += 1
        self.threads.add(threading.get_ident())
        self.act()

    def flush(self) -> None: ...

    def close(self) -> None: ...


def fail() -> None:
    raise OSError(28, "No space left on device")


def test_warns_once_of_a_sink_that_is_not_needed_and_goes_on() -> None:
    broken, good = Probe(fail, needed=False), Probe(int, needed=True)
    said: list[str] = []
    with Sinks([broken, good], said.append) as sinks:
        for step in range(5):
            sinks.write(reading(step))
    assert (broken.calls, good.calls, len(said)) == (1, 5, 1)
    assert "training goes on" in said[0]


def test_a_bug_in_any_sink_is_raised() -> None:
    sinks = Sinks([Probe(lambda: 1 / 0, needed=False)], pytest.fail)
    sinks.write(reading(1))
    with pytest.raises(ZeroDivisionError):
        sinks.close()


def test_the_loop_never_waits_for_a_slow_disk() -> None:
    gate = threading.Event()
    slow = Probe(gate.wait, needed=True)
    with Sinks([slow], pytest.fail) as sinks:
        for step in range(1000):
            sinks.write(reading(step))
        assert slow.calls <= 1
        gate.set()
        sinks.flush()
        assert slow.calls == 1000
    assert slow.threads.isdisjoint({threading.get_ident()})


def test_an_error_within_is_not_hidden_by_one_of_a_sink() -> None:
    def train() -> None:
        with Sinks([Probe(fail, needed=True)], pytest.fail) as sinks:
            sinks.write(reading(1))
            raise KeyError("the cause")

    with pytest.raises(KeyError, match="the cause"):
        train()


def test_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    with Sinks([], pytest.fail) as sinks:
        sinks.flush()
    sinks.close()
    assert threading.active_count() == before
