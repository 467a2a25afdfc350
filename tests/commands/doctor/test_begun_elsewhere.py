"""Runs that begin from weights of elsewhere: what is forgotten, and inputs of another scale."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import nnlab
from nnlab.config.loading import bundled_configs
from nnlab.core.finding import Finding
from nnlab.experiment.handed import experiment_of
from nnlab.models.network import build_network
from nnlab.runs.building.beginning import load_beginning

CNN: dict[str, Any] = {"kind": "cnn", "channels": [8, 16], "dense": [32]}
LOW: dict[str, Any] = {"kind": "digits", "classes": [0, 1, 2, 3, 4], "validation": 0.3}
HIGH: dict[str, Any] = {"kind": "digits", "classes": [5, 6, 7, 8, 9]}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    asked = {
        "data": LOW,
        "model": CNN,
        "optimizer": {"kind": "adam", "lr": 5e-3},
        "train": {"epochs": 6, "compile": "off"},
    }
    return nnlab.train(asked, run_dir=tmp_path_factory.mktemp("low") / "1", device="cpu").run


def trained(source: Path, run: Path, lr: float, **data: Any) -> dict[str, Finding]:
    begin = {"run": str(source), "layers": ["conv*", "hidden*"]}
    asked = {
        "data": {**HIGH, **data},
        "model": {**CNN, "from": begin},
        "optimizer": {"kind": "adam", "lr": lr},
        "train": {"epochs": 6, "compile": "off"},
    }
    nnlab.train(asked, run_dir=run, device="cpu")
    return {finding.name: finding for finding in nnlab.doctor(run, trials=False).findings}


def accuracy(network: torch.nn.Module, inputs: Tensor, targets: Tensor) -> float:
    with torch.no_grad():
        return (network(inputs).argmax(1) == targets).double().mean().item()


def test_forgetting_is_what_the_sources_own_data_say(source: Path, tmp_path: Path) -> None:
    found = trained(source, tmp_path / "long", 0.02)["forgetting"]
    examples = experiment_of({"data": LOW, "model": CNN}).load()
    rows = examples.rows["validation"]
    assert isinstance(examples.inputs, np.ndarray)
    inputs = torch.tensor((examples.inputs[rows] - examples.shift) * examples.factor)
    targets = torch.tensor(examples.targets[rows])
    before, mixed, after = (nnlab.load(run) for run in (source, source, tmp_path / "long"))
    state = {k: v for k, v in after.state_dict().items() if not k.startswith("output")}
    mixed.load_state_dict({**mixed.state_dict(), **state})
    was, now = accuracy(before, inputs, targets), accuracy(mixed, inputs, targets)
    counts = np.bincount(examples.targets[examples.rows["train"]])
    blind = float((examples.targets[rows] == counts.argmax()).mean())
    assert found.measured == pytest.approx((was - now) / (was - blind), abs=1e-6)
    assert was > 0.9
    assert found.level == "note"


def test_frozen_layers_forget_nothing(source: Path, tmp_path: Path) -> None:
    begin = {"run": str(source), "layers": ["conv*", "hidden*"]}
    model = {**CNN, "from": begin, "freeze": ["conv*", "hidden*"]}
    asked = {"data": HIGH, "model": model, "train": {"epochs": 1, "compile": "off"}}
    nnlab.train(asked, run_dir=tmp_path / "run", device="cpu")
    report = nnlab.doctor(tmp_path / "run", trials=False)
    assert "forgetting" not in {finding.name for finding in report.findings}
    assert "forgetting" in str(report.looked)


def test_another_scale_is_found_and_its_remedy_mends_it(source: Path, tmp_path: Path) -> None:
    found = trained(source, tmp_path / "none", 1e-3, scale="none")["scale_differs_from_weights"]
    assert found.remedy == ("data.scale=unit",)
    # x against x / 16, over the deviation of x / 16.
    experiment = experiment_of({"data": HIGH, "model": CNN})
    examples = experiment.load()
    assert isinstance(examples.inputs, np.ndarray)
    x = examples.inputs[examples.rows["train"][:64]].astype(np.float64)
    right = np.sqrt(np.mean((x - x / 16) ** 2)) / (x / 16).std()
    assert found.measured == pytest.approx(right, rel=1e-6)
    assert "scale_differs_from_weights" not in trained(source, tmp_path / "unit", 1e-3)
    env = json.loads((tmp_path / "unit" / "env.json").read_text())["weights"]
    assert env["scale_off"] == 0.0


def test_without_the_source_the_doctor_says_what_it_could_not_ask(
    source: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    trained(source, tmp_path / "run", 0.02)
    env = json.loads((tmp_path / "run" / "env.json").read_text())
    source.rename(moved)
    try:
        report = nnlab.doctor(tmp_path / "run", trials=False)
    finally:
        moved.rename(source)
    assert Path(env["weights"]["file"]).is_file()
    assert "forgetting" not in {finding.name for finding in report.findings}
    assert "was not asked, or is not at hand" in str(report.looked)


def test_the_lessons_weights_know_0_to_4() -> None:
    """As the lesson says of them; its own training holds the rest."""
    lesson = bundled_configs()["lessons/transfer"]
    model = {
        **{"kind": "cnn", "channels": [16, 32], "dense": [64], "norm": "batch"},
        "from": str(lesson.parent / "digits_0_to_4.safetensors"),
    }
    experiment = experiment_of({"data": LOW, "model": model})
    network = build_network(experiment.design, seed=0)
    load_beginning(network, experiment)
    examples = experiment.load()
    assert isinstance(examples.inputs, np.ndarray)
    inputs = torch.tensor((examples.inputs - examples.shift) * examples.factor)
    assert accuracy(network.eval(), inputs, torch.tensor(examples.targets)) > 0.98


@pytest.mark.parametrize("classes", [[3], [3, 3], [3, 10]])
def test_digits_need_two_classes_or_more(classes: list[int]) -> None:
    with pytest.raises(nnlab.ConfigError, match=r"data\.classes"):
        experiment_of({"data": {"kind": "digits", "classes": classes}, "model": CNN})


def test_chosen_digits_are_the_same_images() -> None:
    whole = experiment_of({"data": "digits", "model": CNN}).load()
    some = experiment_of({"data": {"kind": "digits", "classes": [7, 2]}, "model": CNN}).load()
    assert some.shape.classes == ("2", "7")
    assert isinstance(whole.inputs, np.ndarray)
    assert isinstance(some.inputs, np.ndarray)
    for number, digit in enumerate((2, 7)):
        np.testing.assert_array_equal(
            some.inputs[some.targets == number], whole.inputs[whole.targets == digit]
        )
