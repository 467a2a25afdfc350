"""Sinks: where readings go. One thread writes them, so that the loop never waits for a disk.

A new place for numbers to go is a class with `write`, `flush` and `close`, handed to `Sinks`.
"""

import json
import math
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self, final

from nnlab.core import files
from nnlab.core.errors import CheckpointError, NnlabError, ResourceError
from nnlab.core.events import Reading
from nnlab.runs.sums import read_sealed
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


class RecordPosition(NamedTuple):
    """A place in metrics.jsonl: what a checkpoint and the summary say of the record before it."""

    bytes: int
    sha256: str
    """Of so many bytes from its beginning."""


START = RecordPosition(0, sha256(b"").hexdigest())
"""Before the first reading. A run that goes on from step 0 reads step 0 once more."""


def check_record(path: Path, position: RecordPosition) -> None:
    """Refuses a metrics.jsonl that does not begin with what was written up to a position.

    Raises:
        CheckpointError: it is shorter, or its bytes are others.
    """
    try:
        with files.open_regular(path) as file:
            data = file.read(position.bytes)
    except FileNotFoundError:
        data = b""
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from None
    refuse_other_record(path, data, position)


def refuse_other_record(path: Path, data: bytes, position: RecordPosition) -> None:
    """Refuses bytes of `path` that do not begin with what was written up to a position.

    Raises:
        CheckpointError: they are fewer, or others.
    """
    data = data[: position.bytes]
    if len(data) < position.bytes:
        what = f"has {len(data)} of the {position.bytes} bytes that nnlab wrote"
        raise CheckpointError(f"{path}: {what} ({_WITHOUT})")
    if sha256(data).hexdigest() != position.sha256:
        raise CheckpointError(f"{path}: is damaged, its SHA-256 is another ({_WITHOUT})")


_WITHOUT = "remove it to go on without the readings so far"


@final
class JsonLines:
    """metrics.jsonl, the file of record: one strict JSON object per line and reading.

    Values are float32; one that is not finite is null. A line is written by one call, so that a
    reader never meets half of one while the process lives.

    Args:
        path: the file.
        length: None to start it; to resume, how many bytes of it to keep.

    Attributes:
        length: bytes written. The writer thread moves it: ask `Sinks.when_written` for the moment.
        lost: bytes that were to be kept and are not there any more.

    Raises:
        ResourceError: it cannot be opened.
    """

    needed = True

    def __init__(self, path: Path, *, length: int | None) -> None:
        self._path = path
        with files.storage_errors(path):
            if path.exists():
                try:
                    files.refuse_irregular(path)  # to open a pipe would wait for a reader
                except ValueError as error:
                    raise ResourceError(f"{path}: {error}") from None
            # Without a buffer, so that a line goes out by one call, whole.
            self._file = path.open("ab", buffering=0)
            try:
                found = os.fstat(self._file.fileno()).st_size
                self.length = min(length or 0, found)
                self.lost = (length or 0) - self.length
                self._file.truncate(self.length)
                self._mend()
                self._sum = sha256(path.read_bytes() if self.length else b"")
            except BaseException:
                self._file.close()
                raise

    @property
    def position(self) -> "RecordPosition":
        """How much has been written, and its sum."""
        return RecordPosition(self.length, self._sum.hexdigest())

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
        self._sum.update(line)

    def flush(self) -> None:
        """Comes back when all that was written is on the disk."""
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
    """The readings of metrics.jsonl; an incomplete last line is skipped.

    Raises:
        FileNotFoundError: it is not there.
        CheckpointError: it cannot be read, a line is damaged, or it is not the summary's.
    """
    try:
        with files.open_regular(path, follow=True) as file:
            data = file.read()
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from None
    if (position := _known_position(path.with_name("summary.json"))) is not None:
        refuse_other_record(path, data, position)
    return [_record(path, number, line) for number, line in enumerate(data.split(b"\n")[:-1], 1)]


def _known_position(summary: Path) -> RecordPosition | None:
    """What a summary says of the record; None where it says nothing, or cannot be read itself."""
    with suppress(OSError, CheckpointError):
        match read_sealed(summary).get("record"):
            case {"bytes": int(length), "sha256": str(digest)}:
                return RecordPosition(length, digest)
            case _:
                pass
    return None


def _record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    where = f"{path}: line {number}"
    try:
        found = files.parse_json(line)
    except ValueError as error:
        raise CheckpointError(f"{where} is not JSON, {error}") from None
    match found:
        case {"step": int(), "epoch": int() | float(), "split": str(), **values} if all(
            value is None or isinstance(value, int | float) for value in values.values()
        ):
            return found
        case _:
            raise CheckpointError(f"{where} is not a reading")


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
        self._queue: SimpleQueue[Reading | Event | Callable[[], None] | None] = SimpleQueue()
        self._hurry = Event()
        self._thread = Thread(target=self._work, name="nnlab-sinks", daemon=True)
        self._thread.start()

    def write(self, reading: Reading) -> None:
        """Takes a reading; does not wait until it is written."""
        self._raise_stored()
        self._queue.put(reading)

    def when_written(self, act: Callable[[], None]) -> None:
        """Calls `act` on the writer thread, between the readings so far and those that follow.

        For what the writer moves, such as the length of a file; after a `flush` it has been called.
        """
        self._queue.put(act)

    def flush(self) -> None:
        """Waits until all readings so far are on disk: to be called before a checkpoint."""
        done = Event()
        self._queue.put(done)
        self._hurry.set()
        # A thread that has died sets nothing: so it is asked for each second.
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
            elif isinstance(item, Event):
                self._hurry.clear()
                self._each(lambda sink: sink.flush())
                item.set()
            else:
                item()
        self._each(lambda sink: sink.close())

    def _each(self, act: Callable[[Sink], None]) -> None:
        """Does something with every sink; one that fails gets nothing more."""
        # Over a copy: one that fails is taken out on the way.
        for sink in self._sinks[:]:
            try:
                act(sink)
            except Exception as error:  # whatever it is, the other thread must hear of it
                self._sinks.remove(sink)
                with suppress(Exception):
                    sink.close()
                if sink.needed or not isinstance(error, (OSError, NnlabError)):
                    # The first error: others may follow from it.
                    self._error = self._error or error
                else:
                    self._warn(f"{error} (training goes on without it)")
