"""Every score of a split with its interval, and what is reached without inputs beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np

from nnlab.contracts import ExampleScore, StoredScore
from nnlab.experiment import Experiment
from nnlab.measuring import baseline, scores_of, stored_scores_of
from nnlab.parts.scores.classes import AccuracyConfig, ExactMatchConfig
from nnlab.parts.scores.counts import BalancedAccuracyConfig, F1Config, MatthewsConfig
from nnlab.parts.scores.family import ScoreConfig
from nnlab.parts.scores.numbers import (
    MaeScoreConfig,
    MedianAbsoluteErrorConfig,
    R2Config,
    RmseConfig,
)
from nnlab.parts.scores.probabilities import BrierConfig, CalibrationErrorConfig, LogLossConfig
from nnlab.parts.scores.ranks import AveragePrecisionConfig, RocAucConfig
from nnlab.report import intervals
from nnlab.report.cases import Case
from nnlab.report.intervals import Floats, Interval, Statistic

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
        baseline: what the majority class, the classes' shares or the mean reach; or None.
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
        found = self.interval
        return {
            "key": self.key,
            "value": self.value if isfinite(self.value) else None,
            "low": None if found is None else found.low,
            "high": None if found is None else found.high,
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
    draws = intervals.bootstrap(quick, count)
    draws |= intervals.bootstrap(slow, count, count=_FEWER)
    guessed = baseline(experiment, examples, case.split)
    found = [Scored("loss", values["loss"], None, "", None, False, draws["loss"])]
    found += [
        Scored(key, values[key], None, "", guessed.get(key), kind.higher_is_better, draws[key])
        for key, kind in kinds.items()
    ]
    return [_with_interval(one, kinds.get(one.key), case) for one in found]


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
            one, interval=intervals.wilson(round(one.value * count), count), method="wilson"
        )
    # A resample never holds more than the greatest of all: no interval follows from that.
    # Bickel & Freedman 1981, doi:10.1214/aos/1176345637.
    interval = None if name == "max_error" else intervals.percentiles(one.draws)
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
