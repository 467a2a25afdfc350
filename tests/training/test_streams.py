"""Rows that are read by worker processes, ahead of need."""

import os
import signal
from dataclasses import dataclass
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.utils._python_dispatch import TorchDispatchMode

from nnlab.core.contracts import Batch, DataShape, Examples, RowReader
from nnlab.core.errors import DataError, ResourceError
from nnlab.training.sources import ResidentSource
from nnlab.training.streams import PIECE, StreamedSource

ROWS, SHAPE = 3 * PIECE, (1, 2, 4)
STORED = np.random.default_rng(0).integers(0, 256, (ROWS, *SHAPE), dtype=np.uint8)
CPU = torch.device("cpu")
FACTOR = 1 / 256  # exact


@dataclass
class Reader:
    """Rows of `STORED`; writes down in `log` which it has read, and in which process."""

    log: Path
    workers: int
    broken: int | None = None
    shape: tuple[int, ...] = STORED.shape

    def read(self, row: int) -> NDArray[np.uint8]:
        if row == self.broken:
            raise DataError(f"images/dog/{row}.png: cannot be read as an image: truncated")
        with self.log.open("a") as file:
            file.write(f"{row} {os.getpid()}\n")
        return STORED[row]

    @property
    def rows(self) -> list[int]:
        return [int(line.split()[0]) for line in self.log.read_text().splitlines()]

    @property
    def processes(self) -> set[int]:
        return {int(line.split()[1]) for line in self.log.read_text().splitlines()}


def examples(inputs: "NDArray[Any] | RowReader") -> Examples:
    return Examples(
        inputs,
        np.arange(ROWS) % 2,
        {"train": np.arange(ROWS)},
        DataShape(SHAPE, "classes", 2, ("cat", "dog"), {"train": ROWS}),
        np.full((1, 1, 1, 1), 0.5, np.float32),
        np.full((1, 1, 1, 1), FACTOR, np.float32),
        "",
    )


def streamed(reader: Reader, device: torch.device = CPU) -> StreamedSource:
    return StreamedSource(examples(reader), device=device, dtype=torch.float32)


def _all(source: StreamedSource, batches: list[torch.Tensor]) -> list[Batch]:
    return [source.gather(rows) for rows in batches]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.touch()
    return path


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_are_those_of_rows_in_memory_to_the_bit(log: Path, workers: int) -> None:
    source = streamed(Reader(log, workers))
    held = ResidentSource(examples(STORED), device=CPU, dtype=torch.float32)
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(0))
    for sizes in ([PIECE + 5, 3, ROWS - PIECE - 8], [ROWS], [1] * 9 + [ROWS - 9]):
        batches = list(order.split(sizes))
        source.announce(batches)
        for rows in batches:
            for one, other in zip(source.gather(rows), held.gather(rows), strict=True):
                assert torch.equal(one, other)
    source.close()


def test_the_same_workers_serve_every_announcement(log: Path) -> None:
    reader = Reader(log, workers=2)
    source = streamed(reader)
    for start in (0, 5, 10):
        # The next announcement comes while these are still being read.
        batches = list(torch.arange(start, ROWS).split(10))
        source.announce(batches)
        assert source.gather(batches[0]).rows is batches[0]
    source.close()
    assert len(reader.processes) == 2
    assert os.getpid() not in reader.processes
    assert active_children() == []


@pytest.mark.parametrize("workers", [0, 2])
def test_what_is_announced_again_is_not_read_again(log: Path, workers: int) -> None:
    reader = Reader(log, workers)
    source = streamed(reader)
    batches = list(torch.arange(ROWS).split(16))
    for position, rows in enumerate(batches):
        source.announce(batches[position:])
        source.gather(rows)  # a look
        source.gather(rows)  # and its update
    source.close()
    assert sorted(reader.rows) == list(range(ROWS))


def test_reads_ahead_of_the_batch_that_is_asked_for(log: Path) -> None:
    reader = Reader(log, workers=1)
    source = streamed(reader)
    batches = list(torch.arange(32).split(8))
    source.announce(batches)
    source.gather(batches[0])
    # Handed out is the first; the second has been read and is on its way to the device.
    assert {*range(16)} <= {*reader.rows}
    source.close()


def test_rows_that_were_not_announced_come_between_without_harm(log: Path) -> None:
    source = streamed(Reader(log, workers=1))
    batches, others = list(torch.arange(40).split(10)), torch.tensor([7, 3, 180])
    source.announce(batches)
    for rows in batches:
        for asked in (rows, others, rows):
            expected = (torch.from_numpy(STORED)[asked] - 0.5) * FACTOR
            assert torch.equal(source.gather(asked).inputs, expected)
    source.close()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_row_that_cannot_be_read_is_named_and_the_workers_end(log: Path, workers: int) -> None:
    source = streamed(Reader(log, workers, broken=25))
    batches = list(torch.arange(40).split(10))
    source.announce(batches)
    source.gather(batches[0])
    with pytest.raises(DataError) as error:
        source.gather(batches[1])
    assert error.value.lines == ("images/dog/25.png: cannot be read as an image: truncated",)
    source.close()
    assert active_children() == []


def test_a_source_that_nobody_holds_leaves_no_process(log: Path) -> None:
    source = streamed(Reader(log, workers=2))
    source.announce(list(torch.arange(ROWS).split(8)))
    assert len(active_children()) == 2
    del source
    assert active_children() == []


def test_workers_leave_ctrl_c_to_the_process_that_trains(log: Path) -> None:
    reader = Reader(log, workers=1)
    source = streamed(reader)
    batches = list(torch.arange(ROWS).split(8))
    source.announce(batches)
    source.gather(batches[0])
    (worker,) = reader.processes
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        os.kill(worker, getattr(signal, name))
    for rows in batches[1:]:
        source.gather(rows)
    source.close()
    assert reader.processes == {worker}


@pytest.mark.slow  # 5 s: so often torch looks after its workers
def test_a_worker_that_was_killed_is_told_where_rows_are_asked_for(log: Path) -> None:
    reader = Reader(log, workers=1)
    source = streamed(reader)
    handler = signal.getsignal(signal.SIGCHLD)
    batches = list(torch.arange(ROWS).split(8))
    source.announce(batches)
    source.gather(batches[0])
    assert signal.getsignal(signal.SIGCHLD) is handler
    (worker,) = reader.processes
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(
        ResourceError, match=r"^data: a process that reads .* has died: .*workers: 0"
    ):
        _all(source, batches[1:])
    source.close()


class HostCopies(TorchDispatchMode):
    """Notes of every copy that begins in host memory whether that is pinned."""

    def __init__(self) -> None:
        super().__init__()
        self.pinned: list[bool] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "_to_copy" in str(func) and args[0].device.type == "cpu":
            self.pinned.append(args[0].is_pinned())
        return func(*args, **(kwargs or {}))


@pytest.mark.gpu
def test_batches_are_copied_from_pinned_memory_and_the_host_waits_for_none(log: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    source = streamed(Reader(log, workers=1), torch.device("cuda"))
    batches = list(torch.arange(ROWS, device="cuda").split(16))
    source.announce(batches)
    source.gather(batches[0])
    torch.cuda.set_sync_debug_mode("error")
    try:
        with HostCopies() as copies:
            found = _all(source, batches[1:])
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert copies.pinned
    assert all(copies.pinned)
    for rows, batch in zip(batches[1:], found, strict=True):
        expected = (torch.from_numpy(STORED).cuda()[rows] - 0.5) * FACTOR
        assert torch.equal(batch.inputs, expected)
    source.close()
