"""L-BFGS: against torch's own, SciPy-backed scikit-learn, and the step's contract."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional as F

from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import Examples, Machine
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.settle import settle
from nnlab.models.network import build_network as build_network
from nnlab.parts.optimizers.not_in_torch import Lbfgs
from nnlab.runs.building.build import BuiltRun, build_trainer
from nnlab.training import device as devices
from nnlab.training.closure_step import LbfgsStep

BASE: dict[str, Any] = {
    "data": "breast_cancer",
    "model": "linear",
    "optimizer": {"kind": "lbfgs", "tolerance_grad": 1e-10, "tolerance_change": 1e-14},
    "train": {"steps": 8, "batch_size": "full", "precision": "fp64"},
}


def make(**sections: Any) -> tuple[Experiment, Examples, BuiltRun]:
    config = load_config({**BASE, **sections})
    place = place_for(Path.cwd())
    experiment = settle(config, place, Machine("cpu", 1))
    examples = experiment.config.data.load(place)
    return experiment, examples, build_trainer(experiment, examples, torch.device("cpu"))


def rows_of(examples: Examples) -> Tensor:
    return torch.from_numpy(examples.rows["train"])


def trained(steps: int = 8, **sections: Any) -> tuple[BuiltRun, Any, Any]:
    """What is built, behind its updates; the training rows as scikit-learn takes them."""
    _, examples, built = make(**sections)
    built.step.fill_learning_rate(1.0)
    # One thread, as a run of this size takes.
    with devices.torch_settings(threads=1, deterministic=False):
        for _ in range(steps):
            built.step.update(rows_of(examples))
    rows = examples.rows["train"]
    assert isinstance(examples.inputs, np.ndarray)
    inputs = (examples.inputs[rows].astype(np.float64) - examples.shift) * examples.factor
    return built, inputs, examples.targets[rows]


def weights(built: BuiltRun) -> tuple[Any, Any]:
    state = built.step.state()
    return state["model/output.weight"].numpy(), state["model/output.bias"].numpy()


def sklearns(inputs: Any, targets: Any, c: float) -> Any:
    return LogisticRegression(C=c, tol=1e-10, solver="newton-cholesky").fit(inputs, targets)


# C * sum of losses + |w|^2 / 2, divided by C * N, is the mean loss + l2 / (2 N) * |w|^2, l2 = 1/C.
@pytest.mark.parametrize("c", [0.1, 1.0, 10.0])
def test_l2_per_dataset_equals_logistic_regression_of_the_same_c(c: float) -> None:
    terms = {"l2": 1 / c, "per": "dataset", "on": "weights"}
    built, inputs, targets = trained(loss="bce", regularize=terms)
    expected = sklearns(inputs, targets, c)
    weight, bias = weights(built)
    np.testing.assert_allclose(weight, expected.coef_, atol=1e-4)
    np.testing.assert_allclose(bias, expected.intercept_, atol=1e-4)


def test_two_softmax_outputs_share_the_penalty_of_one_sigmoid() -> None:
    # Their optimum is w and -w, whose difference decides: |2w|^2 / 2 costs half of what 2w does.
    built, inputs, targets = trained(loss="cross_entropy", regularize={"l2": 2.0, "per": "dataset"})
    expected = sklearns(inputs, targets, 1.0)
    weight, bias = weights(built)
    np.testing.assert_allclose(weight[1] - weight[0], expected.coef_[0], atol=1e-4)
    np.testing.assert_allclose(bias[1] - bias[0], expected.intercept_[0], atol=1e-4)


def test_softmax_on_three_classes_equals_multinomial_regression() -> None:
    built, inputs, targets = trained(
        data="iris", loss="cross_entropy", regularize={"l2": 1.0, "per": "dataset"}
    )
    np.testing.assert_allclose(weights(built)[0], sklearns(inputs, targets, 1.0).coef_, atol=1e-4)


def objective(network: nn.Module, inputs: Tensor, targets: Tensor) -> Callable[[], Tensor]:
    return lambda: F.cross_entropy(network(inputs), targets)


@pytest.mark.parametrize("line_search", ["strong_wolfe", "none"])
def test_updates_are_those_of_torch(line_search: str) -> None:
    section = {"kind": "lbfgs", "max_iter": 5, "line_search": line_search, "history_size": 3}
    experiment, _, _ = make(optimizer=section, loss="cross_entropy")
    built, inputs, targets = trained(4, optimizer=section, loss="cross_entropy")
    network = build_network(experiment.design, seed=0).double()
    loss = objective(network, torch.from_numpy(inputs), torch.from_numpy(targets))
    search = None if line_search == "none" else line_search
    optimizer = torch.optim.LBFGS(
        network.parameters(), max_iter=5, history_size=3, line_search_fn=search
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    for _ in range(4):
        optimizer.step(closure)  # pyright: ignore[reportCallIssue, reportArgumentType]
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(built.step.state()[f"model/{name}"], parameter.detach())


def run(optimizer: torch.optim.Optimizer, w: nn.Parameter, updates: int) -> None:
    def closure() -> Tensor:
        optimizer.zero_grad()
        # Rosenbrock's valley: the line search has something to do.
        value = (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
        value.backward()
        return value.detach()

    for _ in range(updates):
        optimizer.step(closure)  # pyright: ignore[reportCallIssue, reportArgumentType]


@pytest.mark.parametrize("search", ["strong_wolfe", None])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_state_of_tensors_has_all_the_bits_of_torchs(
    search: str | None, dtype: torch.dtype
) -> None:
    options: dict[str, Any] = {"lr": 0.01 if search is None else 1.0, "line_search_fn": search}
    ours, torchs = (nn.Parameter(torch.tensor([-1.2, 1.0], dtype=dtype)) for _ in range(2))
    first = Lbfgs([ours], max_iter=3, **options)
    for _ in range(6):
        run(first, ours, 1)
        # A new optimizer each time: nothing but the tensors goes on.
        second = Lbfgs([ours], max_iter=3, **options)
        second.state[ours] = {key: value.clone() for key, value in first.state[ours].items()}
        first = second
    run(torch.optim.LBFGS([torchs], max_iter=3, **options), torchs, 6)
    assert torch.equal(ours, torchs)


def test_reaches_the_minimum_of_rosenbrocks_valley() -> None:
    w = nn.Parameter(torch.tensor([-1.2, 1.0], dtype=torch.float64))
    optimizer = Lbfgs([w], line_search_fn="strong_wolfe", tolerance_change=1e-14)
    run(optimizer, w, 10)
    torch.testing.assert_close(w.detach(), torch.ones(2, dtype=torch.float64), atol=1e-5, rtol=0)


def test_a_reading_is_the_loss_before_the_update_once() -> None:
    _, examples, built = make()
    assert isinstance(built.step, LbfgsStep)
    built.step.probe(rows_of(examples))
    before = built.step.read()
    built.step.fill_learning_rate(1.0)
    built.step.update(rows_of(examples))
    after = built.step.read()
    assert after["loss"] == pytest.approx(before["loss"])
    assert before["grad_norm/total"] > 0


def test_running_statistics_move_once_an_update() -> None:
    model = {"kind": "mlp", "hidden": [4], "norm": "batch"}
    _, examples, built = make(model=model)
    built.step.fill_learning_rate(1.0)
    built.step.update(rows_of(examples))
    tracked = [v for k, v in built.step.state().items() if k.endswith("num_batches_tracked")]
    assert tracked
    assert all(value == 1 for value in tracked)
