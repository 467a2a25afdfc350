from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import hinge_loss
from torch import Tensor
from torch.nn import functional as F

from nnlab.core.contracts import Batch, DataShape, Task
from nnlab.core.kinds import kinds_of
from nnlab.parts.losses import Loss
from nnlab.parts.losses.classes import BceConfig, CrossEntropyConfig, KlConfig
from nnlab.parts.losses.family import LossConfig
from nnlab.parts.losses.margins import HingeConfig
from nnlab.parts.losses.regression import HuberConfig, MaeConfig, MseConfig, QuadraticConfig

CONFIGS: list[Any] = [kind.example() for kind in kinds_of(Loss).values()]
WITH_TASK = [(config, task) for config in CONFIGS for task in config.tasks]
NAMES = [f"{config.kind}-{task}" for config, task in WITH_TASK]


def data(task: Task, outputs: int) -> DataShape:
    names = () if task == "regression" else tuple(str(i) for i in range(outputs))
    return DataShape((4,), task, outputs, names, {"train": 6})


def batch_of(targets: Tensor) -> Batch:
    return Batch(torch.zeros(len(targets), 4), targets, torch.arange(len(targets)))


def logits(columns: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(6, columns, generator=torch.Generator().manual_seed(1)).to(dtype)


def outputs_for(config: LossConfig, task: Task, dtype: torch.dtype = torch.float64) -> Tensor:
    return logits(config.outputs(data(task, 3)), dtype)


CLASSES = torch.tensor([0, 2, 1, 1, 0, 2])
PAIR = torch.tensor([0, 1, 1, 0, 1, 0])
# Rows that sum to 1: they are fit for kl, and numbers as good as others for the rest.
NUMBERS = torch.rand(6, 3, generator=torch.Generator().manual_seed(2)).double().softmax(1)
LABELS = torch.tensor([[0, 1, 1], [0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 0, 1], [1, 1, 0]]).double()


def targets_for(task: Task) -> Tensor:
    return {"classes": CLASSES, "regression": NUMBERS, "labels": LABELS}[task]


@pytest.mark.parametrize(("config", "task"), WITH_TASK, ids=NAMES)
class TestEveryLoss:
    def test_gives_one_number_for_each_example(self, config: LossConfig, task: Task) -> None:
        z = outputs_for(config, task)
        loss = config.build(data(task, 3))(z, batch_of(targets_for(task)))
        assert (loss.shape, loss.dtype) == ((6,), torch.float64)

    def test_an_example_does_not_feel_the_others(self, config: LossConfig, task: Task) -> None:
        loss = config.build(data(task, 3))
        z, y = outputs_for(config, task), targets_for(task)
        alone = torch.cat([loss(z[i : i + 1], batch_of(y[i : i + 1])) for i in range(6)])
        torch.testing.assert_close(loss(z, batch_of(y)), alone)

    def test_gradient_agrees_with_finite_differences(self, config: LossConfig, task: Task) -> None:
        loss = config.build(data(task, 3))

        def of_outputs(z: Tensor) -> Tensor:
            return loss(z, batch_of(targets_for(task)))

        z = outputs_for(config, task).requires_grad_()
        assert torch.autograd.gradcheck(of_outputs, (z,))

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_computes_in_float32_at_least(
        self, config: LossConfig, task: Task, dtype: torch.dtype
    ) -> None:
        loss = config.build(data(task, 3))
        z, batch = outputs_for(config, task, dtype), batch_of(targets_for(task))
        torch.testing.assert_close(loss(z, batch), loss(z.float(), batch), rtol=0, atol=0)

    def test_stays_finite_for_huge_outputs(self, config: LossConfig, task: Task) -> None:
        # exp(z) is the rate itself: it has no other form that would not overflow beyond 88.
        huge = 30 if config.kind == "poisson_nll" else 1e4
        z = outputs_for(config, task).float() * huge
        loss = config.build(data(task, 3))(z, batch_of(targets_for(task)))
        assert loss.isfinite().all()

    def test_is_least_where_targets_are_met(self, config: LossConfig, task: Task) -> None:
        y = F.one_hot(CLASSES).double() if task == "classes" else targets_for(task)
        # softmax is met by log-probabilities, sigmoid and margins by outputs of both signs.
        z = {"softmax": (y + 1e-12).log(), "sigmoid": 60 * y - 30, "identity": y}[config.link]
        z = 2 * y - 1 if config.kind in ("hinge", "squared_hinge", "multi_margin") else z
        z = y.log() if config.kind == "poisson_nll" else z
        z = torch.cat([y, torch.full_like(y, -40)], dim=1) if config.kind == "gaussian_nll" else z
        loss, batch = config.build(data(task, 3)), batch_of(targets_for(task))
        noise = torch.randn(z.shape, dtype=z.dtype, generator=torch.Generator().manual_seed(3))
        assert (loss(z, batch) <= loss(z + 0.05 * noise, batch) + 1e-9).all()
        if not config.kind.endswith("_nll"):
            torch.testing.assert_close(loss(z, batch), torch.zeros(6).double(), rtol=0, atol=1e-5)

    def test_says_formula_reduction_targets_and_link(self, config: LossConfig, task: Task) -> None:
        assert "\n" not in config.formula
        assert "mean over" in config.formula
        assert "targets: " in config.formula
        assert f"link: {config.link}" in config.formula

    def test_accepts_its_canonical_link(self, config: LossConfig, task: Task) -> None:
        assert config.links is None or config.link in config.links


def test_cross_entropy_is_that_of_torch() -> None:
    loss = CrossEntropyConfig().build(data("classes", 3))(logits(3), batch_of(CLASSES))
    torch.testing.assert_close(loss.mean(), F.cross_entropy(logits(3), CLASSES))


def test_bce_on_two_classes_is_that_of_torch_on_one_logit() -> None:
    loss = BceConfig().build(data("classes", 2))(logits(1), batch_of(PAIR))
    p = logits(1).sigmoid()[:, 0]
    torch.testing.assert_close(loss.mean(), F.binary_cross_entropy(p, PAIR.double()))


def test_bce_on_more_classes_sums_one_against_all() -> None:
    loss = BceConfig().build(data("classes", 3))(logits(3), batch_of(CLASSES))
    p, y = logits(3).sigmoid(), F.one_hot(CLASSES).double()
    each = F.binary_cross_entropy(p, y, reduction="none")
    torch.testing.assert_close(loss, each.sum(1))


DISTANCES: list[tuple[LossConfig, Callable[[Tensor, Tensor], Tensor], float]] = [
    (QuadraticConfig(), F.mse_loss, 1.5),  # 1/2 sum over 3 outputs is 3/2 of their mean
    (MseConfig(), F.mse_loss, 1.0),
    (MaeConfig(), F.l1_loss, 1.0),
    (HuberConfig(delta=0.3), lambda z, y: F.huber_loss(z, y, delta=0.3), 1.0),
]


@pytest.mark.parametrize("task", ["classes", "regression"])
@pytest.mark.parametrize(
    ("config", "oracle", "factor"), DISTANCES, ids=[c.kind for c, _, _ in DISTANCES]
)
def test_distances_are_those_of_torch(
    config: LossConfig, oracle: Callable[[Tensor, Tensor], Tensor], factor: float, task: Task
) -> None:
    y = F.one_hot(CLASSES).double() if task == "classes" else NUMBERS
    loss = config.build(data(task, 3))(logits(3), batch_of(targets_for(task)))
    torch.testing.assert_close(loss.mean(), factor * oracle(logits(3), y))


def test_hinge_on_two_classes_is_that_of_scikit_learn() -> None:
    loss = HingeConfig().build(data("classes", 2))(logits(1), batch_of(PAIR))
    expected = hinge_loss(2 * PAIR.numpy() - 1, logits(1)[:, 0].numpy())
    assert loss.mean().item() == pytest.approx(expected)


def test_hinge_on_more_classes_sums_one_against_all() -> None:
    loss = HingeConfig(margin=0.5).build(data("classes", 3))(logits(3), batch_of(CLASSES))
    signs = 2 * np.eye(3)[CLASSES.numpy()] - 1
    expected = np.maximum(0, 0.5 - signs * logits(3).numpy()).sum(1)
    np.testing.assert_allclose(loss.numpy(), expected)


def test_kl_on_classes_is_cross_entropy() -> None:
    batch = batch_of(CLASSES)
    kl = KlConfig().build(data("classes", 3))(logits(3), batch)
    torch.testing.assert_close(kl, CrossEntropyConfig().build(data("classes", 3))(logits(3), batch))


def test_kl_on_distributions_is_the_relative_entropy_of_scipy() -> None:
    kl = KlConfig().build(data("regression", 3))(logits(3), batch_of(NUMBERS))
    expected = stats.entropy(NUMBERS.numpy(), logits(3).softmax(1).numpy(), axis=1)
    np.testing.assert_allclose(kl.numpy(), expected)


MATCHED: list[tuple[LossConfig, Callable[[Tensor], Tensor]]] = [
    (CrossEntropyConfig(), lambda z: z.softmax(1)),
    (KlConfig(), lambda z: z.softmax(1)),
    (BceConfig(), torch.sigmoid),
    (QuadraticConfig(), lambda z: z),
]


@pytest.mark.parametrize(("config", "prediction"), MATCHED, ids=[c.kind for c, _ in MATCHED])
def test_gradient_of_a_matched_pair_is_prediction_minus_target(
    config: LossConfig, prediction: Callable[[Tensor], Tensor]
) -> None:
    z = logits(3).requires_grad_()
    config.build(data("classes", 3))(z, batch_of(CLASSES)).mean().backward()
    expected = (prediction(z.detach()) - F.one_hot(CLASSES)) / 6
    torch.testing.assert_close(z.grad, expected)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.kind)
def test_two_classes_share_one_output_for_bce_and_hinges_alone(config: LossConfig) -> None:
    one = config.kind in ("bce", "hinge", "squared_hinge")
    for task in config.tasks:
        each = 2 if config.kind == "gaussian_nll" else 1
        assert config.outputs(data(task, 2)) == (1 if one and task == "classes" else 2 * each)
        assert config.outputs(data(task, 3)) == 3 * each


@pytest.mark.parametrize("config", [CrossEntropyConfig(), KlConfig()], ids=lambda c: c.kind)
def test_probabilities_of_softmax_sum_to_one(config: LossConfig) -> None:
    p = config.probabilities(logits(3, torch.float16))
    assert p is not None
    assert p.dtype == torch.float32
    torch.testing.assert_close(p.sum(1), torch.ones(6))


def test_probabilities_of_one_logit_are_two_columns() -> None:
    p = BceConfig().probabilities(torch.tensor([[2.0], [-50.0]]))
    sure = torch.tensor([2.0, -50.0]).double().sigmoid()
    assert p is not None
    torch.testing.assert_close(p[:, 1].double(), sure, rtol=1e-6, atol=0)
    torch.testing.assert_close(p.sum(1), torch.ones(2))


def test_probabilities_of_one_against_all_are_sigmoids() -> None:
    p = BceConfig().probabilities(logits(3))
    assert p is not None
    torch.testing.assert_close(p, logits(3).sigmoid())


@pytest.mark.parametrize("config", [MseConfig(), HingeConfig(), QuadraticConfig()])
def test_distances_and_margins_have_no_probabilities(config: LossConfig) -> None:
    assert config.probabilities(logits(3)) is None


@pytest.mark.parametrize("weights", [None, (0.5, 2.0, 1.0)])
@pytest.mark.parametrize("mixed", [False, True], ids=["classes", "distributions"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_smoothing_by_a_tensor_has_the_bits_of_torch(
    weights: tuple[float, ...] | None, mixed: bool, dtype: torch.dtype
) -> None:
    generator = torch.Generator().manual_seed(3)
    z = (4 * torch.randn(50, 3, generator=generator)).to(dtype).requires_grad_()
    y = torch.randint(3, (50,), generator=generator)
    targets = torch.rand(50, 3, generator=generator).softmax(1).to(dtype) if mixed else y
    config = CrossEntropyConfig(label_smoothing=0.15, class_weights=weights or "none")
    shape = DataShape((2,), "classes", 3, ("a", "b", "c"), {"train": 50})
    batch = Batch(torch.zeros(50, 2), targets, torch.arange(50))
    smoothing = torch.tensor(0.15, dtype=torch.float64)
    tuned = config.model_copy(update={"label_smoothing": smoothing})
    plain, ours = config.build(shape)(z, batch), tuned.build(shape)(z, batch)
    assert torch.equal(plain, ours)
    (expected,) = torch.autograd.grad(plain.sum(), z)
    (found,) = torch.autograd.grad(ours.sum(), z)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)
