"""Facts of training and regularization that every textbook states, seen in runs of nnlab."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from building import make as made

from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import Examples, Machine
from nnlab.experiment.settle import settle
from nnlab.parts.layers.plain import DropoutConfig
from nnlab.runs.building.build import BuiltRun, build_trainer
from nnlab.runs.run import train

BASE: dict[str, Any] = {
    "data": {"kind": "blobs", "samples": 200},
    "model": {"kind": "mlp", "hidden": [8], "activation": "tanh"},
    "optimizer": {"kind": "sgd", "lr": 1.0},
    "train": {"epochs": 2, "batch_size": 16},
}


def make(**sections: Any) -> tuple[BuiltRun, Examples, torch.Tensor]:
    place = place_for(Path.cwd())
    experiment = settle(load_config({**BASE, **sections}), place, Machine("cpu", 1))
    examples = experiment.config.data.load(place)
    built = build_trainer(experiment, examples, torch.device("cpu"))
    built.step.fill_learning_rate(1.0)
    return built, examples, torch.from_numpy(examples.rows["train"][:16])


def test_dropout_keeps_the_expectation_and_does_nothing_at_inference() -> None:
    # Inverted dropout: what is kept is divided by 1 - p. Srivastava et al. 2014, section 10.
    (layer,) = DropoutConfig(p=0.3).build((20,)).values()
    torch.manual_seed(0)
    inputs = torch.linspace(1.0, 2.0, 20)
    mean = layer(inputs.expand(20000, -1)).mean(dim=0)
    # The deviation of the mean is x sqrt(p / (1 - p) / n) = 0.005 x.
    torch.testing.assert_close(mean, inputs, rtol=0.025, atol=0.0)
    assert torch.equal(layer.eval()(inputs), inputs)


def test_a_network_with_dropout_gives_the_same_outputs_twice_at_inference() -> None:
    built, _, rows = make(model={"kind": "mlp", "hidden": [8], "dropout": 0.5})
    built.step.update(rows)
    assert built.measure["validation"]() == built.measure["validation"]()


def test_batch_normalization_uses_the_batch_in_training_and_running_statistics_at_inference() -> (
    None
):
    built, examples, rows = make(model={"kind": "mlp", "hidden": [8], "norm": "batch"})
    for _ in range(5):
        built.step.update(rows)
    state = {k.removeprefix("model/"): v.double() for k, v in built.step.state().items()}
    inputs = torch.from_numpy(np.asarray(examples.inputs)).double()[:50]
    z = inputs @ state["hidden1.weight"].T
    if "hidden1.bias" in state:
        z = z + state["hidden1.bias"]

    def rest(mean: torch.Tensor, var: torch.Tensor) -> torch.Tensor:
        a = (z - mean) / (var + 1e-5).sqrt()
        a = (a * state["hidden1_norm.weight"] + state["hidden1_norm.bias"]).relu()
        return a @ state["output.weight"].T + state["output.bias"]

    network = built.network.double()
    expected = rest(state["hidden1_norm.running_mean"], state["hidden1_norm.running_var"])
    torch.testing.assert_close(network.eval()(inputs), expected)
    expected = rest(z.mean(dim=0), z.var(dim=0, correction=0))
    torch.testing.assert_close(network.train()(inputs), expected)


def test_clipping_scales_the_whole_gradient_to_g_c_over_its_norm() -> None:
    free, _, rows = make()
    clipped, _, _ = make(train={"epochs": 1, "clip_norm": 0.01})
    before = {k: v.clone() for k, v in free.step.state().items() if k.startswith("model/")}
    for built in (free, clipped):
        built.step.update(rows)
    # With learning rate 1 the change is the gradient.
    g = {k: before[k] - free.step.state()[k] for k in before}
    norm = torch.cat([v.flatten() for v in g.values()]).norm()
    assert float(norm) > 0.01
    for name, gradient in g.items():
        moved = before[name] - clipped.step.state()[name]
        torch.testing.assert_close(moved, gradient * 0.01 / norm, rtol=1e-3, atol=1e-6)


def test_early_stopping_ends_after_the_patience_and_keeps_the_best(tmp_path: Path) -> None:
    # Random labels: nothing to learn, so validation gets worse while training gets better.
    summary = train(
        {
            "name": "noise",
            "data": {"kind": "moons", "samples": 200, "validation": 50, "label_noise": 1.0},
            "model": {"kind": "mlp", "hidden": [64, 64]},
            "optimizer": {"kind": "adam", "lr": 0.03},
            "train": {"epochs": 200, "early_stopping": {"patience": 8}},
        },
        run_dir=tmp_path / "run",
    )
    assert summary.status == "early_stopped"
    assert summary.best is not None
    per_epoch = summary.steps // summary.epochs
    assert summary.steps - summary.best["step"] == 8 * per_epoch
    assert summary.best["loss"] < summary.last["validation"]["loss"]


@pytest.mark.parametrize("l2", [0.0, 0.05])
def test_weight_decay_and_the_l2_penalty_are_one_for_plain_gradient_descent(l2: float) -> None:
    # Loshchilov & Hutter 2017, arXiv:1711.05101, proposition 1.
    inside, _, rows = make(regularize={"l2": l2})
    outside, _, _ = make(optimizer={"kind": "sgd", "lr": 1.0, "weight_decay": l2})
    for built in (inside, outside):
        for _ in range(3):
            built.step.update(rows)
    for name, tensor in inside.step.state().items():
        if name.startswith("model/"):
            torch.testing.assert_close(outside.step.state()[name], tensor)


def test_the_error_of_a_fitted_curve_falls_with_the_width_of_the_hidden_layer() -> None:
    # Cybenko 1989: one hidden layer comes as near as it is wide. By L-BFGS, so that the error is
    # what the width allows and not what the steps do.
    def error(width: int) -> float:
        found = made(
            data={"kind": "function", "samples": 60, "noise": 0.0, "validation": "none"},
            model={"kind": "mlp", "hidden": [width], "activation": "tanh"},
            optimizer="lbfgs",
            train={"steps": 20, "batch_size": "full", "precision": "fp64"},
        )
        return found.run()[0][-1].values["loss"]

    errors = [error(width) for width in (1, 2, 8)]
    assert errors[0] > 3 * errors[1] > 9 * errors[2] > 0


@pytest.mark.parametrize(("batch_size", "steps"), [("full", 1), (16, 5), (1, 80)])
def test_batch_mini_batch_and_stochastic_descent_take_1_n_over_b_and_n_steps_an_epoch(
    batch_size: Any, steps: int
) -> None:
    data = {"kind": "blobs", "samples": 80, "validation": "none", "test": "none"}
    found = made(data=data, model="linear", train={"epochs": 2, "batch_size": batch_size})
    assert found.run()[0][-1].step == 2 * steps


def test_the_gradient_of_a_full_batch_is_the_mean_of_those_of_its_examples() -> None:
    # What mini-batches estimate without bias: each of their examples is drawn alike.
    built, _, _ = make(train={"epochs": 1, "batch_size": "full"})
    before = {k: v.clone() for k, v in built.step.state().items() if k.startswith("model/")}
    rows = torch.arange(32)

    def moved(rows: torch.Tensor) -> dict[str, torch.Tensor]:
        again, _, _ = make(train={"epochs": 1, "batch_size": "full"})
        again.step.update(rows)
        # With learning rate 1 the change is the gradient.
        return {name: before[name] - again.step.state()[name] for name in before}

    whole, parts = moved(rows), [moved(part) for part in rows.split(8)]
    for name, gradient in whole.items():
        mean = torch.stack([part[name] for part in parts]).mean(dim=0)
        torch.testing.assert_close(gradient, mean, atol=1e-6, rtol=1e-4)
