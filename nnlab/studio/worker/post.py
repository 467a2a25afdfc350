"""What goes out of the worker: a thread writes it, so that training never waits for a reader."""

import os
import sys
from collections import deque
from collections.abc import Callable, Mapping
from threading import Condition, Thread
from typing import Any, Protocol, final

from nnlab.core.lazy import NDArray
from nnlab.studio.messages import LENGTH, pack_event, pack_frame

_PATIENCE = 5.0
"""Seconds that the end of the process waits for what has not been written yet."""


class Outlet(Protocol):
    """Where events and frames go."""

    def event(self, kind: str, **values: Any) -> None:
        """Tells what happened."""
        ...

    def frame(self, head: Mapping[str, Any], arrays: "Mapping[str, NDArray[Any]]") -> None:
        """Shows a moment; the arrays are copies."""
        ...


@final
class Post:
    """Writes messages: events in order, of frames the newest.

    A reader that is gone is no reason to end: training goes on, and stops softly where the
    worker's input ends.

    Args:
        write: writes some bytes and says how many, as `os.write` does.
    """

    def __init__(self, write: Callable[[memoryview], int]) -> None:
        self._write = write
        self._events: deque[bytes] = deque()
        self._frame: Callable[[], bytes] | None = None
        self._more = Condition()
        self._closing = False
        self._broken = False
        self.frames = 0
        """Frames that were written."""
        self._thread = Thread(target=self._work, name="nnlab-studio-post", daemon=True)
        self._thread.start()

    def event(self, kind: str, **values: Any) -> None:
        """Tells what happened. It becomes text here, before what it tells of changes."""
        message = pack_event({"kind": kind, **values})
        with self._more:
            self._events.append(message)
            self._more.notify()

    def frame(self, head: Mapping[str, Any], arrays: "Mapping[str, NDArray[Any]]") -> None:
        """Shows a moment, in place of one that has not been written yet.

        The arrays must be copies: they are packed by the writing thread.
        """
        with self._more:
            self._frame = lambda: pack_frame(head, arrays)
            self._more.notify()

    def close(self) -> None:
        """Waits until everything is written."""
        with self._more:
            self._closing = True
            self._more.notify()
        self._thread.join(_PATIENCE)

    def _work(self) -> None:
        while (message := self._next()) is not None:
            if not self._broken:
                self._broken = not self._sent(message)

    def _next(self) -> bytes | None:
        with self._more:
            while not (self._events or self._frame or self._closing):
                self._more.wait()
            if self._events:
                return self._events.popleft()
            make, self._frame = self._frame, None
        if make is None:
            return None
        self.frames += 1
        return make()

    def _sent(self, message: bytes) -> bool:
        try:
            for part in (LENGTH.pack(len(message)), message):
                view = memoryview(part)
                while view:
                    view = view[self._write(view) :]
        except OSError:
            return False
        return True


def open_post() -> Post:
    """The post on standard output, which nobody else writes to from now on.

    What prints goes to standard error: one line between two messages would break the stream.
    """
    sys.stdout.flush()
    own = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return Post(lambda view: os.write(own, view))
