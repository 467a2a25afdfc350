"""Right and wrong labels beside classes that overlap: two sets for the rule of label noise.

`labels-development` set the rule; `labels-blind` was trained and judged once, after the rule was
final. They share no source of data. In every third sick case labels are wrong in all splits, as
they are where people label: a validation split that is wrong itself cannot measure a cure, and none
is tried there.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from doctor_data import Case, Sections, adam, mlp, momentum
from sklearn import datasets as sources

datasets: Any = sources
"""Their types say lists or a Bunch where arrays come."""
Arrays = tuple[Any, Any]
Draw = np.random.Generator


def _clouds(draw: Draw, *, distance: float, classes: int = 2, tails: bool = False) -> Arrays:
    """Normal clouds in corners of a simplex; with tails of Student's t."""
    rows, columns = int(draw.integers(900, 2500)), int(draw.integers(classes, 15))
    labels = draw.integers(0, classes, rows)
    centers = np.zeros((classes, columns))
    centers[np.arange(classes), np.arange(classes)] = distance / 2**0.5
    noise = draw.normal(size=(rows, columns))
    if tails:
        noise /= np.sqrt(draw.chisquare(4, (rows, 1)) / 4)
    return centers[labels] + noise, labels


def _uneven(draw: Draw) -> Arrays:
    """A class of a tenth to a quarter that lies beside the other."""
    inputs, labels = _clouds(draw, distance=float(draw.uniform(1.5, 2.5)))
    kept = (labels == 0) | (draw.random(len(labels)) < draw.uniform(0.12, 0.35))
    return inputs[kept], labels[kept]


def _rare(draw: Draw) -> Arrays:
    """A small group of one class that lies behind the other class: hard, and labelled rightly."""
    inputs, labels = _clouds(draw, distance=float(draw.uniform(2.5, 4.0)))
    group = (labels == 1) & (draw.random(len(labels)) < draw.uniform(0.04, 0.12))
    inputs[group, :2] = np.array([4.0, -2.0]) + 0.5 * draw.normal(size=(int(group.sum()), 2))
    return inputs, labels


def _moons(draw: Draw) -> Arrays:
    seed, noise = int(draw.integers(1 << 30)), float(draw.uniform(0.1, 0.5))
    return datasets.make_moons(int(draw.integers(900, 2000)), noise=noise, random_state=seed)


def _near_points(draw: Draw) -> Arrays:
    """Classes by the nearest of 12 points, with rows blurred across the borders."""
    rows, classes = int(draw.integers(1000, 2500)), int(draw.integers(2, 6))
    points = draw.uniform(-2, 2, (12, 2))
    inputs = draw.uniform(-2, 2, (rows, 2))
    nearest = np.square(inputs[:, None] - points).sum(2).argmin(1)
    return inputs + draw.uniform(0.0, 0.5) * draw.normal(size=inputs.shape), nearest % classes


def _two(draw: Draw) -> Arrays:
    return _clouds(draw, distance=float(draw.uniform(1.1, 3.0)))


def _many(draw: Draw) -> Arrays:
    return _clouds(draw, distance=float(draw.uniform(2.0, 4.0)), classes=int(draw.integers(3, 8)))


def _tailed(draw: Draw) -> Arrays:
    return _clouds(draw, distance=float(draw.uniform(1.5, 3.5)), tails=True)


def _mixture(draw: Draw) -> Arrays:
    """scikit-learn's classification problem: each class one to three clouds in a random frame."""
    classes = int(draw.integers(2, 7))
    return datasets.make_classification(
        int(draw.integers(1000, 3000)), 16, n_informative=8, n_redundant=3, n_classes=classes,
        n_clusters_per_class=int(draw.integers(1, 4)), class_sep=float(draw.uniform(0.5, 1.8)),
        flip_y=0.0, random_state=int(draw.integers(1 << 30)))  # fmt: skip


def _lopsided(draw: Draw) -> Arrays:
    """Likewise, with a class of 10 to 25 %."""
    return datasets.make_classification(
        int(draw.integers(1200, 3000)), 12, n_informative=6, weights=[float(draw.uniform(
        0.75, 0.9))], class_sep=float(draw.uniform(0.5, 1.2)), flip_y=0.0,
        random_state=int(draw.integers(1 << 30)))  # fmt: skip


def _rings(draw: Draw) -> Arrays:
    return datasets.make_circles(
        int(draw.integers(1000, 2000)), noise=float(draw.uniform(0.1, 0.3)), factor=float(
        draw.uniform(0.3, 0.6)), random_state=int(draw.integers(1 << 30)))  # fmt: skip


def _shells(draw: Draw) -> Arrays:
    """Shells about a point, with rows blurred across them."""
    inputs, labels = datasets.make_gaussian_quantiles(
        n_samples=int(draw.integers(1200, 3000)), n_features=int(draw.integers(2, 6)),
        n_classes=int(draw.integers(2, 4)), random_state=int(draw.integers(1 << 30)))  # fmt: skip
    return inputs + draw.uniform(0.0, 0.4) * draw.normal(size=inputs.shape), labels


def _digits(draw: Draw) -> Arrays:
    """Digits of scikit-learn under so much noise that a tenth to a third cannot be read."""
    inputs, labels = datasets.load_digits(return_X_y=True)
    return inputs / 16.0 + draw.uniform(0.1, 0.7) * draw.normal(size=inputs.shape), labels


def _turned(draw: Draw) -> Arrays:
    """Digits, some of which are mirrored: hard, rare and labelled rightly."""
    inputs, labels = datasets.load_digits(return_X_y=True)
    images = inputs.reshape(-1, 8, 8) / 16.0
    some = draw.random(len(labels)) < draw.uniform(0.05, 0.15)
    images[some] = images[some][:, :, ::-1]
    return images.reshape(len(labels), 64), labels


def _checks(draw: Draw) -> Arrays:
    """A chess board whose rows lie blurred across the lines."""
    inputs = draw.uniform(0, 3, (int(draw.integers(1500, 3000)), 2))
    labels = np.floor(inputs).sum(1).astype(np.int64) % 2
    return inputs + draw.uniform(0.02, 0.2) * draw.normal(size=inputs.shape), labels


SOURCES: dict[str, tuple[Callable[[Draw], Arrays], ...]] = {
    "labels-development": (_two, _uneven, _many, _moons, _rare, _near_points, _tailed),
    "labels-blind": (_mixture, _digits, _lopsided, _rings, _shells, _turned, _checks),
}
_OFFSET = {"labels-development": 10_000, "labels-blind": 90_000}


def _network(draw: Draw) -> Sections:
    """Model, optimizer and length, drawn."""
    width = int(draw.integers(16, 80))
    activation = str(draw.choice(["relu", "tanh", "gelu", "elu", "leaky_relu"]))
    extra: Sections = [{}, {}, {"norm": "batch"}, {"dropout": 0.2}][int(draw.integers(4))]
    widths = [width] * int(draw.integers(1, 4))
    optimizer = [adam(2e-3), adam(5e-3), momentum(0.03), {"kind": "adamw", "lr": 3e-3}]
    return {
        "model": mlp(*widths, activation=activation, **extra),
        "optimizer": optimizer[int(draw.integers(4))],
        "train": {
            "epochs": int(draw.integers(12, 35)),
            "batch_size": int(draw.integers(24, 65)),
            "drop_last": "norm" in extra,  # a batch of one has no deviation
        },
        "log": {"examples": "auto"},
    }


def _wrong(labels: Any, share: float, draw: Draw) -> Any:
    """A copy, with this share of labels replaced by another class."""
    classes = int(labels.max()) + 1
    chosen = draw.choice(len(labels), round(share * len(labels)), replace=False)
    result = labels.copy()
    result[chosen] = (labels[chosen] + draw.integers(1, classes, len(chosen))) % classes
    return result


def label_cases(kind: str, folder: Path, *, seeds: int, healthies: int, first: int) -> list[Case]:
    """So many sick cases, 5 to 40 % of labels wrong, and healthy ones without."""
    folder.mkdir(parents=True, exist_ok=True)
    found: list[Case] = []
    for number in range(seeds + healthies):
        sick = number < seeds
        seed = first + (number if sick else number - seeds)
        draw = np.random.default_rng([_OFFSET[kind], seed, sick])
        inputs, labels = SOURCES[kind][seed % len(SOURCES[kind])](draw)
        labels = labels.astype(np.int64)
        share, everywhere = float(draw.uniform(0.05, 0.4)), seed % 3 == 2
        name = f"label_noise-{seed}" if sick else f"healthy-{seed}"
        if sick and everywhere:
            labels = _wrong(labels, share, draw)
        path = folder / f"{name}.npz"
        np.savez(path, inputs=inputs.astype(np.float32), targets=labels)
        data: Sections = {"kind": "npz", "path": str(path), "validation": 0.25, "scale": "feature"}
        if sick and not everywhere:
            way = str(draw.choice(["uniform", "flip"]))
            data["label_noise"] = {
                "share": min(share, 0.3) if way == "flip" else share,
                "kind": way,
            }
        score = "" if sick and everywhere else "-loss"
        sickness = "label_noise" if sick else ""
        names = frozenset({sickness} - {""})
        found.append(Case(name, sickness, names, {
            "data": data, "seed": seed, **_network(draw)}, score))  # fmt: skip
    return found
