"""The second suite: kinds, data and widths that no check was set on, judged once a release.

Written before the checks that it judges. Its tables, images and networks are in no other set, and a
sickness here is mostly one field of the config, moved far off. Each case comes with its base, the
same experiment without the change: where the base is not clearly better, the change did no harm,
and the case counts neither as sick nor as healthy.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from doctor_data import Case, Sections, adam, csv, mlp, momentum, written


def _counts(folder: Path) -> Path:
    """900 rows of 30 counts, as words in a text: four subjects, each with words of its own."""
    draw = np.random.default_rng(9001)
    labels = draw.integers(0, 4, 900)
    rates = draw.gamma(0.6, 1.2, (4, 30))
    return written(folder, "counts", draw.poisson(rates[labels] + 0.15).astype(float), labels)


def _teacher(folder: Path) -> Path:
    """1,100 rows of nine numbers with long tails; three classes, as a random network says."""
    draw = np.random.default_rng(9002)
    inputs = draw.standard_t(5, (1100, 9))
    outputs = np.tanh(inputs @ draw.normal(size=(9, 12)) * 0.7) @ draw.normal(size=(12, 3))
    return written(folder, "teacher", inputs, outputs.argmax(axis=1))


def _stretched(folder: Path, factor: float) -> Path:
    """The same rows with one column in another unit."""
    draw = np.random.default_rng(9007)
    inputs = draw.standard_t(5, (1000, 6))
    labels = (inputs[:, 0] * inputs[:, 1] + inputs[:, 2] > 0).astype(int)
    inputs[:, 4] *= factor
    return written(folder, f"stretched-{factor:g}", inputs, labels)


def _shuffled(folder: Path) -> Path:
    """900 rows of nine numbers; three classes that have nothing to do with them."""
    draw = np.random.default_rng(9008)
    return written(folder, "shuffled", draw.standard_t(5, (900, 9)), draw.integers(0, 3, 900))


def _waves(folder: Path, level: float = 0.0, size: float = 1.0) -> Path:
    """800 points of a square and the height of two waves that cross there."""
    draw = np.random.default_rng(9003)
    inputs = draw.uniform(-2, 2, (800, 2))
    height = np.sin(2.2 * inputs[:, 0]) + np.cos(1.7 * inputs[:, 1] + inputs[:, 0])
    height = level + size * (height + draw.normal(0, 0.1, 800))
    return written(folder, f"waves-{level:g}", inputs, height)


def _lags(folder: Path) -> Path:
    """900 rows of a logistic map seen through noise: eight values, and the next one."""
    draw = np.random.default_rng(9004)
    x, values = 0.31, []
    for _ in range(908):
        x = 3.8 * x * (1.0 - x)
        values.append(x)
    series = np.array(values) + draw.normal(0, 0.01, 908)
    rows = np.stack([series[n : n + 8] for n in range(900)])
    return written(folder, "lags", rows, series[8:908])


def _squares(folder: Path) -> Path:
    """700 rows of four numbers on a board of squares: black or white by two of them."""
    draw = np.random.default_rng(9005)
    inputs = draw.uniform(-1, 1, (900, 4))
    labels = ((inputs[:, 0] > 0).astype(int) + (inputs[:, 1] > 0.1)) % 2
    return written(folder, "squares", inputs, labels)


def _arrows(folder: Path) -> Path:
    """900 images of 11 x 11 of an arrow that points up, down, left or right, at any place."""
    draw = np.random.default_rng(9006)
    labels = draw.integers(0, 4, 900)
    images = draw.normal(0.15, 0.12, (900, 11, 11))
    up = np.zeros((5, 5))
    up[:, 2] = up[1, 1] = up[1, 3] = up[2, 0] = up[2, 4] = 1.0
    for image, label in zip(images, labels, strict=True):
        y, x = draw.integers(0, 7, 2)
        image[y : y + 5, x : x + 5] += 0.7 * np.rot90(up, label)
    path = folder / "arrows.npz"
    np.savez(path, inputs=images[:, None].astype(np.float32), targets=labels)
    return path


def bases(folder: Path) -> dict[str, Sections]:
    """Experiments that learn well, by name."""
    counts, teacher = csv(_counts(folder)), csv(_teacher(folder))
    waves = csv(_waves(folder), scale_target="standard")
    lags = csv(_lags(folder), scale_target="standard")
    far = csv(_waves(folder, 400.0, 90.0), scale_target="standard")
    arrows: Sections = {"kind": "npz", "path": str(_arrows(folder)), "validation": 0.25}
    return {
        "counts": {"data": counts, "model": mlp(26), "optimizer": adam(3e-3),
                   "train": {"epochs": 14, "batch_size": 27}},
        "teacher": {"data": teacher, "model": mlp(34, 22, activation="silu"),
                    "optimizer": {"kind": "adamw", "lr": 3e-3},
                    "train": {"epochs": 16, "batch_size": 33}},
        "waves": {"data": waves, "model": mlp(44, 28, activation="tanh"),
                  "optimizer": {"kind": "nadam", "lr": 4e-3},
                  "train": {"epochs": 30, "batch_size": 24}},
        "lags": {"data": lags, "model": mlp(38, 38, activation="gelu"), "optimizer": adam(4e-3),
                 "train": {"epochs": 24, "batch_size": 36}},
        "squares": {"data": csv(_squares(folder)), "model": mlp(30, 14),
                    "optimizer": momentum(0.06), "train": {"epochs": 25, "batch_size": 22}},
        "arrows": {"data": arrows, "model": {"kind": "cnn", "channels": [7, 14], "dense": [36]},
                   "optimizer": adam(5e-3), "train": {"epochs": 22, "batch_size": 25}},
        "digits": {"data": {"kind": "digits", "limit": 1000, "validation": 350},
                   "model": mlp(52, 18, activation="elu"), "optimizer": adam(2e-3),
                   "train": {"epochs": 12, "batch_size": 44}},
        "far": {"data": far, "model": mlp(40, 20), "optimizer": momentum(0.01),
                "train": {"epochs": 20, "batch_size": 32}},
        "wine": {"data": {"kind": "wine", "validation": 0.3}, "model": mlp(15, activation="tanh"),
                 "optimizer": momentum(0.03), "train": {"epochs": 30, "batch_size": 12}},
    }  # fmt: skip


_MILD: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("regularize", {"l2": 1e-4}),
    ("regularize", {"l1": 1e-5}),
    ("model", {"dropout": 0.25}),
    ("train", {"clip_norm": 1.0}),
    ("train", {"averaging": {"kind": "ema", "decay": 0.97}}),
    ("train", {"early_stopping": {"patience": 8}}),
    ("schedule", {"kind": "cosine"}),
    ("schedule", {"kind": "constant", "warmup": 1}),
    ("regularize", {"max_norm": 6.0}),
    ("optimizer", {"groups": {"output": {"lr": 1e-3}}}),
)
"""The fields that make other cases sick, as people set them."""


def healthy(folder: Path) -> list[Sections]:
    """Each base as it is, and each with some of the fields at a usual value."""
    found: list[Sections] = []
    for number, base in enumerate(bases(folder).values()):
        found.append(base)
        for turn in range(4):
            section, fields = _MILD[(3 * number + turn) % len(_MILD)]
            found.append({**base, section: {**base.get(section, {}), **fields}})
    return found


_DROP = ("counts", "teacher", "digits", "arrows", "squares", "waves")


def sick(folder: Path, seed: int) -> list[Case]:
    """One case of each kind; the seed moves its degree and the experiment it befalls."""
    known: dict[str, Sections] = bases(folder)
    draw = np.random.default_rng(seed + 90_000)
    cases: list[Case] = []

    def pick(*options: Any) -> Any:
        return options[int(draw.integers(len(options)))]

    def grow(low: float, high: float) -> float:
        return float(f"{np.exp(draw.uniform(np.log(low), np.log(high))):.3g}")

    def add(kind: str, change: Mapping[str, Mapping[str, Any]], *names: str, on: Any = _DROP,
            fields: tuple[str, ...] = (), base: Mapping[str, Any] | None = None,
            whole: tuple[str, ...] = (), compared: bool = True) -> None:  # fmt: skip
        """A base with a section changed: merged into what stands there, unless named in whole."""
        base = base or {}
        well: Sections = {**known[pick(*on)], **base, "seed": 700 + seed}
        ill: Sections = {**well}
        for section, changed in change.items():
            before = {} if section in whole else well.get(section, {})
            ill[section] = {**before, **changed}
        accepted = frozenset({kind, *names})
        cases.append(
            Case(
                f"{kind}-{seed}",
                kind,
                accepted,
                ill,
                fields=fields,
                base=well if compared else None,
            )
        )

    def sgd(low: float, high: float) -> Sections:
        return {"kind": "sgd", "lr": grow(low, high), "momentum": 0.9}

    add("l2", {"regularize": {"l2": grow(0.4, 4.0)}}, fields=("regularize.l2",))
    add("l1", {"regularize": {"l1": grow(0.03, 0.3)}}, fields=("regularize.l1",))
    add("max_norm", {"regularize": {"max_norm": grow(0.01, 0.06)}}, fields=("regularize.max_norm",))
    add("weight_decay", {"optimizer": {"kind": "adamw", "lr": 3e-3, "weight_decay": grow(20, 150)}},
        fields=("optimizer.weight_decay",), whole=("optimizer",))  # fmt: skip
    add("dropout", {"model": {"dropout": grow(0.88, 0.97)}}, fields=("model.dropout",))
    add("adam_eps", {"optimizer": {"kind": pick("adam", "adamw", "nadam"), "lr": 2e-3,
        "eps": grow(1.0, 50.0)}}, fields=("optimizer.eps",), whole=("optimizer",))  # fmt: skip
    plain = {"optimizer": {"kind": "sgd", "lr": 0.05, "momentum": 0.9}}
    add("clip_norm", {"train": {"clip_norm": grow(2e-5, 5e-4)}}, fields=("train.clip_norm",),
        base=plain)  # fmt: skip
    add("momentum", {"optimizer": {"momentum": pick(0.998, 0.999, 0.9995)}},
        fields=("optimizer.momentum",), base=plain)  # fmt: skip
    add(
        "adam_beta",
        {"optimizer": {"kind": "adam", "lr": 2e-3, "betas": [0.9993, 0.9995]}},
        fields=("optimizer.betas",),
        whole=("optimizer",),
        on=("counts", "digits", "teacher"),
    )
    add("schedule_ends_early", {"schedule": pick(
        {"kind": "steps", "every": 1, "gamma": 0.05}, {"kind": "exponential", "gamma": 0.08},
        {"kind": "steps", "at": ["4 %"], "gamma": 0.001})}, fields=("schedule",))  # fmt: skip
    add("warmup_too_long", {"schedule": {"kind": "constant", "warmup": pick("96 %", "100 %")}},
        fields=("schedule",), base=plain)  # fmt: skip
    slow = {"optimizer": {"kind": "sgd", "lr": 0.02}}
    hasty = {"patience": 1, "min_delta": grow(0.1, 0.3)}
    add("early_stopping", {"train": {"early_stopping": hasty}},
        fields=("train.early_stopping",), base=slow)  # fmt: skip
    add("frozen_layers", {"optimizer": {"groups": {"hidden*": {"lr": 0.0}}}},
        fields=("optimizer.groups",), on=("squares", "waves", "teacher"))  # fmt: skip
    add("nearly_frozen", {"optimizer": {"groups": {pick("hidden1", "hidden*"): {
        "lr": grow(1e-8, 1e-6)}}}}, fields=("optimizer.groups",),
        on=("squares", "waves"), base={"model": mlp(10, 8, activation="tanh")})  # fmt: skip
    flips = [{"kind": "flip", "direction": way} for way in ("vertical", "horizontal")]
    turned = pick([{"kind": "rotation", "degrees": 180}], flips)
    add("augment", {"data": {"augment": turned}}, fields=("data.augment",), on=("arrows",))
    add("input_noise", {"data": {"augment": [{"kind": "noise", "deviation": grow(8.0, 40.0)}]}},
        fields=("data.augment",), on=("counts", "teacher", "waves", "digits"))  # fmt: skip
    add("too_few_updates", {"train": {"epochs": 1, "batch_size": pick(200, 300)}},
        "too_few_updates", "batch_too_large", fields=("train.epochs", "train.steps",
        "train.batch_size"))  # fmt: skip
    add("full_batch", {"train": {"batch_size": "full"}}, "batch_too_large", "too_few_updates",
        fields=("train.batch_size", "train.epochs"))  # fmt: skip
    smooth = {"kind": "cross_entropy", "label_smoothing": grow(0.97, 0.998)}
    add("label_smoothing", {"loss": smooth}, fields=("loss",),
        on=("counts", "teacher", "digits"))  # fmt: skip
    add("wrong_loss", {"loss": {"kind": "mae"}}, fields=("loss",), on=("digits", "counts"))
    add("tiny_init", {"model": {"init": {"kind": "normal", "std": grow(1e-7, 1e-5)}}},
        "poor_initialization", "vanishing_gradient", fields=("model.init",),
        base={"model": mlp(24, 24, 24, activation="tanh"), **plain},
        on=("squares", "waves", "teacher"))  # fmt: skip
    add("huge_init", {"model": {"init": {"kind": "normal", "std": grow(2.0, 8.0)}}},
        "poor_initialization", "saturation", "exploding_gradient", fields=("model.init",),
        on=("teacher", "waves", "digits"))  # fmt: skip
    add("averaging", {"train": {"averaging": {"kind": "ema", "decay": pick(0.9999, 0.99999)}}},
        fields=("train.averaging",))  # fmt: skip
    add("bottleneck", {"model": {"hidden": [24, 1, 24]}}, "underfitting", fields=("model.hidden",),
        on=("digits", "counts"), base={"model": mlp(24, 20, 24)})  # fmt: skip
    add("rate_too_high", {"optimizer": pick({"kind": "adamax", "lr": grow(1.0, 6.0)},
        {"kind": "nadam", "lr": grow(0.4, 2.0)}, {"kind": "sgd", "lr": grow(8.0, 40.0)},
        {"kind": "rmsprop", "lr": grow(0.3, 2.0)})}, "learning_rate_too_high",
        "divergence", whole=("optimizer",), fields=("optimizer.lr",))  # fmt: skip
    add("rate_too_low", {"optimizer": pick(adam(grow(2e-7, 2e-6)), sgd(1e-7, 1e-6))},
        "learning_rate_too_low", whole=("optimizer",), fields=("optimizer.lr",))  # fmt: skip
    add("rate_kills_units", {"optimizer": sgd(2.0, 6.0)}, "learning_rate_too_high", "divergence",
        whole=("optimizer",), fields=("optimizer.lr",), base={"model": mlp(36, 24, 16)},
        on=("counts", "digits", "teacher"))  # fmt: skip
    add("deep_sigmoid", {"model": {"kind": "mlp", "activation": "sigmoid",
        "hidden": {"width": int(draw.integers(14, 40)), "depth": int(draw.integers(9, 16))}}},
        "vanishing_gradient", whole=("model",))  # fmt: skip
    add("dead_bias", {"model": {"bias_init": {"kind": "constant", "value": -grow(15, 60)}}},
        "dead_units", base={"model": mlp(22, 22)}, on=("counts", "teacher", "digits"))  # fmt: skip
    add("same_weights", {"model": {"init": {"kind": "constant", "value": grow(0.03, 0.3)}}},
        "symmetric_units", fields=("model.init",), on=("squares", "waves", "teacher"))  # fmt: skip
    add("linear_net", {"model": {"kind": "linear"}}, "underfitting", "loss_not_decreasing",
        "linear_network", whole=("model",), on=("squares", "waves"))  # fmt: skip
    add("overfitted", {"data": csv(_teacher(folder), limit=200, validation=400),
        "model": mlp(170, 110), "train": {"epochs": 60, "batch_size": 10}}, "overfitting",
        whole=("model", "data"), on=("teacher",), compared=False)  # fmt: skip
    add("not_scaled", {"data": csv(_stretched(folder, grow(2e3, 5e4)), scale="none")},
        "data_not_scaled", fields=("data.scale",), whole=("data",), on=("teacher",), base={
        **plain, "data": csv(_stretched(folder, 1.0))})  # fmt: skip
    add("target_far_off", {"data": {"scale_target": "none"}}, "targets_not_scaled",
        fields=("data.scale_target",), on=("far",))  # fmt: skip
    add("no_pattern", {"data": csv(_shuffled(folder))}, "no_better_than_baseline",
        whole=("data",), on=("teacher",))  # fmt: skip
    return cases
