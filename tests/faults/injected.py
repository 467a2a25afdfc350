"""Runs the command in a process of its own whose n-th call to the system goes wrong."""

import errno
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from nnlab.__main__ import main

Fault = Literal["end before", "end after", "ENOSPC", "EIO", "short write"]
FAULTS: tuple[Fault, ...] = ("end before", "end after", "ENOSPC", "EIO", "short write")
CALLS = ("open", "write", "fsync", "replace", "rename", "mkdir", "unlink", "rmdir")
"""The calls by which anything reaches the disk."""
ENDED, HUNG = 137, 124
LIMIT = 60.0
"""Seconds that a process may take on a busy machine."""


def broken_at(n: int, fault: Fault, count_into: Path | None = None) -> None:
    """Patches this process: its n-th call fails, or is its last."""
    count = 0

    def wrap(name: str) -> None:
        original = getattr(os, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            count += 1
            if count_into is not None:
                with suppress(OSError):
                    count_into.open("w").write(str(count))
            if count != n:
                return original(*args, **kwargs)
            if fault == "end before":
                os._exit(ENDED)
            if fault == "end after":
                original(*args, **kwargs)
                os._exit(ENDED)
            if fault == "short write":
                if name != "write":
                    return original(*args, **kwargs)
                return original(args[0], bytes(args[1])[: max(1, len(args[1]) // 2)])
            number = errno.ENOSPC if fault == "ENOSPC" else errno.EIO
            raise OSError(number, os.strerror(number))

        setattr(os, name, call)

    for name in CALLS:
        wrap(name)


# A fork of a process whose threads have computed waits for them for ever: children come from a
# server that has imported all they need and has never computed.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["nnlab.__main__", "nnlab.commands.train", "nnlab.runs.run"])


def nothing() -> None:
    """For a process in which nothing is broken."""


def in_a_process(words: Sequence[str], before: Callable[[], None], log: Path) -> int:
    """The exit code of a command in a process of its own; 124 if it hangs.

    Args:
        words: of the command.
        before: called in that process first; it is pickled, so a function of a module or a partial.
        log: takes what the process writes.
    """
    child = FORKS.Process(target=_command, args=(words, before, log))
    child.start()
    child.join(LIMIT)
    if child.exitcode is None:
        child.kill()
        child.join()
        return HUNG
    return child.exitcode


def _command(words: Sequence[str], before: Callable[[], None], log: Path) -> None:
    code = 1
    try:
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        sys.stdout, sys.stderr = (os.fdopen(os.dup(number), "w") for number in (1, 2))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        before()
        code = main(words)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
