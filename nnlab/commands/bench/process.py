"""A command in a process of its own: how long it took, and how much memory at most."""

import os
import subprocess
import sys
from collections.abc import Sequence
from tempfile import TemporaryFile
from time import perf_counter, time
from typing import NamedTuple


class Finished(NamedTuple):
    """A process that has ended.

    Attributes:
        code: its exit code; negative: the signal that ended it.
        started: unix time.
        seconds: from its start to its end.
        peak: greatest resident memory in bytes, of it or of one it waited for; None where the
            system does not say (Windows). The system counts from this process's own size on.
        out: its stdout.
        err: its stderr.
    """

    code: int
    started: float
    seconds: float
    peak: int | None
    out: str
    err: str

    @property
    def last_line(self) -> str:
        """Of what it said on stderr."""
        lines = [line.strip() for line in self.err.splitlines() if line.strip()]
        return lines[-1] if lines else "nothing was said"


def run_to_end(command: Sequence[str]) -> Finished:
    """Runs a command to its end; it ends with this process where that is stopped."""
    with TemporaryFile() as out, TemporaryFile() as err:
        began, started = perf_counter(), time()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        try:
            peak = _wait(child)
        except BaseException:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            raise
        seconds = perf_counter() - began
        texts: list[str] = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    return Finished(child.returncode, started, seconds, peak, *texts)


def _wait(child: "subprocess.Popen[bytes]") -> int | None:
    if not hasattr(os, "wait4"):
        child.wait()
        return None
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
