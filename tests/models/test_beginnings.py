"""Every activation and initializer in a whole run's first step, and symmetry."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nnlab.config.loading import load_config, place_for
from nnlab.config.run_config import to_plain
from nnlab.core.contracts import Machine
from nnlab.core.kinds import kinds_of
from nnlab.experiment.settle import settle
from nnlab.parts.activations import Activation
from nnlab.parts.initializers import BiasInitializer, Initializer
from nnlab.runs.building.build import BuiltRun, build_trainer

DENSE = {"kind": "mlp", "hidden": [2, 2], "activation": "tanh"}
IMAGES = {"kind": "cnn", "channels": [2], "dense": [], "activation": "tanh"}
CPU = torch.device("cpu")
GPU = pytest.param("cuda", marks=pytest.mark.gpu)


def built(data: Any, model: dict[str, Any], device: torch.device = CPU, steps: int = 1) -> BuiltRun:
    tree = {
        **{"data": data, "model": model, "loss": "auto"},
        **{"optimizer": {"kind": "sgd", "lr": 0.1}, "train": {"steps": steps, "batch_size": 16}},
    }
    place = place_for(Path.cwd())
    experiment = settle(load_config(tree), place, Machine("cpu", 1))
    return build_trainer(experiment, experiment.config.data.load(place), device)


def trained(found: BuiltRun, steps: int = 1, device: torch.device = CPU) -> dict[str, Tensor]:
    rows = torch.arange(16, device=device)
    for _ in range(steps):
        found.step.update(rows)
    return {name: p.detach() for name, p in found.network.named_parameters()}


def names(menu: Any) -> list[str]:
    return list(kinds_of(menu))


def example(menu: Any, name: str) -> Any:
    return to_plain(kinds_of(menu)[name].example())


@pytest.mark.parametrize("device", ["cpu", GPU])
@pytest.mark.parametrize("name", names(Activation))
def test_a_step_is_trained_with_every_activation(name: str, device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    model = {**DENSE, "activation": example(Activation, name)}
    place = torch.device(device)
    found = built("moons", model, place)
    before = {name: p.detach().clone() for name, p in found.network.named_parameters()}
    after = trained(found, device=place)
    assert all(value.isfinite().all() for value in after.values())
    assert any(not torch.equal(value, before[name]) for name, value in after.items())


@pytest.mark.parametrize("name", names(Initializer))
def test_a_step_is_trained_from_every_initializer(name: str) -> None:
    init = example(Initializer, name)
    if name == "dirac":
        found = built("digits", {**IMAGES, "init": init})
    else:
        found = built("moons", {**DENSE, "init": init})
    assert all(value.isfinite().all() for value in trained(found).values())


@pytest.mark.parametrize("name", names(BiasInitializer))
def test_a_step_is_trained_from_every_bias_initializer(name: str) -> None:
    init = example(BiasInitializer, name)
    if name == "given":
        init = {"kind": "given", "values": [0.1, 0.2]}
    found = built("moons", {**DENSE, "bias_init": init})
    assert all(value.isfinite().all() for value in trained(found).values())


@pytest.mark.parametrize("init", ["zeros", {"kind": "constant", "value": 0.3}])
def test_units_that_begin_alike_stay_identical(init: Any) -> None:
    model = {**DENSE, "hidden": [5, 4], "activation": "sigmoid", "init": init}
    weights = trained(built("moons", {**model, "output": {"init": init}}, steps=20), steps=20)
    for name in ("hidden1.weight", "hidden2.weight", "hidden1.bias", "hidden2.bias"):
        value = weights[name]
        # To rounding: a matrix product may add up each unit in another order.
        torch.testing.assert_close(value, value[:1].expand_as(value), atol=1e-6, rtol=1e-5)
    assert weights["output.weight"].any()


def test_units_that_begin_at_random_do_not() -> None:
    model = {**DENSE, "hidden": [5, 4], "activation": "sigmoid"}
    value = trained(built("moons", model, steps=20), steps=20)["hidden1.weight"]
    assert (value[1:] - value[:1]).abs().min() > 1e-3


def test_slopes_per_channel_are_trained_one_by_one() -> None:
    model = {**DENSE, "hidden": [4], "activation": {"kind": "prelu", "per": "channel"}}
    slopes = trained(built("moons", model, steps=5), steps=5)["hidden1_activation.weight"]
    assert slopes.shape == (4,)
    assert len(slopes.unique()) > 1
