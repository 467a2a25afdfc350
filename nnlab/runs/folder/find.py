"""The folders of runs and of comparisons: makes and finds runs/<name>/<number>/."""

import os
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from difflib import get_close_matches
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from nnlab.core import files
from nnlab.core.errors import CheckpointError, ConfigError
from nnlab.core.reach import within_reach
from nnlab.runs.sums import read_sealed

COMPARISON_FILE = "group.json"
"""What makes a folder a comparison: its runs are folders in it."""
_MEMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_LONGEST = 255
"""Bytes of a file's name; 16 times as much is a path."""
_HOME: ContextVar[Path | None] = ContextVar("runs_home", default=None)
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


def runs_home() -> Path:
    """Where runs are: `NNLAB_RUNS`, or runs/ under the current folder."""
    return _HOME.get() or Path(os.environ.get("NNLAB_RUNS") or "runs")


@contextmanager
def runs_kept_in(folder: Path) -> Generator[None]:
    """Within it runs are in that folder, in this thread and its tasks: a server has many homes."""
    token = _HOME.set(folder)
    try:
        yield
    finally:
        _HOME.reset(token)


def create_folder(name: str) -> Path:
    """Makes the folder of a new run, runs/<name>/<number>; two processes never get the same.

    Raises:
        ResourceError: it cannot be made.
    """
    folder = runs_home() / name
    with files.storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            run = folder / str(max(_numbers(folder), default=0) + 1)
            try:
                run.mkdir()
            except FileExistsError:
                if not run.is_dir():
                    raise
                continue  # another process was quicker
            return run


def find_run(text: str) -> Path:
    """The run that RUN means: a path, `mnist-mlp/3`, `mnist-mlp` (its newest) or `last`.

    It may be a comparison; one of its runs is `mnist-mlp/3/relu-s0`.

    Raises:
        ConfigError: there is none; with the nearest names.
    """
    if text == "last":
        runs = sorted(all_runs(), key=started_at)
        if not runs:
            raise ConfigError(f"last: no run in {runs_home()} (nnlab train makes one)")
        return runs[-1]
    for folder in (Path(text), runs_home() / text):
        if len(folder.name) > _LONGEST or len(text) > 16 * _LONGEST:
            continue  # no system has such a name, and would say so of everything that is asked
        if not within_reach(folder):
            continue
        if is_run(folder):
            return folder
        if folder.is_dir() and (
            numbers := [n for n in _numbers(folder) if is_run(folder / str(n))]
        ):
            return folder / str(max(numbers))
    if len(Path(text).name) > _LONGEST:
        raise ConfigError(f"{text[:60]}...: no such run ({_hint('')})")
    if within_reach(Path(text)) and Path(text).is_dir() and text not in known_runs():
        raise ConfigError(f"{text}: is no run, it has no summary.json (nnlab runs lists the runs)")
    raise ConfigError(f"{text}: no such run ({_hint(text)})")


def is_newest(run: Path) -> bool:
    """Whether `last` means this run: it lies in the runs' home, and none was started since."""
    with suppress(OSError, ConfigError):
        return find_run("last").resolve() == run.resolve()
    return False


def known_runs() -> list[str]:
    """What RUN can be besides a path: names, name/number, and last."""
    names = [f"{run.parent.name}/{run.name}" for run in all_runs()]
    return [*dict.fromkeys(name.partition("/")[0] for name in names), *names, "last"]


def _hint(text: str) -> str:
    known = known_runs()
    if known == ["last"]:
        return f"there are none in {runs_home()}; nnlab train makes one"
    name, _, _ = text.partition("/")
    of_name = [run for run in known if run.startswith(f"{name}/")]
    near = of_name[-3:] or get_close_matches(text, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else "nnlab runs lists them"


def _numbers(folder: Path) -> list[int]:
    with suppress(OSError):
        return [int(path.name) for path in folder.iterdir() if _NUMBER.fullmatch(path.name)]
    return []


def run_folders() -> Iterator[Path]:
    """Every numbered folder, by name and number."""
    if runs_home().is_dir():
        for folder in sorted(path for path in runs_home().iterdir() if path.is_dir()):
            for number in sorted(_numbers(folder)):
                if (folder / str(number)).is_dir():
                    yield folder / str(number)


def all_runs() -> list[Path]:
    """Every run and every comparison, by name and number."""
    return [folder for folder in run_folders() if is_run(folder)]


def is_run(folder: Path) -> bool:
    """Whether a folder is a run or a comparison."""
    return any((folder / name).is_file() for name in ("summary.json", COMPARISON_FILE))


def is_comparison(folder: Path) -> bool:
    """Whether a folder is a comparison."""
    return (folder / COMPARISON_FILE).is_file()


def members_of(folder: Path) -> list[Path]:
    """The runs of a comparison that have begun, in its order; of a run itself."""
    if not is_comparison(folder):
        return [folder]
    return [
        folder / name for name in read_comparison_file(folder)["members"] if is_run(folder / name)
    ]


def read_comparison_file(folder: Path) -> dict[str, Any]:
    """The content of a comparison's group.json.

    Raises:
        CheckpointError: it cannot be read, or was changed.
    """
    path = folder / COMPARISON_FILE
    try:
        found = read_sealed(path)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from None
    members = found.get("members")
    if not isinstance(members, dict) or not all(isinstance(m, dict) for m in members.values()):
        raise CheckpointError(f"{path}: does not say which runs it compares")
    if wrong := [name for name in members if not _MEMBER.fullmatch(name)]:
        raise CheckpointError(f"{path}: {wrong[0][:60]!r} is no run's name")
    return found


def started_at(run: Path) -> tuple[float, int]:
    """When it was started or resumed last: config.yaml is written then and at no other time."""
    for name in ("config.yaml", "summary.json", COMPARISON_FILE, ""):
        with suppress(OSError):
            return (run / name).stat().st_mtime, int(run.name) if run.name.isdigit() else 0
    return 0.0, 0


def in_use(run: Path) -> bool:
    """Whether a process trains into it: its lock dies with it."""
    try:
        release_folder(hold_folder(run))
    except OSError:
        return True
    if not (run / "lock").exists():
        return False
    from filelock import FileLock, Timeout

    lock = FileLock(run / "lock")
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    lock.release()
    return False


def hold_folder(folder: Path, *, patience: float = 0.0) -> int | None:
    """Locks a folder itself, where the system can; the lock dies with its process.

    Args:
        folder: it must be there.
        patience: seconds to wait for one who only looks.

    Returns:
        A handle for `release_folder`; None where folders cannot be locked.

    Raises:
        BlockingIOError: another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # Windows, where nobody can remove a file that is open
        return None
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    until = monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            if monotonic() >= until:
                os.close(handle)
                raise
            sleep(0.02)
        except OSError:  # a file system that locks no folders
            os.close(handle)
            return None


def release_folder(handle: int | None) -> None:
    """Gives back what `hold_folder` locked."""
    if handle is not None:
        # The lock is of the open file and ends with it.
        os.close(handle)
