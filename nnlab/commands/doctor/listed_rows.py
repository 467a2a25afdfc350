"""Rows that findings name: lists of them as files in a run's eval/, for people and data.exclude."""

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path

from nnlab.commands.doctor.replay import Broken
from nnlab.core import files
from nnlab.core.finding import Finding
from nnlab.core.text import short_path
from nnlab.diagnosis.checks.label_noise import Suspect
from nnlab.diagnosis.evidence.facts import Facts


def with_suspects(
    finding: Finding, folder: Path, facts: Facts, suspects: Sequence[Suspect]
) -> Finding:
    """The finding of wrong labels with the file that lists them, which is written here."""
    names = facts.experiment.shape.classes
    lines = [
        f"{one.row},{names[one.label]},{names[one.predicted]},{one.margin:.6g},{one.loss:.6g}"
        for one in suspects
    ]
    path = _write(folder, "suspects.csv", "row,label,answered,margin,loss", lines)
    remedy = (f"data.exclude={path}",) if finding.worse_than("note") else ()
    advice = finding.advice.replace("nnlab doctor lists", f"{short_path(path)} lists")
    return replace(finding, remedy=remedy, advice=advice)


def with_outliers(finding: Finding, folder: Path, rows: Sequence[int]) -> Finding:
    """The finding of rows that are far off, with the file that lists them."""
    name = "outliers.csv" if finding.name == "outlier_rows" else f"{finding.name}.csv"
    path = _write(folder, name, "row", [str(row) for row in rows])
    advice = f"{finding.advice}: {short_path(path)} lists them"
    return replace(finding, remedy=(f"data.exclude={path}",), advice=advice)


def with_batch(finding: Finding, broken: Broken, outlying: Finding | None) -> Finding:
    """The finding of a run that broke with the update, the layer and the rows that broke it.

    Args:
        finding: divergence.
        broken: by what.
        outlying: the finding of rows that are far too large: they are the cause.
    """
    shown, first = broken.rows[:5], next(iter(broken.losses))
    rows = ", ".join(map(str, shown)) + (", ..." if len(broken.rows) > len(shown) else "")
    kind = "largest" if isfinite(first) else "not finite"
    finding = replace(
        finding,
        layer=broken.layer or finding.layer,
        since=broken.step,
        measured=first if isfinite(first) else None,
        quantity=f"loss of row {shown[0]} at that update",
        meaning=f"update {broken.step + 1:,} broke it: {broken.what} is off what can be computed "
        f"with; of the {broken.size} rows of its batch the loss of row {rows} is {kind}",
    )
    if outlying is None:
        return finding
    return replace(finding, remedy=outlying.remedy, advice=outlying.advice)


def _write(folder: Path, name: str, head: str, lines: Sequence[str]) -> Path:
    path = folder.absolute() / "eval" / name
    with files.storage_errors(path):
        path.parent.mkdir(exist_ok=True)
    files.write_file(path, "\n".join([head, *lines]) + "\n")
    return path
