"""A whole report as typed facts, of one run or of several: what `--json` prints, the page shows.

The sections of a task are in `facts.py`, how a run learned in `learned/facts.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nnlab.commands.plain import IF_KNOWN, IN_PLACE, PAGE_ONLY
from nnlab.commands.report.facts import (
    ExplainedAnswers,
    Judged,
    OfClasses,
    OfLabels,
    OfNumbers,
    OfText,
)
from nnlab.commands.report.intervals import Floats, Interval
from nnlab.commands.report.learned.facts import Learned, LearningCurves
from nnlab.core.contracts import Split
from nnlab.runs.folder.looks import LookCounts


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


@dataclass(frozen=True, slots=True)
class JudgedRun:
    """A run, its checkpoint, and its config in a few words.

    Attributes:
        folder: as it was given.
        name: of the experiment.
        status: how it ended.
        step: of the checkpoint.
        epoch: of the checkpoint, with its fraction.
        epochs: that were trained.
        chosen_by: the tag that chose the checkpoint; "none" for the last one.
        seed: of the run.
        parameters: how many numbers are trained.
        network: as in mlp 784-16-16-10.
        loss: its kind.
        optimizer: its kind and learning rate.
        batch_size: examples in a step; "full" or "auto" as the config says it.
        schedule: its kind.
        sizes: examples of each split.
    """

    folder: str
    name: str
    status: str
    step: int
    epoch: float
    epochs: float
    chosen_by: str
    seed: int
    parameters: int
    network: str
    loss: str
    optimizer: str
    batch_size: int | str
    schedule: str
    sizes: Mapping[Split, int]


@dataclass(frozen=True, slots=True)
class RunReport:
    """The report of one run on one split: what `--json` prints and the page shows.

    Attributes:
        about: what is judged.
        run: which run.
        scores: with their intervals.
        answers: the sections of its task.
        looks: how often the test split was scored; None of another split.
        explained: where a few answers come from; None where nothing can be told.
        learning: how the run came to these scores.
        config: of the run, as YAML.
    """

    about: Judged = field(metadata=IN_PLACE)
    run: JudgedRun
    scores: Sequence[Scored]
    answers: OfClasses | OfLabels | OfNumbers | OfText = field(metadata=IN_PLACE)
    looks: LookCounts | None = field(metadata=IF_KNOWN)
    explained: ExplainedAnswers | None = field(metadata=IF_KNOWN)
    learning: Learned
    config: str = field(metadata=PAGE_ONLY)


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


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One of several runs.

    Attributes:
        label: a short name that no other has.
        run: what it is.
        scores: with their intervals.
    """

    label: str
    run: JudgedRun = field(metadata=IN_PLACE)
    scores: Sequence[Scored]


@dataclass(frozen=True, slots=True)
class ComparedClass:
    """F1 of one class or label.

    Attributes:
        class_: its name.
        support: examples of it.
        f1: of each run, in [0, 1].
    """

    class_: str
    support: int
    f1: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class RunsReport:
    """The report of several runs side by side.

    Attributes:
        about: what is judged.
        runs: in the order that they were given in.
        pairs: each two of them.
        classes: None of a regression.
        looks: how often the test split was scored; None of another split.
        learning: the curves of all.
    """

    about: Judged = field(metadata=IN_PLACE)
    runs: Sequence[ComparedRun]
    pairs: Sequence[RunPair]
    classes: Sequence[ComparedClass] | None = field(metadata=IF_KNOWN)
    looks: LookCounts | None = field(metadata=IF_KNOWN)
    learning: tuple[LearningCurves, ...] = field(metadata=PAGE_ONLY)
