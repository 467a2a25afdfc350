"""The processes that train: forked where that can be, else one in reserve."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from nnlab.studio.server.workers import forked
from nnlab.studio.server.workers.process import WorkerProcess
from nnlab.studio.server.workers.spare import Spare


def test_a_worker_in_reserve_is_taken_and_another_follows() -> None:
    async def look() -> tuple[int, WorkerProcess, int]:
        spare = Spare(threads=1, delay=0.0)
        spare.prepare()
        while not spare.ready:
            await asyncio.sleep(0.01)
        taken = await spare.take()
        heard = asyncio.create_task(taken.hear(lambda _: None))
        taken.kill()
        while not spare.ready:
            await asyncio.sleep(0.01)
        other = await spare.take()
        await spare.close()
        other.kill()
        await other.hear(lambda _: None)
        return await heard, taken, other.pid

    code, taken, other = asyncio.run(asyncio.wait_for(look(), 120))
    assert code == -signal.SIGKILL
    assert not taken.alive
    assert other != taken.pid


def test_who_trains_before_one_is_in_reserve_does_not_start_two() -> None:
    async def look() -> tuple[bool, bool]:
        spare = Spare(threads=1, delay=30.0, first=0.2)
        spare.prepare()
        before = spare.ready
        taken = await spare.take()
        await asyncio.sleep(0.6)
        second = spare.ready
        taken.kill()
        await taken.hear(lambda _: None)
        await spare.close()
        return before, second

    assert asyncio.run(asyncio.wait_for(look(), 60)) == (False, False)


@pytest.mark.parametrize(
    ("device", "driver", "forks"),
    [("cpu", True, True), ("auto", True, False), ("auto", False, True), ("cuda", False, False)],
)
def test_only_what_trains_on_the_processor_is_forked(
    device: str, driver: bool, forks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Path(os.devnull) if driver else tmp_path / "none"
    monkeypatch.setattr(forked, "_ACCELERATORS", (tmp_path / "nothing", there))
    assert forked.can_fork(device) is (forks and sys.platform == "linux")
