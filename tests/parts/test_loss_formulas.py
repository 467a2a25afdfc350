"""Every loss three times: built with torch, torch's own function, the formula in NumPy."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import mean_pinball_loss
from torch import Tensor
from torch.nn import functional as F

from nnlab.core.contracts import Batch, DataShape, Task
from nnlab.core.errors import DataError
from nnlab.core.kinds import kinds_of
from nnlab.parts.losses import Loss
from nnlab.parts.losses.classes import BceConfig, CrossEntropyConfig, FocalConfig, KlConfig
from nnlab.parts.losses.family import LossConfig
from nnlab.parts.losses.likelihoods import GaussianNllConfig, PoissonNllConfig
from nnlab.parts.losses.margins import HingeConfig, MultiMarginConfig, SquaredHingeConfig
from nnlab.parts.losses.regression import (
    HuberConfig,
    LogCoshConfig,
    MaeConfig,
    MseConfig,
    QuadraticConfig,
    QuantileConfig,
    SmoothL1Config,
)

N = 40
WEIGHTS = (0.5, 2.0, 1.0, 0.0)
RANDOM = np.random.default_rng(5)
NUMBERS: NDArray[np.float64] = RANDOM.exponential(1.0, (N, 4))
SHARES = NUMBERS / NUMBERS.sum(axis=1, keepdims=True)
LABELS: NDArray[np.float64] = (RANDOM.random((N, 4)) < 0.4).astype(float)

VARIANTS: list[LossConfig] = [
    CrossEntropyConfig(label_smoothing=0.2),
    CrossEntropyConfig(class_weights=WEIGHTS),
    CrossEntropyConfig(class_weights=WEIGHTS, label_smoothing=0.1),
    BceConfig(pos_weight=WEIGHTS),
    BceConfig(pos_weight=3.0),
    FocalConfig(gamma=0.0),
    FocalConfig(gamma=0.5, class_weights=WEIGHTS),
    HingeConfig(margin=0.3),
    SquaredHingeConfig(margin=2.0),
    MultiMarginConfig(p=2, margin=0.7),
    HuberConfig(delta=0.4),
    SmoothL1Config(beta=0.4),
    QuantileConfig(q=0.9),
    GaussianNllConfig(eps=0.1),
]
CONFIGS: list[LossConfig] = [*(kind.example() for kind in kinds_of(Loss).values()), *VARIANTS]  # pyright: ignore[reportAssignmentType]


def shape_of(task: Task, outputs: int) -> DataShape:
    return DataShape((4,), task, outputs, ("",) * outputs * (task != "regression"), {"train": N})


def name_of(config: LossConfig) -> str:
    return repr(config).replace("Config", "")


def cases() -> Iterator[Any]:
    """Every loss with every form of targets that it takes."""
    for config in CONFIGS:
        for task in config.tasks:
            for classes in (4, 2) if task == "classes" and not has_weights(config) else (4,):
                forms: dict[str, Any] = {
                    "classes": {
                        "numbers": RANDOM.integers(classes, size=N),
                        "distributions": RANDOM.dirichlet(np.ones(classes), N),
                    },
                    "regression": {"numbers": SHARES if config.kind == "kl" else NUMBERS},
                    "labels": {"labels": LABELS},
                }[task]
                for form, targets in forms.items():
                    yield pytest.param(
                        config,
                        shape_of(task, classes),
                        targets,
                        id=f"{name_of(config)}-{classes}-{form}",
                    )


def has_weights(config: LossConfig) -> bool:
    weights = (getattr(config, name, "none") for name in ("class_weights", "pos_weight"))
    return any(isinstance(found, tuple) for found in weights)


CASES = list(cases())


def outputs_of(config: LossConfig, shape: DataShape) -> NDArray[np.float64]:
    return 2 * np.random.default_rng(7).standard_normal((N, config.outputs(shape)))


def built(config: LossConfig, shape: DataShape, z: Tensor, targets: NDArray[Any]) -> Tensor:
    return config.build(shape)(z, Batch(z, torch.from_numpy(targets), torch.arange(N)))


@pytest.mark.parametrize(("config", "shape", "targets"), CASES)
class TestEveryLoss:
    def test_value_is_that_of_the_built_loss(
        self, config: LossConfig, shape: DataShape, targets: NDArray[Any]
    ) -> None:
        z = outputs_of(config, shape)
        found = config.value(z, config.columns(targets, shape))
        expected = built(config, shape, torch.from_numpy(z), targets)
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-12, atol=1e-13)

    def test_gradient_is_that_of_autograd(
        self, config: LossConfig, shape: DataShape, targets: NDArray[Any]
    ) -> None:
        z = outputs_of(config, shape)
        found = config.gradient(z, config.columns(targets, shape))
        leaf = torch.from_numpy(z).requires_grad_()
        built(config, shape, leaf, targets).sum().backward()
        assert leaf.grad is not None
        np.testing.assert_allclose(found, leaf.grad.numpy(), rtol=1e-10, atol=1e-12)

    def test_gradient_is_that_of_central_differences(
        self, config: LossConfig, shape: DataShape, targets: NDArray[Any]
    ) -> None:
        z, y = outputs_of(config, shape), config.columns(targets, shape)
        step = 1e-6
        for column in range(z.shape[1]):
            move = step * (np.arange(z.shape[1]) == column)
            slope = (config.value(z + move, y) - config.value(z - move, y)) / (2 * step)
            # Rounding of the value, 1e-16 / step, and the third derivative times step^2.
            np.testing.assert_allclose(config.gradient(z, y)[:, column], slope, atol=1e-7)


Y = torch.from_numpy(np.random.default_rng(1).integers(4, size=N))
Z = torch.from_numpy(2 * np.random.default_rng(2).standard_normal((N, 4)))
T = torch.from_numpy(NUMBERS)
MARKS = torch.from_numpy(LABELS)


def ours(config: LossConfig, task: Task, targets: Tensor, outputs: Tensor = Z) -> Tensor:
    return config.build(shape_of(task, 4))(outputs, Batch(outputs, targets, torch.arange(N)))


def weighted(smoothing: float) -> Tensor:
    weights = torch.tensor(WEIGHTS).double()
    return F.cross_entropy(Z, Y, weights, reduction="none", label_smoothing=smoothing)


TORCH: dict[str, tuple[Callable[[], Tensor], Callable[[], Tensor]]] = {
    "cross_entropy": (
        lambda: ours(CrossEntropyConfig(class_weights=WEIGHTS, label_smoothing=0.1), "classes", Y),
        lambda: weighted(0.1),
    ),
    "bce": (
        lambda: ours(BceConfig(), "labels", MARKS),
        lambda: F.binary_cross_entropy_with_logits(Z, MARKS, reduction="none").sum(1),
    ),
    "kl": (
        lambda: ours(KlConfig(), "regression", torch.from_numpy(SHARES)),
        lambda: F.kl_div(Z.log_softmax(1), torch.from_numpy(SHARES), reduction="none").sum(1),
    ),
    "quadratic": (
        lambda: ours(QuadraticConfig(), "regression", T),
        lambda: 2 * F.mse_loss(Z, T, reduction="none").mean(1),
    ),
    "mse": (
        lambda: ours(MseConfig(), "regression", T),
        lambda: F.mse_loss(Z, T, reduction="none").mean(1),
    ),
    "mae": (
        lambda: ours(MaeConfig(), "regression", T),
        lambda: F.l1_loss(Z, T, reduction="none").mean(1),
    ),
    "huber": (
        lambda: ours(HuberConfig(delta=0.4), "regression", T),
        lambda: F.huber_loss(Z, T, reduction="none", delta=0.4).mean(1),
    ),
    "smooth_l1": (
        lambda: ours(SmoothL1Config(beta=0.4), "regression", T),
        lambda: F.smooth_l1_loss(Z, T, reduction="none", beta=0.4).mean(1),
    ),
    "multi_margin": (
        lambda: ours(MultiMarginConfig(p=2, margin=0.7), "classes", Y),
        lambda: F.multi_margin_loss(Z, Y, p=2, margin=0.7, reduction="none"),
    ),
    "gaussian_nll": (
        lambda: ours(GaussianNllConfig(), "regression", T, torch.cat([Z, Z.flip(0)], 1)),
        lambda: F.gaussian_nll_loss(Z, T, F.softplus(Z.flip(0)) + 1e-6, reduction="none").mean(1),
    ),
    "poisson_nll": (
        lambda: ours(PoissonNllConfig(), "regression", T),
        lambda: F.poisson_nll_loss(Z, T, reduction="none").mean(1),
    ),
}


@pytest.mark.parametrize(("mine", "theirs"), TORCH.values(), ids=TORCH)
def test_is_the_function_of_torch(mine: Callable[[], Tensor], theirs: Callable[[], Tensor]) -> None:
    torch.testing.assert_close(mine(), theirs())


def test_quantile_is_the_pinball_loss_of_scikit_learn() -> None:
    for q in (0.1, 0.5, 0.9):
        expected = mean_pinball_loss(T.numpy(), Z.numpy(), alpha=q)
        mean = ours(QuantileConfig(q=q), "regression", T).mean()
        assert mean.item() == pytest.approx(expected, rel=1e-12)


def test_the_median_is_half_of_mae() -> None:
    both = ours(QuantileConfig(), "regression", T), ours(MaeConfig(), "regression", T)
    torch.testing.assert_close(2 * both[0], both[1])


def test_smooth_l1_is_huber_divided_by_beta() -> None:
    huber = ours(HuberConfig(delta=0.3), "regression", T)
    torch.testing.assert_close(ours(SmoothL1Config(beta=0.3), "regression", T), huber / 0.3)


def test_log_cosh_keeps_the_digits_of_a_small_error() -> None:
    e = torch.tensor([[1e-4], [-1e-3], [0.0], [1.0], [-50.0]])
    shape = DataShape((4,), "regression", 1, (), {"train": 5})
    found = LogCoshConfig().build(shape)(e, Batch(e, torch.zeros(5, 1), torch.arange(5)))
    # e^2 / 2 - e^4 / 12 near 0, |e| - log 2 far from it.
    expected = [5e-9, 5e-7 - 1e-12 / 12, 0.0, np.log(np.cosh(1.0)), 50 - np.log(2)]
    torch.testing.assert_close(found, torch.tensor(expected).float(), rtol=1e-6, atol=0)


def test_focal_with_gamma_0_is_cross_entropy() -> None:
    focal = ours(FocalConfig(gamma=0.0, class_weights=WEIGHTS), "classes", Y)
    plain = ours(CrossEntropyConfig(class_weights=WEIGHTS), "classes", Y)
    torch.testing.assert_close(focal, plain)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_of_two_classes_is_the_sigmoid_focal_loss_of_its_paper(gamma: float) -> None:
    # Lin et al. 2017, eq. 2 to 5: alpha 0.25 weighs the second class, 1 - alpha the first.
    pair, y = Z[:, :2], (Y % 2)
    config = FocalConfig(gamma=gamma, class_weights=(0.75, 0.25))
    shape = DataShape((4,), "classes", 2, ("a", "b"), {"train": N})
    found = config.build(shape)(pair, Batch(pair, y, torch.arange(N)))
    logit = pair[:, 1] - pair[:, 0]
    p = logit.sigmoid()
    of_class, alpha = torch.where(y == 1, p, 1 - p), torch.where(y == 1, 0.25, 0.75)
    torch.testing.assert_close(found, -alpha * (1 - of_class) ** gamma * of_class.log())


def test_focal_has_a_finite_gradient_where_the_network_is_sure() -> None:
    z = torch.tensor([[100.0, 0.0, 0.0], [0.0, 100.0, 0.0]], requires_grad=True)
    shape = DataShape((4,), "classes", 3, ("a", "b", "c"), {"train": 2})
    loss = FocalConfig(gamma=0.5).build(shape)
    loss(z, Batch(z, torch.tensor([0, 0]), torch.arange(2))).sum().backward()
    assert z.grad is not None
    assert z.grad.isfinite().all()


def test_label_smoothing_mixes_the_target_with_guessing() -> None:
    smoothed = 0.8 * F.one_hot(Y, 4).double() + 0.2 / 4
    config = CrossEntropyConfig(label_smoothing=0.2)
    found = ours(config, "classes", Y)
    torch.testing.assert_close(found, ours(CrossEntropyConfig(), "classes", smoothed))


@pytest.mark.parametrize("kind", [CrossEntropyConfig, FocalConfig])
def test_balanced_weights_are_those_of_scikit_learn(
    kind: type[CrossEntropyConfig] | type[FocalConfig],
) -> None:
    from sklearn.utils.class_weight import compute_class_weight

    labels = np.array([0] * 30 + [1] * 6 + [2] * 4)
    shape = DataShape((4,), "classes", 3, ("a", "b", "c"), {"train": 40})
    fitted = kind(class_weights="balanced").fitted(labels, shape)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert fitted.class_weights == pytest.approx(expected.tolist())
    # So that the mean loss keeps its size: over the training split their mean is 1.
    assert np.take(expected, labels).mean() == pytest.approx(1.0)


def test_the_mean_of_weighted_losses_is_the_plain_one() -> None:
    # torch's own mean divides by the weights of the batch: an example would feel the others.
    found = ours(CrossEntropyConfig(class_weights=WEIGHTS), "classes", Y)
    factors = torch.tensor(WEIGHTS).double()[Y]
    plain = F.cross_entropy(Z, Y, reduction="none")
    torch.testing.assert_close(found.mean(), (factors * plain).mean())


def test_a_list_of_weights_stays_as_it_is_written() -> None:
    config = CrossEntropyConfig(class_weights=WEIGHTS)
    assert config.fitted(Y.numpy(), shape_of("classes", 4)) == config


@pytest.mark.parametrize(
    "config",
    [CrossEntropyConfig(), BceConfig(), FocalConfig(), HingeConfig(), SquaredHingeConfig(),
     MultiMarginConfig(), CrossEntropyConfig(class_weights=WEIGHTS)],
    ids=name_of,
)  # fmt: skip
def test_half_of_two_classes_costs_half_of_each(config: LossConfig) -> None:
    other = (Y + 1) % 4
    mixed = 0.3 * F.one_hot(Y, 4) + 0.7 * F.one_hot(other, 4)
    expected = 0.3 * ours(config, "classes", Y) + 0.7 * ours(config, "classes", other)
    torch.testing.assert_close(ours(config, "classes", mixed.double()), expected)


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_one_hot_targets_cost_what_class_numbers_cost(config: LossConfig) -> None:
    if "classes" not in config.tasks:
        return
    numbers = ours(
        config, "classes", Y, torch.from_numpy(outputs_of(config, shape_of("classes", 4)))
    )
    outputs = torch.from_numpy(outputs_of(config, shape_of("classes", 4)))
    columns = ours(config, "classes", F.one_hot(Y, 4).double(), outputs)
    torch.testing.assert_close(columns, numbers)


def test_gaussian_nll_finds_mean_and_variance() -> None:
    y = torch.from_numpy(np.random.default_rng(0).normal(3.0, 0.5, (500, 1)))
    outputs = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    config = GaussianNllConfig()
    loss = config.build(DataShape((1,), "regression", 1, (), {"train": 500}))
    optimizer = torch.optim.LBFGS([outputs], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(outputs.expand(500, 2), Batch(y, y, torch.arange(500))).mean()
        value.backward()
        return value

    optimizer.step(closure)  # pyright: ignore[reportArgumentType]
    assert config.predictions(outputs).item() == pytest.approx(y.mean().item(), abs=1e-4)
    variance = F.softplus(outputs[0, 1]) + config.eps
    assert variance.item() == pytest.approx(y.var(correction=0).item(), rel=1e-3)


def test_poisson_predicts_a_rate() -> None:
    torch.testing.assert_close(PoissonNllConfig().predictions(Z), Z.exp())


def test_poisson_refuses_what_is_no_count() -> None:
    shape = shape_of("regression", 4)
    with pytest.raises(DataError, match=r"poisson_nll needs counts as targets, got -1 \(loss: mse"):
        PoissonNllConfig().fitted(np.array([[-1.0], [2.0]]), shape)


@pytest.mark.parametrize(
    ("row", "found"), [([1.5, -0.5], "at least 0, got -0.5"), ([0.5, 0.4], "the sum 1, got 0.9")]
)
def test_kl_refuses_what_is_no_distribution(row: list[float], found: str) -> None:
    shape = shape_of("regression", 2)
    assert KlConfig().fitted(np.array([[0.25, 0.75], [0.334, 0.666]]), shape) == KlConfig()
    with pytest.raises(DataError, match=found):
        KlConfig().fitted(np.array([[0.25, 0.75], row]), shape)


def test_cross_entropy_is_stable_for_logits_of_ten_thousand() -> None:
    z = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]])
    y = torch.tensor([0, 0])
    shape = DataShape((4,), "classes", 3, ("a", "b", "c"), {"train": 2})
    for config in (CrossEntropyConfig(), KlConfig()):
        loss = config.build(shape)(z, Batch(z, y, y))
        assert loss.tolist() == [0.0, 2e4]
        one_hot = np.array([[1.0, 0, 0], [1.0, 0, 0]])
        assert config.value(z.double().numpy(), one_hot).tolist() == [0.0, 2e4]
        slope = config.gradient(z.double().numpy(), one_hot)
        assert slope.tolist() == [[0.0, 0.0, 0.0], [-1.0, 1.0, 0.0]]


@pytest.mark.parametrize(
    ("config", "prediction"),
    [
        (QuadraticConfig(), lambda z: z),  # pyright: ignore[reportUnknownLambdaType]
        (BceConfig(), torch.sigmoid),
        (CrossEntropyConfig(), lambda z: z.softmax(1)),  # pyright: ignore[reportUnknownLambdaType]
    ],
    ids=["gaussian-linear-mse", "bernoulli-sigmoid-bce", "categorical-softmax-cce"],
)
def test_matched_pairs_have_the_gradient_prediction_minus_target_over_m(
    config: LossConfig, prediction: Callable[[Tensor], Tensor]
) -> None:
    z = Z.clone().requires_grad_()
    ours(config, "classes", Y, z).mean().backward()
    expected = (prediction(Z) - F.one_hot(Y, 4)) / N
    torch.testing.assert_close(z.grad, expected)
    columns = config.columns(Y.numpy(), shape_of("classes", 4))
    np.testing.assert_allclose(config.gradient(Z.numpy(), columns) / N, expected, atol=1e-15)


def test_the_worked_cost_of_the_digit_three_is_3_3585() -> None:
    outputs = np.array([[0.43, 0.28, 0.19, 0.88, 0.72, 0.01, 0.64, 0.86, 0.99, 0.63]])
    one_hot = np.eye(10)[[3]]
    assert ((outputs - one_hot) ** 2).sum() == pytest.approx(3.3585, abs=1e-12)
    # The quadratic cost is half of it.
    assert 2 * QuadraticConfig().value(outputs, one_hot)[0] == pytest.approx(3.3585, abs=1e-12)
    row = torch.tensor([3])
    loss = QuadraticConfig().build(shape_of("classes", 10))
    built = loss(torch.from_numpy(outputs), Batch(row, row, row))
    assert 2 * built.item() == pytest.approx(3.3585, abs=1e-12)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_every_loss_is_the_same_on_a_cuda_device() -> None:
    for case in CASES:
        config, shape, targets = case.values
        z, y = torch.from_numpy(outputs_of(config, shape)), torch.from_numpy(targets)
        loss = config.build(shape)
        here, there = (
            loss(z.to(device), Batch(z, y.to(device), torch.arange(N))).cpu()
            for device in ("cpu", "cuda")
        )
        torch.testing.assert_close(here, there)


@pytest.mark.parametrize("given", [WEIGHTS, 2.5])
def test_pos_weight_is_that_of_torch(given: Any) -> None:
    y = torch.from_numpy(LABELS)
    weights = torch.tensor(given if isinstance(given, tuple) else [given] * 4).double()
    torch_s = torch.nn.BCEWithLogitsLoss(pos_weight=weights, reduction="none")
    found = ours(BceConfig(pos_weight=given), "labels", y)
    torch.testing.assert_close(found, torch_s(Z, y).sum(dim=1))


@pytest.mark.parametrize(
    ("targets", "task", "expected"),
    [
        (np.array([[1, 0, 1], [0, 0, 1], [0, 0, 1], [0, 1, 0]], float), "labels", [3, 3, 1 / 3]),
        (np.array([[1, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 1]], float), "labels", [3, 4, 1 / 4]),
        (np.array([0, 0, 0, 1]), "classes", [3]),
        (np.array([0, 1, 2, 2]), "classes", [3, 3, 1]),
    ],
)
def test_balanced_pos_weight_is_negatives_by_positives(
    targets: Any, task: Task, expected: list[float]
) -> None:
    """As torch's documentation of BCEWithLogitsLoss has it: 300 negatives of 100 positives: 3."""
    outputs = targets.shape[1] if task == "labels" else int(targets.max()) + 1
    found = BceConfig(pos_weight="balanced").fitted(targets, shape_of(task, outputs))
    assert found.pos_weight == pytest.approx(expected)


def test_a_pos_weight_of_another_length_is_refused() -> None:
    assert BceConfig(pos_weight=(1.0, 2.0)).mistake(shape_of("labels", 4)) is not None
    assert BceConfig(pos_weight=(1.0, 2.0)).mistake(shape_of("labels", 2)) is None
    two = shape_of("classes", 2)
    mistake = BceConfig(pos_weight=(1.0, 2.0)).mistake(two)
    assert mistake is not None
    assert "one number, or balanced" in str(mistake)
