"""The folders of runs and of groups of runs: makes and finds runs/<name>/<number>/."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

from nnlab.core import files
from nnlab.core.errors import CheckpointError, ConfigError

GROUP_FILE = "group.json"
"""What makes a folder a comparison: its runs are folders in it."""
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


def runs_home() -> Path:
    """Where runs are: `NNLAB_RUNS`, or runs/ under the current folder."""
    return Path(os.environ.get("NNLAB_RUNS") or "runs")


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
        if is_run(folder):
            return folder
        if folder.is_dir() and (
            numbers := [n for n in _numbers(folder) if is_run(folder / str(n))]
        ):
            return folder / str(max(numbers))
    if Path(text).is_dir() and text not in known_runs():
        raise ConfigError(f"{text}: is no run, it has no summary.json (nnlab runs lists the runs)")
    raise ConfigError(f"{text}: no such run ({_hint(text)})")


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
    return any((folder / name).is_file() for name in ("summary.json", GROUP_FILE))


def is_group(folder: Path) -> bool:
    """Whether a folder is a comparison."""
    return (folder / GROUP_FILE).is_file()


def members_of(folder: Path) -> list[Path]:
    """The runs of a comparison that have begun, in its order; of a run itself."""
    if not is_group(folder):
        return [folder]
    import json

    try:
        names: list[str] = list(json.loads((folder / GROUP_FILE).read_bytes())["members"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder / GROUP_FILE}: cannot be read: {error}") from None
    return [folder / name for name in names if is_run(folder / name)]


def started_at(run: Path) -> tuple[float, int]:
    """When it was started or resumed last: config.yaml is written then and at no other time."""
    for name in ("config.yaml", "summary.json", GROUP_FILE, ""):
        with suppress(OSError):
            return (run / name).stat().st_mtime, int(run.name) if run.name.isdigit() else 0
    return 0.0, 0


def in_use(run: Path) -> bool:
    """Whether a process trains into it: its lock dies with it."""
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
