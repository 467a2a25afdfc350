"""The doctor's page of a comparison: a line for each run, and what several of them have."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from nnlab.commands.doctor.report import DoctorReport, wrapped
from nnlab.core.finding import LEVELS, Finding
from nnlab.core.text import render_text, short_path, text_grid

_NAMED = 3
"""So many findings of a run are named in its line."""


def comparison_page(reports: Sequence[DoctorReport]) -> str:
    """What is wrong with the runs of a comparison, worst first told of the whole, then run by run.

    Args:
        reports: of its runs, in its order.
    """
    ill = [report for report in reports if report.exit_code]
    folder = Path(str(reports[0].facts["run"])).parent
    head = f"{short_path(folder)}: {len(reports)} runs, {len(ill)} with something wrong"
    rows = [_row(report) for report in reports]
    table = text_grid(rows, head=("run", "status", "worst", "findings"), whole=(0, 1, 2))
    text = render_text(head, "", table)
    lines = ["", *_common(ill)] if ill else []
    shown = (ill or list(reports))[0]
    path = quote(short_path(Path(str(shown.facts["run"]))))
    lines += ["", f"one of them in full, with what to change: nnlab doctor {path}"]
    return text + "".join(f"{line}\n" for line in [*lines, *_remarks(reports[-1])])


def _row(report: DoctorReport) -> tuple[str, str, str, str]:
    """Name, status, worst level, and causes."""
    facts: Mapping[str, Any] = report.facts
    told = [finding for finding in report.findings if finding.worse_than("note")]
    worst = max((LEVELS.index(finding.level) for finding in told), default=None)
    causes = [finding for finding in told if not finding.because]
    named = ", ".join(map(_named, causes[:_NAMED]))
    more = f" and {len(causes) - _NAMED} more" if len(causes) > _NAMED else ""
    level = "" if worst is None else LEVELS[worst]
    return Path(str(facts["run"])).name, str(facts["status"]).replace("_", " "), level, named + more


def _named(finding: Finding) -> str:
    return f"{finding.title}{f' in {finding.layer}' if finding.layer else ''}"


def _common(ill: Sequence[DoctorReport]) -> list[str]:
    """How many runs have each cause, and what it means in the first of them."""
    found = [
        finding
        for report in ill
        for finding in report.findings
        if finding.worse_than("note") and not finding.because
    ]
    counts, first = Counter(one.name for one in found), dict[str, Finding]()
    for finding in found:
        first.setdefault(finding.name, finding)
    lines: list[str] = []
    for name, count in counts.most_common():
        finding = first[name]
        several = f"{count} runs" if count > 1 else "1 run"
        lines += [f"{finding.level.upper()}  {finding.title}: {several}"]
        lines += wrapped(finding.meaning)
    return lines


def _remarks(report: DoctorReport) -> list[str]:
    """What was left out to save time."""
    kept = [one for one in report.remarks if one.startswith(("left out", "this look"))]
    return [line for remark in kept for line in wrapped(remark, indent="")]
