"""What runs in every update must not wait for the device: no kind reads a tensor back."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from nnlab.choices import kinds_of
from nnlab.contracts import Batch, DataShape, Task
from nnlab.parts.activations import Activation
from nnlab.parts.augments import Augment
from nnlab.parts.losses import Loss
from nnlab.parts.optimizers import Optimizer
from nnlab.parts.scores import AnyScore

READS = ("_local_scalar_dense", "nonzero", "masked_select", "equal.default")
ROWS = torch.arange(6)


class RefuseHostReads(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert not any(read in str(func) for read in READS), f"{func} waits for the device"
        return func(*args, **(kwargs or {}))


def configs_of(menu: Any) -> list[Any]:
    return [kind.example() for kind in kinds_of(menu).values()]


def case(task: Task) -> tuple[DataShape, Batch]:
    inputs = torch.rand(6, 1, 8, 8)
    targets = ROWS % 3 if task == "classes" else torch.rand(6, 3)
    return DataShape((1, 8, 8), task, 3, (), {"train": 6}), Batch(inputs, targets, ROWS)


def test_the_guard_sees_a_read() -> None:
    with pytest.raises(AssertionError, match="waits for the device"), RefuseHostReads():
        ROWS.sum().item()


@pytest.mark.parametrize("config", configs_of(Augment), ids=lambda c: c.kind)
def test_augments_read_nothing_back(config: Any) -> None:
    augment, images = config.build(), torch.rand(6, 1, 8, 8)
    with RefuseHostReads():
        augment(images, ROWS, 5)


@pytest.mark.parametrize("config", configs_of(Loss), ids=lambda c: c.kind)
def test_losses_read_nothing_back(config: Any) -> None:
    for task in config.tasks:
        shape, batch = case(task)
        loss = config.build(shape)
        with RefuseHostReads():
            loss(torch.rand(6, 3, requires_grad=True), batch).mean().backward()


@pytest.mark.parametrize("config", configs_of(AnyScore), ids=lambda c: c.kind)
def test_scores_read_nothing_back(config: Any) -> None:
    for task in config.tasks:
        shape, batch = case(task)
        score = config.build(shape, () if task == "classes" else (0.5, 0.5, 0.5))
        with RefuseHostReads():
            score.sums(torch.rand(6, 3), batch)


def _with_gradient() -> tuple[list[tuple[str, nn.Parameter]], Tensor]:
    parameter = nn.Parameter(torch.rand(3, 4))
    parameter.grad = torch.rand(3, 4)
    return [("hidden1.weight", parameter)], torch.tensor(0.1, dtype=torch.float64)


@pytest.mark.parametrize("config", configs_of(Optimizer), ids=lambda c: c.kind)
def test_optimizers_read_nothing_back(config: Any) -> None:
    parameters, rate = _with_gradient()
    optimizer = config.build(parameters, lr=rate)
    with RefuseHostReads():
        for _ in range(3):
            optimizer.step()


@pytest.mark.parametrize("config", configs_of(Activation), ids=lambda c: c.kind)
def test_activations_read_nothing_back(config: Any) -> None:
    module, inputs = config.build_for(3), torch.rand(6, 3, requires_grad=True)
    with RefuseHostReads():
        module(inputs).sum().backward()
