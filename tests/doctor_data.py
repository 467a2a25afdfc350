"""What sick and healthy experiments are made of: tables, images, models, optimizers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Sections = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One experiment.

    Attributes:
        name: of the case, a folder's name.
        sickness: what is wrong with it; empty for healthy.
        accepted: findings that name it.
        sections: its config.
        score: what must become better, with its sign: accuracy, balanced_accuracy, -loss; where it
            is empty, no cure is tried.
    """

    name: str
    sickness: str
    accepted: frozenset[str]
    sections: Sections
    score: str = "-loss"
    rows: frozenset[int] = frozenset()
    """Training rows of which the finding must name one."""
    fields: tuple[str, ...] = ()
    """Of the config, where the cause stands: a finding whose remedy changes one names it too."""
    base: Sections | None = None
    """The same experiment without the sickness; None where that was not kept."""


def table(
    folder: Path,
    seed: int,
    *,
    rows: int,
    columns: int,
    share: float = 0.5,
    flips: float = 0.0,
    constant: int = 0,
    repeats: float = 0.0,
    factor: float = 1.0,
) -> Path:
    """A csv of two classes, a cloud in each corner of a cube with noise, as one file for each call.

    Args:
        folder: where to.
        seed: of the numbers.
        rows: how many.
        columns: inputs.
        share: of class b.
        flips: share of labels that are drawn anew.
        constant: so many further columns that never change.
        repeats: share of rows that are written twice.
        factor: what the last column is multiplied by.
    """
    draw = np.random.default_rng(seed)
    labels = (draw.random(rows) < share).astype(int)
    corner = draw.choice([-1.0, 1.0], size=(2, columns))
    inputs = 0.9 * corner[labels] + draw.normal(size=(rows, columns)) * 1.3
    labels = np.where(draw.random(rows) < flips, draw.integers(0, 2, rows), labels)
    inputs[:, -1] *= factor
    inputs = np.hstack([inputs, np.full((rows, constant), 3.0)])
    doubled = draw.choice(rows, int(repeats * rows), replace=False)
    inputs, labels = np.vstack([inputs, inputs[doubled]]), np.append(labels, labels[doubled])
    path = folder / f"table-{seed}-{rows}-{share}-{flips}-{constant}-{repeats}-{factor}.csv"
    lines = [",".join([*(f"x{n}" for n in range(inputs.shape[1])), "label"])]
    lines += [
        ",".join([*(f"{value:.6g}" for value in row), "ab"[label]])
        for row, label in zip(inputs, labels, strict=True)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def csv(path: Path, **fields: Any) -> Sections:
    return {"kind": "csv", "path": str(path), "target": "label", "validation": 0.25, **fields}


def adam(lr: float) -> Sections:
    return {"kind": "adam", "lr": lr}


def momentum(lr: float) -> Sections:
    return {"kind": "sgd", "lr": lr, "momentum": 0.9}


def mlp(*widths: int, activation: str = "relu", **fields: Any) -> Sections:
    return {"kind": "mlp", "hidden": list(widths), "activation": activation, **fields}


def deep(width: int, depth: int, activation: str = "relu", **fields: Any) -> Sections:
    hidden = {"width": width, "depth": depth}
    return {"kind": "mlp", "hidden": hidden, "activation": activation, **fields}


def written(folder: Path, name: str, inputs: Any, targets: Any) -> Path:
    """A csv of inputs (N, columns) and one target column: numbers, or classes as letters."""
    whole = np.issubdtype(targets.dtype, np.integer)
    path = folder / f"{name}.csv"
    lines = [",".join([*(f"x{n}" for n in range(inputs.shape[1])), "label"])]
    lines += [
        ",".join([*(f"{v:.6g}" for v in row), "abcdefgh"[target] if whole else f"{target:.6g}"])
        for row, target in zip(inputs, targets, strict=True)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def stripes(folder: Path) -> Path:
    """900 images of 10 x 10: stripes across, upright or slanting, at any place, with noise."""
    draw = np.random.default_rng(77)
    labels = draw.integers(0, 3, 900)
    across, down = np.mgrid[0:10, 0:10]
    phase, pitch = draw.uniform(0, 6.3, (900, 1, 1)), draw.uniform(1.0, 1.8, (900, 1, 1))
    lines = np.stack([across, down, (across + down) * 0.7])[labels]
    images = 0.5 + 0.4 * np.sin(lines * pitch + phase) + draw.normal(0, 0.25, (900, 10, 10))
    path = folder / "stripes.npz"
    np.savez(path, inputs=images[:, None].astype(np.float32), targets=labels)
    return path
