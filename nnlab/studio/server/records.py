"""Runs that are over, as the page lists them and lays them behind the curves of another."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from nnlab.core.errors import ConfigError, NnlabError
from nnlab.runs.folder.find import all_runs, find_run, is_comparison, started_at
from nnlab.runs.folder.metrics import read_history
from nnlab.runs.folder.summary import Summary, read_summary

_MOST_RUNS = 60
_MOST_POINTS = 2000


def listed_runs() -> list[dict[str, Any]]:
    """Name, status and best scores of the newest runs, the newest first."""
    found: list[dict[str, Any]] = []
    runs = (run for run in all_runs() if not is_comparison(run))
    for run in sorted(runs, key=started_at, reverse=True)[:_MOST_RUNS]:
        with suppress(NnlabError, OSError):
            summary = read_summary(run)
            name = f"{run.parent.name}/{run.name}"
            found.append({"name": name, "status": summary.status, **_best(summary)})
    return found


def run_curves(name: str) -> dict[str, Any]:
    """The curves of a run: loss and scores; and what came of it.

    Raises:
        ConfigError: it is none of those that are listed.
        CheckpointError: its record cannot be read.
    """
    if name not in {f"{run.parent.name}/{run.name}" for run in all_runs()}:
        raise ConfigError(f"{name}: no such run")
    run = find_run(name)
    summary = read_summary(run)
    scores = {key for entry in summary.last.values() for key in entry["scores"]}
    points = list(_points(read_history(run / "metrics.jsonl"), {"loss", *scores}))
    stride = -(-len(points) // _MOST_POINTS) or 1
    return {
        "name": name,
        "status": summary.status,
        "updates": summary.steps,
        "parameters": summary.parameters,
        "seconds": summary.seconds.get("total"),
        **_best(summary),
        "readings": points[::stride],
    }


def _points(records: list[dict[str, Any]], keys: set[str]) -> Iterator[Mapping[str, Any]]:
    for record in records:
        values = {key: record[key] for key in keys if key in record}
        yield {"epoch": record["epoch"], "split": record["split"], "values": values}


def _best(summary: Summary) -> dict[str, Any]:
    """Loss and scores of the best reading, or of the last one."""
    entry = summary.best or summary.last.get("validation") or summary.last.get("train")
    if entry is None:
        return {"loss": None, "scores": {}}
    return {"loss": entry["loss"], "scores": dict(entry["scores"])}
