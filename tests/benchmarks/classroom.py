"""Thirty sessions of a classroom at once: all train; what it takes of memory and processor.

    .venv/bin/python tests/benchmarks/classroom.py [SESSIONS] [SECONDS]

Each session is a socket that takes twenty frames a second and paints nothing: the browsers of a
class are on other machines. Figures, no gates.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

sys.path.insert(0, str(Path(__file__).parents[1]))
from studio_serving import Served, served

CONFIG = """\
data: {kind: spirals, samples: 500}
model: {kind: mlp, hidden: [8, 8], activation: tanh}
optimizer: {kind: sgd, lr: 0.03}
train: {epochs: 1000000, batch_size: 10, compile: off}
"""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Student:
    """One session, as its tab sees it."""

    socket: ClientConnection
    step: int = 0
    frames: int = 0
    run: str = ""
    error: str = ""
    ready: float = 0.0
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    hearing: "asyncio.Task[None] | None" = None

    async def send(self, do: str, **values: Any) -> None:
        await self.socket.send(json.dumps({"do": do, **values}))

    async def hear(self) -> None:
        async for message in self.socket:
            if isinstance(message, bytes):
                head = json.loads(message[8 : 8 + int.from_bytes(message[:4], "little")])
                self.step, self.frames = head["step"], self.frames + 1
                self.begun.set()
                await self.send("painted")
                continue
            for event in json.loads(message):
                if event["kind"] == "scene":
                    self.run = event["run"]
                elif event["kind"] in ("error", "died"):
                    self.error = str(event)
                    self.begun.set()


def processes(root: int) -> list[int]:
    """A process and all that it has started, straight or not."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                words = (path / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(words[1]), []).append(int(path.name))
    found = [root]
    for pid in found:
        found += parents.get(pid, [])
    return found


def memory(pids: list[int], kind: str = "Pss") -> float:
    """MB of their own and their share of what several have (PSS).

    Args:
        pids: of the processes.
        kind: Pss_Anon leaves out files, whose share hangs on who else has them open.
    """
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(f"{kind}:"):
                total += int(line.split()[1])
    return total / 1024


def processor(pids: list[int]) -> float:
    """Seconds of processor time."""
    total = 0
    for pid in pids:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(words[11]) + int(words[12])
    return total / TICKS


async def attend(server: Served, number: int) -> Student:
    """Comes in, and begins to train."""
    seat = server.at(number)
    page: Any = f"http://{server.host}"
    socket = await connect(f"ws://{server.host}/socket", origin=page, max_size=None)
    student, began = Student(socket), perf_counter()
    await student.send("hello", token=seat.token)
    await student.send("watch", pictures=["decision boundary"])
    await student.send("begin", playing=True)
    student.hearing = asyncio.create_task(student.hear())
    await student.begun.wait()
    student.ready = perf_counter() - began
    return student


async def measure(server: Served, count: int, seconds: float) -> None:
    """Prints what the sessions did, and what it took."""
    alone = memory(processes(server.process.pid))
    began = perf_counter()
    students = await asyncio.gather(*(attend(server, n) for n in range(1, count + 1)))
    all_in = perf_counter() - began
    await asyncio.sleep(3.0)
    pids = processes(server.process.pid)
    before = [(student.step, student.frames) for student in students]
    spent, began = processor(pids), perf_counter()
    await asyncio.sleep(seconds)
    passed, spent = perf_counter() - began, processor(pids) - spent
    updates = [(s.step - b[0]) / passed for s, b in zip(students, before, strict=True)]
    frames = [(s.frames - b[1]) / passed for s, b in zip(students, before, strict=True)]
    homes = {Path(student.run).relative_to(server.runs / "class").parts[0] for student in students}
    lines = [
        f"{count} sessions, {sum(rate > 0 for rate in updates)} train, in {len(homes)} folders, "
        f"errors: {[s.error for s in students if s.error]}",
        f"all begun after {all_in:.1f} s (the first after {min(s.ready for s in students):.1f} s)",
        f"updates/s of a session: least {min(updates):.0f}, median "
        f"{statistics.median(updates):.0f}, most {max(updates):.0f}; together {sum(updates):,.0f}",
        f"frames/s of a session: least {min(frames):.1f}, median {statistics.median(frames):.1f}",
        f"memory (PSS) of all {len(pids)} processes: {memory(pids):,.0f} MB, before anybody came "
        f"{alone:,.0f} MB; of the server alone {memory([server.process.pid]):,.0f} MB",
        f"processor: {spent / passed:.2f} of {os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}",
    ]
    print("\n".join(lines), flush=True)  # noqa: T201
    for student in students:
        await student.socket.close()


def main(count: int, seconds: float) -> None:
    """Serves a class, and measures it."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(CONFIG)
        with served(Path(folder) / "runs", str(config), "--class", str(count)) as server:
            asyncio.run(measure(server, count, seconds))


if __name__ == "__main__":
    main(*(int(word) for word in (sys.argv[1:] + ["30", "20"][len(sys.argv) - 1 :])[:2]))
