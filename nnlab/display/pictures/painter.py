"""Hands what was collected to the process that draws, and takes the pictures back.

Matplotlib holds Python's lock while it draws: in a thread of the training process each picture
would stop the loop for a tenth of a second. So it has a process of its own, at low priority.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from queue import SimpleQueue
from threading import Thread
from typing import final

from nnlab.core.package import FOLDER
from nnlab.display.pictures.family import Arrays, Moment

PATIENCE = 60.0
"""Seconds that the end of a run waits for its last pictures."""


@final
class Painter:
    """Draws pictures beside a run.

    Args:
        deliver: gets each finished record of the event file, in order; called from a thread.
        warn: told once when drawing fails; called from the same thread.
    """

    def __init__(self, deliver: Callable[[bytes], None], warn: Callable[[str], None]) -> None:
        self._deliver = deliver
        self._warn = warn
        self._queue: SimpleQueue[tuple[str, Arrays, Moment] | None] = SimpleQueue()
        self._left = False
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = Thread(target=self._work, name="nnlab-pictures", daemon=True)
        self._thread.start()

    def paint(self, title: str, arrays: Arrays, moment: Moment) -> None:
        """Takes a picture; does not wait until it is drawn."""
        self._queue.put((title, arrays, moment))

    def close(self, *, at_once: bool = False) -> None:
        """Waits for the last pictures, or leaves them, and ends the process."""
        self._left = at_once
        self._queue.put(None)
        self._thread.join(0.0 if at_once else PATIENCE)
        if self._thread.is_alive() and self._process is not None:
            self._process.kill()
            self._thread.join()

    def _work(self) -> None:
        failed = False
        try:
            self._process = _start()
            while (item := self._queue.get()) is not None:
                if not failed and (why := self._one(*item)):
                    failed = True
                    self._warn(f"pictures: {item[0]} cannot be drawn, {why} (training goes on)")
        except (OSError, ValueError) as error:
            if not self._left:
                self._warn(f"pictures: the process that draws ended, {error} (training goes on)")
        finally:
            self._end()

    def _one(self, title: str, arrays: Arrays, moment: Moment) -> str:
        """Asks for one picture; why it cannot be drawn, else the empty word."""
        import numpy as np

        assert self._process is not None
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None
        assert answers is not None
        content = BytesIO()
        np.savez(content, **arrays)  # pyright: ignore[reportArgumentType]
        data = content.getvalue()
        head = {"title": title, **moment._asdict(), "size": len(data)}
        requests.write(json.dumps(head).encode() + b"\n" + data)
        requests.flush()
        answer = json.loads(answers.readline())
        if "error" in answer:
            return str(answer["error"])
        self._deliver(answers.read(answer["size"]))
        return ""

    def _end(self) -> None:
        process = self._process
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
        process.wait()


def _start() -> "subprocess.Popen[bytes]":
    """The process; it finds this very package, whatever folder it starts in."""
    home = str(FOLDER.parent)
    before = os.environ.get("PYTHONPATH")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([home, before] if before else [home]),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "nnlab.display.pictures.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
