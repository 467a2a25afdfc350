"""Every score of a split with its interval, and what is reached without inputs beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from math import isfinite
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nnlab.commands.report import intervals
from nnlab.commands.report.cases import Case, orders_of
from nnlab.commands.report.intervals import Floats, Statistic, percentile_interval
from nnlab.commands.report.report import McNemarFacts, RunPair, Scored, ScoreDifference
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
