"""What a lesson expects, held against the runs that were trained of it so far."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from nnlab.comparison.comparison import Comparison, settle_source
from nnlab.comparison.result import MeasuredQuantity, curves_of, judge_expectations
from nnlab.config.loading import Text
from nnlab.runs.folder.summary import read_summary


class EndedRun(NamedTuple):
    """A run that was trained of a text.

    Attributes:
        text: as it was then.
        variant: that was asked for; None for the first.
        seed: likewise.
        folder: of the run.
    """

    text: str
    variant: str | None
    seed: int | None
    folder: Path


def judge_runs(
    text: Text, runs: Sequence[EndedRun], overrides: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """One entry for each line of `expect`.

    Args:
        text: of the experiment.
        runs: that have ended; those of another text do not count, of two alike the later one does.
        overrides: as `--set` takes them.

    Returns:
        "of", "quantity", "bound", "value" (a number, words, or None), "holds" (None where it cannot
        be said yet) and "needs": the variants that are to be trained for it, or the test split.

    Raises:
        NnlabError: the text is mistaken, or a run cannot be read.
    """
    comparison = settle_source(text, overrides).comparison
    found: dict[str, MeasuredQuantity] = {}
    for run in runs:
        if run.text == text.text:
            found |= _measured(comparison, run)
    measured = [*found.values()]
    judged: list[dict[str, Any]] = []
    for verdict in judge_expectations(comparison, measured):
        line = verdict.expectation
        trained = {each.variant for each in measured}
        needs = [
            member.variant
            for side in (line.left, line.right)
            for member in (comparison.of(side) if side else ())
            if member.variant not in trained
        ]
        if line.tag.endswith("/test"):
            needs.append("nnlab train, which reads the test split")
        about = verdict.plain()
        if needs:
            about |= {"holds": None, "value": None}
        elif isinstance(verdict.value, float) and not isfinite(verdict.value):
            about["value"] = "not finite"
        judged.append({**about, "needs": list(dict.fromkeys(needs))})
    return judged


def _measured(comparison: Comparison, run: EndedRun) -> dict[str, MeasuredQuantity]:
    """By its member's name; nothing of one that was stopped, or that the text has no more."""
    for member in comparison.members:
        if run.variant in (None, member.variant) and run.seed in (None, member.seed):
            summary = read_summary(run.folder)
            if summary.status == "interrupted":
                return {}
            curves = curves_of(summary.history)
            one = MeasuredQuantity(member.name, member.variant, member.seed, summary, curves, {})
            return {member.name: one}
    return {}
