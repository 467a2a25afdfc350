"""The sums between two readings: batches that wait for others give the bits of one by one."""

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from building import Made, make

CLASSES = [
    *("accuracy", "error_rate", "f1", "precision", "recall", "balanced_accuracy"),
    *("cohen_kappa", "matthews_corrcoef", "brier", "log_loss", "confidence"),
]
NUMBERS = ["r2", "mae", "mse", "rmse", "explained_variance", "pearson", "mape"]
MLP = {"kind": "mlp", "hidden": [7]}
TASKS: dict[str, dict[str, Any]] = {
    "classes": {"data": "digits", "model": MLP, "scores": CLASSES},
    "two classes": {"data": "moons", "model": MLP, "scores": CLASSES},
    "numbers": {"data": "diabetes", "model": MLP, "scores": NUMBERS},
    "places": {
        "data": {"kind": "copy", "samples": 200},
        "model": {"kind": "gru", "units": 5},
    },
    "penalty": {"data": "moons", "model": MLP, "regularize": {"l2": 0.01}},
    "accumulated": {
        "data": "diabetes",
        "model": MLP,
        "regularize": {"l2": 0.01},
        "train": {"accumulate": 3},
    },
}
BATCHES = [10] * 40 + [3, 10, 10, 1, 1, 10]


def trained(sections: dict[str, Any], looks: tuple[int, ...], *, waits: bool) -> Made:
    """After batches of different sizes, with looks at the sums between them."""
    train = {"batch_size": 10, "steps": 100, "compile": "off"} | sections.get("train", {})
    made = make(**{**sections, "train": train})
    step = made.built.step
    step.fill_learning_rate(0.01)
    with nullcontext() if waits else step.window.at_once():
        for number, size in enumerate(BATCHES):
            step.update(made.rows[torch.arange(10 * number, 10 * number + size) % len(made.rows)])
            if number in looks:
                assert step.window.sums.isfinite().all()
    return made


@pytest.mark.parametrize("task", TASKS)
def test_batches_that_wait_give_the_bits_of_one_by_one(task: str) -> None:
    kept = [
        trained(TASKS[task], looks, waits=waits).built.step.state()
        for looks, waits in (((), False), ((), True), ((0, 7, 33), True))
    ]
    for name, value in kept[0].items():
        assert all(torch.equal(value, other[name]) for other in kept[1:]), name
    assert kept[0]["window/sums"][0] > 0


def test_a_state_that_is_loaded_forgets_what_waits() -> None:
    made = trained(TASKS["numbers"], (), waits=True)
    step = made.built.step
    kept = {name: value.clone() for name, value in step.state().items()}
    step.update(made.rows[:10])
    step.load(kept)
    assert torch.equal(step.state()["window/sums"], kept["window/sums"])
    assert torch.equal(step.state()["window/counts"], kept["window/counts"])


def test_what_waits_holds_no_graph_and_little_memory() -> None:
    made = trained(TASKS["penalty"], (), waits=True)
    window = made.built.step.window
    for _ in range(500):
        made.built.step.update(made.rows[:10])
    waiting = window.waiting
    assert 0 < len(waiting) < 64
    held = [each for one in waiting for each in (one.losses, one.outputs, one.penalty)]
    assert not any(tensor.requires_grad for tensor in held if tensor is not None)


def test_a_large_batch_does_not_wait() -> None:
    made = make(data="digits", model=MLP, train={"batch_size": 1000, "steps": 5, "compile": "off"})
    rows = torch.arange(len(made.rows)).repeat(3)
    made.built.step.update(rows)
    assert not made.built.step.window.waiting
