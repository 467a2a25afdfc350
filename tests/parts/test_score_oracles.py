"""Scores against scikit-learn's functions, on random data and where little is defined."""

import warnings
from collections.abc import Callable
from itertools import pairwise
from math import isnan, nan

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics
from torch import Tensor

from nnlab.core.contracts import Batch, DataShape, Task
from nnlab.parts.scores.classes import AccuracyConfig, ErrorRateConfig, ExactMatchConfig
from nnlab.parts.scores.family import ScoreConfig, StoredScoreConfig, SumScoreConfig
from nnlab.parts.scores.per_class import (
    BalancedAccuracyConfig,
    ClassAverage,
    CohenKappaConfig,
    F1Config,
    MatthewsConfig,
    PrecisionConfig,
    RecallConfig,
)
from nnlab.parts.scores.probabilities import BrierConfig, CalibrationErrorConfig, LogLossConfig
from nnlab.parts.scores.ranks import AveragePrecisionConfig, RocAucConfig
from nnlab.parts.scores.regression import (
    ExplainedVarianceConfig,
    MaeScoreConfig,
    MapeConfig,
    MaxErrorConfig,
    MedianAbsoluteErrorConfig,
    MseScoreConfig,
    PearsonConfig,
    R2Config,
    RmseConfig,
)

Numbers = NDArray[np.float64]
N = 60


def score(config: ScoreConfig, outputs: Numbers, targets: NDArray[np.generic], task: Task) -> float:
    """The value over three batches."""
    outs, y = torch.from_numpy(outputs), torch.from_numpy(targets)
    width = outs.shape[1]
    shape = DataShape((4,), task, max(width, 2) if task == "classes" else width, (), {"train": N})
    if isinstance(config, StoredScoreConfig):
        return config.build(shape).value(outs, y)
    assert isinstance(config, SumScoreConfig)
    mean = targets.mean(axis=0).tolist() if task == "regression" else ()
    built = config.build(shape, mean)
    total = torch.zeros(built.width, dtype=torch.float64)
    for z, t in zip(outs.chunk(3), y.chunk(3), strict=True):
        total += built.sums(z, Batch(z, t, torch.arange(len(t))))
    return built.value(total.tolist(), len(y))


class Classes:
    """Probabilities and classes: K classes, those in `absent` without an example."""

    def __init__(self, classes: int, *, absent: tuple[int, ...] = (), seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        there = [k for k in range(classes) if k not in absent]
        self.y = random.choice(there, N)
        logits = random.standard_normal((N, classes)) + 1.5 * np.eye(classes)[self.y]
        p = np.exp(logits)
        self.p = p / p.sum(axis=1, keepdims=True)
        self.predicted = self.p.argmax(axis=1)


CASES = {
    "four classes": Classes(4),
    "two classes": Classes(2, seed=1),
    "an absent class": Classes(4, absent=(2,), seed=2),
    "a class that never occurs": Classes(2, absent=(0,), seed=3),
}


def quiet(oracle: Callable[[], float]) -> float:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return float(oracle())


def close(found: float, expected: float) -> None:
    assert found == pytest.approx(expected, abs=1e-12, rel=1e-10, nan_ok=True)


def brier(c: Classes) -> float:
    pair = c.p.shape[1] == 2
    p = c.p[:, 1] if pair else c.p
    return float(metrics.brier_score_loss(c.y, p, labels=range(c.p.shape[1])))


ORACLES: dict[str, tuple[ScoreConfig, Callable[[Classes], float]]] = {
    "accuracy": (AccuracyConfig(), lambda c: metrics.accuracy_score(c.y, c.predicted)),
    "error_rate": (ErrorRateConfig(), lambda c: float(metrics.zero_one_loss(c.y, c.predicted))),
    "balanced_accuracy": (
        BalancedAccuracyConfig(),
        lambda c: metrics.balanced_accuracy_score(c.y, c.predicted),
    ),
    "cohen_kappa": (CohenKappaConfig(), lambda c: metrics.cohen_kappa_score(c.y, c.predicted)),
    "matthews": (MatthewsConfig(), lambda c: metrics.matthews_corrcoef(c.y, c.predicted)),
    "log_loss": (
        LogLossConfig(),
        lambda c: metrics.log_loss(c.y, c.p, labels=range(c.p.shape[1])),
    ),
    "brier": (BrierConfig(), brier),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize(("config", "oracle"), ORACLES.values(), ids=ORACLES)
def test_is_that_of_scikit_learn(
    config: ScoreConfig, oracle: Callable[[Classes], float], case: Classes
) -> None:
    close(score(config, case.p, case.y, "classes"), quiet(lambda: oracle(case)))


AVERAGED = {
    "precision": (PrecisionConfig, metrics.precision_score),
    "recall": (RecallConfig, metrics.recall_score),
    "f1": (F1Config, metrics.f1_score),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("average", ["macro", "micro", "weighted", "binary"])
@pytest.mark.parametrize(("kind", "oracle"), AVERAGED.values(), ids=AVERAGED)
def test_averages_are_those_of_scikit_learn(
    kind: type[F1Config], oracle: Callable[..., float], average: ClassAverage, case: Classes
) -> None:
    if average == "binary" and case.p.shape[1] > 2:
        return
    expected = oracle(case.y, case.predicted, average=average, zero_division=0)
    close(score(kind(average=average), case.p, case.y, "classes"), float(expected))


LABELS = (np.random.default_rng(4).random((N, 5)) < [0.5, 0.2, 0.9, 0.0, 0.4]).astype(np.float32)
MARGINS = np.random.default_rng(5).standard_normal((N, 5)) + LABELS - 0.5


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize(("kind", "oracle"), AVERAGED.values(), ids=AVERAGED)
def test_averages_over_labels_are_those_of_scikit_learn(
    kind: type[F1Config], oracle: Callable[..., float], average: ClassAverage
) -> None:
    expected = oracle(LABELS, MARGINS > 0, average=average, zero_division=0)
    close(score(kind(average=average), MARGINS, LABELS, "labels"), float(expected))


def test_label_accuracies_are_those_of_scikit_learn() -> None:
    wrong = metrics.hamming_loss(LABELS, MARGINS > 0)
    close(score(ErrorRateConfig(), MARGINS, LABELS, "labels"), wrong)
    close(score(AccuracyConfig(), MARGINS, LABELS, "labels"), 1 - wrong)
    exact = metrics.accuracy_score(LABELS, MARGINS > 0)
    close(score(ExactMatchConfig(), MARGINS, LABELS, "labels"), float(exact))


def test_binary_is_for_two_classes() -> None:
    config = F1Config(average="binary")
    assert "average: binary is for two classes" in str(
        config.mistake(DataShape((4,), "classes", 3, (), {}))
    )
    assert config.mistake(DataShape((4,), "classes", 2, (), {})) is None


class TestRanks:
    """Area under the curve and average precision."""

    @pytest.mark.parametrize("rounded", [False, True], ids=["distinct", "with ties"])
    def test_of_two_classes_are_those_of_scikit_learn(self, rounded: bool) -> None:
        case = CASES["two classes"]
        p = case.p.round(1) if rounded else case.p
        p = np.stack([1 - p[:, 1], p[:, 1]], axis=1)
        close(score(RocAucConfig(), p, case.y, "classes"), metrics.roc_auc_score(case.y, p[:, 1]))
        expected = metrics.average_precision_score(case.y, p[:, 1])
        close(score(AveragePrecisionConfig(), p, case.y, "classes"), float(expected))

    def test_of_a_single_output_go_by_it(self) -> None:
        case = CASES["two classes"]
        z = np.log(case.p[:, 1:] / case.p[:, :1])
        expected = metrics.roc_auc_score(case.y, z[:, 0])
        close(score(RocAucConfig(), z, case.y, "classes"), expected)

    def test_of_more_classes_are_one_against_the_rest(self) -> None:
        case = CASES["four classes"]
        expected = metrics.roc_auc_score(case.y, case.p, multi_class="ovr")
        close(score(RocAucConfig(), case.p, case.y, "classes"), float(expected))
        expected = metrics.average_precision_score(case.y, case.p)
        close(score(AveragePrecisionConfig(), case.p, case.y, "classes"), float(expected))

    def test_leave_out_a_class_that_does_not_occur(self) -> None:
        case = CASES["an absent class"]
        there = [0, 1, 3]
        aucs = [metrics.roc_auc_score(case.y == k, case.p[:, k]) for k in there]
        close(score(RocAucConfig(), case.p, case.y, "classes"), float(np.mean(aucs)))
        parts = [metrics.average_precision_score(case.y == k, case.p[:, k]) for k in there]
        close(score(AveragePrecisionConfig(), case.p, case.y, "classes"), float(np.mean(parts)))

    def test_of_labels_are_the_means_over_labels(self) -> None:
        there = [0, 1, 2, 4]
        expected = metrics.roc_auc_score(LABELS[:, there], MARGINS[:, there])
        close(score(RocAucConfig(), MARGINS, LABELS, "labels"), float(expected))
        expected = metrics.average_precision_score(LABELS[:, there], MARGINS[:, there])
        close(score(AveragePrecisionConfig(), MARGINS, LABELS, "labels"), float(expected))

    @pytest.mark.parametrize("config", [RocAucConfig(), AveragePrecisionConfig()])
    def test_of_one_class_alone_are_not_defined(self, config: ScoreConfig) -> None:
        case = CASES["a class that never occurs"]
        assert isnan(score(config, case.p, case.y, "classes"))

    @pytest.mark.parametrize("config", [RocAucConfig(), AveragePrecisionConfig()])
    def test_of_what_is_not_a_number_are_none(self, config: ScoreConfig) -> None:
        outputs = np.where(CASES["two classes"].p > 0.9, nan, 0.0)
        assert isnan(score(config, outputs, CASES["two classes"].y, "classes"))

    def test_of_guessing_are_a_half_and_the_share_of_the_class(self) -> None:
        case = CASES["two classes"]
        same = np.full((N, 2), 0.5)
        assert score(RocAucConfig(), same, case.y, "classes") == 0.5
        close(score(AveragePrecisionConfig(), same, case.y, "classes"), case.y.mean())


def calibration(p: Numbers, y: NDArray[np.int64], bins: int) -> float:
    """Guo et al. 2017, eq. 3, bin by bin."""
    confidence, right = p.max(axis=1), p.argmax(axis=1) == y
    edges, total = np.linspace(0, 1, bins + 1), 0.0
    for low, high in pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return total


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_calibration_error_is_that_of_its_definition(bins: int) -> None:
    for case in CASES.values():
        found = score(CalibrationErrorConfig(bins=bins), case.p, case.y, "classes")
        close(found, calibration(case.p, case.y, bins))


def test_calibration_error_of_certainty_is_the_error_rate() -> None:
    sure = np.eye(4)[CASES["four classes"].predicted]
    y = CASES["four classes"].y
    error = score(ErrorRateConfig(), sure, y, "classes")
    close(score(CalibrationErrorConfig(), sure, y, "classes"), error)


def test_log_loss_of_certainty_that_is_wrong_is_finite() -> None:
    sure = np.array([[1.0, 0.0], [1.0, 0.0]], dtype=np.float32)
    found = score(LogLossConfig(), sure, np.array([0, 1]), "classes")  # pyright: ignore[reportArgumentType]
    assert found == pytest.approx(-np.log(np.finfo(np.float32).eps) / 2)


class Columns:
    """Real targets and guesses, N of each of three columns."""

    def __init__(self, *, constant: bool = False, exact: bool = False) -> None:
        random = np.random.default_rng(8)
        self.y = random.normal([0.0, 1950.0, -3.0], [1.0, 20.0, 0.1], (N, 3))
        if constant:
            self.y[:, 1] = 1950.0
        self.z = self.y + random.normal([0.0, 5.0, 0.1], [0.5, 5.0, 0.1], (N, 3))
        if exact:
            self.z = self.y.copy()


REGRESSIONS = {
    "three columns": Columns(),
    "a constant target": Columns(constant=True),
    "met exactly": Columns(constant=True, exact=True),
}


def correlation(y: Numbers, z: Numbers) -> float:
    found = [float(stats.pearsonr(y[:, k], z[:, k])[0]) for k in range(3)]  # pyright: ignore[reportArgumentType]
    return sum(found) / 3


def greatest(y: Numbers, z: Numbers) -> float:
    return max(float(metrics.max_error(y[:, k], z[:, k])) for k in range(3))


NUMBERS: dict[str, tuple[ScoreConfig, Callable[..., object]]] = {
    "mae": (MaeScoreConfig(), metrics.mean_absolute_error),
    "mse": (MseScoreConfig(), metrics.mean_squared_error),
    "rmse": (RmseConfig(), metrics.root_mean_squared_error),
    "r2": (R2Config(), metrics.r2_score),
    "explained_variance": (ExplainedVarianceConfig(), metrics.explained_variance_score),
    "mape": (MapeConfig(), metrics.mean_absolute_percentage_error),
    "median": (MedianAbsoluteErrorConfig(), metrics.median_absolute_error),
    "max_error": (MaxErrorConfig(), greatest),
    "pearson": (PearsonConfig(), correlation),
}


@pytest.mark.parametrize("case", REGRESSIONS.values(), ids=REGRESSIONS)
@pytest.mark.parametrize(("config", "oracle"), NUMBERS.values(), ids=NUMBERS)
def test_scores_of_numbers_are_those_of_scikit_learn(
    config: ScoreConfig, oracle: Callable[..., float], case: Columns
) -> None:
    expected = quiet(lambda: oracle(case.y, case.z))
    close(score(config, case.z, case.y, "regression"), expected)


@pytest.mark.parametrize("kind", [R2Config, ExplainedVarianceConfig])
def test_a_single_example_has_no_variance(
    kind: type[R2Config] | type[ExplainedVarianceConfig],
) -> None:
    built = kind().build(DataShape((1,), "regression", 1, (), {"train": 1}), [0.0])
    one = torch.ones(1, 1)
    sums: Tensor = built.sums(one, Batch(one, one, torch.arange(1)))
    assert built.value(sums.tolist(), 1) == pytest.approx(nan, nan_ok=True)
