"""The folders of runs: makes, finds, lists and removes runs/<name>/<number>/."""

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from nnlab import durable
from nnlab.base import ConfigError, NnlabError, ResourceError
from nnlab.summary import Summary, read_summary

_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_BAD = ("failed", "diverged", "killed", "damaged", "empty")
_UNITS = ((86400 * 365, "y"), (86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def home() -> Path:
    """Where runs are: `NNLAB_RUNS`, or runs/ under the current folder."""
    return Path(os.environ.get("NNLAB_RUNS") or "runs")


def create(name: str) -> Path:
    """Makes the folder of a new run, runs/<name>/<number>; two processes never get the same.

    Raises:
        ResourceError: it cannot be made.
    """
    folder = home() / name
    with durable.storage(folder):
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


def find(text: str) -> Path:
    """The run that RUN means: a path, `mnist-mlp/3`, `mnist-mlp` (its newest) or `last`.

    Raises:
        ConfigError: there is none; with the nearest names.
    """
    if text == "last":
        runs = sorted(_all(), key=_started)
        if not runs:
            raise ConfigError(f"last: no run in {home()} (nnlab train makes one)")
        return runs[-1]
    for folder in (Path(text), home() / text):
        if _is_run(folder):
            return folder
        if folder.is_dir() and (
            numbers := [n for n in _numbers(folder) if _is_run(folder / str(n))]
        ):
            return folder / str(max(numbers))
    if Path(text).is_dir() and text not in _known():
        raise ConfigError(f"{text}: is no run, it has no summary.json (nnlab runs lists the runs)")
    raise ConfigError(f"{text}: no such run ({_hint(text)})")


def _known() -> list[str]:
    names = [f"{run.parent.name}/{run.name}" for run in _all()]
    return [*dict.fromkeys(name.partition("/")[0] for name in names), *names, "last"]


def _hint(text: str) -> str:
    known = _known()
    if known == ["last"]:
        return f"there are none in {home()}; nnlab train makes one"
    name, _, _ = text.partition("/")
    of_name = [run for run in known if run.startswith(f"{name}/")]
    near = of_name[-3:] or get_close_matches(text, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else "nnlab runs lists them"


def _numbers(folder: Path) -> list[int]:
    with suppress(OSError):
        return [int(path.name) for path in folder.iterdir() if _NUMBER.fullmatch(path.name)]
    return []


def _folders() -> Iterator[Path]:
    """Every numbered folder, by name and number."""
    if home().is_dir():
        for folder in sorted(path for path in home().iterdir() if path.is_dir()):
            for number in sorted(_numbers(folder)):
                if (folder / str(number)).is_dir():
                    yield folder / str(number)


def _all() -> list[Path]:
    return [folder for folder in _folders() if _is_run(folder)]


def _is_run(folder: Path) -> bool:
    return (folder / "summary.json").is_file()


def _started(run: Path) -> tuple[float, int]:
    """When it was started or resumed last: config.yaml is written then and at no other time."""
    for name in ("config.yaml", "summary.json", ""):
        with suppress(OSError):
            return (run / name).stat().st_mtime, int(run.name) if run.name.isdigit() else 0
    return 0.0, 0


@dataclass(frozen=True, slots=True)
class Row:
    """A run in a list.

    Attributes:
        run: its folder.
        status: of the summary; `killed` if it says running and no process holds it; `damaged` if it
            cannot be read; `empty` for a folder that never became a run.
        scores: of the best validation reading, else of the last one; loss first.
        seconds: since it was started or resumed last.
        size: in bytes.
    """

    run: Path
    status: str
    scores: Mapping[str, float]
    seconds: float
    size: int

    @property
    def name(self) -> str:
        """As the commands take it."""
        return f"{self.run.parent.name}/{self.run.name}"


def listing() -> list[Row]:
    """All runs, the newest last."""
    return sorted(map(_row, _all()), key=lambda row: (-row.seconds, row.run.name))


def _row(run: Path) -> Row:
    status, scores = "empty", {}
    if _is_run(run):
        try:
            summary = read_summary(run)
            status, scores = summary.status, _scores(summary)
        except NnlabError:
            status = "damaged"
    if status == "running" and not in_use(run):
        status = "killed"
    age = max(0.0, time.time() - _started(run)[0])
    return Row(run, status, scores, age, _size(run))


def _scores(summary: Summary) -> dict[str, float]:
    chosen = summary.best or summary.last.get("validation") or summary.last.get("train") or {}
    found = {"loss": chosen.get("loss"), **(chosen.get("scores") or {})}
    return {key: value for key, value in found.items() if isinstance(value, int | float)}


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.lstat().st_size
    return total


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


def table(*, as_json: bool) -> str:
    """The list that `nnlab runs` prints."""
    rows = listing()
    if as_json:
        return json.dumps([_plain(row) for row in rows]) + "\n"
    if not rows:
        return f"no runs in {home()} (nnlab train makes one)\n"
    from nnlab.printing import grid, rendered

    cells = [
        (row.name, row.status, _said(row.scores), _age(row.seconds), f"{row.size / 1e6:,.1f} MB")
        for row in rows
    ]
    head = ("run", "status", "scores", "age", "size")
    return rendered(grid(cells, head=head, right=(3, 4), whole=(0, 1, 3, 4)))


def _plain(row: Row) -> dict[str, object]:
    return {
        "run": str(row.run),
        "name": row.run.parent.name,
        "number": int(row.run.name),
        "status": row.status,
        "scores": dict(row.scores),
        "age_seconds": round(row.seconds, 1),
        "bytes": row.size,
    }


def _said(scores: Mapping[str, float]) -> str:
    return ", ".join(f"{key} {value:.4g}" for key, value in scores.items())


def _age(seconds: float) -> str:
    count, unit = next(((n, unit) for n, unit in _UNITS if seconds >= n), (1, "s"))
    return f"{int(seconds // count)} {unit}"


def remove(runs: Sequence[Path], *, yes: bool) -> list[Path]:
    """Removes runs, and the folder of a name that has none left.

    Args:
        runs: their folders.
        yes: remove even those that a process trains into.

    Raises:
        ResourceError: one is in use (then none is removed), or cannot be removed.
    """
    unique = list(dict.fromkeys(run.resolve() for run in runs))
    busy = [] if yes else [run for run in unique if in_use(run)]
    if busy:
        raise ResourceError([f"{run}: is being trained (wait, or add --yes)" for run in busy])
    for run in unique:
        with durable.storage(run):
            # Renamed first: a kill must not leave half a run under its name.
            aside = run.with_name(f".{run.name}.removed-{os.getpid()}")
            run.rename(aside)
            shutil.rmtree(aside)
        if run.parent.parent == home().resolve():
            with suppress(OSError):
                run.parent.rmdir()
    return unique


def prunable(*, keep: int | None, failed: bool) -> list[Path]:
    """The runs that `prune` removes.

    Args:
        keep: all but so many of each name, the newest.
        failed: those that failed, diverged, were killed or never began.

    Raises:
        ConfigError: if neither is asked for.
    """
    if keep is None and not failed:
        raise ConfigError("runs prune: needs --keep N or --failed")
    folders = [run for run in _folders() if not in_use(run)]
    chosen: set[Path] = set()
    if failed:
        chosen |= {run for run in folders if _row(run).status in _BAD}
    if keep is not None:
        by_name: dict[str, list[Path]] = {}
        for run in folders:
            by_name.setdefault(run.parent.name, []).append(run)
        for runs in by_name.values():
            chosen |= set(runs[: max(0, len(runs) - keep)])
    return [run for run in folders if run in chosen]


def confirm(runs: Sequence[Path]) -> bool:
    """Asks on the terminal.

    Raises:
        ConfigError: there is nobody to ask.
    """
    count = f"{len(runs)} run{'s' * (len(runs) > 1)}"
    if not sys.stdin.isatty():
        raise ConfigError(f"runs prune: would remove {count} (add --yes)")
    names = ", ".join(f"{run.parent.name}/{run.name}" for run in runs)
    sys.stderr.write(f"remove {names}? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
