"""LSUV: weights that are scaled by what training data make of them (arXiv:1511.06422)."""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from nnlab.config.loading import Text, load_config, place_for
from nnlab.core.contracts import DataShape, Machine, Shape
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.settle import settle
from nnlab.models import Model
from nnlab.models.family import Design, design_network
from nnlab.models.network import build_network, calibrate_weights, initial_fills
from nnlab.parts.losses.classes import CrossEntropyConfig
from nnlab.runs.building.build import build_trainer, calibration_rows

READ: Any = TypeAdapter(Model)


def designed(inputs: Shape, **keys: Any) -> Design:
    names = tuple("0123456789")
    shape = DataShape(inputs, "classes", 10, names, {"train": 100})
    return design_network(
        READ.validate_python({**keys, "init": "lsuv"}), shape, CrossEntropyConfig()
    )


def examples(inputs: Shape) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return 3.0 + 0.2 * torch.randn(64, *inputs, generator=generator)


BLOCK = {"kind": "residual", "layers": ({"kind": "conv", "channels": 6, "padding": "same"},)}
NETWORKS: dict[str, tuple[Shape, dict[str, Any]]] = {
    "mlp": ((12,), {"kind": "mlp", "hidden": (40,) * 8, "dropout": 0.5}),
    "tanh": ((12,), {"kind": "mlp", "hidden": (40,) * 8, "activation": "tanh"}),
    "rrelu": ((12,), {"kind": "mlp", "hidden": (40,) * 4, "activation": "rrelu"}),
    "batch norm": ((12,), {"kind": "mlp", "hidden": (40,) * 4, "norm": "batch"}),
    "cnn": ((1, 8, 8), {"kind": "cnn", "channels": (4, 8), "dense": (20,)}),
    "biases": (
        (12,),
        {"kind": "mlp", "hidden": (40,) * 4, "bias_init": {"kind": "uniform", "high": 0.5}},
    ),
    "residual": (
        (1, 8, 8),
        {
            **{"kind": "stack", "activation": "relu", "norm": "batch"},
            "layers": ({"kind": "conv", "channels": 4}, BLOCK, "global_pool"),
        },
    ),
}


def outputs_of(network: nn.Module, name: str, inputs: Tensor) -> Tensor:
    seen: list[Tensor] = []
    module = network.get_submodule(name)

    def keep(_: nn.Module, __: object, output: Tensor) -> None:
        seen.append(output)

    hook = module.register_forward_hook(keep)
    with torch.no_grad():
        network(inputs)
    hook.remove()
    return seen[0]


def as_trained(network: nn.Module) -> nn.Module:
    """Batch statistics, but nothing is drawn."""
    for module in network.modules():
        module.training = isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
    return network


@pytest.mark.parametrize(("inputs", "keys"), NETWORKS.values(), ids=NETWORKS)
class TestEveryNetwork:
    def test_has_outputs_of_unit_variance_in_every_layer(
        self, inputs: Shape, keys: dict[str, Any]
    ) -> None:
        network, x = designed(inputs, **keys), examples(inputs)
        module = build_network(network, seed=0)
        calibrate_weights(module, network, lambda: x)
        layers = [name for name, fill in initial_fills(network).items() if fill.init.kind == "lsuv"]
        assert layers
        for name in layers:
            if name.startswith("output") or "skip" in name:
                continue
            outputs = outputs_of(as_trained(module), name.removesuffix(".weight"), x)
            # The paper's tolerance, 0.1.
            assert outputs.var(correction=0).item() == pytest.approx(1.0, abs=0.1), name

    def test_keeps_the_directions_of_orthonormal_weights(
        self, inputs: Shape, keys: dict[str, Any]
    ) -> None:
        network, x = designed(inputs, **keys), examples(inputs)
        module, before = build_network(network, seed=0), build_network(network, seed=0)
        calibrate_weights(module, network, lambda: x)
        for name, parameter in module.named_parameters():
            if name.endswith(".weight") and name in initial_fills(network):
                ratio = parameter / before.get_parameter(name)
                torch.testing.assert_close(ratio, ratio.mean().expand_as(ratio))

    def test_draws_nothing_and_keeps_modes_and_buffers(
        self, inputs: Shape, keys: dict[str, Any]
    ) -> None:
        network, x = designed(inputs, **keys), examples(inputs)
        module = build_network(network, seed=0)
        modes = [m.training for m in module.modules()]
        buffers = {name: b.clone() for name, b in module.named_buffers()}
        stream = torch.get_rng_state()
        calibrate_weights(module, network, lambda: x)
        assert torch.equal(torch.get_rng_state(), stream)
        assert [m.training for m in module.modules()] == modes
        assert all(torch.equal(b, buffers[name]) for name, b in module.named_buffers())


def test_data_are_asked_for_only_by_those_that_look_at_them() -> None:
    shape = DataShape((3,), "classes", 2, ("a", "b"), {"train": 4})
    network = design_network(READ.validate_python({"kind": "linear"}), shape, CrossEntropyConfig())

    def refuse() -> Tensor:
        raise AssertionError

    calibrate_weights(build_network(network, seed=0), network, refuse)


def test_outputs_that_are_all_alike_are_left_alone() -> None:
    network = designed((4,), kind="mlp", hidden=(5,))
    module, before = build_network(network, seed=0), build_network(network, seed=0)
    calibrate_weights(module, network, lambda: torch.zeros(8, 4))
    assert torch.equal(
        module.get_parameter("hidden1.weight"), before.get_parameter("hidden1.weight")
    )


CONFIG = """
data: {kind: digits, limit: 300}
model: {kind: mlp, hidden: [16, 16], activation: tanh, init: lsuv}
train: {steps: 1, batch_size: BATCH}
"""


def settled(folder: Path, batch: int) -> Experiment:
    text = Text(CONFIG.replace("BATCH", str(batch)), "f.yaml", folder, "f")
    return settle(load_config(text), place_for(folder), Machine("cpu", 1))


def built(tmp_path: Path, batch: int) -> dict[str, Tensor]:
    experiment = settled(tmp_path, batch)
    data = experiment.config.data.load(place_for(tmp_path))
    step = build_trainer(experiment, data, torch.device("cpu")).step
    return {k: v.clone() for k, v in step.state().items() if k.startswith("model/")}


def test_a_run_begins_with_calibrated_weights_whatever_its_batch_size(tmp_path: Path) -> None:
    first, second = built(tmp_path, 8), built(tmp_path, 100)
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    weight = first["model/hidden1.weight"]
    # Scaled: the rows are orthonormal no more.
    assert not torch.allclose(weight @ weight.T, torch.eye(16), atol=1e-2)


def test_rows_are_taken_at_equal_distances(tmp_path: Path) -> None:
    experiment = settled(tmp_path, 8)
    data = experiment.config.data.load(place_for(tmp_path))
    rows = calibration_rows(data)
    assert len(rows) == min(256, len(data.rows["train"])) == prod(rows.unique().shape)
    places = np.flatnonzero(np.isin(data.rows["train"], rows.numpy()))
    assert np.diff(places).max() <= 2
