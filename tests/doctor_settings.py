"""Causes that stand in the config, for setting checks on: the first suite's data, own strengths.

Each case comes with its base and a healthy neighbour: the same field at a value that people use.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import doctor_cases
import numpy as np
from doctor_data import Case, Sections, mlp


class Cause(NamedTuple):
    """A field that can be the cause.

    Attributes:
        name: of its finding.
        fields: that the remedy must change one of.
        sick: what is changed, by section.
        well: the neighbour: the same sections at usual values.
        on: numbers of the bases that it befalls.
        base: what is changed in both, by section.
        whole: sections that are replaced, not merged.
    """

    name: str
    fields: tuple[str, ...]
    sick: Mapping[str, Any]
    well: Mapping[str, Any]
    on: tuple[int, ...] = (3, 4, 6, 8, 12)
    base: Mapping[str, Any] = {}
    whole: tuple[str, ...] = ()


_SGD: Sections = {"optimizer": {"kind": "sgd", "lr": 0.04, "momentum": 0.9}}
_PLAIN: Sections = {"optimizer": {"kind": "sgd", "lr": 0.05}}
_IMAGES = (3, 12, 22)


def causes(draw: np.random.Generator) -> list[Cause]:
    """All of them, at strengths that are drawn."""

    def grow(low: float, high: float) -> float:
        return float(f"{np.exp(draw.uniform(np.log(low), np.log(high))):.3g}")

    def pick(*options: Any) -> Any:
        return options[int(draw.integers(len(options)))]

    noise = {"augment": [{"kind": "noise", "deviation": grow(6.0, 30.0)}]}
    flips = [{"kind": "flip", "direction": "vertical"}, {"kind": "rotation", "degrees": 170}]
    turned = {"augment": pick(flips, [{"kind": "erasing", "probability": 1.0,
                                       "scale": [0.85, 0.95]}])}  # fmt: skip

    def smooth(value: float) -> Sections:
        return {"kind": "cross_entropy", "label_smoothing": value}

    def adam(eps: float) -> Sections:
        return {"kind": pick("adam", "adamw"), "lr": 3e-3, "eps": eps}

    narrow: Sections = {"model": mlp(8, 8, activation="tanh")}
    return [
        Cause("l2_too_large", ("regularize.l2",), {"regularize": {"l2": grow(0.3, 3.0)}},
              {"regularize": {"l2": 3e-4}}),
        Cause("l1_too_large", ("regularize.l1",), {"regularize": {"l1": grow(0.03, 0.2)}},
              {"regularize": {"l1": 2e-5}}),
        Cause("weight_decay_too_large", ("optimizer.weight_decay",),
              {"optimizer": {"kind": "adamw", "lr": 2e-3, "weight_decay": grow(20, 100)}},
              {"optimizer": {"kind": "adamw", "lr": 2e-3, "weight_decay": 0.05}},
              whole=("optimizer",)),
        Cause("max_norm_too_small", ("regularize.max_norm",),
              {"regularize": {"max_norm": grow(0.01, 0.08)}}, {"regularize": {"max_norm": 4.0}}),
        Cause("dropout_too_large", ("model.dropout",), {"model": {"dropout": grow(0.9, 0.97)}},
              {"model": {"dropout": 0.2}}, on=(3, 6, 9, 12, 17)),
        Cause("epsilon_too_large", ("optimizer.eps",), {"optimizer": adam(eps=grow(0.5, 30.0))},
              {"optimizer": adam(eps=1e-6)}, whole=("optimizer",)),
        Cause("clip_norm_too_small", ("train.clip_norm",),
              {"train": {"clip_norm": grow(3e-5, 4e-4)}}, {"train": {"clip_norm": 0.7}}, base=_SGD,
              on=(3, 6, 8, 12)),
        Cause("momentum_too_large", ("optimizer.momentum",),
              {"optimizer": {"momentum": pick(0.998, 0.999)}}, {"optimizer": {"momentum": 0.93}},
              base=_SGD),
        Cause("schedule_ends_too_early", ("schedule",), {"schedule": pick(
            {"kind": "exponential", "gamma": 0.06}, {"kind": "steps", "every": 1, "gamma": 0.04})},
            {"schedule": {"kind": "exponential", "gamma": 0.85}}, on=(3, 6, 8, 12)),
        Cause("warmup_too_long", ("schedule",), {"schedule": {"kind": "constant",
            "warmup": pick("95 %", "100 %")}}, {"schedule": {"kind": "constant", "warmup": "8 %"}},
            base=_PLAIN),
        Cause("early_stopping_too_early", ("train.early_stopping",),
              {"train": {"early_stopping": {"patience": 1, "min_delta": grow(0.1, 0.25)}}},
              {"train": {"early_stopping": {"patience": 12}}}, base=_PLAIN),
        Cause("frozen_layers", ("optimizer.groups",),
              {"optimizer": {"groups": {"hidden*": {"lr": pick(0.0, 1e-8, 1e-7)}}}},
              {"optimizer": {"groups": {"hidden1": {"lr": 1e-3}}}}, on=(0, 1, 5, 11, 19),
              base=narrow),
        Cause("augmentation_too_strong", ("data.augment",), {"data": noise},
              {"data": {"augment": [{"kind": "noise", "deviation": 0.1}]}}, on=(0, 3, 6, 9, 11)),
        Cause("augmentation_too_strong", ("data.augment",), {"data": turned},
              {"data": {"augment": [{"kind": "shift", "pixels": 1}]}}, on=(3, 13, 22),
              base={}),
        Cause("batch_too_large", ("train.batch_size", "train.epochs"),
              {"train": {"batch_size": "full"}}, {"train": {"batch_size": 48}}),
        Cause("too_few_updates", ("train.epochs", "train.batch_size"),
              {"train": {"epochs": 1, "batch_size": 120}},
              {"train": {"epochs": 12, "batch_size": 40}}),
        Cause("label_smoothing_too_large", ("loss",), {"loss": smooth(grow(0.97, 0.998))},
              {"loss": smooth(0.1)}, on=(3, 6, 9, 12)),
        Cause("averaging_too_slow", ("train.averaging",),
              {"train": {"averaging": {"kind": "ema", "decay": pick(0.9999, 0.99999)}}},
              {"train": {"averaging": {"kind": "ema", "decay": 0.95}}}),
        Cause("poor_initialization", ("model.init",),
              {"model": {"init": {"kind": "normal", "std": grow(1e-7, 1e-5)}}},
              {"model": {"init": "lecun_normal"}}, on=(0, 1, 5, 8),
              base={"model": mlp(20, 20, 20, activation="tanh"), **_SGD}),
        Cause("poor_initialization", ("model.init",),
              {"model": {"init": {"kind": "normal", "std": grow(2.0, 6.0)}}},
              {"model": {"init": "xavier_uniform"}}, on=(3, 6, 9, 12)),
        Cause("layer_too_narrow", ("model.hidden",), {"model": {"hidden": [20, 1, 20]}},
              {"model": {"hidden": [20, 12, 20]}}, on=(3, 6, 9, 12)),
        Cause("linear_network", ("model",), {"model": {"activation": "identity"}},
              {"model": {"activation": "tanh"}}, on=(1, 11, 5)),
        Cause("linear_network", ("model",), {"model": {"kind": "linear"}},
              {"model": mlp(24, activation="tanh")}, on=(11, 1, 5), whole=("model",)),
        Cause("unusual_setting", ("optimizer.dampening", "optimizer.lr_decay", "optimizer.etas"),
              {"optimizer": pick({"kind": "adagrad", "lr": 0.05, "lr_decay": grow(3.0, 50.0)},
                                 {"kind": "sgd", "lr": 0.05, "momentum": 0.9, "dampening": 0.999})},
              {"optimizer": {"kind": "adagrad", "lr": 0.05, "lr_decay": 1e-4}},
              whole=("optimizer",)),
    ]  # fmt: skip


def _bases(folder: Path) -> list[Sections]:
    return [base for kind in ("development", "second", "suite")
            for base in doctor_cases.healthy(kind, folder)]  # fmt: skip


def _merged(base: Sections, change: Mapping[str, Any], whole: tuple[str, ...]) -> Sections:
    merged = dict(base)
    for section, fields in change.items():
        plain = not isinstance(fields, dict) or section in whole or section == "loss"
        plain = plain or section == "schedule" or not isinstance(merged.get(section, {}), dict)
        merged[section] = fields if plain else {**merged.get(section, {}), **fields}
    return merged


def setting_cases(folder: Path, *, seeds: int, first: int = 0) -> list[Case]:
    """Of each cause a sick case and its healthy neighbour, for each seed."""
    folder.mkdir(parents=True, exist_ok=True)
    bases, found = _bases(folder), list[Case]()
    for seed in range(first, first + seeds):
        draw = np.random.default_rng(seed + 40_000)
        for number, cause in enumerate(causes(draw)):
            base = bases[cause.on[seed % len(cause.on)]]
            base = {**base, **cause.base, "seed": 500 + seed}
            name = f"{cause.name}-{number}-{seed}"
            accepted = frozenset({cause.name})
            ill = _merged(base, cause.sick, cause.whole)
            found.append(Case(name, cause.name, accepted, ill, fields=cause.fields, base=base))
            if cause.well:
                well = _merged(base, cause.well, cause.whole)
                found.append(Case(f"well-{name}", "", frozenset(), well))
    return found
