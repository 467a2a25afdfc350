"""Rows that do not fit into memory: workers read them ahead, a copy runs beside the computation.

The way of a batch: workers decode its pieces into shared memory; on CUDA a thread copies them into
pinned memory; a stream of its own brings them to the device while the batch before is computed.
Workers only read, so how many there are changes no bit of a run.
"""

import signal
import threading
import warnings
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from operator import is_
from typing import final

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from nnlab.core.contracts import Batch, Examples, RowReader
from nnlab.core.errors import DataError, ResourceError
from nnlab.core.signals import SIGNAL_NAMES
from nnlab.training.sources import RowScale, targets_of

PIECE = 64
"""So many rows are one task of a worker: several workers share a large batch."""


@final
class StreamedSource:
    """Rows are read by worker processes, in the announced order; others are read at once.

    Args:
        examples: whose inputs are read one by one.
        device: where batches are needed.
        dtype: the run's precision.
    """

    def __init__(self, examples: Examples, *, device: torch.device, dtype: torch.dtype) -> None:
        self._reader: RowReader = examples.inputs  # pyright: ignore[reportAttributeAccessIssue]
        self._targets = targets_of(examples, dtype).to(device)
        self._scale = RowScale(examples, device=device, dtype=dtype)
        self._device = device
        self._pieces = _Pieces(self._reader, pinned=device.type == "cuda")
        self._copies = _Copies(device)
        self._announced: deque[Tensor] = deque()
        self._next: Tensor | None = None
        self._rows: Tensor | None = None
        self._stored: Tensor | None = None

    def announce(self, batches: Sequence[Tensor]) -> None:
        """Sets the workers on these batches; they go on if that is what they are at."""
        if len(batches) == len(self._announced) and all(map(is_, batches, self._announced)):
            return
        self._announced = deque(batches)
        self._next = None
        self._pieces.begin(batches)

    def gather(self, rows: Tensor) -> Batch:
        """The batch of these rows; quick if they were announced, or are those of the last call."""
        # By identity: to compare the rows would wait for the device.
        if self._announced and rows is self._announced[0]:
            stored = self._from_workers()
            # Kept as it is stored: the update that follows a probe asks for the same rows.
            self._rows, self._stored = rows, stored
        elif rows is self._rows and self._stored is not None:
            stored = self._stored
        else:
            stored = _read(self._reader, rows.tolist()).to(self._device)
        return Batch(self._scale(stored), self._targets.index_select(0, rows), rows)

    def close(self) -> None:
        """Ends the workers; a later announcement starts others."""
        self._announced.clear()
        self._next = self._rows = self._stored = None
        self._pieces.close()

    def _from_workers(self) -> Tensor:
        """The first announced batch (N, *shape); the copy of the one after it has begun then."""
        stored = self._copies.start(self._pieces.batch()) if self._next is None else self._next
        self._copies.wait_for(stored)
        self._announced.popleft()
        self._next = self._copies.start(self._pieces.batch()) if self._announced else None
        return stored


@final
class _Pieces:
    """The rows of announced batches, read piece by piece by processes that stay between readings.

    Args:
        reader: of single rows; says how many processes, 0 reads here.
        pinned: into memory from which a GPU copies by itself.
    """

    def __init__(self, reader: RowReader, *, pinned: bool) -> None:
        self._reader, self._pinned = reader, pinned
        self._tasks: list[list[int]] = []
        self._counts: deque[int] = deque()
        self._loader: DataLoader[Tensor | DataError] | None = None
        self._arriving: Iterator[Tensor | DataError] = iter(())

    def begin(self, batches: Sequence[Tensor]) -> None:
        """Reads the rows (N,) of these batches from now on, and nothing that was asked before."""
        # The same list, not another: the loader of the workers holds it as its sampler.
        self._tasks.clear()
        self._counts.clear()
        # One copy to the host for all of them.
        rows = torch.cat(list(batches)).cpu().split([len(batch) for batch in batches])
        for batch in rows:
            pieces = batch.split(PIECE)
            self._tasks += [piece.tolist() for piece in pieces]
            self._counts.append(len(pieces))
        with warnings.catch_warnings(), _children_unwatched(), self._deaths_told():
            # More workers than cores were asked for, or settled on another machine.
            warnings.filterwarnings("ignore", "This DataLoader will create")
            if self._loader is None:
                self._loader = self._started(max(self._counts))
            # With persistent workers a loader has one iterator: this sets it on the new tasks.
            self._arriving = iter(self._loader)

    def batch(self) -> list[Tensor]:
        """The pieces of the next batch, in order.

        Raises:
            DataError: a row cannot be read.
            ResourceError: a worker was killed.
        """
        return [self._piece() for _ in range(self._counts.popleft())]

    def close(self) -> None:
        """Ends the workers: they live as long as their iterator."""
        self._arriving = iter(())
        self._loader = None

    def _piece(self) -> Tensor:
        with self._deaths_told():
            found = next(self._arriving)
        if isinstance(found, DataError):
            raise found
        return found

    @contextmanager
    def _deaths_told(self) -> Generator[None]:
        """Says of a killed worker what it means. How torch does depends on where the worker was."""
        try:
            yield
        except (RuntimeError, OSError, EOFError) as error:
            # "Caught" begins what a worker raised itself.
            if not self._reader.workers or str(error).startswith("Caught"):
                raise
            why = str(error).partition("\n")[0]
            text = f"data: a process that reads rows has died: {why}"
            raise ResourceError(f"{text} (data.workers: 0 reads without them)") from error

    def _started(self, pieces: int) -> "DataLoader[Tensor | DataError]":
        """Workers that read two batches of so many pieces ahead, and at least two pieces each."""
        workers = self._reader.workers
        return DataLoader(
            _Rows(self._reader),
            batch_size=None,
            sampler=self._tasks,  # pyright: ignore[reportArgumentType]
            num_workers=workers,
            prefetch_factor=max(2, -(-2 * pieces // workers)) if workers else None,
            persistent_workers=workers > 0,
            pin_memory=self._pinned,
            worker_init_fn=_deaf,
            # Else torch's global one is drawn from.
            generator=torch.Generator(),
        )


@final
class _Copies:
    """Brings batches to a device; on CUDA in a stream of its own, beside what is computed."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def start(self, pieces: list[Tensor]) -> Tensor:
        """(N, *shape) on the device, as stored; not there before `wait_for`."""
        with nullcontext() if self._stream is None else torch.cuda.stream(self._stream):
            # From pinned memory, so that the host goes on while they are on their way.
            there = [piece.to(self._device, non_blocking=True) for piece in pieces]
            return there[0] if len(there) == 1 else torch.cat(there)

    def wait_for(self, stored: Tensor) -> None:
        """What is computed from now on finds the batch there; the host goes on."""
        if self._stream is not None:
            here = torch.cuda.current_stream(self._device)
            here.wait_stream(self._stream)
            # Its memory is not given to another copy while the computation may still read it.
            stored.record_stream(here)


@final
class _Rows(Dataset["Tensor | DataError"]):
    """The rows of a task; what keeps them from being read is a value, that it comes whole."""

    def __init__(self, reader: RowReader) -> None:
        self._reader = reader

    def __getitem__(self, rows: list[int]) -> "Tensor | DataError":  # pyright: ignore[reportIncompatibleMethodOverride]
        try:
            return _read(self._reader, rows)
        except DataError as error:
            return error


def _read(reader: RowReader, rows: list[int]) -> Tensor:
    """(N, *shape) as stored."""
    found = torch.empty((len(rows), *reader.shape[1:]), dtype=torch.uint8)
    # The same memory: rows are decoded to where they stay.
    images = found.numpy()
    for place, row in enumerate(rows):
        images[place] = reader.read(row)
    return found


@contextmanager
def _children_unwatched() -> Generator[None]:
    """Leaves the handler of SIGCHLD as it is.

    Torch's own raises in the midst of whatever runs when a worker was killed, so also where a
    checkpoint is written. Who asks for the next piece is told as well, after at most 5 s.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGCHLD"):
        yield
        return
    before = signal.getsignal(signal.SIGCHLD)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, before)


def _deaf(_: int) -> None:
    """A worker leaves signals to the process that trains, which may still need it for its end.

    Ctrl-C and a service's SIGTERM reach all processes of a group. Torch ends workers by a word
    through their queue, and they end by themselves when their parent is gone.
    """
    for name in SIGNAL_NAMES:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
