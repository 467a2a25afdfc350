"""Sick and healthy experiments for measuring the doctor, made from a seed.

There are two sets that share no data set, no size and no seed: thresholds are set by `development`
alone, `suite` measures what they are worth. A sickness is a change of a healthy experiment.
"""

from collections.abc import Mapping
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
        score: what must become better, with its sign: accuracy, balanced_accuracy, -loss.
    """

    name: str
    sickness: str
    accepted: frozenset[str]
    sections: Sections
    score: str = "-loss"


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


def healthy(kind: str, folder: Path) -> list[Sections]:
    """Experiments that learn well; eight of each set."""
    if kind == "development":
        moons = {"kind": "moons", "samples": 600}
        cancer, digits = {"kind": "breast_cancer"}, {"kind": "digits"}
        sugar = {"kind": "diabetes", "scale_target": "standard"}
        own = csv(table(folder, 1, rows=500, columns=8))
        return [
            {"data": moons, "model": mlp(16, 16), "optimizer": adam(0.01),
             "train": {"epochs": 30, "batch_size": 32}},
            {"data": {"kind": "circles", "samples": 500}, "model": mlp(24, activation="tanh"),
             "optimizer": adam(0.01), "train": {"epochs": 40, "batch_size": 32}},
            {"data": cancer, "model": mlp(32), "optimizer": adam(1e-3),
             "train": {"epochs": 20, "batch_size": 32}},
            {"data": digits, "model": mlp(64), "optimizer": adam(3e-3),
             "train": {"epochs": 12, "batch_size": 64}},
            {"data": sugar, "model": mlp(16), "optimizer": adam(3e-3),
             "train": {"epochs": 15, "batch_size": 32}},
            {"data": {"kind": "spirals", "samples": 600}, "model": mlp(32, 32),
             "optimizer": adam(0.01), "train": {"epochs": 60, "batch_size": 32}},
            {"data": own, "model": mlp(12), "optimizer": momentum(0.02),
             "train": {"epochs": 12, "batch_size": 25}},
            {"data": digits, "model": mlp(48, 32, activation="sigmoid", norm="batch"),
             "optimizer": momentum(0.05), "train": {"epochs": 10, "batch_size": 64}},
        ]  # fmt: skip
    blobs = {"kind": "blobs", "samples": 800, "centers": 4, "features": 5, "cluster_std": 2.5}
    curve = {"kind": "function", "formula": "sinc", "samples": 400}
    mnist = {"kind": "mnist", "limit": 1500, "validation": 400}
    own = csv(table(folder, 1001, rows=700, columns=12))
    return [
        {"data": blobs, "model": mlp(20, 20), "optimizer": momentum(0.02),
         "train": {"epochs": 20, "batch_size": 40}},
        {"data": {"kind": "wine"}, "model": mlp(24, activation="tanh"), "optimizer": adam(3e-3),
         "train": {"epochs": 25, "batch_size": 16}},
        {"data": {"kind": "iris"}, "model": mlp(10, 10), "optimizer": adam(0.01),
         "train": {"epochs": 40, "batch_size": 20}},
        {"data": curve, "model": mlp(30, 30, activation="tanh"), "optimizer": adam(5e-3),
         "train": {"epochs": 50, "batch_size": 25}},
        {"data": mnist, "model": mlp(48, 32), "optimizer": adam(2e-3),
         "train": {"epochs": 6, "batch_size": 50}},
        {"data": mnist, "model": {"kind": "cnn", "channels": [6, 12], "dense": [40]},
         "optimizer": adam(2e-3), "train": {"epochs": 4, "batch_size": 50}},
        {"data": own, "model": mlp(18, activation="elu"), "optimizer": momentum(0.01),
         "train": {"epochs": 10, "batch_size": 35}},
        {"data": mnist, "model": mlp(40, 40, 40, activation="gelu", norm="layer"),
         "optimizer": adam(1e-3), "train": {"epochs": 6, "batch_size": 50}},
    ]  # fmt: skip


def sick(kind: str, folder: Path, seed: int) -> list[Case]:
    """One case of each sickness; the seed moves its degree and the experiment it befalls."""
    bases = healthy(kind, folder)
    development = kind == "development"
    # Classes learned by plain networks, so that a change of the network is what makes them sick.
    plain = [bases[n] for n in ((0, 2, 3, 6) if development else (0, 1, 4, 6))]
    base = plain[seed % len(plain)]
    draw = np.random.default_rng(seed + (0 if development else 10_000))
    offset = 0 if development else 500
    width, depth = int(draw.integers(16, 33)), int(draw.integers(12, 21))

    def pick(*options: Any) -> Any:
        return options[int(draw.integers(len(options)))]

    def grow(low: float, high: float) -> float:
        return float(np.exp(draw.uniform(np.log(low), np.log(high))))

    own = (400, 6) if development else (600, 9)

    def data(fields: Sections | None = None, **changes: Any) -> Sections:
        rows, columns = own
        size = {"rows": rows, "columns": columns, **changes}
        return csv(table(folder, 50 + offset + seed, **size), **(fields or {}))

    slow = {**base["train"], "epochs": 12}
    small_net = {
        "model": mlp(16),
        "optimizer": adam(5e-3),
        "train": {"epochs": 15, "batch_size": 32},
    }
    cases: list[Case] = []

    def add(sickness: str, change: Mapping[str, Any], *accepted: str, score: str = "-loss") -> None:
        names = frozenset({sickness, *accepted})
        sections = {**base, "seed": seed, **change}
        cases.append(Case(f"{sickness}-{seed}", sickness, names, sections, score))

    add("vanishing_gradient", {"model": deep(width, depth, "sigmoid", init=pick(
        "auto", "lecun_normal", "xavier_uniform")), "train": slow})  # fmt: skip
    add("exploding_gradient", {"model": deep(width, int(draw.integers(8, 13)), init={
        "kind": "normal", "std": grow(2.5, 4.0) * (2.0 / width) ** 0.5})},
        "divergence")  # fmt: skip
    add("dead_units", {"model": {**mlp(width, width), "bias_init": {
        "kind": "constant", "value": -grow(8.0, 20.0)}}})  # fmt: skip
    add("saturation", {"model": mlp(width, width, activation=pick("tanh", "sigmoid"), init={
        "kind": "normal", "std": grow(5.0, 10.0)})})  # fmt: skip
    zero = pick({"kind": "constant", "value": grow(0.02, 0.5)}, {"kind": "zeros"})
    add("symmetric_units", {"model": mlp(width, width, activation=pick("tanh", "relu"), init=zero,
        output={"init": zero})})  # fmt: skip
    add("learning_rate_too_high", {"optimizer": pick(
        adam(grow(0.5, 3.0)), momentum(grow(3.0, 9.0)))},
        "divergence", "dead_units", "saturation")  # fmt: skip
    add("learning_rate_too_low", {"optimizer": pick(adam(grow(1e-7, 1e-6)),
        momentum(grow(1e-7, 1e-6)))})  # fmt: skip
    add("divergence", {"data": {"kind": "diabetes"} if development else {
        "kind": "function", "formula": "sin", "samples": 300}, "loss": "mse",
        "model": mlp(width, width), "train": {"epochs": 10, "batch_size": 20},
        "optimizer": {"kind": "sgd", "lr": grow(30.0, 1e4)}})  # fmt: skip
    few = {"rows": 120 if development else 160, "columns": own[1] + 4, "flips": 0.3}
    add("overfitting", {"data": data(**few), "model": mlp(128, 128), "optimizer": adam(3e-3),
        "train": {"epochs": 60, "batch_size": 16}})  # fmt: skip
    shape = {"kind": "circles", "samples": 400} if development else {
        "kind": "spirals", "samples": 500}  # fmt: skip
    add("underfitting", {"data": shape, "model": pick("linear", mlp(16, activation="identity")),
        "optimizer": adam(0.02), "train": {"epochs": 30, "batch_size": 25}},
        "loss_not_decreasing")  # fmt: skip
    add("poor_initialization", {"model": {**base["model"], "output": {"init": {
        "kind": "normal", "std": grow(6.0, 20.0)}}}})  # fmt: skip
    add("class_imbalance", {**small_net, "data": data(rows=1500, share=float(draw.uniform(
        0.02, 0.08)))}, score="balanced_accuracy")  # fmt: skip
    add("data_not_scaled", {"data": data({"scale": "none"}, factor=grow(1e3, 1e5)),
        "model": mlp(16),
        "optimizer": momentum(0.01), "train": {"epochs": 15, "batch_size": 32}})  # fmt: skip
    add("constant_features", {**small_net, "data": data(constant=int(draw.integers(1, 9)))})
    add("duplicates_across_splits", {**small_net, "data": data(repeats=float(draw.uniform(
        0.3, 0.8)))})  # fmt: skip
    add("batch_norm_with_tiny_batches", {"model": {**mlp(width, width), "norm": "batch"},
        "train": {"epochs": 4, "batch_size": pick(2, 3, 4), "drop_last": True}})  # fmt: skip
    add("no_better_than_baseline", {"data": data(flips=1.0), "model": mlp(12), "optimizer": adam(
        2e-3), "train": {"epochs": 15, "batch_size": 32}})  # fmt: skip
    return cases


def cases(kind: str, folder: Path, *, seeds: int, healthies: int) -> list[Case]:
    """All of a set: each sickness with so many seeds, and so many healthy ones."""
    folder.mkdir(parents=True, exist_ok=True)
    found = [case for seed in range(seeds) for case in sick(kind, folder, seed)]
    bases = healthy(kind, folder)
    for number in range(healthies):
        seed = number // len(bases)
        sections = {**bases[number % len(bases)], "seed": 100 + seed}
        found.append(Case(f"healthy-{number}", "", frozenset(), sections))
    return found
