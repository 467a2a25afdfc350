"""The worker's process as the server sees it: starts it, orders, hears, and lets it go."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol, final

from nnlab.core.package import FOLDER
from nnlab.studio.messages import LENGTH, MESSAGE_BYTES

PAGE_FIRST = 0.7
"""Seconds until importing begins, which takes a core: a page that is opened at once comes first."""
_PATIENCE = 20.0
"""Seconds that a worker has to stop softly and save before it is killed."""


class ChildProcess(Protocol):
    """What a worker needs of a process: that of asyncio, or one that was forked."""

    @property
    def stdin(self) -> asyncio.StreamWriter | None:
        """Where it hears."""
        ...

    @property
    def stdout(self) -> asyncio.StreamReader | None:
        """What it says."""
        ...

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    @property
    def returncode(self) -> int | None:
        """Of one that has ended; below 0 for a signal."""
        ...

    async def wait(self) -> int:
        """Waits for its end."""
        ...

    def kill(self) -> None:
        """Ends it at once."""
        ...


@final
class WorkerProcess:
    """A worker.

    Args:
        process: with pipes on input and output, leader of its own group.
    """

    def __init__(self, process: ChildProcess) -> None:
        self._process = process

    @classmethod
    async def start(
        cls, threads: int | None = None, extra: Mapping[str, str] | None = None
    ) -> "WorkerProcess":
        """Starts one; it finds this very package, whatever folder it starts in.

        Args:
            threads: that libraries may use in it; None leaves that to them.
            extra: variables of its own.
        """
        home, before = str(FOLDER.parent), os.environ.get("PYTHONPATH")
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([home, before] if before else [home]),
            **(extra or {}),
        }
        if threads is not None:
            environment |= {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "nnlab.studio.worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
            # Ctrl-C is for the server, which then lets it stop softly.
            start_new_session=True,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.returncode is None

    async def order(self, command: Mapping[str, Any]) -> None:
        """Tells it what to do; one that is gone does not hear it."""
        if self._process.stdin is None or not self.alive:
            return
        with suppress(ConnectionError):
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            await self._process.stdin.drain()

    async def hear(self, take: Callable[[bytes], None]) -> int:
        """Hands every message on until it ends; gives its exit code, below 0 for a signal."""
        assert self._process.stdout is not None
        # Of a socket the end is a reset where a last command was not read any more.
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                size = LENGTH.unpack(await self._process.stdout.readexactly(LENGTH.size))[0]
                if size > MESSAGE_BYTES:
                    self.kill()
                    break
                take(await self._process.stdout.readexactly(size))
        return await self._process.wait()

    async def end(self, why: str = "the studio has ended it") -> None:
        """Lets it stop softly and save; kills it where that takes too long."""
        await self.order({"do": "stop", "leave": True, "why": why})
        if self._process.stdin is not None:
            with suppress(ConnectionError):
                # The other direction stays open: it has last words.
                self._process.stdin.write_eof()
        try:
            await asyncio.wait_for(self._process.wait(), _PATIENCE)
        except TimeoutError:
            self.kill()
            await self._process.wait()

    def kill(self) -> None:
        """Ends it and what it has started."""
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self.pid, signal.SIGKILL)
            else:
                self._process.kill()
