"""Sinks: where readings go. One thread writes them, so that the loop never waits for a disk.

A new place for numbers to go is a class with `write`, `flush` and `close`, handed to `Sinks`.
"""

import json
import math
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from types import TracebackType
from typing import Any, Protocol, Self, final

from nnlab.core import files
from nnlab.core.contracts import Reading
from nnlab.core.errors import NnlabError
from nnlab.training.probes.readings import float32

_WHEN = ("step", "epoch", "split")


class Sink(Protocol):
    """A place for readings. Only the writer thread calls it."""

    @property
    def needed(self) -> bool:
        """Whether training must stop when it fails; else a warning is given and it gets no more."""
        ...

    def write(self, reading: Reading) -> None:
        """Puts one reading where a reader can see it."""
        ...

    def flush(self) -> None:
        """Waits until everything written would survive a crash of the machine."""
        ...

    def close(self) -> None:
        """Writes what is left."""
        ...


@final
class JsonLines:
    """metrics.jsonl, the file of record: one strict JSON object per line and reading.

    Values are float32; one that is not finite is null. A line is written by one call, so that a
    reader never meets half of one while the process lives.

    Args:
        path: the file.
        length: None to start it; to resume, how many bytes of it to keep.

    Attributes:
        length: bytes written; what the checkpoint remembers after a flush.
        lost: bytes that were to be kept and are not there any more.

    Raises:
        ResourceError: it cannot be opened.
    """

    needed = True

    def __init__(self, path: Path, *, length: int | None) -> None:
        self._path = path
        with files.storage_errors(path):
            self._file = path.open("ab", buffering=0)
            found = os.fstat(self._file.fileno()).st_size
            self.length = min(length or 0, found)
            self.lost = (length or 0) - self.length
            self._file.truncate(self.length)
            self._mend()

    def _mend(self) -> None:
        """Cuts a torn last line; there is one only where the file was changed by others."""
        whole = self.length and self._path.read_bytes().rfind(b"\n") + 1
        if whole < self.length:
            self._file.truncate(whole)
            self.length = whole

    def write(self, reading: Reading) -> None:
        """Appends one line, or leaves the file as it was and raises ResourceError."""
        line = (json.dumps(metrics_record(reading), allow_nan=False) + "\n").encode()
        with files.storage_errors(self._path, need=len(line)):
            try:
                files.write_all(self._file.fileno(), line)
            except OSError:
                self._file.truncate(self.length)  # the part that still found room
                raise
        self.length += len(line)

    def flush(self) -> None:
        """Waits for the disk."""
        with files.storage_errors(self._path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file."""
        with files.storage_errors(self._path):
            self._file.close()


def metrics_record(reading: Reading) -> dict[str, Any]:
    """One line of metrics.jsonl, as Python objects."""
    values = {key: float32(value) for key, value in reading.values.items()}
    return {
        "step": reading.step,
        "epoch": reading.epoch,
        "split": reading.split,
        **{key: value if math.isfinite(value) else None for key, value in values.items()},
    }


def read_history(path: Path) -> list[dict[str, Any]]:
    """The readings of metrics.jsonl; one torn line at its end is passed over.

    Raises:
        OSError: it cannot be read.
        ValueError: another line is damaged.
    """
    history: list[dict[str, Any]] = []
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
        try:
            history.append(json.loads(line))
        except ValueError as error:
            raise ValueError(f"{path}: line {number} is not JSON, {error}") from error
    return history


def readings_of(history: Sequence[dict[str, Any]]) -> list[Reading]:
    """What `read_history` gave as readings; a value that was not finite is NaN."""
    found: list[Reading] = []
    for entry in history:
        values = {k: math.nan if v is None else v for k, v in entry.items() if k not in _WHEN}
        found.append(Reading(entry["step"], entry["epoch"], entry["split"], values))
    return found


TOGETHER = 0.5
"""Seconds: readings that come in quick succession are written in one go.

A writer that wakes up for every reading takes the interpreter and the caches from the loop each
time: twice as much as the writing itself.
"""


@final
class Sinks:
    """Hands readings to sinks on a thread of its own.

    Use it in a `with` statement. An error of a needed sink is raised by the next `write`, by
    `flush` or by `close`, in the thread that calls them.

    Args:
        sinks: where readings go, in this order.
        warn: told once when a sink that is not needed fails; called from the writer thread.
        together: seconds that the writer waits for more.
    """

    def __init__(
        self, sinks: Sequence[Sink], warn: Callable[[str], None], *, together: float = TOGETHER
    ) -> None:
        self._sinks = list(sinks)
        self._warn = warn
        self._together = together
        self._error: BaseException | None = None
        self._queue: SimpleQueue[Reading | Event | None] = SimpleQueue()
        self._hurry = Event()
        self._thread = Thread(target=self._work, name="nnlab-sinks", daemon=True)
        self._thread.start()

    def write(self, reading: Reading) -> None:
        """Takes a reading; does not wait until it is written."""
        self._raise_stored()
        self._queue.put(reading)

    def flush(self) -> None:
        """Waits until all readings so far are on disk: to be called before a checkpoint."""
        done = Event()
        self._queue.put(done)
        self._hurry.set()
        while not done.wait(1.0) and self._thread.is_alive():
            pass
        self._raise_stored()

    def close(self) -> None:
        """Writes what is left and ends the thread. A second call does nothing."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._hurry.set()
            self._thread.join()
        self._raise_stored()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except Exception:
            if error is None:  # else that one says more
                raise

    def _raise_stored(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            if isinstance(item, Reading):
                self._each(lambda sink, reading=item: sink.write(reading))
                if self._queue.empty():
                    self._hurry.wait(self._together)
            else:
                self._hurry.clear()
                self._each(lambda sink: sink.flush())
                item.set()
        self._each(lambda sink: sink.close())

    def _each(self, act: Callable[[Sink], None]) -> None:
        """Does something with every sink; one that fails gets nothing more."""
        for sink in self._sinks[:]:
            try:
                act(sink)
            except Exception as error:  # whatever it is, the other thread must hear of it
                self._sinks.remove(sink)
                with suppress(Exception):
                    sink.close()
                if sink.needed or not isinstance(error, (OSError, NnlabError)):
                    self._error = self._error or error
                else:
                    self._warn(f"{error} (training goes on without it)")
