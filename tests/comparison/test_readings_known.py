"""`expect:` knows what a run reads: all of it, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

import nnlab
from nnlab.comparison.comparison import readable_tags, settle_first
from nnlab.core.files import write_file
from nnlab.display.tensorboard.layout import chart_categories
from nnlab.runs.building.probing import seen_of
from nnlab.training.probes.readings import READINGS, tag_of

ALL: dict[str, Any] = {"every": 5, "probes": 5, "sharpness": 5, "noise_scale": 5}
RUNS: dict[str, dict[str, Any]] = {
    "everything": {
        "data": {"kind": "digits", "validation": 0.2},
        "model": {"kind": "cnn", "channels": [3], "dense": [6], "activation": "tanh",
                  "norm": "batch"},
        "optimizer": {"kind": "adam", "lr": 0.01},
        "regularize": {"l2": 0.001},
        "train": {"steps": 10, "batch_size": 32, "clip_norm": 1.0},
        "log": ALL,
    },
    "recurrent": {
        "data": {"kind": "adding", "samples": 60, "steps": 5},
        "model": {
            "kind": "stack",
            "layers": [{"kind": kind, "units": 4} for kind in ("rnn", "lstm", "gru")] + ["last"],
        },
        "train": {"steps": 10, "batch_size": 16},
        "log": ALL,
    },
    "attention": {
        "data": {"kind": "first_token", "samples": 60, "steps": 5},
        "model": {
            "kind": "stack",
            "layers": [{"kind": "embedding", "units": 4}, "attention", "last"],
        },
        "train": {"steps": 10, "batch_size": 16},
        "log": ALL,
    },
    "relu, no probes": {
        "data": "moons",
        "model": {"kind": "mlp", "hidden": [4], "activation": "relu"},
        "train": {"steps": 10, "batch_size": 32},
        "log": {**ALL, "probes": "off", "sharpness": "off"},
    },
    "regression": {
        "data": {"kind": "function", "samples": 60},
        "model": {"kind": "mlp", "hidden": [4, 4], "activation": "relu"},
        "train": {"steps": 10, "batch_size": 16},
        "log": ALL,
    },
    "residual": {
        "data": "digits",
        "model": {
            "kind": "stack",
            "activation": "tanh",
            "layers": [
                {"kind": "conv", "channels": 4, "padding": "same"},
                {"kind": "residual",
                 "layers": [{"kind": "conv", "channels": 4, "padding": "same"}]},
                "flatten",
            ],
        },
        "train": {"steps": 10, "batch_size": 32},
        "log": ALL,
    },
}  # fmt: skip
# Readings of layers that "everything" does not have, by the run that has them.
OF_LAYERS = {
    "recurrent": {"time_gradient", "gate_saturated", "spectral_radius"},
    "attention": {"attention_entropy", "attention_logit"},
}
RUN_OF = {key: name for name, keys in OF_LAYERS.items() for key in keys}
# What no config can promise: a bound that only some optimizers have, preconditioned or not.
OPEN = {"sharpness/edge", "sharpness/preconditioned"}


def read(run: Path) -> set[str]:
    """The tags of a run's metrics, but for those of test data."""
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    known = {"step", "epoch", "split", "epoch_means"}
    return {tag_of(key, line["split"]) for line in lines for key in line if key not in known}


def promised(folder: Path, config: dict[str, Any]) -> set[str]:
    path = folder / "config.yaml"
    write_file(path, json.dumps(config))
    found = readable_tags(settle_first(str(path)))
    assert len(found) == len(set(found))
    return {tag for tag in found if not tag.endswith("/test")}


@pytest.mark.parametrize("name", RUNS)
def test_it_knows_exactly_what_a_run_writes(name: str, tmp_path: Path) -> None:
    run = nnlab.train(RUNS[name], run_dir=tmp_path / "run", device="cpu").run
    found, known = read(run), promised(tmp_path, RUNS[name])
    assert found - known == set()
    scored_later = {tag for tag in known - found if tag.partition("/")[0] not in READINGS}
    assert known - found - scored_later <= OPEN
    names = {tag.partition("/")[0] for tag in found} | {"samples_per_second"}
    if name == "everything":
        assert names >= READINGS.keys() - RUN_OF.keys(), "every reading is tested here"
    assert names >= OF_LAYERS.get(name, set())


@pytest.mark.parametrize("key", READINGS)
def test_every_reading_can_be_expected(key: str, tmp_path: Path) -> None:
    run = RUNS[RUN_OF.get(key, "everything")]
    known = promised(tmp_path, run)
    tag = next(tag for tag in known if tag.startswith((f"{key}/", f"speed/{key}")) or tag == key)
    config = {**run, "expect": {"all": {tag: "at_least 0"}}, "seeds": 2}
    path = tmp_path / "expected.yaml"
    write_file(path, json.dumps(config))
    settle_first(str(path))


def test_every_chart_of_all_layers_is_a_reading_with_a_card(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    write_file(path, json.dumps(RUNS["everything"]))
    experiment = settle_first(str(path))
    cards = experiment.design.layers.cards
    _, deep = chart_categories(["loss/train"], cards, seen_of(experiment))[-1]
    for patterns in deep.values():
        key = patterns[0].removeprefix("^").partition("/")[0]
        assert READINGS[key].card
    assert len(deep) == sum(bool(found.chart) for found in READINGS.values())
