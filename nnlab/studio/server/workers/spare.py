"""A worker in reserve, which has imported torch already: a new run begins at once."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol, final

from nnlab.studio.server.workers.process import PAGE_FIRST, WorkerProcess


class Workers(Protocol):
    """Gives workers."""

    @property
    def ready(self) -> bool:
        """Whether the next one has imported everything."""
        ...

    def prepare(self) -> None:
        """Gets ready."""
        ...

    async def take(self, environment: Mapping[str, str] | None = None) -> WorkerProcess:
        """A worker, with variables of its own."""
        ...

    async def close(self) -> None:
        """Lets go what waits."""
        ...


@final
class Spare:
    """Keeps one worker ready.

    Args:
        threads: that libraries may use in a worker; None leaves that to them.
        delay: seconds after one was taken until the next is started, so that importing does not
            slow down what just began.
        first: seconds until the first one is.
    """

    def __init__(
        self, threads: int | None = None, delay: float = 3.0, first: float = PAGE_FIRST
    ) -> None:
        self._threads, self._delay, self._first = threads, delay, first
        self._worker: WorkerProcess | None = None
        self._waiting: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def ready(self) -> bool:
        """Whether one waits that has imported everything."""
        return self._worker is not None and self._worker.alive

    def prepare(self) -> None:
        """Starts one before long."""
        self._start_in(self._first)

    def _start_in(self, seconds: float) -> None:
        """Starts one after a while, and not before, unless there is one."""
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = asyncio.get_running_loop().call_later(seconds, self._begin)

    def _begin(self) -> None:
        self._waiting = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._start())

    async def _start(self) -> None:
        if not self._closed and not self.ready:
            self._worker = await WorkerProcess.start(self._threads)

    async def take(self, environment: Mapping[str, str] | None = None) -> WorkerProcess:
        """The one in reserve, or a new one; another is got ready behind it.

        Args:
            environment: variables of its own, which none in reserve has.
        """
        if environment:
            return await WorkerProcess.start(self._threads, environment)
        worker, self._worker = self._worker, None
        if worker is None or not worker.alive:
            worker = await WorkerProcess.start(self._threads)
        if not self._closed:
            self._start_in(self._delay)
        return worker

    async def close(self) -> None:
        """Lets it go."""
        self._closed = True
        if self._waiting is not None:
            self._waiting.cancel()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        worker, self._worker = self._worker, None
        if worker is not None:
            # It has nothing to save.
            worker.kill()
            await worker.hear(lambda _: None)
