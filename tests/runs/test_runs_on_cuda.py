"""Whole runs on a GPU: every bundled config, the same bits again, resumed, read on the CPU."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from nnlab.commands.smoke import smoke_all
from nnlab.comparison.comparison import settle_source
from nnlab.config.loading import bundled_configs
from nnlab.core.events import SaveDue
from nnlab.display.open_view import open_view
from nnlab.runs.finished.evaluate import evaluate
from nnlab.runs.folder import checkpoint
from nnlab.runs.run import stream_run, train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

ADDING = {"kind": "adding", "steps": 12, "samples": 200}
COPY = {"kind": "copy", "samples": 200, "delay": 8}
FAMILIES: dict[str, dict[str, Any]] = {
    "mlp": {"data": "moons", "model": {"kind": "mlp", "hidden": [8, 8], "dropout": 0.2}},
    "cnn": {
        "data": {"kind": "digits", "augment": ["shift"]},
        "model": {"kind": "cnn", "channels": [4], "dense": [8], "norm": "batch", "dropout": 0.2},
    },
    "rnn": {"data": ADDING, "model": {"kind": "rnn", "units": 8}},
    "gru": {"data": ADDING, "model": {"kind": "gru", "units": 8}},
    "lstm": {"data": ADDING, "model": {"kind": "lstm", "units": 8}},
    "transformer": {
        "data": COPY,
        "model": {"kind": "transformer", "width": 16, "depth": 1, "heads": 2, "dropout": 0.1},
    },
    "vit": {"data": "digits", "model": {"kind": "vit", "patch": 4, "width": 16, "depth": 1}},
}


def config_of(family: str, **train: Any) -> dict[str, Any]:
    return {
        **{"name": family, "optimizer": "adam", **FAMILIES[family]},
        "train": {"epochs": 2, "batch_size": 32, **train},
    }


def quiet() -> Any:
    return open_view(quiet=True, stream=sys.stderr)


def bits(folder: Path) -> dict[str, bytes]:
    found = checkpoint.named_checkpoint(folder / "checkpoints", "last")
    return {name: it.contiguous().numpy().tobytes() for name, it in found.tensors.items()}


def readings(folder: Path) -> dict[tuple[object, ...], float]:
    """Every number of metrics.jsonl but those of time, by its step, split, kind and name."""
    found: dict[tuple[object, ...], float] = {}

    def add(place: tuple[object, ...], value: object) -> None:
        if isinstance(value, dict):
            for name, part in value.items():
                add((*place, name), part)
        elif isinstance(value, list):
            for k, part in enumerate(value):
                add((*place, k), part)
        elif isinstance(value, int | float):
            found[place] = float(value)

    for number, line in enumerate((folder / "metrics.jsonl").read_text().splitlines()):
        entry = json.loads(line)
        entry.pop("samples_per_second", None)
        add((number, entry.get("step")), entry)
    return found


@pytest.mark.parametrize("name", bundled_configs())
def test_every_bundled_config_goes_through_all_stages(name: str) -> None:
    smoke_all(settle_source(name, ()), device="cuda", view=quiet())


@pytest.mark.parametrize("compiling", ["off", "on"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_run_has_the_same_bits_again_and_when_it_is_resumed(
    family: str, compiling: str, tmp_path: Path
) -> None:
    config = config_of(family, compile=compiling)
    once, again, broken = (tmp_path / name for name in ("once", "again", "broken"))
    for folder in (once, again):
        train(config, run_dir=folder, device="cuda", deterministic=True)
    assert bits(again) == bits(once)
    stream = stream_run(config, run_dir=broken, device="cuda", deterministic=True, view=quiet())
    for event in stream:
        if isinstance(event, SaveDue) and event.step:
            break
    stream.close()
    train(config, run_dir=broken, resume=True, device="cuda", deterministic=True)
    assert bits(broken) == bits(once)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_a_gpu_trained_is_evaluated_alike_on_the_cpu(family: str, tmp_path: Path) -> None:
    train(config_of(family), run_dir=tmp_path / "run", device="cuda")
    there, here = (
        evaluate(tmp_path / "run", split="validation", device=device) for device in ("cuda", "cpu")
    )
    assert here["loss"] == pytest.approx(there["loss"], rel=1e-3)


@pytest.mark.parametrize("precision", ["fp64", "bf16", "fp16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_trains_in_every_precision(family: str, precision: str, tmp_path: Path) -> None:
    summary = train(config_of(family, precision=precision), run_dir=tmp_path / "run", device="cuda")
    assert summary.status == "completed"


@pytest.mark.parametrize("compiling", ["off", "on"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_reading_is_that_of_the_cpu(family: str, compiling: str, tmp_path: Path) -> None:
    log = {"every": "4 steps", "probes": "4 steps", "pictures": 2, "examples": 2}
    log |= {"noise_scale": "8 steps"} if family in ("mlp", "cnn") else {}
    config = config_of(family, precision="fp64", epochs=None, steps=12, compile=compiling)
    for device, use in (("cpu", "off"), ("cuda", compiling)):
        config["train"]["compile"] = use
        train({**config, "log": log}, run_dir=tmp_path / device, device=device)
    here, there = readings(tmp_path / "cpu"), readings(tmp_path / "cuda")
    assert there.keys() == here.keys()
    assert len(here) > 20
    for name, value in here.items():
        assert there[name] == pytest.approx(value, rel=1e-5, abs=1e-9, nan_ok=True), name
