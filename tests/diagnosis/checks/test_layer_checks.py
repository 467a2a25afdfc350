"""Single layers that are sick beside healthy neighbours: trained, on points and on digits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import nnlab
from nnlab.core.finding import Finding
from nnlab.diagnosis.evidence.unit_copies import count_copies
from nnlab.runs.observers.findings import read_findings

POINTS = {"kind": "moons", "samples": 500}
DIGITS = {"kind": "digits", "limit": 500, "validation": 150}
KINDS = pytest.mark.parametrize(
    "data", [POINTS, pytest.param(DIGITS, marks=pytest.mark.slow)], ids=["points", "digits"]
)


def found_in(folder: Path, data: dict[str, Any], **sections: Any) -> dict[str, Finding]:
    """What a short run tells."""
    model = sections.pop("model", None)
    network = model if isinstance(model, nn.Module) else None
    config: dict[str, Any] = {
        "data": data,
        "train": {"epochs": 6, "batch_size": 25, "threads": 1},
        "optimizer": {"kind": "adam", "lr": 3e-3},
        "log": {"checkpoints": "off"},
        **sections,
    }
    if network is None:
        config["model"] = model or {"kind": "mlp", "hidden": [16, 16]}
    done = nnlab.train(config, model=network, run_dir=folder / "run")
    return {finding.name: finding for finding in read_findings(done.run)}


def layers(change: dict[str, Any] | None, activation: str) -> dict[str, Any]:
    """Six layers of which the fourth is another one."""
    every: list[dict[str, Any]] = [{"kind": "linear", "units": 24} for _ in range(6)]
    if change is not None:
        every[3] |= change
    return {"kind": "stack", "activation": activation, "layers": ["flatten", *every]}


class TestOneLayerOutOfLine:
    @KINDS
    @pytest.mark.parametrize("activation", ["relu", "tanh"])
    @pytest.mark.parametrize("std", [1e-4, 8.0])
    def test_is_named_with_its_own_initialization(
        self, std: float, activation: str, data: dict[str, Any], tmp_path: Path
    ) -> None:
        init = {"kind": "normal", "std": std}
        model = layers({"init": init}, activation)
        found = found_in(tmp_path, data, model=model)["badly_initialized_layer"]
        assert found.layer == "hidden4"
        assert found.remedy == ("model.layers.4.init=auto",)

    @KINDS
    def test_of_zeros_is_one_of_units_that_are_alike(
        self, data: dict[str, Any], tmp_path: Path
    ) -> None:
        found = found_in(tmp_path, data, model=layers({"init": "zeros"}, "relu"))
        assert found["symmetric_units"].layer == "hidden4"

    @KINDS
    @pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu"])
    def test_is_not_found_where_all_are_alike(
        self, activation: str, data: dict[str, Any], tmp_path: Path
    ) -> None:
        found = found_in(tmp_path, data, model=layers(None, activation))
        assert "badly_initialized_layer" not in found

    def test_of_three_hidden_layers_is_enough_to_be_out_of_line(self, tmp_path: Path) -> None:
        own = {"hidden2": {"init": {"kind": "normal", "std": 30.0}}}
        model = {"kind": "mlp", "hidden": [24, 24, 24], "layers": own}
        found = found_in(tmp_path, POINTS, model=model)["badly_initialized_layer"]
        assert found.layer == "hidden2"
        assert found.remedy == ("model.layers.hidden2.init=auto",)

    def test_is_not_found_in_a_convolutional_network(self, tmp_path: Path) -> None:
        model = {"kind": "cnn", "channels": [6, 12, 12], "dense": [32, 16]}
        assert "badly_initialized_layer" not in found_in(tmp_path, DIGITS, model=model)


class TestARateOfItsOwn:
    @KINDS
    def test_that_is_far_too_high_is_named(self, data: dict[str, Any], tmp_path: Path) -> None:
        optimizer = {"kind": "adam", "lr": 1e-3, "groups": {"hidden2": {"lr": 1.0}}}
        found = found_in(tmp_path, data, optimizer=optimizer)["group_rate_too_high"]
        assert found.layer == "hidden2"
        assert found.remedy == ('optimizer.groups={"hidden2": {"lr": 0.001}}',)

    @KINDS
    def test_that_is_a_little_higher_is_none(self, data: dict[str, Any], tmp_path: Path) -> None:
        optimizer = {"kind": "adam", "lr": 1e-3, "groups": {"hidden2": {"lr": 5e-3}}}
        assert "group_rate_too_high" not in found_in(tmp_path, data, optimizer=optimizer)


class Copied(nn.Module):
    """A hidden layer of pairs of units with the same weights, in and out."""

    def __init__(self, inputs: int, outputs: int, *, times: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.flat = nn.Flatten()
        self.first, self.last = nn.Linear(inputs, 24), nn.Linear(24, outputs)
        with torch.no_grad():
            for parameter in (self.first.weight, self.first.bias):
                parameter[:] = parameter[: 24 // times].repeat_interleave(times, 0)
            own = self.last.weight[:, : 24 // times]
            self.last.weight[:] = own.repeat_interleave(times, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.first(self.flat(x))))


class TestCopiedUnits:
    @KINDS
    @pytest.mark.parametrize("times", [1, 2, 3])
    def test_are_counted_at_the_end(self, times: int, data: dict[str, Any], tmp_path: Path) -> None:
        sizes = (2, 2) if data is POINTS else (64, 10)
        found = found_in(tmp_path, data, model=Copied(*sizes, times=times))
        assert ("copied_units" in found) == (times > 1)
        if times > 1:
            assert found["copied_units"].measured == 24 / times

    def test_units_of_zeros_are_none_and_a_bias_makes_a_difference(self) -> None:
        draw = np.random.default_rng(0)
        weight = draw.normal(size=(6, 5))
        assert count_copies(weight).different == 6
        weight[[1, 4]] = weight[0]
        assert count_copies(weight).different == 4
        assert count_copies(weight, np.arange(6.0)).different == 6
        assert count_copies(np.zeros((6, 5))).different == 6


class Ending(nn.Module):
    """One hidden layer, and what it ends in."""

    def __init__(self, inputs: int, outputs: int, end: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(0)
        parts = (nn.Flatten(), nn.Linear(inputs, 24), nn.ReLU(), nn.Linear(24, outputs), end)
        self.body = nn.Sequential(*parts)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


@KINDS
@pytest.mark.parametrize(
    ("end", "twice"), [(nn.Softmax(1), True), (nn.Identity(), False), (nn.LogSoftmax(1), False)]
)
def test_a_softmax_before_the_cross_entropy_is_found(
    end: nn.Module, twice: bool, data: dict[str, Any], tmp_path: Path
) -> None:
    sizes = (2, 2) if data is POINTS else (64, 10)
    found = found_in(tmp_path, data, model=Ending(*sizes, end), loss="cross_entropy")
    assert ("softmax_twice" in found) == twice
    if twice:
        # torch's own loss of the surest answer: 1 for the label, 0 for the others.
        sure = nn.functional.cross_entropy(torch.eye(sizes[1])[:1], torch.tensor([0]))
        assert found["softmax_twice"].measured == pytest.approx(sure.item(), rel=1e-6)


@pytest.mark.parametrize(("end", "twice"), [(nn.Sigmoid(), True), (nn.Identity(), False)])
def test_a_sigmoid_before_the_loss_that_takes_it_is_found(
    end: nn.Module, twice: bool, tmp_path: Path
) -> None:
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(300, 5)).astype(np.float32)
    labels = np.stack([inputs[:, 0] > 0, inputs[:, 1] + inputs[:, 2] > 1], axis=1)
    np.savez(tmp_path / "labels.npz", inputs=inputs, targets=labels.astype(np.int64))
    data = {"kind": "npz", "path": str(tmp_path / "labels.npz"), "task": "labels"}
    found = found_in(tmp_path, data, model=Ending(5, 2, end), loss="bce")
    assert ("softmax_twice" in found) == twice
    if twice:
        surest = nn.functional.binary_cross_entropy_with_logits(torch.ones(1), torch.ones(1))
        assert found["softmax_twice"].measured == pytest.approx(2.0 * surest.item(), rel=1e-6)


CURVE = {"kind": "function", "formula": "sine", "samples": 400}
TABLE = {"kind": "diabetes", "scale_target": "standard"}


@pytest.mark.parametrize("data", [TABLE, {**CURVE, "scale_target": "standard"}], ids=str)
@pytest.mark.parametrize(
    ("activation", "told"), [("sigmoid", True), ("tanh", True), ("relu", True), ("identity", False)]
)
def test_targets_that_the_output_cannot_give_are_found(
    activation: str, told: bool, data: dict[str, Any], tmp_path: Path
) -> None:
    model = {"kind": "mlp", "hidden": [16], "output": {"activation": activation}}
    found = found_in(tmp_path, data, model=model, loss="mse")
    assert ("targets_out_of_reach" in found) == told


def test_an_output_layer_that_is_dead_or_at_its_bounds_is_named(tmp_path: Path) -> None:
    low = {"kind": "constant", "value": -50.0}
    model = {"kind": "mlp", "hidden": [16], "output": {"activation": "relu", "bias_init": low}}
    data = {**CURVE, "formula": "gaussian"}
    found = found_in(tmp_path, data, model=model, loss="mse")["dead_units"]
    assert (found.layer, found.level) == ("output", "fault")
    wide = {"kind": "normal", "std": 60.0}
    model["output"] = {"activation": "tanh", "init": wide}
    assert found_in(tmp_path / "2", data, model=model, loss="mse")["saturation"].layer == "output"
