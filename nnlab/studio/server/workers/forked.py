"""Workers as children of one process that has imported torch: thirty fit where ten would.

A worker of its own takes some 400 MB and seconds to start; a child shares what is imported, and is
there at once. It is the way of Linux and of the CPU: elsewhere what torch builds on does not bear
to be forked, and no driver of a GPU does.
"""

import asyncio
import multiprocessing
import os
import socket
import sys
from collections.abc import Mapping
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import final

from nnlab.core.package import FOLDER
from nnlab.studio.server.workers.process import PAGE_FIRST, WorkerProcess

_ACCELERATORS = (Path("/dev/nvidiactl"), Path("/dev/kfd"), Path("/dev/dxg"))
"""What the drivers of Nvidia, of AMD and of Windows behind Linux put there."""
_WORKER = "nnlab.studio.worker.__main__"


def can_fork(device: str) -> bool:
    """Whether workers that train on a device, or on whichever there is, can be forked."""
    alone = device == "auto" and not any(path.exists() for path in _ACCELERATORS)
    return sys.platform == "linux" and (device == "cpu" or alone)


@final
class Forked:
    """A child with its end of a socket, as `WorkerProcess` knows processes.

    Args:
        child: that has been started.
        stdin: where it hears.
        stdout: what it says.
    """

    def __init__(
        self, child: ForkServerProcess, stdin: asyncio.StreamWriter, stdout: asyncio.StreamReader
    ) -> None:
        self.stdin, self.stdout = stdin, stdout
        self.returncode: int | None = None
        self.pid = child.pid or 0
        self._child, self._gone = child, asyncio.Event()
        asyncio.get_running_loop().add_reader(child.sentinel, self._end)

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._child.sentinel)
        self._child.join()
        self.returncode = self._child.exitcode
        self._child.close()
        self._gone.set()

    async def wait(self) -> int:
        """Waits until it is gone; gives its exit code."""
        await self._gone.wait()
        assert self.returncode is not None
        return self.returncode

    def kill(self) -> None:
        """Ends it at once."""
        if self.returncode is None:
            self._child.kill()


@final
class ForkingWorkers:
    """Gives workers, each a child of the process that has imported everything.

    Args:
        threads: that libraries may use in a worker; None leaves that to them.
    """

    ready = True

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads
        self._context = multiprocessing.get_context("forkserver")
        self._turn = asyncio.Lock()

    def prepare(self) -> None:
        """Starts the process that imports, before long; the first worker waits for it."""
        # It inherits both: neither can be said to a process that runs.
        if self._threads is not None:
            os.environ["OMP_NUM_THREADS"] = str(self._threads)
        paths = [str(FOLDER.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)
        self._context.set_forkserver_preload([_WORKER])
        asyncio.get_running_loop().call_later(PAGE_FIRST, forkserver.ensure_running)

    async def take(self, environment: Mapping[str, str] | None = None) -> WorkerProcess:
        """A new one.

        Args:
            environment: variables of its own.
        """
        ours, theirs = socket.socketpair()
        child = self._context.Process(
            target=work_on, args=(theirs, dict(environment or {})), daemon=True
        )
        async with self._turn:
            # It answers when it has imported everything: the first takes seconds.
            await asyncio.to_thread(child.start)
        theirs.close()
        stdout, stdin = await asyncio.open_connection(sock=ours)
        return WorkerProcess(Forked(child, stdin, stdout))

    async def close(self) -> None:
        """Its children have been let go; it ends with this process."""


def work_on(channel: socket.socket, environment: Mapping[str, str]) -> None:
    """The main function of a child: a worker with a socket for input and output."""
    os.setsid()
    os.environ.update(environment)
    for number in (0, 1):
        os.dup2(channel.fileno(), number)
    channel.close()
    sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")

    from nnlab.studio.worker.__main__ import main

    main()
