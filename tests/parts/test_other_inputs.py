"""Scores on inputs that are not those of the data: closed forms, NumPy, and that nothing moves."""

from math import exp, log
from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import Tensor, nn

from nnlab.core.contracts import Batch, DataShape, LossFn, Score, TokenShape
from nnlab.core.errors import ConfigError
from nnlab.parts.augments.moves import ShiftConfig
from nnlab.parts.augments.pixel_values import NoiseConfig
from nnlab.parts.losses.classes import CrossEntropyConfig
from nnlab.parts.scores.robustness import (
    AdversarialAccuracyConfig,
    AugmentedAccuracyConfig,
    ConfidenceOnNoiseConfig,
    FreeRunningConfig,
)
from tests.building import make

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.standard_normal((200, 5))
BIAS = RANDOM.standard_normal(4)
WEIGHT = RANDOM.standard_normal((4, 5))


def data(classes: int, inputs: tuple[int, ...] = (5,)) -> DataShape:
    return DataShape(inputs, "classes", classes, (), {"train": 200})


def cross_entropy(classes: int) -> LossFn:
    return CrossEntropyConfig().build(data(classes))


def linear(classes: int) -> nn.Linear:
    network = nn.Linear(5, classes, dtype=torch.float64)
    with torch.no_grad():
        network.weight.copy_(torch.from_numpy(WEIGHT[:classes]))
        network.bias.copy_(torch.from_numpy(BIAS[:classes]))
    return network


def value_of(score: Score, inputs: Tensor, targets: Tensor, size: int = 1000) -> float:
    """As an evaluation computes it, in batches of a size."""
    total = torch.zeros(score.width, dtype=torch.float64)
    with torch.no_grad():
        for rows in torch.arange(len(targets)).split(size):
            batch = Batch(inputs[rows], targets[rows], rows)
            total += score.sums(torch.zeros(len(rows), 2, dtype=torch.float64), batch)
    return score.value(total.tolist(), len(targets))


@pytest.mark.parametrize("epsilon", [1e-6, 0.1, 0.5, 2.0])
def test_a_step_takes_epsilon_times_the_l1_norm_off_a_linear_margin(epsilon: float) -> None:
    # Of two classes z1 - z0 = w.x + b, and the loss grows fastest along -sign(w) for class 1:
    # Goodfellow et al. 2015, section 4.
    targets = RANDOM.integers(0, 2, 200)
    w, b = WEIGHT[1] - WEIGHT[0], BIAS[1] - BIAS[0]
    margins = (2 * targets - 1) * (INPUTS @ w + b)
    expected = np.mean(margins > epsilon * np.abs(w).sum())
    score = AdversarialAccuracyConfig(epsilon=epsilon).build(data(2), linear(2), cross_entropy(2))
    found = value_of(score, torch.from_numpy(INPUTS), torch.from_numpy(targets))
    assert found == pytest.approx(expected, abs=1e-12)


def test_a_step_goes_along_the_sign_of_the_gradient_that_numpy_finds() -> None:
    targets, epsilon = (INPUTS @ WEIGHT.T + BIAS).argmax(axis=1), 0.3
    outputs = INPUTS @ WEIGHT.T + BIAS
    by_outputs = CrossEntropyConfig().gradient(outputs, np.eye(4)[targets])
    moved = INPUTS + epsilon * np.sign(by_outputs @ WEIGHT)
    expected = np.mean((moved @ WEIGHT.T + BIAS).argmax(axis=1) == targets)
    assert 0.1 < expected < 0.9
    score = AdversarialAccuracyConfig(epsilon=epsilon).build(data(4), linear(4), cross_entropy(4))
    found = value_of(score, torch.from_numpy(INPUTS), torch.from_numpy(targets), size=7)
    assert found == pytest.approx(expected, abs=1e-12)


def test_where_the_loss_is_flat_nothing_moves() -> None:
    def mistakes(outputs: Tensor, batch: Batch) -> Tensor:
        return (outputs.argmax(dim=1) != batch.targets).double()

    targets = torch.from_numpy((INPUTS @ WEIGHT.T + BIAS).argmax(axis=1))
    score = AdversarialAccuracyConfig(epsilon=9.0).build(data(4), linear(4), mistakes)
    assert value_of(score, torch.from_numpy(INPUTS), targets) == 1.0


def slope_of(steepness: float) -> Any:
    """Two classes by one number: the probability of the second is sigmoid(steepness * x)."""

    def network(inputs: Tensor) -> Tensor:
        return torch.cat([0.0 * inputs, steepness * inputs], dim=1).double().softmax(dim=1)

    return network


def noise_score(distribution: Any, network: Any, rows: int = 40_000, size: int = 9_999) -> float:
    config = ConfidenceOnNoiseConfig(distribution=distribution)
    score = config.build(data(2, (1,)), network, cross_entropy(2))
    return value_of(score, torch.zeros(rows, 1), torch.zeros(rows, dtype=torch.int64), size)


def test_confidence_on_uniform_noise_is_the_integral_over_zero_to_one() -> None:
    # The integral of sigmoid(c x) over 0..1 is log((1 + e^c) / 2) / c. Its deviation over 40,000
    # draws is below 0.5 / 200.
    for c in (1.0, 5.0):
        expected = log((1 + exp(c)) / 2) / c
        assert noise_score("uniform", slope_of(c)) == pytest.approx(expected, abs=0.005)


def test_confidence_on_normal_noise_is_the_expectation_under_the_bell() -> None:
    def weighted(x: float) -> float:
        return float(stats.norm.pdf(x)) / (1 + exp(-3.0 * abs(x)))

    expected, _ = integrate.quad(weighted, -9, 9, points=[0.0])
    assert noise_score("normal", slope_of(3.0)) == pytest.approx(expected, abs=0.005)


def test_a_network_that_knows_nothing_is_as_sure_as_a_guess() -> None:
    assert noise_score("uniform", slope_of(0.0)) == 0.5


def test_noise_does_not_hang_on_the_batches() -> None:
    whole = noise_score("normal", slope_of(2.0), rows=300, size=300)
    assert noise_score("normal", slope_of(2.0), rows=300, size=7) == pytest.approx(whole, abs=1e-12)


def test_a_shift_leaves_one_in_nine_where_it_was() -> None:
    # The brightest pixel is the class. A shift by up to one pixel draws -1, 0, 1 on each axis, and
    # no place inside the image is pushed out. Deviation over 8,000 draws: 0.0035.
    shape = DataShape((1, 4, 4), "classes", 16, (), {"train": 8000})
    places = torch.tensor([5, 6, 9, 10]).repeat(2000)
    inputs = nn.functional.one_hot(places, 16).double().view(-1, 1, 4, 4)
    config = AugmentedAccuracyConfig(augment=ShiftConfig(pixels=1))
    score = config.build(shape, lambda x: x.flatten(1), cross_entropy(16))
    found = value_of(score, inputs, places, size=4000)
    assert found == pytest.approx(1 / 9, abs=0.014)
    assert value_of(score, inputs, places, size=37) == pytest.approx(found, abs=1e-12)


def test_an_augmentation_that_changes_nothing_leaves_the_accuracy() -> None:
    targets = torch.from_numpy(RANDOM.integers(0, 4, 200))
    config = AugmentedAccuracyConfig(augment=NoiseConfig(deviation=0.0))
    score = config.build(data(4), linear(4), cross_entropy(4))
    right = (INPUTS @ WEIGHT.T + BIAS).argmax(axis=1) == targets.numpy()
    found = value_of(score, torch.from_numpy(INPUTS), targets)
    assert found == pytest.approx(right.mean(), abs=1e-12)


ASKED = [
    {"kind": "augmented_accuracy", "augment": "noise"},
    {"kind": "adversarial_accuracy", "epsilon": 0.1},
    {"kind": "adversarial_accuracy", "epsilon": 0.2},
    {"kind": "confidence_on_noise", "distribution": "uniform"},
    {"kind": "confidence_on_noise", "distribution": "normal"},
]
SECTIONS: dict[str, Any] = {
    "data": {"kind": "digits", "limit": 100},
    "model": {"kind": "mlp", "hidden": (8,), "norm": "batch", "dropout": 0.3},
    "train": {"epochs": 2},
}


def test_looking_changes_neither_weights_nor_buffers_nor_gradients_nor_streams() -> None:
    made = make(**SECTIONS, scores=("accuracy", *ASKED))
    made.run()
    before, state = made.weights(), torch.get_rng_state()
    gradients = [None if p.grad is None else p.grad.clone() for p in network(made)]
    first = made.built.measure["validation"]()
    assert made.built.measure["validation"]() == first
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in made.weights().items())
    for parameter, gradient in zip(network(made), gradients, strict=True):
        assert (parameter.grad is None) == (gradient is None)
        assert gradient is None or torch.equal(gradient, parameter.grad)  # pyright: ignore[reportArgumentType]


def network(made: Any) -> list[nn.Parameter]:
    return list(made.built.network.parameters())


def test_a_run_that_is_asked_trains_to_the_same_bits() -> None:
    plain, asked = make(**SECTIONS, scores=("accuracy",)), make(**SECTIONS, scores=tuple(ASKED))
    (readings, _), (others, _) = plain.run(), asked.run()
    pairs = zip(readings, others, strict=True)
    assert all(a.values["loss"] == b.values["loss"] for a, b in pairs)
    assert all(torch.equal(value, asked.weights()[k]) for k, value in plain.weights().items())


def test_they_are_read_in_evaluation_alone() -> None:
    readings, _ = make(**SECTIONS, scores=tuple(ASKED)).run()
    keys = {
        "accuracy_under_noise",
        "adversarial_accuracy_0.1",
        "adversarial_accuracy_0.2",
        "confidence_on_uniform_noise",
        "confidence_on_normal_noise",
    }
    for reading in readings:
        found = keys & set(reading.values)
        assert found == (keys if reading.split == "validation" else set())


@pytest.mark.parametrize("precision", ["fp64", "bf16"])
def test_computes_in_other_precisions_too(precision: str) -> None:
    train = {"epochs": 1, "precision": precision}
    made = make(**{**SECTIONS, "train": train}, scores=tuple(ASKED))
    found = made.built.measure["validation"]()
    assert all(0.0 <= found[key] <= 1.0 for key in found if key != "loss")


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        (
            {"train": {"monitor": "adversarial_accuracy_0.1/train"}},
            r"train\.monitor: adversarial_accuracy_0\.1 is read in evaluation alone",
        ),
        ({"loss": "hinge"}, r"scores\.3: confidence_on_noise needs probabilities"),
        (
            {"scores": ({"kind": "augmented_accuracy", "augment": "mixup"},)},
            r"scores\.0: mixup mixes classes",
        ),
        (
            {
                "data": "iris",
                "scores": ({"kind": "augmented_accuracy", "augment": "shift"},),
            },
            r"scores\.0: shift needs \(channels, height, width\), gets \(4,\)",
        ),
        ({"data": "diabetes"}, r"scores\.1: adversarial_accuracy is not defined for targets"),
        (
            {"scores": ("adversarial_accuracy", "adversarial_accuracy")},
            r"adversarial_accuracy_0\.1 was given before",
        ),
    ],
)
def test_refuses_what_does_not_go_together(sections: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make(**{**SECTIONS, "scores": tuple(ASKED), **sections})


@pytest.mark.parametrize("steps", [6, 7])
def test_free_running_sees_what_it_told_itself(steps: int) -> None:
    """A network that tells the sum of the last two tokens, modulo 5, against plain Python."""
    text = RANDOM.integers(0, 5, (30, steps + 1))
    for row in text[:20]:  # some follow the rule, and the others leave it at some step
        for step in range(2, steps + 1):
            row[step] = (row[step - 1] + row[step - 2]) % 5

    def network(seen: Tensor) -> Tensor:
        before = torch.cat((torch.zeros_like(seen[:, :1]), seen[:, :-1]), 1)
        return nn.functional.one_hot((seen + before) % 5, 5).double().flatten(0, 1)

    shape = DataShape(TokenShape((steps,), 5), "classes", 5, (), {"train": 30}, places=(steps,))
    score = FreeRunningConfig().build(shape, network, cross_entropy(5))
    batch = Batch(
        torch.from_numpy(text[:, :-1]), torch.from_numpy(text[:, 1:]).flatten(), torch.arange(30)
    )
    found = score.value(score.sums(network(batch.inputs), batch).tolist(), 30 * steps)
    half, right = steps // 2, 0
    for row in text.tolist():
        seen = row[:half]
        for step in range(half, steps + 1):
            told = (seen[-1] + (seen[-2] if len(seen) > 1 else 0)) % 5
            seen.append(told)
            right += told == row[step] and step > half
    assert found == pytest.approx(right / (30 * (steps - half)), abs=1e-12)
    assert 0.6 < found < 1.0


def test_free_running_needs_a_text() -> None:
    assert "needs a text" in (FreeRunningConfig().mistake(data(4)) or "")
