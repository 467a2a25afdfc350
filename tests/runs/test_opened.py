"""`opened`: who asks for a run gets its session before the first update."""

import sys
from pathlib import Path
from typing import Any

import torch

from nnlab.core.events import Reading
from nnlab.display.open_view import open_view
from nnlab.runs.building.session import Session
from nnlab.runs.folder.summary import read_summary
from nnlab.runs.run import last_of, stream_run

CONFIG: dict[str, Any] = {
    "data": {"kind": "blobs", "samples": 100},
    "model": {"kind": "mlp", "hidden": [4]},
    "train": {"epochs": 3, "batch_size": 10},
}


def test_the_session_is_handed_over_built_and_untrained(tmp_path: Path) -> None:
    seen: list[tuple[int, str]] = []

    def opened(session: Session) -> None:
        status = read_summary(session.folder).status
        seen.append((session.progress.step, status))

    quiet = open_view(quiet=True, stream=sys.stderr)
    stream = stream_run(CONFIG, run_dir=tmp_path / "run", view=quiet, alone=True, opened=opened)
    assert last_of(stream).status == "completed"
    assert seen == [(0, "running")]


def test_who_has_the_session_can_stop_it_softly(tmp_path: Path) -> None:
    def opened(session: Session) -> None:
        session.built.trainer.stop("enough")

    quiet = open_view(quiet=True, stream=sys.stderr)
    stream = stream_run(CONFIG, run_dir=tmp_path / "run", view=quiet, alone=True, opened=opened)
    summary = last_of(stream)
    assert (summary.status, summary.why) == ("interrupted", "enough")


def test_torch_is_set_up_as_the_run_wants_it_while_it_is_handed_over(tmp_path: Path) -> None:
    before, threads = torch.get_num_threads(), list[int]()
    quiet = open_view(quiet=True, stream=sys.stderr)
    stream = stream_run(
        {**CONFIG, "train": {**CONFIG["train"], "threads": 1}},
        run_dir=tmp_path / "run",
        view=quiet,
        opened=lambda _: threads.append(torch.get_num_threads()),
    )
    assert any(isinstance(event, Reading) for event in stream)
    assert threads == [1]
    assert torch.get_num_threads() == before
