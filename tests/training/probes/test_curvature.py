"""Sharpness and noise scale against matrices that can be written down."""

from math import inf
from typing import Any

import numpy as np
import pytest
import torch
from building import Made, make
from numpy.typing import NDArray

from nnlab.parts.optimizers.adam import AdamConfig, AdamwConfig
from nnlab.parts.optimizers.descent import SgdConfig
from nnlab.training.probes.curvature import (
    NOISE_BATCHES,
    NoiseScale,
    Sharpness,
    largest_eigenvalue,
    noise,
)

LINEAR: dict[str, Any] = {
    "data": "diabetes",
    "model": "linear",
    "loss": "mse",
    "optimizer": {"kind": "sgd", "lr": 0.01},
    "train": {"steps": 20, "batch_size": 16, "precision": "fp64"},
    "log": {"every": "10 steps", "sharpness": "10 steps", "noise_scale": "10 steps"},
}


def hessian(made: Made) -> NDArray[np.float64]:
    """Of the mean of (w x + b - y)^2: 2/n X^T X, with a column of ones for b."""
    examples = made.examples
    inputs = np.asarray(examples.inputs)[examples.rows["train"]].astype(np.float64)
    scaled = (inputs - examples.shift) * examples.factor
    columns = np.hstack([scaled, np.ones((len(scaled), 1))])
    return 2.0 / len(columns) * columns.T @ columns


def test_the_sharpness_of_linear_regression_is_the_eigenvalue_of_its_hessian() -> None:
    made = make(**LINEAR)
    readings, _ = made.run()
    values = [r.values["sharpness/hessian"] for r in readings if "sharpness/hessian" in r.values]
    assert len(values) == 3
    expected = np.linalg.eigvalsh(hessian(made))[-1]
    assert values == pytest.approx([expected] * 3, rel=1e-6)
    assert readings[0].values["sharpness/edge"] == pytest.approx(2 / 0.01)


def test_adams_sharpness_is_that_of_the_preconditioned_hessian() -> None:
    made = make(**{**LINEAR, "optimizer": {"kind": "adam", "lr": 0.01}})
    readings, _ = made.run()
    state = made.built.step.state()
    beta, steps = 0.999, 20
    v = np.concatenate(
        [state[f"optimizer/output.{name}/exp_avg_sq"].flatten() for name in ("weight", "bias")]
    )
    root = np.sqrt(np.sqrt(v / (1 - beta**steps)) + 1e-8)
    expected = np.linalg.eigvalsh(hessian(made) / np.outer(root, root))[-1]
    last = [r for r in readings if "sharpness/preconditioned" in r.values][-1].values
    assert last["sharpness/preconditioned"] == pytest.approx(expected, rel=1e-6)
    assert last["sharpness/edge"] == pytest.approx(38 / 0.01)
    assert "sharpness/preconditioned" not in readings[0].values


@pytest.mark.parametrize(
    "config",
    [
        SgdConfig(lr=0.1),
        SgdConfig(lr=0.1, momentum=0.9),
        SgdConfig(lr=0.1, momentum=0.9, dampening=0.5),
        SgdConfig(lr=0.1, momentum=0.9, nesterov=True),
    ],
    ids=["plain", "momentum", "dampening", "nesterov"],
)
def test_below_its_edge_an_optimizer_converges_on_a_parabola_and_above_it_does_not(
    config: SgdConfig,
) -> None:
    edge = config.edge(config.lr)
    assert edge is not None
    for curvature, stable in ((0.98 * edge, True), (1.02 * edge, False)):
        w = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
        optimizer = config.build([("w", w)], lr=torch.tensor(config.lr, dtype=torch.float64))
        for _ in range(2000):
            optimizer.zero_grad()
            (curvature / 2 * w**2).sum().backward()
            optimizer.step()
        assert (float(w.detach().abs()) < 1e-3) is stable


def test_adams_edge_is_that_of_an_averaged_momentum() -> None:
    beta, lr = 0.9, 0.1
    edge = AdamConfig(lr=lr).edge(lr)
    assert edge is not None
    assert edge == pytest.approx(38 / lr)
    for curvature, stable in ((0.98 * edge, True), (1.02 * edge, False)):
        w, m = 1.0, 0.0
        for _ in range(2000):
            m = beta * m + (1 - beta) * curvature * w
            w -= lr * m
        assert (abs(w) < 1e-3) is stable


@pytest.mark.parametrize("config", [AdamConfig(amsgrad=True), AdamwConfig(amsgrad=True)])
def test_no_edge_is_given_where_none_is_known(config: AdamConfig | AdamwConfig) -> None:
    assert config.edge(0.1) is None


def test_lanczos_finds_the_largest_of_a_large_matrix_and_not_the_most_negative() -> None:
    generator = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(200, 200, generator=generator, dtype=torch.float64)).Q
    values = torch.linspace(-20, 1, 200, dtype=torch.float64)
    values[-1] = 10.0
    matrix = basis @ torch.diag(values) @ basis.T
    start = torch.randn(200, generator=generator, dtype=torch.float64)

    def times(v: torch.Tensor) -> torch.Tensor:
        return matrix @ v

    assert largest_eigenvalue(times, start) == pytest.approx(10.0, rel=1e-6)


def test_a_matrix_that_is_not_finite_has_no_eigenvalue() -> None:
    def times(v: torch.Tensor) -> torch.Tensor:
        return v * inf

    assert np.isnan(largest_eigenvalue(times, torch.ones(3)))


def test_the_noise_scale_of_known_noise_is_its_variance_over_the_signal() -> None:
    """Gradients g = G + e with |G|^2 = 4 and tr(S) = 100: the scale is 25 examples."""
    generator = np.random.default_rng(0)
    dimensions, size, count = 1000, 8, 4000
    signal = np.full(dimensions, 2 / np.sqrt(dimensions))
    errors = generator.normal(0, np.sqrt(100 / dimensions / size), (count, dimensions))
    gradients = signal + errors
    small = float((gradients**2).sum(1).mean())
    big = float((gradients.mean(0) ** 2).sum())
    found = noise(small, big, size=size, count=count)
    assert found["gradient_noise/scale"] == pytest.approx(25.0, rel=0.02)


def test_the_noise_of_a_run_is_read_from_batches_of_its_own_size() -> None:
    made = make(**LINEAR)
    readings, _ = made.run()
    found = [r.values for r in readings if "gradient_noise/scale" in r.values]
    assert len(found) == 3
    examples = made.examples
    assert len(examples.rows["train"]) // 16 >= NOISE_BATCHES
    assert all(values["gradient_noise/variance"] > 0 for values in found)


def test_costly_measures_leave_the_weights_as_they_are() -> None:
    sections: dict[str, Any] = {
        "data": "digits",
        "model": {"kind": "mlp", "hidden": [8], "norm": "batch", "dropout": 0.5},
        "optimizer": "adam",
        "train": {"steps": 30, "batch_size": 32},
    }
    log = {"every": "5 steps", "sharpness": "10 steps", "noise_scale": "10 steps"}
    watched, plain = make(**sections, log=log), make(**sections, log={"every": "5 steps"})
    for made in (watched, plain):
        made.run()
    for name, tensor in plain.weights().items():
        assert torch.equal(watched.weights()[name], tensor), name


def test_the_sharpness_of_attention_is_that_of_differences_of_gradients() -> None:
    """The kernels that training uses have a first derivative alone."""
    model = {"kind": "transformer", "width": 4, "depth": 1, "heads": 2, "feedforward": 2}
    made = make(
        data={"kind": "first_token", "samples": 40, "steps": 4, "symbols": 3},
        model=model,
        train={"steps": 2, "batch_size": 16, "precision": "fp64"},
        log={"every": "1 steps", "sharpness": "1 steps"},
        optimizer={"kind": "sgd", "lr": 1e-9},
    )
    readings, _ = made.run()
    found = [r.values["sharpness/hessian"] for r in readings if "sharpness/hessian" in r.values]
    network, rows = made.built.network, made.rows
    batch = made.built.source.gather(rows)
    parameters = list(network.parameters())

    def gradient() -> torch.Tensor:
        loss = torch.nn.functional.cross_entropy(network(batch.inputs), batch.targets)
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)])

    columns: list[torch.Tensor] = []
    with torch.no_grad():
        for parameter in parameters:
            flat = parameter.view(-1)
            for index in range(len(flat)):
                flat[index] += 1e-5
                with torch.enable_grad():
                    there = gradient()
                flat[index] -= 2e-5
                with torch.enable_grad():
                    columns.append((there - gradient()) / 2e-5)
                flat[index] += 1e-5
    matrix = torch.stack(columns)
    expected = float(torch.linalg.eigvalsh((matrix + matrix.T) / 2)[-1])
    assert found[-1] == pytest.approx(expected, rel=1e-3)


def test_an_epoch_of_one_whole_batch_is_measured_by_its_halves() -> None:
    made = make(
        **{
            **LINEAR,
            "optimizer": {"kind": "sgd", "lr": 1e-12},
            "train": {"steps": 1, "batch_size": 200, "precision": "fp64"},
            "log": {"every": "1 steps", "noise_scale": "1 steps"},
        }
    )
    readings, _ = made.run()
    found = [r.values for r in readings if "gradient_noise/scale" in r.values][-1]
    rows = torch.from_numpy(made.examples.rows["train"])
    assert 200 < len(rows) < 400
    batch, network = made.built.source.gather(rows), made.built.network
    loss = torch.nn.functional.mse_loss(network(batch.inputs), batch.targets)
    whole = torch.autograd.grad(loss, list(network.parameters()))
    # |G|^2 and the noise of the mean over two halves make up the squared length over all rows.
    parts = found["gradient_noise/signal"] + found["gradient_noise/variance"] / len(rows)
    assert parts == pytest.approx(sum(float(g.square().sum()) for g in whole), rel=1e-9)


def test_a_layer_that_is_not_called_has_no_curvature_and_no_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(8, 2, generator=generator, dtype=torch.float64)
    called = torch.nn.Linear(2, 1, bias=False, dtype=torch.float64)
    network = torch.nn.ModuleList([called, torch.nn.Linear(2, 3, dtype=torch.float64)])

    def squares(rows: torch.Tensor) -> torch.Tensor:
        return called(inputs[rows]).square().mean()

    def sums(rows: torch.Tensor) -> torch.Tensor:
        return called(inputs[rows]).mean()

    every = torch.arange(8)
    values = {
        name: Sharpness(network, objective, every, edge=lambda: None, scales=None, seed=0)()
        for name, objective in (("squares", squares), ("sums", sums))
    }
    expected = float(torch.linalg.eigvalsh(2 / 8 * inputs.T @ inputs)[-1])
    assert values["squares"]["sharpness/hessian"] == pytest.approx(expected, rel=1e-9)
    assert values["sums"]["sharpness/hessian"] == 0.0
    assert NoiseScale(network, sums, every.split(4))() == NoiseScale(called, sums, every.split(4))()
