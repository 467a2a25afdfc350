"""Sick and healthy experiments for measuring the doctor, made from a seed.

There are four sets that share no data set, no size and no seed: thresholds are set by `development`
and `second`; `suite` was blind once and rules were changed after it; `blind` (doctor_blind.py)
measures what they are worth. A sickness is a change of a healthy experiment.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import doctor_blind
import numpy as np
from doctor_data import (
    Case,
    Sections,
    adam,
    csv,
    deep,
    mlp,
    momentum,
    stripes,
    table,
    written,
)


def healthy(kind: str, folder: Path) -> list[Sections]:
    """Experiments that learn well; eight of each set, of blind twenty."""
    if kind == "blind":
        return doctor_blind.healthy(folder)
    if kind == "suite":
        return _third(folder)
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


def _third(folder: Path) -> list[Sections]:
    from sklearn import datasets

    def own(name: str, pair: Any, **fields: Any) -> Sections:
        inputs, targets = pair
        return csv(written(folder, name, inputs, targets), **fields)

    ten, sign = datasets.make_hastie_10_2(1500, random_state=5)
    hastie = own("hastie", (ten, (sign > 0).astype(int)))
    five = own("five", datasets.make_classification(
        1200, 25, n_informative=12, n_classes=5, class_sep=1.6, random_state=6))  # fmt: skip
    shells = own("shells", datasets.make_gaussian_quantiles(
        n_samples=1000, n_features=3, n_classes=3, random_state=7))  # fmt: skip
    two = own("two", datasets.make_classification(
        900, 16, n_informative=8, class_sep=1.2, random_state=8))  # fmt: skip
    friedman = own("friedman", datasets.make_friedman1(
        800, 7, noise=0.5, random_state=9), scale_target="standard")  # fmt: skip
    plane = own("plane", datasets.make_regression(
        700, 9, noise=10.0, random_state=10), scale_target="standard")  # fmt: skip
    images = {"kind": "npz", "path": str(stripes(folder)), "validation": 0.25}
    return [
        {"data": hastie, "model": mlp(40, 20), "optimizer": momentum(0.03),
         "train": {"epochs": 20, "batch_size": 30}},
        {"data": five, "model": mlp(36, activation="tanh"), "optimizer": adam(3e-3),
         "train": {"epochs": 14, "batch_size": 40}},
        {"data": two, "model": mlp(20), "optimizer": adam(2e-3),
         "train": {"epochs": 14, "batch_size": 24}},
        {"data": shells, "model": mlp(28, 28, activation="elu"), "optimizer": adam(5e-3),
         "train": {"epochs": 18, "batch_size": 50}},
        {"data": friedman, "model": mlp(32, activation="gelu"), "optimizer": adam(5e-3),
         "train": {"epochs": 18, "batch_size": 28}},
        {"data": plane, "model": mlp(24, 12), "optimizer": momentum(5e-3),
         "train": {"epochs": 14, "batch_size": 28}},
        {"data": images, "model": {"kind": "cnn", "channels": [8, 10], "dense": [30]},
         "optimizer": adam(3e-3), "train": {"epochs": 10, "batch_size": 45}},
        {"data": images, "model": mlp(60, 40, 20, activation="leaky_relu", norm="layer"),
         "optimizer": adam(2e-3), "train": {"epochs": 14, "batch_size": 45}},
    ]  # fmt: skip


_PLAIN = {"development": (0, 2, 3, 6), "second": (0, 1, 4, 6), "suite": (0, 1, 2, 3)}
_OFFSET = {"development": 0, "second": 500, "suite": 900}
_OWN = {"development": (400, 6), "second": (600, 9), "suite": (800, 14)}
_ROUND: dict[str, Sections] = {
    "development": {"kind": "circles", "samples": 400},
    "second": {"kind": "spirals", "samples": 500},
    "suite": {"kind": "circles", "samples": 700, "factor": 0.7, "noise": 0.02},
}
_NUMBERS: dict[str, Sections] = {
    "development": {"kind": "diabetes"},
    "second": {"kind": "function", "formula": "sine", "samples": 300},
    "suite": {"kind": "function", "formula": "gaussian", "samples": 240},
}
"""By set: the bases of classes that plain networks learn, which a change of them makes sick; where
seeds begin; rows and columns of a table; data no line divides; numbers to learn."""


def sick(kind: str, folder: Path, seed: int) -> list[Case]:
    """One case of each sickness; the seed moves its degree and the experiment it befalls."""
    if kind == "blind":
        return doctor_blind.sick(folder, seed)
    bases = healthy(kind, folder)
    base = bases[_PLAIN[kind][seed % 4]]
    offset, own = _OFFSET[kind], _OWN[kind]
    draw = np.random.default_rng(seed + 20 * offset)
    width, depth = int(draw.integers(16, 33)), int(draw.integers(12, 21))

    def pick(*options: Any) -> Any:
        return options[int(draw.integers(len(options)))]

    def grow(low: float, high: float) -> float:
        return float(np.exp(draw.uniform(np.log(low), np.log(high))))

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
    add("divergence", {"data": _NUMBERS[kind], "loss": "mse",
        "model": mlp(width, width), "train": {"epochs": 10, "batch_size": 20},
        "optimizer": {"kind": "sgd", "lr": grow(30.0, 1e4)}})  # fmt: skip
    few = {"rows": own[0] // 4 + 20, "columns": own[1] + 4, "flips": 0.3}
    add("overfitting", {"data": data(None, **few), "model": mlp(128, 128), "optimizer": adam(3e-3),
        "train": {"epochs": 60, "batch_size": 16}})  # fmt: skip
    add("underfitting", {"data": _ROUND[kind],
        "model": pick("linear", mlp(16, activation="identity")), "optimizer": adam(0.02),
        "train": {"epochs": 30, "batch_size": 25}}, "loss_not_decreasing")  # fmt: skip
    add("poor_initialization", {"model": {**base["model"], "output": {"init": {
        "kind": "normal", "std": grow(10.0, 40.0)}}}})  # fmt: skip
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


def cases(kind: str, folder: Path, *, seeds: int, healthies: int, first: int = 0) -> list[Case]:
    """All of a set: each sickness with so many seeds, and so many healthy ones.

    With a first seed other than 0 all are other ones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = [case for seed in range(first, first + seeds) for case in sick(kind, folder, seed)]
    bases = healthy(kind, folder)
    for number in range(healthies):
        seed = number // len(bases)
        sections = {**bases[number % len(bases)], "seed": 100 + seed + 10 * first}
        found.append(Case(f"healthy-{number}", "", frozenset(), sections))
    return found
