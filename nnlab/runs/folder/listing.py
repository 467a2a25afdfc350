"""The list of runs, and what removes some of them."""

import json
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from nnlab.core import files
from nnlab.core.errors import ConfigError, NnlabError, ResourceError
from nnlab.core.wrap import visible_text
from nnlab.display.shown_summary import four_digits
from nnlab.runs.folder.find import (
    all_runs,
    in_use,
    is_comparison,
    is_run,
    members_of,
    read_comparison_file,
    run_folders,
    runs_home,
    started_at,
)
from nnlab.runs.folder.ownership import why_not_removable
from nnlab.runs.folder.summary import Summary, read_summary

_BAD = ("failed", "diverged", "killed", "damaged", "empty")
_UNFINISHED = ("running", "pruned", "interrupted", "failed")
_UNITS = ((86400 * 365, "y"), (86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


@dataclass(frozen=True, slots=True)
class ListedRun:
    """A run in a list.

    Attributes:
        run: its folder.
        status: of the summary; `killed` if it says running and no process holds it; `damaged` if it
            cannot be read; `empty` for a folder that never became a run.
        scores: of the best validation reading, else of the last one; loss first.
        split: that these are of; empty where there are none.
        seconds: since it was started or resumed last.
        size: in bytes.
    """

    run: Path
    status: str
    scores: Mapping[str, float]
    split: str
    seconds: float
    size: int

    @property
    def name(self) -> str:
        """NAME/NUMBER, as commands take a run in the folder `runs`."""
        return f"{self.run.parent.name}/{self.run.name}"


def list_runs() -> list[ListedRun]:
    """A row for every run and comparison in the folder `runs`, the newest last."""
    return sorted(map(_row, all_runs()), key=lambda row: (-row.seconds, row.run.name))


def _row(run: Path) -> ListedRun:
    status, split = "empty", ""
    scores: Mapping[str, float] = {}
    if is_comparison(run):
        status, split, scores = _group(run)
    elif is_run(run):
        try:
            summary = read_summary(run)
            status, (split, scores) = summary.status, _scores(summary)
        except NnlabError:
            status = "damaged"
    if status == "running" and not in_use(run):
        status = "killed"
    age = max(0.0, time.time() - started_at(run)[0])
    return ListedRun(run, status, scores, split, age, _size(run))


def _group(folder: Path) -> tuple[str, str, dict[str, float]]:
    """Status and split of a comparison, the last score of each variant over its seeds.

    Runs that were cut short are in no average.
    """
    try:
        comparison = read_comparison_file(folder)
        found: dict[str, list[float]] = {}
        splits: set[str] = set()
        for run in members_of(folder):
            summary = read_summary(run)
            if summary.status in _UNFINISHED:
                continue
            split, scores = _scores(summary)
            for key, value in list(scores.items())[-1:]:
                variant = str(comparison["members"][run.name]["variant"])
                found.setdefault(f"{variant} {key}".strip(), []).append(value)
                splits.add(split)
        means = {key: sum(values) / len(values) for key, values in found.items()}
        return str(comparison["status"]), splits.pop() if len(splits) == 1 else "", means
    except (NnlabError, OSError, ValueError, KeyError, TypeError):
        return "damaged", "", {}


def _scores(summary: Summary) -> tuple[str, Mapping[str, float]]:
    """The split that speaks for a run, and its numbers."""
    best = summary.best or {}
    chosen = best if best.get("split", "validation") == "validation" else {}
    chosen, last = chosen or summary.last.get("validation"), summary.last.get("train") or {}
    split, chosen = ("validation", chosen) if chosen else ("train", last)
    found = {"loss": chosen.get("loss"), **(chosen.get("scores") or {})}
    known = {str(key): value for key, value in found.items() if isinstance(value, int | float)}
    return split if known else "", known


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.lstat().st_size
    return total


def runs_list(*, as_json: bool) -> str:
    """The list that `nnlab runs` prints."""
    rows = list_runs()
    if as_json:
        return json.dumps([_plain(row) for row in rows]) + "\n"
    if not rows:
        return f"no runs in {runs_home()} (nnlab train makes one)\n"
    from nnlab.core.text import render_text, text_grid

    cells = [
        (row.name, row.status, _said(row), _age(row.seconds), f"{row.size / 1e6:,.1f} MB")
        for row in rows
    ]
    head = ("run", "status", "scores", "age", "size")
    return render_text(text_grid(cells, head=head, right=(3, 4), whole=(0, 1, 3, 4)))


def _plain(row: ListedRun) -> dict[str, object]:
    return {
        "run": str(row.run),
        "name": row.run.parent.name,
        "number": int(row.run.name),
        "status": row.status,
        "scores": dict(row.scores),
        "split": row.split,
        "age_seconds": round(row.seconds, 1),
        "bytes": row.size,
    }


def _said(row: ListedRun) -> str:
    """As in: validation: loss 0.3120, accuracy 0.9010."""
    told = ", ".join(f"{key} {four_digits(value)}" for key, value in row.scores.items())
    return f"{row.split}: {told}" if row.split else told


def _age(seconds: float) -> str:
    count, unit = next(((n, unit) for n, unit in _UNITS if seconds >= n), (1, "s"))
    return f"{int(seconds // count)} {unit}"


def remove_runs(runs: Sequence[Path], *, yes: bool) -> list[Path]:
    """Removes runs, and the folder of a name that has none left.

    Args:
        runs: their folders.
        yes: remove even those that a process trains into.

    Raises:
        ConfigError: one is not a run, or holds what no run writes; then none is removed.
        ResourceError: one is in use (then none is removed), or cannot be removed.
    """
    unique = list(dict.fromkeys(run.resolve() for run in runs))
    reasons = {run: why_not_removable(run) for run in unique}
    if any(reasons.values()):
        raise ConfigError([f"{run}: {why}; left as it is" for run, why in reasons.items() if why])
    busy = [] if yes else [run for run in unique if in_use(run)]
    if busy:
        raise ResourceError([f"{run}: is being trained (wait, or add --yes)" for run in busy])
    for run in unique:
        with files.storage_errors(run):
            # Renamed first: a kill must not leave half a run under its name.
            aside = run.with_name(f".{run.name}.removed-{os.getpid()}")
            run.rename(aside)
            shutil.rmtree(aside)
        if run.parent.parent == runs_home().resolve():
            with suppress(OSError):
                run.parent.rmdir()
    return unique


class Prunable(NamedTuple):
    """What `prune` removes, and what it leaves although it was chosen."""

    runs: list[Path]
    left: list[str]
    """A line each: which folder, and why it is not removed."""


def prunable_runs(*, keep: int | None, failed: bool) -> Prunable:
    """The runs that `prune` removes, and the folders that only look like one.

    Args:
        keep: all but so many of each name, the newest.
        failed: those that failed, diverged, were killed or never began.

    Raises:
        ConfigError: if neither is asked for.
    """
    if keep is None and not failed:
        raise ConfigError("runs prune: needs --keep N or --failed")
    idle = [run for run in run_folders() if not in_use(run)]
    chosen: set[Path] = set()
    if failed:
        chosen |= {run for run in idle if _row(run).status in _BAD}
    if keep is not None:
        by_name: dict[str, list[Path]] = {}
        for run in idle:
            by_name.setdefault(run.parent.name, []).append(run)
        for runs in by_name.values():
            chosen |= set(runs[: max(0, len(runs) - keep)])
    reasons = {run: why_not_removable(run) for run in idle if run in chosen}
    left = [f"{run}: {why}; left as it is" for run, why in reasons.items() if why]
    return Prunable([run for run, why in reasons.items() if not why], left)


def confirm_removal(runs: Sequence[Path]) -> bool:
    """Asks on the terminal.

    Raises:
        ConfigError: there is nobody to ask.
    """
    count = f"{len(runs)} run{'s' * (len(runs) > 1)}"
    if not sys.stdin.isatty():
        raise ConfigError(f"runs prune: would remove {count} (add --yes)")
    names = ", ".join(f"{run.parent.name}/{run.name}" for run in runs)
    sys.stderr.write(visible_text(f"remove {names}? [y/N] "))
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
