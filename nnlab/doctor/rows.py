"""Rows that findings name: lists of them as files in a run's eval/, for people and data.exclude."""

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path

import numpy as np

from nnlab import durable
from nnlab.contracts import Examples
from nnlab.diagnosis.examples import suspects
from nnlab.diagnosis.facts import Facts
from nnlab.doctor.replay import Broken
from nnlab.findings import Finding
from nnlab.outcome import short

OUTLYING = 1e3
"""So many times the median size of a row is no row of the same kind."""


def with_suspects(finding: Finding, folder: Path, facts: Facts, until: int) -> Finding:
    """The finding of wrong labels with the file that lists them, which is written here."""
    assert facts.record is not None
    names = facts.experiment.shape.classes
    lines = [
        f"{one.row},{names[one.label]},{names[one.predicted]},{one.margin:.6g},{one.loss:.6g}"
        for one in suspects(facts.record, until)
    ]
    path = _write(folder, "suspects.csv", "row,label,answered,margin,loss", lines)
    remedy = (f"data.exclude={path}",) if finding.worse_than("note") else ()
    return replace(finding, remedy=remedy, advice=f"{finding.advice}: {short(path)} lists them")


def with_batch(finding: Finding, broken: Broken, folder: Path, examples: Examples) -> Finding:
    """The finding of a run that broke with the update, the layer and the rows that broke it."""
    shown, first = broken.rows[:5], next(iter(broken.losses))
    rows = ", ".join(map(str, shown)) + (", ..." if len(broken.rows) > len(shown) else "")
    kind = "largest" if isfinite(first) else "not finite"
    meaning = (
        f"update {broken.step + 1:,} broke it: {broken.what} is off what can be computed with; of "
        f"the {broken.size} rows of its batch the loss of row {rows} is {kind}"
    )
    finding = replace(
        finding,
        layer=broken.layer or finding.layer,
        since=broken.step,
        measured=first if isfinite(first) else None,
        quantity=f"loss of row {shown[0]} at that update",
        meaning=meaning,
    )
    outlying = outliers(examples)
    if not outlying or not {*outlying} & {*broken.rows}:
        return finding
    path = _write(folder, "outliers.csv", "row", [str(row) for row in outlying])
    return replace(
        finding,
        meaning=f"{meaning}; {len(outlying)} training rows are a thousand times as large as others",
        remedy=(f"data.exclude={path}",),
        advice=f"look at these rows: {short(path)} lists them",
    )


def outliers(examples: Examples) -> list[int]:
    """Training rows of a thousand times the usual size, as the network sees them."""
    if not isinstance(examples.inputs, np.ndarray):
        return []
    rows = examples.rows["train"]
    sizes = np.empty(len(rows))
    for start in range(0, len(rows), 4096):
        part = examples.inputs[rows[start : start + 4096]].astype(np.float64)
        seen = np.abs((part - examples.shift) * examples.factor)
        sizes[start : start + 4096] = seen.reshape(len(seen), -1).max(axis=1)
    large = sizes > OUTLYING * np.median(sizes)
    return [int(row) for row in rows[large]]


def _write(folder: Path, name: str, head: str, lines: Sequence[str]) -> Path:
    path = folder.absolute() / "eval" / name
    with durable.storage(path):
        path.parent.mkdir(exist_ok=True)
    durable.write(path, "\n".join([head, *lines]) + "\n")
    return path
