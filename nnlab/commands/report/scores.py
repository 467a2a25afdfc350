"""Every score of a split with its interval, and what is reached without inputs beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nnlab.commands.plain import IF_KNOWN
from nnlab.commands.report import intervals
from nnlab.commands.report.cases import Case
from nnlab.commands.report.intervals import Floats, Interval, Statistic, percentile_interval
from nnlab.core.contracts import ExampleScore, StoredScore
from nnlab.experiment.experiment import Experiment
from nnlab.parts.scores.classes import AccuracyConfig, ExactMatchConfig
from nnlab.parts.scores.family import ScoreConfig
from nnlab.parts.scores.per_class import BalancedAccuracyConfig, F1Config, MatthewsConfig
from nnlab.parts.scores.probabilities import BrierConfig, CalibrationErrorConfig, LogLossConfig
from nnlab.parts.scores.ranks import AveragePrecisionConfig, RocAucConfig
from nnlab.parts.scores.regression import (
    MaeScoreConfig,
    MedianAbsoluteErrorConfig,
    R2Config,
    RmseConfig,
)
from nnlab.runs.building.scoring import blind_baseline, scores_of, stored_scores_of

_STANDARD: Mapping[str, tuple[ScoreConfig, ...]] = {
    "classes": (
        *(AccuracyConfig(), BalancedAccuracyConfig(), F1Config(), MatthewsConfig()),
        *(LogLossConfig(), BrierConfig(), CalibrationErrorConfig()),
        *(RocAucConfig(), AveragePrecisionConfig()),
    ),
    "labels": (
        *(AccuracyConfig(), ExactMatchConfig(), F1Config(), F1Config(average="micro")),
        *(RocAucConfig(), AveragePrecisionConfig()),
    ),
    "regression": (MaeScoreConfig(), RmseConfig(), R2Config(), MedianAbsoluteErrorConfig()),
}
_SHARES = ("accuracy", "error_rate", "exact_match", "top_k")
"""Kinds that are a share of examples; of labels accuracy is a mean of shares and no share."""
_MANY_CLASSES = 20
_FEWER = 200
"""So many resamples have orders of more classes than that: each is a pass of its own."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A score of a split.

    Attributes:
        key: as in metrics.jsonl.
        value: over all examples; NaN where it is not defined.
        interval: 95 %, or None.
        method: wilson, bootstrap or none.
        baseline: what the majority class, the classes' shares or the mean reach; None where there
            is no such thing, or it is not defined.
        higher_is_better: whether it should grow.
        draws: (R,) its values in the resamples.
    """

    key: str
    value: float
    interval: Interval | None
    method: str
    baseline: float | None
    higher_is_better: bool
    draws: Floats

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        low, high = self.interval or (None, None)
        return {
            "key": self.key,
            "value": self.value,
            "low": low,
            "high": high,
            "interval": self.method,
            "resamples": len(self.draws),
            "baseline": self.baseline,
            "higher_is_better": self.higher_is_better,
        }


def scores_of_case(case: Case) -> list[Scored]:
    """The loss, the run's own scores and the usual ones of its task."""
    experiment = _with_standard(case)
    examples, count = case.opened.examples, len(case.losses)
    kinds = {score.key: score for score in experiment.scores}
    values = {"loss": float(case.losses.mean())}
    quick: dict[str, Statistic] = {"loss": lambda counts: counts @ case.losses / count}
    slow: dict[str, Statistic] = {}
    for key, score in scores_of(experiment, examples).items():
        assert isinstance(score, ExampleScore)  # `refuse_own` refuses what has others
        terms = score.terms(case.outputs, case.batch).double().numpy()
        values[key] = score.value(terms.sum(axis=0).tolist(), count)
        quick[key] = _of_terms(terms, score)
    chosen = slow if experiment.shape.outputs > _MANY_CLASSES else quick
    for key, score in stored_scores_of(experiment, examples).items():
        values[key] = score.value(case.outputs, case.batch.targets)
        chosen[key] = _of_stored(kinds[key], score, case)
    draws = intervals.bootstrap_statistics(quick, count)
    draws |= intervals.bootstrap_statistics(slow, count, count=_FEWER)
    guessed = blind_baseline(experiment, examples, case.split)
    found = [Scored("loss", values["loss"], None, "", None, False, draws["loss"])]
    found += [
        Scored(key, values[key], None, "", base, kind.higher_is_better, draws[key])
        for key, kind in kinds.items()
        for base in [_if_finite(guessed.get(key))]
    ]
    return [_with_interval(one, kinds.get(one.key), case) for one in found]


def _if_finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


def _with_standard(case: Case) -> Experiment:
    """The experiment with the usual scores beside those that were asked for."""
    experiment = case.opened.experiment
    shape = experiment.shape
    fitting = [
        score
        for score in _STANDARD[shape.task]
        if score.mistake(shape) is None
        and (score.reads != "probabilities" or case.probabilities is not None)
    ]
    every = {score.key: score for score in (*experiment.scores, *fitting)}
    config = experiment.config.model_copy(update={"scores": tuple(every.values())})
    return replace(experiment, config=config)


def _with_interval(one: Scored, kind: ScoreConfig | None, case: Case) -> Scored:
    name, count = "loss" if kind is None else kind.kind, len(case.losses)
    of_examples = case.opened.experiment.shape.task == "classes" or name == "exact_match"
    if name in _SHARES and of_examples:
        return replace(
            one,
            interval=intervals.wilson_interval(round(one.value * count), count),
            method="wilson",
        )
    # A resample never holds more than the greatest of all: no interval follows from that.
    # Bickel & Freedman 1981, doi:10.1214/aos/1176345637.
    interval = None if name == "max_error" else intervals.percentile_interval(one.draws)
    return replace(one, interval=interval, method="none" if interval is None else "bootstrap")


def _of_terms(terms: Floats, score: ExampleScore) -> Statistic:
    def statistic(counts: Floats) -> Floats:
        return np.array([score.value(sums, len(terms)) for sums in (counts @ terms).tolist()])

    return statistic


def _of_stored(kind: ScoreConfig, score: StoredScore, case: Case) -> Statistic:
    """By counts where the score has such a form, else by the examples of each resample."""
    if isinstance(kind, RocAucConfig | AveragePrecisionConfig):
        one = intervals.roc_auc if isinstance(kind, RocAucConfig) else intervals.average_precision
        orders = orders_of(case)
        return intervals.mean_of([one(by, actual) for _, by, actual in orders])
    everyone = np.arange(len(case.losses))

    def statistic(counts: Floats) -> Floats:
        drawn = (np.repeat(everyone, row.astype(int)) for row in counts)
        targets = case.batch.targets
        return np.array([score.value(case.outputs[rows], targets[rows]) for rows in drawn])

    return statistic


def orders_of(case: Case) -> Sequence[tuple[int, Floats, Any]]:
    """(class, (N,) what examples are ordered by, (N,) which are of it), of classes with an order.

    Two classes are one order, by the second; K classes and labels are each against the rest.
    """
    shape = case.opened.experiment.shape
    columns = case.outputs.numpy() if case.probabilities is None else case.probabilities
    if shape.task == "labels":
        marks = case.actual > 0
    else:
        marks = case.actual[:, None] == np.arange(shape.outputs)
        if shape.outputs == 2:
            last = columns[:, -1] - (columns[:, 0] if columns.shape[1] == 2 else 0.0)
            return [(1, last, marks[:, 1])] if 0 < marks[:, 1].sum() < len(marks) else []
    return [
        (k, columns[:, k], marks[:, k])
        for k in range(shape.outputs)
        if 0 < marks[:, k].sum() < len(marks)
    ]


EXACT_BELOW = 25
"""With fewer discordant examples the binomial is summed, else chi-squared approximates it."""


ALL_PAIRS = 6


class McNemar(NamedTuple):
    """McNemar 1947, doi:10.1007/BF02295996; Edwards 1948 for the correction.

    Attributes:
        first: examples that the first network alone has right.
        second: examples that the second network alone has right.
        p: two-sided, for the hypothesis that both are wrong equally often.
        method: exact or chi-squared.
    """

    first: int
    second: int
    p: float
    method: str


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> McNemar:
    """The test of two networks; (N,) whether each is right."""
    only_first = int((first & ~second).sum())
    only_second = int((second & ~first).sum())
    return mcnemar_of(only_first, only_second)


def mcnemar_of(only_first: int, only_second: int) -> McNemar:
    """McNemar's test from two counts: examples that one network alone has right."""
    total = only_first + only_second
    if total < EXACT_BELOW:
        from scipy.stats import binomtest

        p = float(binomtest(only_first, total, 0.5).pvalue) if total else 1.0
        return McNemar(only_first, only_second, p, "exact")
    from scipy.special import chdtrc

    statistic = (abs(only_first - only_second) - 1) ** 2 / total
    return McNemar(only_first, only_second, float(chdtrc(1, statistic)), "chi-squared")


def holm(values: Sequence[float]) -> list[float]:
    """p-values of M tests at once, made larger. Holm 1979, jstor.org/stable/4615733."""
    adjusted, greatest = [0.0] * len(values), 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        greatest = max(greatest, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = greatest
    return adjusted


@dataclass(frozen=True, slots=True)
class McNemarFacts:
    """McNemar's test of a pair of runs.

    Attributes:
        only_first_right: examples that the first run alone has right.
        only_second_right: examples that the second run alone has right.
        p: two-sided, in [0, 1].
        method: exact or chi-squared.
        p_holm: p adjusted for all pairs of the report, at least p.
    """

    only_first_right: int
    only_second_right: int
    p: float
    method: str
    p_holm: float


@dataclass(frozen=True, slots=True)
class ScoreDifference:
    """A score of the first run minus that of the second, in the score's unit.

    Attributes:
        difference: NaN where one of them is not defined.
        low: lower end of the 95 % interval over shared resamples; None without an interval.
        high: upper end of that interval; None without one.
    """

    difference: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class RunPair:
    """Two runs held against each other.

    Attributes:
        first: its label.
        second: its label.
        mcnemar: the test of who is right how often; None for a regression.
        differences: of each score that both have, by its key.
    """

    first: str
    second: str
    mcnemar: McNemarFacts | None = field(metadata=IF_KNOWN)
    differences: Mapping[str, ScoreDifference]


def _differences(a: Mapping[str, Scored], b: Mapping[str, Scored]) -> dict[str, ScoreDifference]:
    """A - B of each score that both have, with the interval over shared resamples."""
    found: dict[str, ScoreDifference] = {}
    for key in (key for key in a if key in b):
        one, two = a[key], b[key]
        shared = min(len(one.draws), len(two.draws))
        interval = percentile_interval(one.draws[:shared] - two.draws[:shared])
        if one.interval is None or two.interval is None or interval is None:
            interval = (None, None)
        low, high = interval
        found[key] = ScoreDifference(one.value - two.value, low, high)
    return found


def compare_pairs(
    names: Sequence[str],
    scores: Sequence[Mapping[str, Scored]],
    right: Sequence[NDArray[np.bool_]] | None,
) -> list[RunPair]:
    """Every pair of runs: differences of scores, and of classes McNemar's test.

    Of more than `ALL_PAIRS` runs, the first against each other one.

    Args:
        names: of the runs.
        scores: of each, by key.
        right: of each, (N,) whether an example is right; None for a regression.
    """
    pairs = [(i, j) for i, j in combinations(range(len(names)), 2)
             if i == 0 or len(names) <= ALL_PAIRS]  # fmt: skip
    tests: list[McNemarFacts | None] = [None] * len(pairs)
    if right is not None:
        judged = [mcnemar(right[i], right[j]) for i, j in pairs]
        adjusted = holm([test.p for test in judged])
        tests = [McNemarFacts(*test, p) for test, p in zip(judged, adjusted, strict=True)]
    return [
        RunPair(names[i], names[j], test, _differences(scores[i], scores[j]))
        for (i, j), test in zip(pairs, tests, strict=True)
    ]
