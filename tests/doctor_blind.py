"""The set of experiments that no rule and no threshold was set on: five of a sickness, 60 healthy.

Its data sets, sizes and seeds are in none of the other sets. Twenty healthy experiments learn well:
other data, networks, optimizers and lengths; a sickness is a change of one of them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from doctor_data import Case, Sections, adam, csv, deep, mlp, momentum, table, written
from sklearn import datasets

_PLAIN = (0, 1, 3, 6, 15)
"""Classes that plain networks learn: a change of these makes them sick."""


def shapes(folder: Path) -> Path:
    """800 images of 12 x 12: a cross, a ring or a square, at any place, with noise."""
    draw = np.random.default_rng(4242)
    labels = draw.integers(0, 3, 800)
    images = draw.normal(0.2, 0.15, (800, 12, 12))
    y, x = np.mgrid[0:12, 0:12]
    for image, label in zip(images, labels, strict=True):
        dy, dx = y - draw.integers(4, 8), x - draw.integers(4, 8)
        cross = (np.minimum(abs(dy), abs(dx)) == 0) & (np.maximum(abs(dy), abs(dx)) <= 3)
        ring = abs(np.hypot(dy, dx) - 3.0) < 0.6
        square = np.maximum(abs(dy), abs(dx)) <= 2
        image += 0.7 * (cross, ring, square)[label]
    path = folder / "shapes.npz"
    np.savez(path, inputs=images[:, None].astype(np.float32), targets=labels)
    return path


def _roll(folder: Path) -> Sections:
    points, along = datasets.make_swiss_roll(1100, noise=0.3, random_state=31)
    return csv(written(folder, "roll", points, along), scale_target="standard")


def healthy(folder: Path) -> list[Sections]:
    """Experiments that learn well."""

    def own(name: str, pair: Any, **fields: Any) -> Sections:
        return csv(written(folder, name, *pair), **fields)

    watched = {"examples": "auto"}
    three = own("three", datasets.make_classification(
        1000, 20, n_informative=10, n_classes=3, class_sep=1.5, random_state=21))  # fmt: skip
    half = own("half", datasets.make_moons(1500, noise=0.15, random_state=22))
    ring = own("ring", datasets.make_circles(900, noise=0.08, factor=0.4, random_state=23))
    shell = own("shell", datasets.make_gaussian_quantiles(
        n_samples=1400, n_features=5, n_classes=2, random_state=24))  # fmt: skip
    four = own("four", datasets.make_classification(
        1600, 30, n_informative=15, n_classes=4, class_sep=2.0, random_state=25))  # fmt: skip
    second = own("friedman2", datasets.make_friedman2(
        900, noise=20.0, random_state=26), scale_target="standard")  # fmt: skip
    third = own("friedman3", datasets.make_friedman3(
        1000, noise=0.05, random_state=27), scale_target="standard")  # fmt: skip
    digits: Sections = {"kind": "digits", "limit": 900, "validation": 300}
    mnist: Sections = {"kind": "mnist", "limit": 2500, "validation": 500}
    cube: Sections = {"kind": "function", "formula": "polynomial", "samples": 500,
                      "scale_target": "standard"}  # fmt: skip
    blobs: Sections = {"kind": "blobs", "samples": 1300, "centers": 6, "features": 3,
                       "cluster_std": 1.2}  # fmt: skip
    images: Sections = {"kind": "npz", "path": str(shapes(folder)), "validation": 0.25}
    rms: Sections = {"kind": "rmsprop", "lr": 2e-3}
    return [
        {"data": three, "model": mlp(32), "optimizer": adam(2e-3), "log": watched,
         "train": {"epochs": 20, "batch_size": 32}},
        {"data": half, "model": mlp(24, 24, activation="tanh"), "optimizer": momentum(0.05),
         "train": {"epochs": 25, "batch_size": 40}, "log": watched},
        {"data": ring, "model": mlp(20, 20, activation="gelu"), "optimizer": rms,
         "train": {"epochs": 20, "batch_size": 30}, "log": watched},
        {"data": shell, "model": mlp(40), "optimizer": {"kind": "adamw", "lr": 5e-3},
         "train": {"epochs": 20, "batch_size": 35}, "log": watched},
        {"data": digits, "model": mlp(40, activation="sigmoid"), "optimizer": adam(5e-3),
         "train": {"epochs": 20, "batch_size": 30}, "log": watched},
        {"data": digits, "model": {"kind": "cnn", "channels": [8, 16], "dense": [32],
                                   "norm": "batch"},
         "optimizer": momentum(0.03), "train": {"epochs": 8, "batch_size": 45}},
        {"data": mnist, "model": mlp(64, 32), "optimizer": adam(1e-3), "schedule": "cosine",
         "train": {"epochs": 6, "batch_size": 40}},
        {"data": {**mnist, "limit": 1200}, "optimizer": adam(2e-3), "log": watched,
         "model": {"kind": "cnn", "channels": [8, 12], "dense": [30]},
         "train": {"epochs": 5, "batch_size": 40}},
        {"data": second, "model": mlp(32, 16), "optimizer": adam(3e-3),
         "train": {"epochs": 20, "batch_size": 30}},
        {"data": third, "model": mlp(40, activation="silu"), "loss": "huber",
         "optimizer": adam(3e-3), "train": {"epochs": 25, "batch_size": 30}},
        {"data": _roll(folder), "model": mlp(48, 48), "optimizer": adam(5e-3),
         "train": {"epochs": 25, "batch_size": 40}},
        {"data": {"kind": "breast_cancer", "validation": 0.2}, "model": "linear",
         "optimizer": {"kind": "sgd", "lr": 0.05}, "train": {"epochs": 20, "batch_size": 20}},
        {"data": {"kind": "wine", "validation": 0.25}, "model": mlp(8),
         "optimizer": momentum(0.02), "train": {"epochs": 30, "batch_size": 8}},
        {"data": {"kind": "iris", "validation": 0.25}, "model": mlp(6, activation="tanh"),
         "optimizer": {"kind": "sgd", "lr": 0.1}, "train": {"epochs": 40, "batch_size": 10}},
        {"data": {"kind": "diabetes", "scale_target": "standard", "validation": 0.2},
         "model": mlp(8), "regularize": {"l2": 0.01}, "optimizer": adam(2e-3),
         "train": {"epochs": 15, "batch_size": 16}},
        {"data": blobs, "model": mlp(16, activation="elu"), "log": watched,
         "optimizer": {"kind": "adagrad", "lr": 0.05}, "train": {"epochs": 15, "batch_size": 30}},
        {"data": cube, "model": mlp(40, 40, activation="tanh"), "optimizer": adam(3e-3),
         "train": {"epochs": 40, "batch_size": 25}},
        {"data": images, "optimizer": adam(3e-3), "train": {"epochs": 10, "batch_size": 40},
         "model": {"kind": "cnn", "channels": [8, 16], "dense": [24], "norm": "batch"}},
        {"data": four, "model": mlp(64, dropout=0.3), "optimizer": adam(2e-3), "log": watched,
         "train": {"epochs": 20, "batch_size": 40}},
        {"data": four, "model": deep(24, 5, "leaky_relu", norm="layer"), "optimizer": adam(2e-3),
         "train": {"epochs": 9, "batch_size": 40}},
    ]  # fmt: skip


def _with_outliers(folder: Path, seed: int, size: float) -> tuple[Sections, frozenset[int]]:
    """900 rows of which five are so large that the loss of one breaks a run; none in validation."""
    draw = np.random.default_rng(7000 + seed)
    inputs = draw.normal(size=(900, 7)).astype(np.float32)
    targets = (inputs[:, 0] * inputs[:, 1] + inputs[:, 2] > 0).astype(np.int64)
    rows = draw.choice(650, 5, replace=False)
    inputs[rows, draw.integers(0, 7, 5)] = size
    for name, part in (("train", slice(0, 650)), ("held", slice(650, None))):
        np.savez(folder / f"large-{seed}-{name}.npz", inputs=inputs[part], targets=targets[part])
    held = {"file": str(folder / f"large-{seed}-held.npz")}
    data: Sections = {"kind": "npz", "path": str(folder / f"large-{seed}-train.npz"),
                      "scale": "none", "validation": held, "test": "none"}  # fmt: skip
    return data, frozenset(int(row) for row in rows)


def sick(folder: Path, seed: int) -> list[Case]:
    """One case of each sickness; the seed moves its degree and the experiment it befalls."""
    bases = healthy(folder)
    base = {k: v for k, v in bases[_PLAIN[seed % 5]].items() if k != "log"}
    draw = np.random.default_rng(seed + 60_000)
    width, depth = int(draw.integers(20, 41)), int(draw.integers(12, 21))
    cases: list[Case] = []

    def pick(*options: Any) -> Any:
        return options[int(draw.integers(len(options)))]

    def grow(low: float, high: float) -> float:
        return float(np.exp(draw.uniform(np.log(low), np.log(high))))

    def data(fields: Sections | None = None, **changes: Any) -> Sections:
        size = {"rows": 1000, "columns": 11, **changes}
        return csv(table(folder, 3000 + seed, **size), **(fields or {}))

    def add(sickness: str, change: Mapping[str, Any], *, score: str = "-loss",
            accepted: str = "", rows: frozenset[int] = frozenset()) -> None:  # fmt: skip
        names = frozenset({sickness, accepted or sickness})
        sections = {**base, "seed": 300 + seed, **change}
        cases.append(Case(f"{sickness}-{seed}", sickness, names, sections, score, rows))

    small: Sections = {"model": mlp(20), "optimizer": adam(4e-3),
                       "train": {"epochs": 15, "batch_size": 30}}  # fmt: skip
    add("vanishing_gradient", {"model": deep(width, depth, "sigmoid", init=pick(
        "auto", "lecun_normal", "lecun_uniform")),
        "train": {**base["train"], "epochs": 10}})  # fmt: skip
    add("exploding_gradient", {"model": deep(width, int(draw.integers(8, 13)), init={
        "kind": "normal", "std": grow(2.5, 4.0) * (2.0 / width) ** 0.5})})  # fmt: skip
    add("dead_units", {"model": {**mlp(width, width), "bias_init": {
        "kind": "constant", "value": -grow(12.0, 40.0)}}})  # fmt: skip
    add("saturation", {"model": mlp(width, width, activation=pick("tanh", "sigmoid"), init={
        "kind": "normal", "std": grow(5.0, 10.0)})})  # fmt: skip
    zero = pick({"kind": "constant", "value": grow(0.02, 0.5)}, {"kind": "zeros"})
    add("symmetric_units", {"model": mlp(width, width, activation=pick("tanh", "relu", "gelu"),
        init=zero, output={"init": zero})})  # fmt: skip
    high = (adam(grow(0.5, 3.0)), momentum(grow(3.0, 9.0)),
            {"kind": "rmsprop", "lr": grow(0.4, 2.0)}, {"kind": "sgd", "lr": grow(20.0, 60.0)},
            {"kind": "adamw", "lr": grow(0.5, 3.0)})  # fmt: skip
    add("learning_rate_too_high", {"optimizer": high[seed % 5]})
    add("learning_rate_too_low", {"optimizer": pick(adam(grow(1e-7, 1e-6)),
        momentum(grow(1e-7, 1e-6)))})  # fmt: skip
    add("divergence", {"data": bases[8 + seed % 3]["data"], "loss": "mse",
        "model": mlp(width, width), "train": {"epochs": 10, "batch_size": 20},
        "optimizer": {"kind": "sgd", "lr": grow(30.0, 1e4)}})  # fmt: skip
    large, rows = _with_outliers(folder, seed, grow(1e12, 1e25))
    add("outlier_rows", {**small, "data": large, "optimizer": pick(momentum(0.01), adam(1e-3))},
        accepted="divergence", rows=rows)  # fmt: skip
    add("overfitting", {"data": data(rows=230 + 20 * seed, columns=16, flips=0.3),
        "model": mlp(128, 96), "optimizer": adam(3e-3),
        "train": {"epochs": 50, "batch_size": 16}})  # fmt: skip
    add("underfitting", {"data": bases[(2, 3)[seed % 2]]["data"], "optimizer": adam(0.02),
        "model": pick("linear", mlp(18, activation="identity")),
        "train": {"epochs": 20, "batch_size": 30}})  # fmt: skip
    add("poor_initialization", {"model": {**base["model"], "output": {"init": {
        "kind": "normal", "std": grow(12.0, 40.0)}}}})  # fmt: skip
    add("class_imbalance", {**small, "data": data(rows=1700, share=float(draw.uniform(
        0.03, 0.08)))}, score="balanced_accuracy")  # fmt: skip
    add("data_not_scaled", {**small, "data": data({"scale": "none"}, factor=grow(1e3, 1e5)),
        "optimizer": momentum(0.01)})  # fmt: skip
    add("constant_features", {**small, "data": data(constant=int(draw.integers(1, 9)))})
    add("duplicates_across_splits", {**small, "data": data(repeats=float(draw.uniform(
        0.3, 0.8)))})  # fmt: skip
    add("batch_norm_with_tiny_batches", {"model": {**mlp(width, width), "norm": "batch"},
        "train": {"epochs": 3, "batch_size": pick(2, 3, 4), "drop_last": True}})  # fmt: skip
    add("no_better_than_baseline", {**small, "data": data(flips=1.0)})
    noisy = bases[(0, 1, 4, 7, 15)[seed % 5]]
    share = {"share": float(draw.uniform(0.08, 0.25)), "kind": pick("uniform", "flip")}
    add("label_noise", {**noisy, "data": {**noisy["data"], "label_noise": share},
        "seed": 300 + seed})  # fmt: skip
    return cases
