"""What a comparison has come to: one table, the differences, what was expected."""

from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any

from nnlab.comparison.result import (
    ComparisonResult,
    Estimate,
    MeasuredQuantity,
    estimate_mean,
    mean_with_interval,
    paired_by_seed,
)
from nnlab.core.text import render_text, short_path, text_grid
from nnlab.runs.folder.find import is_newest

PICTURE = "curves.png"


def reported_keys(runs: Sequence[MeasuredQuantity]) -> list[str]:
    """Loss and scores, as far as every run has them."""

    def keys(run: MeasuredQuantity) -> list[str]:
        last = next(iter(run.summary.last.values()), {})
        return ["loss", *(last.get("scores") or {})]

    found = keys(runs[0]) if runs else []
    return [key for key in found if all(key in keys(run) for run in runs)]


def _split_of(runs: Sequence[MeasuredQuantity]) -> str:
    """What the table shows: validation where every run has it."""
    has = all("validation" in run.summary.last for run in runs)
    return "validation" if has else "train"


def comparison_table(result: ComparisonResult) -> dict[str, dict[str, Estimate]]:
    """Variant -> tag -> mean and interval of the last readings of the runs that have ended."""
    runs, split = result.ended, _split_of(result.ended)
    tags = [f"{key}/{split}" for key in reported_keys(runs)]
    return {
        variant: {
            tag: estimate_mean([run.value(tag, "last") for run in runs if run.variant == variant])
            for tag in tags
        }
        for variant in dict.fromkeys(run.variant for run in runs)
    }


def comparison_report(result: ComparisonResult, lesson: Mapping[str, str] | None = None) -> str:
    """What a person reads at the end; of a lesson, what it said one would see stands beside it."""
    lesson = lesson or {}
    found = comparison_table(result)
    parts: list[Any] = []
    if found:
        tags = list(next(iter(found.values())))
        rows = [
            (
                variant or "runs",
                str(_count(result, variant)),
                *map(mean_with_interval, values.values()),
            )
            for variant, values in found.items()
        ]
        parts += ["", text_grid(rows, head=("variant", "runs", *tags), whole=(0,))]
        parts += _differences(result, tags)
        if any(_count(result, variant) > 1 for variant in found):
            parts.append("mean +- 95 % interval over seeds (Student's t)")
    if result.status == "completed" and "Observe" in lesson:
        parts += ["", lesson["Observe"]]
    if result.verdicts:
        parts += ["", *(verdict.line for verdict in result.verdicts)]
    if result.status == "completed" and "Change next" in lesson:
        parts += ["", lesson["Change next"]]
    where = short_path(result.run)
    left = _left(result)
    names = [*(["resume"] if left else []), "eval", "tensorboard"]
    again = "last" if is_newest(result.run) else quote(where)
    commands = [f"nnlab {name} {again if k else quote(where)}" for k, name in enumerate(names)]
    parts += [*left, "", *([f"picture  {where}/{PICTURE}"] if result.ended else [])]
    parts.append("next     " + "\n         ".join(commands))
    return render_text(*parts)


def _left(result: ComparisonResult) -> list[str]:
    """What is still to be trained, and is in no mean."""
    lines = [
        f"interrupted: {run.name} at step {run.summary.steps:,}, not in the means"
        for run in result.runs
        if run.summary.status == "interrupted"
    ]
    members = result.comparison.members
    waiting = len(members) - len(result.runs)
    if waiting:
        lines.append(f"not begun: {waiting} of {len(members)} runs")
    return ["", *lines] if lines else []


def _count(result: ComparisonResult, variant: str) -> int:
    return sum(run.variant == variant for run in result.ended)


def _differences(result: ComparisonResult, tags: Sequence[str]) -> list[Any]:
    """Each variant minus the first, in pairs of the same seed."""
    variants = list(dict.fromkeys(run.variant for run in result.ended))
    if len(variants) < 2:
        return []
    by_name = {v: [run for run in result.ended if run.variant == v] for v in variants}
    first = by_name[variants[0]]
    rows = [
        (
            f"{name} minus {variants[0]}",
            *(mean_with_interval(paired_by_seed(by_name[name], first, t)) for t in tags),
        )
        for name in variants[1:]
    ]
    return ["", text_grid(rows, head=("paired by seed", *tags), whole=(0,))]
