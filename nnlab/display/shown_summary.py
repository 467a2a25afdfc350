"""A run's summary for a person: what was reached beside the baseline, and what to do next."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote
from typing import TextIO

from nnlab.core.contracts import Split
from nnlab.core.wrap import write_wrapped


def four_digits(value: float) -> str:
    """Four digits, so that columns keep their width."""
    return f"{value:#.4g}" if math.isfinite(value) else str(value)


@dataclass(frozen=True, slots=True)
class ShownSummary:
    """A finished run's summary as a person sees it.

    Attributes:
        run: the run as the commands take it: "runs/mnist-mlp/3".
        status: how it ended: "completed", "early_stopped", ...
        why: the same in words, may be empty.
        steps: updates made.
        seconds: the time that took.
        best_epoch: the epoch of the weights that `best` names; None where nothing is watched.
        scores: a row that says what it shows -> name -> value: the mean of training's last epoch,
            the best reading of the split that is watched, the last of the others.
        baseline: name -> value on the validation split (else training) without looking at inputs.
        baseline_name: what that is: "majority class", "mean".
        remarks: what the learning rule has to say, line by line.
        held_out: the split to evaluate next: test where there is one; None where no command can,
            because the run lacks what Python handed in.
        resumable: whether there is more to train, from a checkpoint that is there.
        sick: whether something is wrong with it that `nnlab doctor` explains.
        newest: whether commands find it as `last`, so that its path need not be read again.
    """

    run: str
    status: str
    why: str
    steps: int
    seconds: float
    best_epoch: float | None
    scores: Mapping[str, Mapping[str, float]]
    baseline: Mapping[str, float]
    baseline_name: str
    remarks: tuple[str, ...] = ()
    held_out: Split | None = "test"
    resumable: bool = False
    sick: bool = False
    newest: bool = False


def two_decimals(epoch: float) -> str:
    """Two digits behind the point at most: 8, 2.5, 0.12."""
    return f"{epoch:.2f}".rstrip("0").rstrip(".")


def epoch_of(step: int, per_epoch: int) -> str:
    """The epoch that ends with a step, or is under way: 'epoch 3', 'epoch 4 so far'."""
    return f"epoch {-(-step // per_epoch)}" + (" so far" if step % per_epoch else "")


def write_summary(shown: ShownSummary, *, stream: TextIO) -> None:
    """Writes the last lines: what was reached beside the baseline, what to do with it next."""
    spent = f"{shown.steps:,} steps in {shown.seconds:,.1f} s"
    why = f" ({shown.why})" if shown.why else ""
    lines = [f"{shown.status.replace('_', ' ')}{why}: {spent}"]
    if shown.best_epoch is not None:
        lines[0] += f", best at epoch {two_decimals(shown.best_epoch)}"
    held = shown.held_out
    rows = {**shown.scores}
    if shown.baseline:
        rows[f"{shown.baseline_name} (baseline)"] = shown.baseline
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    width = max(map(len, rows), default=0)
    if names:
        lines.append(" " * width + "".join(f"  {name:>9}" for name in names))
    for label, row in rows.items():
        cells = (four_digits(row[name]) if name in row else "" for name in names)
        padded = (f"  {c:>{max(9, len(n))}}" for n, c in zip(names, cells, strict=True))
        lines.append(f"{label:<{width}}" + "".join(padded).rstrip())
    lines += shown.remarks
    split = f" --split {held}" if held != "test" else ""
    commands = [("doctor", "")] if shown.sick else []
    commands += [("resume", "")] if shown.resumable else []
    commands += [("eval", split)] if held is not None else []
    commands.append(("tensorboard", ""))
    run = quote(str(shown.run))
    # The first names the run for good, the others as one types it.
    names = [run, *["last" if shown.newest else run] * (len(commands) - 1)]
    written = [
        f"nnlab {command} {name}{rest}"
        for (command, rest), name in zip(commands, names, strict=True)
    ]
    lines.append("next  " + "\n      ".join(written))
    write_wrapped(stream, "\n".join(lines))
