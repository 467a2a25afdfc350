"""Commands in processes of their own whose n-th call to the system goes wrong."""

import builtins
import ctypes
import errno
import io
import itertools
import json
import mmap
import multiprocessing
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, final

Fault = Literal["end before", "end after", "ENOSPC", "EIO", "short write", "EIO in reading"]
FAULTS: tuple[Fault, ...] = ("end before", "end after", "ENOSPC", "EIO", "short write")
PRELOADED_FAULTS: tuple[Fault, ...] = (*FAULTS, "EIO in reading")
CALLS = ("open", "write", "fsync", "replace", "rename", "mkdir", "unlink", "rmdir")
"""The calls of Python's by which anything reaches the disk."""
ENDED, HUNG = 137, 124
LIMIT = 60.0
"""Seconds that a process may take on a busy machine."""
_HERE = Path(__file__).parent

# A fork of a process whose threads have computed waits for them for ever: children come from a
# server that has imported all they need and has never computed.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["nnlab.__main__", "nnlab.commands.train", "nnlab.runs.run"])


@final
class Counter:
    """A number in a file, shared with the process that counts."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(8))
        with path.open("r+b") as file:
            self._place = mmap.mmap(file.fileno(), 8)

    def add(self) -> int:
        """Counts one more, and says how many there are."""
        value = struct.unpack("l", self._place[:8])[0] + 1
        self._place[:8] = struct.pack("l", value)
        return value

    @staticmethod
    def read(path: Path) -> int:
        """What stands in such a file."""
        return struct.unpack("l", path.read_bytes())[0]


Before = tuple[str, Sequence[Any]]
"""A function of a module, `module:function`, and its arguments: called before the command."""


@final
class Forks:
    """Runs commands in children of a server (forks.py) that has imported what they need.

    Args:
        preload: a library that is loaded before all others.
    """

    def __init__(self, preload: Path | None = None) -> None:
        more = {} if preload is None else {"LD_PRELOAD": str(preload)}
        self._sync = preload is not None
        path = os.pathsep.join([str(_HERE.parent), *sys.path])
        self._server = subprocess.Popen(
            [sys.executable, str(_HERE / "forks.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, **more},
        )

    def run(
        self,
        words: Sequence[str],
        *,
        log: Path,
        before: Sequence[Before] = (),
        environment: Mapping[str, str] | None = None,
        kill_after: float | None = None,
        limit: float = LIMIT,
    ) -> int:
        """The exit code of a command, less than 0 for a signal; 124 if it hangs.

        Args:
            words: of the command.
            log: takes what the process writes; its folder is where the process stands, which is in
                no checkout: of one, every file would be read.
            before: what to call in that process first.
            environment: variables beside those of the server.
            kill_after: seconds until it is killed.
            limit: seconds after which it hangs.
        """
        job = {
            "words": [*words],
            "log": str(log),
            "folder": str(log.parent),
            "before": [[name, [*arguments]] for name, arguments in before],
            "environment": dict(environment or {}),
            "limit": limit,
            "kill_after": kill_after,
            "sync": self._sync,
        }
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(job) + "\n")
        self._server.stdin.flush()
        code = json.loads(self._server.stdout.readline())
        return HUNG if code is None else code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.communicate()


def broken_at(n: int, fault: Fault, count_into: str) -> None:
    """Patches this process: its n-th call fails, or is its last."""
    counter = Counter(Path(count_into))

    def wrap(name: str) -> None:
        original = getattr(os, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if counter.add() != n:
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


def broken_below(library: str, n: int, fault: Fault, count_into: str, folder: str) -> None:
    """Arms the library that is preloaded in this process (preloaded.c) for calls below a folder."""
    arm = ctypes.CDLL(library).fault_arm
    arm(ctypes.c_long(n), PRELOADED_FAULTS.index(fault) + 1, folder.encode(), count_into.encode())


def preloaded_environment(
    library: Path, n: int, fault: Fault, count_into: Path, folder: Path
) -> dict[str, str]:
    """The environment in which the installed command has the library armed from its start."""
    return {
        **os.environ,
        "LD_PRELOAD": str(library),
        "FAULT_AT": str(n),
        "FAULT_KIND": str(PRELOADED_FAULTS.index(fault) + 1),
        "FAULT_COUNT": str(count_into),
        "FAULT_UNDER": str(folder),
    }


def end_behind_a_save() -> None:
    """Patches this process: it ends behind its second save, at a step that is not 0."""
    from nnlab.runs.saving import Saver

    save = Saver.save

    def saved(self: Saver, *, stays: bool = False) -> None:
        save(self, stays=stays)
        os._exit(ENDED)

    Saver.save = saved


def build_library(folder: Path) -> tuple[Path | None, str]:
    """Builds preloaded.c; None, and why, where that cannot be done."""
    if sys.platform != "linux":
        return None, "calls are intercepted by LD_PRELOAD, which is of Linux"
    compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), "")
    if not compiler:
        return None, "no C compiler here (cc, gcc or clang)"
    library = folder / "preloaded.so"
    words = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_HERE / "preloaded.c")]
    done = subprocess.run([*words, "-ldl"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None, f"{compiler} does not build the library: {done.stderr[:200]}"
    return library, ""


def read_only_below(folder: str, name: str) -> None:
    """Patches this process: nothing below a folder can be written, made, renamed or removed."""
    number = getattr(errno, name)

    def below(path: object) -> bool:
        return isinstance(path, str | os.PathLike) and str(path).startswith(folder)

    def wrap(function: str) -> None:
        original = getattr(os, function)

        def call(path: Any, *args: Any, **kwargs: Any) -> Any:
            writes = function != "open" or args[0] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if below(path) and writes:
                raise OSError(number, os.strerror(number), str(path))
            return original(path, *args, **kwargs)

        setattr(os, function, call)

    for function in ("open", "mkdir", "replace", "rename", "unlink", "rmdir", "utime"):
        wrap(function)
    opened = io.open

    def open_(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if below(file) and set(mode) & set("wax+"):
            raise OSError(number, os.strerror(number), str(file))
        return opened(file, mode, *args, **kwargs)

    io.open = open_
    builtins.open = open_


def jumping_clock(jump: float) -> None:
    """Patches this process: the time of day moves by so many seconds at each look."""
    real, looks = time.time, itertools.count()
    time.time = lambda: real() + jump * next(looks)
