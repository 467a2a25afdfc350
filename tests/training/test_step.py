"""The step, judged by a loop written out by hand."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import Examples, Machine
from nnlab.core.errors import ConfigError
from nnlab.core.kinds import kinds_of
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.settle import settle
from nnlab.parts.optimizers import Optimizer
from nnlab.parts.optimizers.family import DecayingConfig
from nnlab.runs.building.build import BuiltRun, build_trainer
from nnlab.training.eager_step import EagerStep

CPU = torch.device("cpu")
BASE: dict[str, Any] = {
    "data": {"kind": "blobs", "samples": 200},
    "model": {"kind": "mlp", "hidden": [8, 8], "activation": "tanh"},
    "optimizer": {"kind": "sgd", "lr": 0.1, "momentum": 0.9},
    "train": {"epochs": 2, "batch_size": 16},
}


def make(**sections: Any) -> tuple[Experiment, Examples, BuiltRun]:
    config = load_config({**BASE, **sections})
    place = place_for(Path.cwd())
    experiment = settle(config, place, Machine("cpu", 1))
    examples = experiment.config.data.load(place)
    return experiment, examples, build_trainer(experiment, examples, CPU)


def rows_of(examples: Examples, count: int = 16) -> torch.Tensor:
    return torch.from_numpy(examples.rows["train"][:count])


def inputs_of(examples: Examples, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    assert not hasattr(examples.inputs, "read")
    inputs = torch.from_numpy(examples.inputs)[rows]  # pyright: ignore[reportArgumentType]
    return inputs, torch.from_numpy(examples.targets)[rows]


def as_saved(built: BuiltRun) -> dict[str, torch.Tensor]:
    """The state as a file holds it: numbers in the order of their axes, however they lay."""
    ordered = torch.contiguous_format
    return {k: v.clone(memory_format=ordered) for k, v in built.step.state().items()}


def weights(built: BuiltRun) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in built.step.state().items() if k.startswith("model/")}


@pytest.fixture
def host_reads() -> Iterator[list[str]]:
    """The operators that read from the device, as they are called."""
    seen: list[str] = []

    class Spy(TorchDispatchMode):
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            name = str(func)
            if "_local_scalar_dense" in name or "nonzero" in name or "masked_select" in name:
                seen.append(name)
            return func(*args, **(kwargs or {}))

    with Spy():
        yield seen


OPTIMIZERS = ["sgd", "adam", "adamw", "adagrad", "rmsprop"]


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_five_updates_equal_a_hand_written_loop(kind: str) -> None:
    experiment, examples, built = make(optimizer=kind)
    torch_class = {
        "sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW,
        "adagrad": torch.optim.Adagrad, "rmsprop": torch.optim.RMSprop,
    }[kind]  # fmt: skip
    from nnlab.models.network import build_network

    network = build_network(experiment.design, seed=0)
    decayed = [p for p in network.parameters() if p.ndim >= 2]
    others = [p for p in network.parameters() if p.ndim < 2]
    assert isinstance(experiment.config.optimizer, DecayingConfig)
    decay = experiment.config.optimizer.weight_decay
    groups = [{"params": decayed, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch_class(groups, lr=experiment.config.optimizer.lr)
    built.step.fill_learning_rate(experiment.config.optimizer.lr)
    for start in range(0, 80, 16):
        rows = torch.from_numpy(examples.rows["train"][start : start + 16])
        built.step.update(rows)
        inputs, targets = inputs_of(examples, rows)
        optimizer.zero_grad()
        F.cross_entropy(network(inputs), targets).backward()
        optimizer.step()
    for name, parameter in network.named_parameters():
        # Fused and plain kernels round differently.
        torch.testing.assert_close(weights(built)[f"model/{name}"], parameter.detach())


FEATURES: dict[str, dict[str, Any]] = {
    "plain": {},
    "adam": {"optimizer": "adam"},
    "clipping": {"train": {"epochs": 1, "batch_size": 16, "clip_norm": 0.1}},
    "penalty": {"regularize": {"l2": 0.01, "l1": 0.01}},
    "dropout": {"model": {"kind": "mlp", "hidden": [8], "dropout": 0.5}},
    "batch norm": {"model": {"kind": "mlp", "hidden": [8], "norm": "batch"}},
    "convolutions": {
        "data": {"kind": "digits", "limit": 200},
        "model": {"kind": "cnn", "channels": [4, 4], "norm": "batch"},
    },
    "augmented": {"data": {"kind": "digits", "augment": ["shift"]}},
    "mixup": {"data": {"kind": "blobs", "samples": 200, "augment": ["mixup"]}},
    "cutmix": {"data": {"kind": "digits", "augment": ["cutmix", "erasing"]}},
    "max norm": {"regularize": {"max_norm": 0.5}},
    "ema": {"train": {"epochs": 1, "batch_size": 16, "averaging": "ema"}},
    "swa with batch norm": {
        "model": {"kind": "mlp", "hidden": [8], "norm": "batch"},
        "train": {"epochs": 1, "averaging": {"kind": "swa", "start": 0, "every": "1 steps"}},
    },
    "bf16": {"train": {"epochs": 1, "batch_size": 16, "precision": "bf16"}},
    "fp64": {"train": {"epochs": 1, "batch_size": 16, "precision": "fp64"}},
    "regression": {"data": "diabetes", "model": "linear"},
}


@pytest.mark.parametrize("sections", FEATURES.values(), ids=FEATURES.keys())
class TestEveryStep:
    def test_reads_nothing_back_in_an_update(
        self, sections: dict[str, Any], host_reads: list[str]
    ) -> None:
        _, examples, built = make(**sections)
        rows = rows_of(examples)
        built.step.fill_learning_rate(0.01)
        host_reads.clear()
        built.step.update(rows)
        assert host_reads == []

    def test_looking_changes_nothing(self, sections: dict[str, Any]) -> None:
        _, examples, watched = make(**sections)
        _, _, unwatched = make(**sections)
        for start in (0, 16, 32):
            rows = torch.from_numpy(examples.rows["train"][start : start + 16])
            for built in (watched, unwatched):
                built.step.fill_learning_rate(0.01)
            watched.step.probe(rows)
            watched.step.read()
            watched.step.probe(rows)
            watched.step.update(rows)
            unwatched.step.update(rows)
        for name, tensor in weights(unwatched).items():
            assert torch.equal(weights(watched)[name], tensor), name

    def test_a_state_taken_over_goes_on_with_the_same_bits(self, sections: dict[str, Any]) -> None:
        _, examples, first = make(**sections)
        _, _, second = make(**sections)
        for built in (first, second):
            built.step.fill_learning_rate(0.01)
        first.step.update(rows_of(examples))
        second.step.load(as_saved(first))
        for built in (first, second):
            built.step.update(rows_of(examples))
        for name, tensor in first.step.state().items():
            assert torch.equal(second.step.state()[name], tensor), name


@pytest.mark.parametrize("kind", kinds_of(Optimizer))
def test_every_optimizer_goes_on_from_its_state_with_the_same_bits(kind: str) -> None:
    section: dict[str, Any] = {"kind": kind}
    if kind != "lbfgs":
        section["groups"] = {"hidden2": {"lr": 0.05}, "output.bias": {"lr": 0}}
    train = {"epochs": 2, "batch_size": "full"}
    made = [make(optimizer=section, train=train) for _ in range(2)]
    examples, (first, second) = made[0][1], (built for _, _, built in made)
    rows = torch.from_numpy(examples.rows["train"])
    for built in (first, second):
        built.step.fill_learning_rate(0.1)
    for _ in range(3):
        first.step.update(rows)
    second.step.load(as_saved(first))
    for rate in (0.1, 0.02):
        for built in (first, second):
            built.step.fill_learning_rate(rate)
            built.step.update(rows)
    state = second.step.state()
    for name, tensor in first.step.state().items():
        assert state[name].dtype == tensor.dtype, name
        assert torch.equal(state[name], tensor), name


def test_gradient_norms_equal_those_of_autograd() -> None:
    experiment, examples, built = make()
    rows = rows_of(examples)
    built.step.probe(rows)
    values = built.step.read()
    inputs, targets = inputs_of(examples, rows)
    from nnlab.models.network import build_network

    network = build_network(experiment.design, seed=0)
    F.cross_entropy(network(inputs), targets).backward()
    for name, parameter in network.named_parameters():
        number = {"hidden1": 0, "hidden2": 1, "output": 2}[name.split(".")[0]]
        assert parameter.grad is not None
        expected = float(parameter.grad.norm())
        assert values[f"grad_norm/{number:02d}_{name}"] == pytest.approx(expected, rel=1e-5)
    total = torch.stack([p.grad.norm() for p in network.parameters()]).norm()  # pyright: ignore
    assert values["grad_norm/total"] == pytest.approx(float(total), rel=1e-5)


def test_a_reading_is_the_mean_over_the_windows_examples() -> None:
    _, examples, built = make(train={"epochs": 1, "batch_size": 16})
    built.step.fill_learning_rate(0.1)
    losses: list[torch.Tensor] = []
    right: list[torch.Tensor] = []
    for start, end in ((0, 16), (16, 32), (32, 39)):
        rows = torch.from_numpy(examples.rows["train"][start:end])
        inputs, targets = inputs_of(examples, rows)
        outputs = built.network(inputs).detach()
        losses.append(F.cross_entropy(outputs, targets, reduction="none").double())
        right.append((outputs.argmax(1) == targets).double())
        built.step.update(rows)
    values = built.step.read()
    assert values["loss"] == pytest.approx(float(torch.cat(losses).mean()), rel=1e-6)
    assert values["accuracy"] == pytest.approx(float(torch.cat(right).mean()), rel=1e-12)


def test_clipping_bounds_the_update_and_leaves_small_gradients_alone() -> None:
    section = {"kind": "sgd", "lr": 1.0}
    for limit, clipped in ((1e-3, True), (1e3, False)):
        train = {"epochs": 1, "clip_norm": limit}
        _, examples, built = make(optimizer=section, train=train)
        before = weights(built)
        built.step.fill_learning_rate(1.0)
        built.step.probe(rows_of(examples))
        norm = built.step.read()["grad_norm/total"]
        built.step.update(rows_of(examples))
        after = weights(built)
        moved = torch.stack([(after[k] - before[k]).norm() for k in before]).norm()
        assert float(moved) == pytest.approx(limit if clipped else norm, rel=1e-3)


def test_clipping_multiplies_the_gradient_by_c_over_its_norm() -> None:
    # g <- g * c / |g| where |g| > c, over all parameters together.
    limit = 0.01
    experiment, examples, built = make(
        optimizer={"kind": "sgd", "lr": 1.0}, train={"epochs": 1, "clip_norm": limit}
    )
    before = weights(built)
    built.step.fill_learning_rate(1.0)
    built.step.update(rows_of(examples))
    from nnlab.models.network import build_network

    network = build_network(experiment.design, seed=0)
    inputs, targets = inputs_of(examples, rows_of(examples))
    F.cross_entropy(network(inputs), targets).backward()
    gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    norm = torch.cat([g.flatten() for g in gradients.values()]).norm()
    assert norm > limit
    for name, g in gradients.items():
        moved = before[f"model/{name}"] - weights(built)[f"model/{name}"]
        torch.testing.assert_close(moved, g * limit / norm, atol=1e-7, rtol=1e-4)


def test_the_penalty_adds_its_gradient_to_weights_alone() -> None:
    section = {"kind": "sgd", "lr": 1.0}
    _, examples, plain = make(optimizer=section)
    _, _, decayed = make(optimizer=section, regularize={"l2": 0.1, "l1": 0.01})
    before = weights(plain)
    for built in (plain, decayed):
        built.step.fill_learning_rate(1.0)
        built.step.update(rows_of(examples))
    for name, start in before.items():
        moved = weights(plain)[name] - weights(decayed)[name]
        expected = 0.1 * start + 0.01 * start.sign() if start.ndim >= 2 else torch.zeros_like(start)
        torch.testing.assert_close(moved, expected, atol=1e-6, rtol=1e-4)


def test_fp16_scales_its_loss_and_reads_unscaled_norms() -> None:
    half = {"epochs": 1, "batch_size": 16, "precision": "fp16"}
    _, examples, built = make(train=half)
    _, _, full = make()
    for each in (built, full):
        each.step.fill_learning_rate(0.1)
        each.step.probe(rows_of(examples))
    norms = [each.step.read()["grad_norm/total"] for each in (built, full)]
    assert norms[0] == pytest.approx(norms[1], rel=0.01)
    before = weights(built)
    built.step.update(rows_of(examples))
    assert any(not torch.equal(before[name], tensor) for name, tensor in weights(built).items())
    assert "scaler/scale" in built.step.state()


def test_overfits_one_batch() -> None:
    _, examples, built = make(optimizer="adam", data={"kind": "moons", "samples": 200})
    built.step.fill_learning_rate(0.05)
    for _ in range(300):
        built.step.update(rows_of(examples))
    built.step.read()
    built.step.update(rows_of(examples))
    assert built.step.read()["loss"] < 0.01


@pytest.mark.gpu
def test_an_update_on_cuda_never_waits_for_the_device() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    config = load_config(BASE)
    place = place_for(Path.cwd())
    experiment = settle(config, place, Machine("cuda", 1))
    examples = experiment.config.data.load(place)
    built = build_trainer(experiment, examples, torch.device("cuda", 0))
    rows = rows_of(examples).cuda()
    built.step.fill_learning_rate(0.1)
    built.step.update(rows)
    torch.cuda.set_sync_debug_mode("error")
    try:
        built.step.update(rows)
    finally:
        torch.cuda.set_sync_debug_mode("default")


class TestAccumulatedGradients:
    """A batch in parts moves the weights as a whole one does."""

    SECTIONS: ClassVar[dict[str, Any]] = {
        "data": {"kind": "blobs", "samples": 200},
        "model": {"kind": "mlp", "hidden": [8, 8], "activation": "tanh"},
        "optimizer": {"kind": "sgd", "lr": 0.1, "momentum": 0.9},
        "regularize": {"l2": 0.01, "l1": 0.001},
    }

    def run(
        self, accumulate: int, **train: Any
    ) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
        given = {"batch_size": 50, "precision": "fp64", "clip_norm": 0.2, **train}
        _, _, built = make(**self.SECTIONS, train={"epochs": 1, **given, "accumulate": accumulate})
        built.step.fill_learning_rate(0.1)
        for rows in built.trainer.order.batches(0):
            built.step.update(rows)
        return weights(built), built.step.read()

    @pytest.mark.parametrize("parts", [2, 3, 7])
    def test_move_the_weights_as_the_whole_batch_does(self, parts: int) -> None:
        (ours, read), (whole, expected) = self.run(parts), self.run(1)
        for name, tensor in whole.items():
            torch.testing.assert_close(ours[name], tensor, rtol=1e-12, atol=1e-14)
        # Loss, penalty, clipped updates and scores are those of whole batches too.
        assert read == pytest.approx(expected, rel=1e-12)

    def test_of_one_part_are_the_same_bits(self) -> None:
        ours, whole = self.run(1)[0], self.run(1)[0]
        assert all(torch.equal(ours[name], tensor) for name, tensor in whole.items())

    def test_are_those_of_two_processes_that_share_a_batch(self) -> None:
        """Every second row each, the two gradients added: two addends commute."""
        _, _, built = make(
            **{**self.SECTIONS, "regularize": {}},
            train={"epochs": 1, "batch_size": 50, "accumulate": 2},
        )
        step = built.step
        assert isinstance(step, EagerStep)
        rows = built.trainer.order.batches(0)[0]
        found = [gradient.clone() for gradient in step.gradients(rows)]
        step.optimizer.zero_grad(set_to_none=True)
        parameters = list(step.network.parameters())
        sums = [torch.zeros_like(p) for p in parameters]
        for rank in (1, 0):
            batch = step.source.gather(rows[rank::2])
            losses = F.cross_entropy(step.network(batch.inputs), batch.targets, reduction="none")
            parts = torch.autograd.grad(losses.sum() / len(rows), parameters)
            sums = [total + part for total, part in zip(sums, parts, strict=True)]
        assert all(torch.equal(one, other) for one, other in zip(found, sums, strict=True))

    def test_more_parts_than_examples_are_refused(self) -> None:
        with pytest.raises(ConfigError, match="a batch of 4 examples has no 5 parts"):
            self.run(5, batch_size=4)
