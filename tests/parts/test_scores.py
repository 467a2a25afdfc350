import math
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics
from torch import Tensor

from nnlab.core.contracts import Batch, DataShape, Score, Task, TokenShape
from nnlab.core.kinds import kinds_of
from nnlab.parts.scores import AnyScore, auto_scores
from nnlab.parts.scores.classes import AccuracyConfig, ErrorRateConfig, TopKConfig
from nnlab.parts.scores.family import ScoreConfig, SumScoreConfig
from nnlab.parts.scores.per_class import F1Config, PrecisionConfig
from nnlab.parts.scores.regression import MaeScoreConfig, R2Config, RmseConfig
from nnlab.parts.scores.sequences import BitsPerTokenConfig, MaseConfig, PerplexityConfig

CONFIGS: list[Any] = [
    kind.example() for kind in kinds_of(AnyScore).values() if issubclass(kind, SumScoreConfig)
]
WITH_TASK = [(config, task) for config in CONFIGS for task in config.tasks]
RANDOM = torch.Generator().manual_seed(0)
CLASSES = torch.randint(7, (50,), generator=RANDOM)
LOGITS = torch.randn(50, 7, generator=RANDOM)
COLUMNS = torch.randn(50, 3, generator=RANDOM) * torch.tensor([1.0, 5.0, 0.1]) + 1950.0
GUESSES = COLUMNS + 0.3 * torch.randn(50, 3, generator=RANDOM)
MEAN = [1951.0, 1949.0, 1950.0]
LABELS = torch.randint(2, (50, 7), generator=RANDOM).float()


def data(task: Task, outputs: int) -> DataShape:
    return DataShape((4,), task, outputs, (), {"train": 50}, naive=2.0)


def value_of(score: Score, outputs: Tensor, targets: Tensor, pieces: int = 1) -> float:
    """The score over a split into batches."""
    total = torch.zeros(score.width, dtype=torch.float64)
    for z, y in zip(outputs.chunk(pieces), targets.chunk(pieces), strict=True):
        total += score.sums(z, Batch(z, y, torch.arange(len(y))))
    return score.value(total.tolist(), len(targets))


def case(config: SumScoreConfig, task: Task | None = None) -> tuple[Score, Tensor, Tensor]:
    """A score beside outputs and targets of a task, the first of its own by default."""
    task = task or config.tasks[0]
    if task == "regression":
        return config.build(data(task, 3), MEAN), GUESSES, COLUMNS
    outputs = LOGITS.softmax(1) if config.reads == "probabilities" else LOGITS
    return config.build(data(task, 7), ()), outputs, CLASSES if task == "classes" else LABELS


@pytest.mark.parametrize(
    ("config", "task"), WITH_TASK, ids=[f"{config.kind}-{task}" for config, task in WITH_TASK]
)
class TestEveryScore:
    def test_is_the_same_in_one_batch_and_in_many(self, config: SumScoreConfig, task: Task) -> None:
        score, outputs, targets = case(config, task)
        whole = value_of(score, outputs, targets)
        assert value_of(score, outputs, targets, pieces=7) == pytest.approx(whole, abs=1e-12)

    def test_sums_are_as_wide_as_promised_and_double(
        self, config: SumScoreConfig, task: Task
    ) -> None:
        score, outputs, targets = case(config, task)
        sums = score.sums(outputs, Batch(outputs, targets, CLASSES))
        assert (sums.shape, sums.dtype) == ((score.width,), torch.float64)

    def test_perfect_outputs_are_the_best(self, config: SumScoreConfig, task: Task) -> None:
        score, outputs, targets = case(config, task)
        perfect = {"classes": torch.eye(7)[CLASSES], "labels": 2 * LABELS - 1}.get(task, targets)
        worse, best = value_of(score, outputs, targets), value_of(score, perfect, targets)
        assert best > worse if config.higher_is_better else best < worse

    def test_a_distribution_over_classes_counts_as_its_likeliest(
        self, config: SumScoreConfig, task: Task
    ) -> None:
        score, outputs, targets = case(config, task)
        if task == "classes":
            shares = (3 * torch.eye(7)[CLASSES] + torch.rand(50, 7, generator=RANDOM)).softmax(1)
            assert value_of(score, outputs, shares) == value_of(score, outputs, targets)


def test_accuracy_is_that_of_scikit_learn() -> None:
    expected = metrics.accuracy_score(CLASSES.numpy(), LOGITS.argmax(1).numpy())
    assert value_of(*case(AccuracyConfig())) == pytest.approx(expected)


def test_accuracy_of_a_single_output_goes_by_its_sign() -> None:
    score = AccuracyConfig().build(data("classes", 2), ())
    outputs = torch.tensor([[0.1], [-0.1], [3.0], [-3.0]])
    assert value_of(score, outputs, torch.tensor([1, 1, 1, 0])) == 0.75


def test_error_rate_is_the_rest_of_accuracy() -> None:
    both = value_of(*case(AccuracyConfig())) + value_of(*case(ErrorRateConfig()))
    assert both == pytest.approx(1.0)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_top_k_is_that_of_scikit_learn(k: int) -> None:
    expected = metrics.top_k_accuracy_score(CLASSES.numpy(), LOGITS.numpy(), k=k)
    assert value_of(*case(TopKConfig(k=k))) == pytest.approx(expected)


def test_top_k_with_too_few_classes_is_one() -> None:
    score = TopKConfig(k=5).build(data("classes", 2), ())
    assert value_of(score, LOGITS[:, :1], CLASSES % 2) == 1.0


def test_top_1_of_a_single_output_is_accuracy() -> None:
    targets = CLASSES % 2
    top1 = TopKConfig(k=1).build(data("classes", 2), ())
    accuracy = AccuracyConfig().build(data("classes", 2), ())
    outputs = LOGITS[:, :1]
    assert value_of(top1, outputs, targets) == value_of(accuracy, outputs, targets)


def test_mae_is_that_of_scikit_learn() -> None:
    expected = metrics.mean_absolute_error(COLUMNS.double().numpy(), GUESSES.double().numpy())
    assert value_of(*case(MaeScoreConfig())) == pytest.approx(expected)


def test_rmse_is_that_of_scikit_learn() -> None:
    expected = metrics.root_mean_squared_error(COLUMNS.double().numpy(), GUESSES.double().numpy())
    assert value_of(*case(RmseConfig())) == pytest.approx(expected)


def test_r2_is_that_of_scikit_learn() -> None:
    expected = metrics.r2_score(COLUMNS.double().numpy(), GUESSES.double().numpy())
    assert value_of(*case(R2Config())) == pytest.approx(expected, abs=1e-6)


def test_r2_does_not_hang_on_the_training_mean() -> None:
    near = R2Config().build(data("regression", 3), MEAN)
    far = R2Config().build(data("regression", 3), [0.0, 0.0, 0.0])
    assert value_of(near, GUESSES, COLUMNS) == pytest.approx(value_of(far, GUESSES, COLUMNS))


def test_r2_of_the_mean_is_zero() -> None:
    mean = COLUMNS.double().mean(0).expand(50, 3)
    assert value_of(R2Config().build(data("regression", 3), MEAN), mean, COLUMNS) == pytest.approx(
        0
    )


@pytest.mark.parametrize("guess", [3.0, 4.0])
def test_r2_of_equal_targets_is_that_of_scikit_learn(guess: float) -> None:
    targets = torch.full((30, 1), 3.0, dtype=torch.float64)
    outputs = torch.full((30, 1), guess, dtype=torch.float64)
    expected = metrics.r2_score(targets.numpy(), outputs.numpy())
    score = R2Config().build(data("regression", 1), [2.7])
    assert value_of(score, outputs, targets) == expected


def test_r2_of_one_example_is_not_a_number() -> None:
    score = R2Config().build(data("regression", 3), MEAN)
    assert math.isnan(value_of(score, GUESSES[:1], COLUMNS[:1]))


def test_half_precision_outputs_are_summed_in_double() -> None:
    outputs = torch.full((5000, 1), 0.1, dtype=torch.float16)
    score = MaeScoreConfig().build(data("regression", 1), [0.0])
    value = value_of(score, outputs, torch.zeros(5000, 1))
    assert value == pytest.approx(float(np.float16(0.1)), rel=1e-12)


@pytest.mark.parametrize(
    ("config", "key"),
    [
        (TopKConfig(k=3), "top3"),
        (AccuracyConfig(), "accuracy"),
        (MaeScoreConfig(), "mae"),
        (F1Config(), "f1_macro"),
        (PrecisionConfig(average="weighted"), "precision_weighted"),
    ],
)
def test_key_is_the_name_in_metrics(config: ScoreConfig, key: str) -> None:
    assert config.key == key


@pytest.mark.parametrize(
    ("task", "keys"),
    [
        ("classes", ["accuracy"]),
        ("regression", ["mae", "r2"]),
        ("labels", ["accuracy", "f1_macro"]),
    ],
)
def test_auto_scores_follow_the_task(task: Task, keys: list[str]) -> None:
    shape = DataShape((4,), task, 3, (), {"train": 50})
    assert [score.key for score in auto_scores(shape)] == keys


def test_auto_scores_of_sequences_are_those_of_their_field() -> None:
    text = DataShape(TokenShape((9,), 5), "classes", 5, tuple("abcde"), {"train": 9}, places=(9,))
    assert [score.key for score in auto_scores(text)] == ["perplexity", "accuracy"]
    series = DataShape((9, 1), "regression", 1, (), {"train": 9}, naive=0.5)
    assert [score.key for score in auto_scores(series)] == ["mae", "mase"]


class TestOfSequences:
    def test_perplexity_is_the_exponential_of_torchs_cross_entropy(self) -> None:
        loss = torch.nn.functional.cross_entropy(LOGITS.double(), CLASSES).item()
        shape = data("classes", 7)
        for config, expected in (
            (PerplexityConfig(), math.exp(loss)),
            (BitsPerTokenConfig(), loss / math.log(2)),
        ):
            score = config.build(shape, ())
            found = value_of(score, LOGITS.double().softmax(1), CLASSES, pieces=3)
            assert found == pytest.approx(expected, rel=1e-12)

    def test_perplexity_of_an_even_guess_is_the_number_of_classes(self) -> None:
        score = PerplexityConfig().build(data("classes", 7), ())
        assert value_of(score, torch.full((50, 7), 1 / 7), CLASSES) == pytest.approx(7.0)

    def test_mase_is_the_error_over_the_naive_one(self) -> None:
        score = MaseConfig().build(data("regression", 3), MEAN)
        error = metrics.mean_absolute_error(COLUMNS, GUESSES)
        assert value_of(score, GUESSES, COLUMNS, pieces=4) == pytest.approx(error / 2.0, rel=1e-6)
        assert MaseConfig().mistake(data("regression", 3)) is None
        without = DataShape((4,), "regression", 3, (), {"train": 50})
        assert "mae" in (MaseConfig().mistake(without) or "")
