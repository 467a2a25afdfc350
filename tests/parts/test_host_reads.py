"""What runs in every update must not wait for the device: no kind reads a tensor back."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from nnlab.core.contracts import Batch, DataShape, Task
from nnlab.core.kinds import kinds_of
from nnlab.parts.activations import Activation
from nnlab.parts.augments import Augment
from nnlab.parts.losses import Loss
from nnlab.parts.losses.classes import CrossEntropyConfig, FocalConfig
from nnlab.parts.losses.family import LossConfig
from nnlab.parts.optimizers import Optimizer
from nnlab.parts.scores import AnyScore
from nnlab.parts.scores.family import SumScoreConfig

READS = ("_local_scalar_dense", "nonzero", "masked_select", "equal.default")
ROWS = torch.arange(6)


class RefuseHostReads(TorchDispatchMode):
    def __init__(self, on_host: list[Tensor] | None = None) -> None:
        super().__init__()
        self._on_host = {tensor.data_ptr() for tensor in on_host or ()}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if any(read in str(func) for read in READS):
            assert args[0].data_ptr() in self._on_host, f"{func} waits for the device"
        return func(*args, **(kwargs or {}))


def configs_of(menu: Any) -> list[Any]:
    return [kind.example() for kind in kinds_of(menu).values()]


def case(task: Task) -> tuple[DataShape, Batch]:
    inputs = torch.rand(6, 1, 8, 8)
    targets = ROWS % 3 if task == "classes" else torch.rand(6, 3).round()
    return DataShape((1, 8, 8), task, 3, (), {"train": 6}), Batch(inputs, targets, ROWS)


def test_the_guard_sees_a_read() -> None:
    with pytest.raises(AssertionError, match="waits for the device"), RefuseHostReads():
        ROWS.sum().item()


@pytest.mark.parametrize("config", configs_of(Augment), ids=lambda c: c.kind)
def test_augments_read_nothing_back(config: Any) -> None:
    shape, batch = case("classes")
    augment = config.build(shape)
    with RefuseHostReads():
        augment(batch, 5)


@pytest.mark.parametrize("config", configs_of(Loss), ids=lambda c: c.kind)
def test_losses_read_nothing_back(config: Any) -> None:
    for task in config.tasks:
        shape, batch = case(task)
        loss = config.build(shape)
        outputs = torch.rand(6, config.outputs(shape), requires_grad=True)
        with RefuseHostReads():
            loss(outputs, batch).mean().backward()


@pytest.mark.parametrize("config", configs_of(Loss), ids=lambda c: c.kind)
def test_losses_of_distributions_over_classes_read_nothing_back(config: Any) -> None:
    if "classes" not in config.tasks:
        return
    shape, batch = case("classes")
    loss = config.build(shape)
    batch = batch._replace(targets=torch.rand(6, 3).softmax(dim=1))
    with RefuseHostReads():
        loss(torch.rand(6, 3, requires_grad=True), batch).mean().backward()


@pytest.mark.parametrize(
    "config",
    [
        CrossEntropyConfig(class_weights=(1.0, 2.0, 0.5), label_smoothing=0.1),
        FocalConfig(class_weights=(1.0, 2.0, 0.5), gamma=0.5),
    ],
    ids=lambda c: c.kind,
)
def test_weighted_losses_read_nothing_back(config: LossConfig) -> None:
    shape, batch = case("classes")
    loss = config.build(shape)
    with RefuseHostReads():
        loss(torch.rand(6, 3, requires_grad=True), batch).mean().backward()


# mase needs the season of a series; what it reads is held in tests/parts/test_scores.py.
SUMMED = [
    config
    for config in configs_of(AnyScore)
    if isinstance(config, SumScoreConfig) and config.kind != "mase"
]


@pytest.mark.parametrize("config", SUMMED, ids=lambda c: c.kind)
def test_scores_read_nothing_back(config: Any) -> None:
    for task in config.tasks:
        shape, batch = case(task)
        score = config.build(shape, (0.5, 0.5, 0.5) if task == "regression" else ())
        with RefuseHostReads():
            score.sums(torch.rand(6, 3), batch)


# L-BFGS branches on the loss: the documented exception.
OPTIMIZERS = [config for config in configs_of(Optimizer) if not config.closure]


def _made(config: Any, device: str) -> tuple[Any, nn.Parameter]:
    """An optimizer behind its first update."""
    parameter = nn.Parameter(torch.rand(3, 4, device=device))
    parameter.grad = torch.rand(3, 4, device=device)
    dtype = torch.float64 if device == "cpu" else torch.float32
    rate = torch.tensor(0.1, dtype=dtype, device=device)
    optimizer = config.build([("hidden1.weight", parameter)], lr=rate)
    optimizer.step()
    return optimizer, parameter


@pytest.mark.parametrize("config", OPTIMIZERS, ids=lambda c: c.kind)
def test_optimizers_read_nothing_back(config: Any) -> None:
    optimizer, parameter = _made(config, "cpu")
    # On CUDA a capturable kernel is chosen, which keeps what this one reads on the device.
    names = (*config.on_host, *(("step", "eta", "mu") if config.capturable_on else ()))
    counts = [value for key, value in optimizer.state[parameter].items() if key in names]
    with RefuseHostReads(counts):
        for _ in range(3):
            optimizer.step()


@pytest.mark.parametrize("config", configs_of(Activation), ids=lambda c: c.kind)
def test_activations_read_nothing_back(config: Any) -> None:
    module, inputs = config.build_for(3), torch.rand(6, 3, requires_grad=True)
    with RefuseHostReads():
        module(inputs).sum().backward()


@pytest.mark.gpu
@pytest.mark.parametrize("config", OPTIMIZERS, ids=lambda c: c.kind)
def test_optimizers_never_wait_for_a_cuda_device(config: Any) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    optimizer, _ = _made(config, "cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            optimizer.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
