"""The doctor sees a layer whose matrix is not called `weight` as it sees any other."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import nnlab
from nnlab.core.finding import Finding
from nnlab.runs.observers.findings import read_findings

RANDOM = np.random.default_rng(0)
Y = np.arange(300) % 3
X = (RANDOM.normal(size=(300, 8)) + Y[:, None]).astype(np.float32)
LONG = {"train": {"steps": 60, "batch_size": 32}, "optimizer": {"kind": "sgd", "lr": 0.01}}


class Kernel(nn.Module):
    """A linear layer of somebody who calls its matrix otherwise."""

    def __init__(self, inputs: int, units: int, std: float) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(units, inputs) * std)
        self.shift = nn.Parameter(torch.zeros(units))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.kernel, self.shift)


def usual(inputs: int, units: int, std: float) -> nn.Linear:
    """torch's layer with the same first numbers."""
    weight = torch.randn(units, inputs) * std
    layer = nn.Linear(inputs, units)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.zero_()
    return layer


def deep(make: Callable[[int, int, float], nn.Module], kind: type[nn.Module], std: float) -> Any:
    parts: list[nn.Module] = []
    for inputs in (8, *[16] * 6):
        torch.manual_seed(len(parts))
        parts += [make(inputs, 16, std / inputs**0.5), kind()]
    torch.manual_seed(len(parts))
    return nn.Sequential(*parts, make(16, 3, 0.25))


def findings(network: nn.Module, folder: Path, x: Any = X) -> Sequence[Finding]:
    run = nnlab.train(LONG, data=(x, Y), model=network, run_dir=folder, device="cpu").run
    return read_findings(run)


CASES: dict[str, tuple[type[nn.Module], float]] = {
    "vanishing_gradient": (nn.Sigmoid, 1.0),
    "exploding_gradient": (nn.ReLU, 12.0),
    "symmetric_units": (nn.Sigmoid, 0.0),
}


@pytest.mark.parametrize("name", CASES)
def test_the_same_is_found_whatever_the_matrix_is_called(name: str, tmp_path: Path) -> None:
    kind, std = CASES[name]
    expected = findings(deep(usual, kind, std), tmp_path / "usual")
    found = findings(deep(Kernel, kind, std), tmp_path / "other")
    assert name in [finding.name for finding in expected]
    assert [(f.name, f.level, f.measured) for f in found] == [
        (f.name, f.level, f.measured) for f in expected
    ]
    layers = [f.layer for f in found]
    assert layers == [f.layer and f"{f.layer}.kernel" for f in expected]


class Recurrent(nn.Module):
    """A recurrent layer that reads 8 numbers one after the other."""

    def __init__(self, kind: Callable[..., nn.Module]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.memory = kind(1, 12, batch_first=True)
        self.head = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.memory(x[..., None])
        return self.head(states[:, -1])


def test_a_recurrent_layer_of_equal_units_is_found(tmp_path: Path) -> None:
    network = Recurrent(nn.RNN)
    for parameter in network.parameters():
        nn.init.constant_(parameter, 0.1)
    with torch.no_grad():  # the classes differ, the units that they look at do not
        network.head.bias.copy_(torch.tensor([0.0, 0.5, 1.0]))
    found = {finding.name: finding for finding in findings(network, tmp_path / "run")}
    assert found["symmetric_units"].layer == "memory.weight_ih_l0"


def test_a_recurrent_layer_at_its_bounds_is_found(tmp_path: Path) -> None:
    network = Recurrent(nn.RNN)
    with torch.no_grad():
        for parameter in network.memory.parameters():
            parameter.mul_(40.0)
    found = {finding.name: finding for finding in findings(network, tmp_path / "run")}
    assert (found["saturation"].layer or "").startswith("memory.")


def test_recurrent_gradients_that_explode_are_found(tmp_path: Path) -> None:
    network = Recurrent(lambda *sizes, **more: nn.RNN(*sizes, nonlinearity="relu", **more))
    with torch.no_grad():
        for parameter in network.memory.parameters():
            parameter.abs_().mul_(6.0)
    found = [finding.name for finding in findings(network, tmp_path / "run")]
    assert {"exploding_gradient", "divergence"} & {*found}
