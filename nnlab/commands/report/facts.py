"""What a report says of a task, section by section, as typed facts for `--json` and the page.

How they are found stands in the modules beside this one, how they are shown in `html/`;
docs/architecture.md lists what a new section touches.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nnlab.commands.plain import IF_KNOWN, IN_PLACE, PAGE_ONLY
from nnlab.commands.report.in_time.facts import ForecastFacts, TextFacts
from nnlab.core.contracts import Split, Task
from nnlab.display.web.html import Markup

CURVE_POINTS = 120
"""At most so many points of a curve are kept, and its two ends."""


@dataclass(frozen=True, slots=True)
class NamedValue:
    """One column of an example.

    Attributes:
        column: its name.
        value: as the data give it.
        deviations: its distance from the training mean, in standard deviations of training.
    """

    column: str
    value: float
    deviations: float


@dataclass(frozen=True, slots=True)
class ShownInputs:
    """What can be seen of an example's inputs.

    Attributes:
        values: of a table, some or all columns; None of anything else.
        picture: of an image, a PNG as a data URI; None of anything else.
    """

    values: tuple[NamedValue, ...] | None = field(default=None, metadata=IF_KNOWN)
    picture: str | None = field(default=None, metadata=PAGE_ONLY)


@dataclass(frozen=True, slots=True)
class ClassMeasures:
    """How one class, or one label, fares; shares are in [0, 1].

    Attributes:
        class_: its name.
        precision: of the examples predicted to be of it, the share that are.
        recall: of the examples of it, the share that is found.
        recall_low: lower end of Wilson's 95 % interval; None without examples.
        recall_high: upper end of that interval; None without examples.
        f1: the harmonic mean of precision and recall.
        support: examples of it in the split.
    """

    class_: str
    precision: float
    recall: float
    recall_low: float | None
    recall_high: float | None
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """One class that is taken for another.

    Attributes:
        actual: the right class.
        predicted: what the network says instead.
        count: how many examples.
        share: of the examples of the right class.
    """

    actual: str
    predicted: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class ClassCurve:
    """One class or label against the rest, over all thresholds.

    Attributes:
        class_: its name.
        roc_auc: area under the ROC curve; 0.5 is guessing.
        average_precision: area under the precision-recall curve; `share` is guessing.
        share: of the examples that are of it.
        roc: (false positive rate, true positive rate), at most `CURVE_POINTS` + 2 points.
        precision_recall: (recall, precision), at most `CURVE_POINTS` + 2 points.
    """

    class_: str
    roc_auc: float
    average_precision: float
    share: float
    roc: list[list[float]]
    precision_recall: list[list[float]]


@dataclass(frozen=True, slots=True)
class WorstClassified:
    """A mistake.

    Attributes:
        row: of the table, from 0.
        actual: the right class.
        predicted: what the network says.
        loss: of this example.
        confidence: probability of the predicted class; None where there are no probabilities.
        probability_of_actual: that of the right class; None where there are none.
        inputs: what can be seen of them.
    """

    row: int
    actual: str
    predicted: str
    loss: float
    confidence: float | None = field(metadata=IF_KNOWN)
    probability_of_actual: float | None = field(metadata=IF_KNOWN)
    inputs: ShownInputs = field(metadata=IN_PLACE)


@dataclass(frozen=True, slots=True)
class WorstLabels:
    """An example with wrong labels.

    Attributes:
        row: of the table, from 0.
        actual: the labels it has.
        predicted: the labels that the network gives it.
        wrong: how many labels are missing or too many.
        loss: of this example.
        inputs: what can be seen of them.
    """

    row: int
    actual: tuple[str, ...]
    predicted: tuple[str, ...]
    wrong: int
    loss: float
    inputs: ShownInputs = field(metadata=IN_PLACE)


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The examples whose confidence lies in ]low, high].

    Attributes:
        low: the lower end, in [0, 1[.
        high: the upper end, in ]0, 1].
        examples: how many there are.
        confidence: their mean probability of the predicted class; 0 without examples.
        accuracy: the share of them that is right; 0 without examples.
    """

    low: float
    high: float
    examples: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class CalibrationMeasures:
    """How well the probabilities of a split fit what happened.

    Attributes:
        expected_calibration_error: in [0, 1], over `BINS` bins of equal width.
        log_loss: mean of -log p of the right class, in nats.
        brier: mean Brier score, in [0, 2]; in [0, 1] of two classes.
        confidence: mean probability of the predicted class.
        accuracy: the share that is right.
        reliability: the bins, from low confidence to high.
    """

    expected_calibration_error: float
    log_loss: float
    brier: float
    confidence: float
    accuracy: float
    reliability: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True)
class AppliedTemperature:
    """A fitted temperature with its interval, and what it does to the split that is shown.

    Attributes:
        temperature_low: lower end of the 95 % interval; None without an interval.
        temperature_high: upper end of it; None without an interval.
        after: the measures of the split with its logits divided by the temperature.
        shown: whether the interval leaves 1 out and the split's log loss falls.
    """

    temperature_low: float | None
    temperature_high: float | None
    after: CalibrationMeasures
    shown: bool


@dataclass(frozen=True, slots=True)
class FittedTemperature:
    """What the validation split says of a temperature.

    Attributes:
        temperature: what to divide the logits by, above 0; None where none is best.
        fitted_on: rows of the validation split.
        applied: its interval and its effect; None where no temperature is best.
    """

    temperature: float | None
    fitted_on: int
    applied: AppliedTemperature | None = field(default=None, metadata=IN_PLACE)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Whether the probabilities of a split mean what they say.

    Attributes:
        bins: how many bins of confidence there are.
        before: as trained.
        fitted: a temperature from the validation split; None where there is no such split.
    """

    bins: int
    before: CalibrationMeasures
    fitted: FittedTemperature | None = field(default=None, metadata=IN_PLACE)


@dataclass(frozen=True, slots=True)
class Sureness:
    """How sure a network is of one sort of inputs; all shares are in [0, 1].

    Attributes:
        inputs: what they are.
        examples: how many.
        confidence: mean of the greatest probability; of labels that of max(p, 1 - p).
        entropy: mean entropy as a share of log K, the greatest there is.
        sure: share of confidences above `SURE`.
    """

    inputs: str
    examples: int
    confidence: float
    entropy: float
    sure: float


@dataclass(frozen=True, slots=True)
class ResidualHistogram:
    """How many residuals are how large.

    Attributes:
        counts: B numbers of examples.
        edges: B + 1 ascending ends of the bins, in the target's unit.
    """

    counts: list[int]
    edges: list[float]


@dataclass(frozen=True, slots=True)
class TargetColumn:
    """How one target column is met; a residual is prediction minus target, in its own unit.

    Attributes:
        mean_residual: 0 is best.
        deviation: standard deviation of the residuals.
        quantiles: "50%" and "90%": the size that so many residuals stay below.
        predicted: of at most `_POINTS` examples.
        actual: the targets of the same examples.
        histogram: of all residuals.
    """

    mean_residual: float
    deviation: float
    quantiles: Mapping[str, float]
    predicted: list[float]
    actual: list[float]
    histogram: ResidualHistogram


@dataclass(frozen=True, slots=True)
class WorstPredicted:
    """An example that is far off; a number for each target column, in its own unit.

    Attributes:
        row: of the table, from 0.
        actual: the targets.
        predicted: what the network says.
        residual: predictions minus targets.
        inputs: what can be seen of them.
    """

    row: int
    actual: list[float]
    predicted: list[float]
    residual: list[float]
    inputs: ShownInputs = field(metadata=IN_PLACE)


@dataclass(frozen=True, slots=True)
class Judged:
    """What is judged, and when.

    Attributes:
        format: of the JSON object, counted up where a key changes its meaning.
        split: which examples.
        samples: how many they are.
        task: classes, labels or regression.
        names: of classes or labels; () of a regression.
        data: the kind of data.
        digest: SHA-256 of the data.
        confidence: of every interval, 0.95.
        made: when, ISO 8601 in UTC.
        nnlab: its version.
        device: what the networks ran on.
        target_columns: what a regression predicts; () else.
    """

    format: int
    split: Split
    samples: int
    task: Task
    names: tuple[str, ...]
    data: str
    digest: str
    confidence: float
    made: str
    nnlab: str
    device: str
    target_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OfClasses:
    """The sections of a task with classes.

    Attributes:
        classes: each class.
        confusion: (K, K), the right classes in rows.
        confused_pairs: the most frequent mistakes.
        curves: over thresholds.
        worst: the surest mistakes.
        mistakes: how many there are.
        calibration: None where there are no probabilities.
        meaningless_inputs: () where there are no probabilities.
    """

    classes: Sequence[ClassMeasures]
    confusion: list[list[int]]
    confused_pairs: Sequence[ConfusedPair]
    curves: Sequence[ClassCurve]
    worst: Sequence[WorstClassified]
    mistakes: int
    calibration: Calibration | None = field(metadata=IF_KNOWN)
    meaningless_inputs: Sequence[Sureness]


@dataclass(frozen=True, slots=True)
class OfLabels:
    """The sections of a task with labels.

    Attributes:
        classes: each label.
        curves: over thresholds.
        worst: the examples with the most wrong labels.
        mistakes: examples with a wrong label.
        meaningless_inputs: () where there are no probabilities.
    """

    classes: Sequence[ClassMeasures]
    curves: Sequence[ClassCurve]
    worst: Sequence[WorstLabels]
    mistakes: int
    meaningless_inputs: Sequence[Sureness]


@dataclass(frozen=True, slots=True)
class OfNumbers:
    """The sections of a regression.

    Attributes:
        columns: each target column.
        worst: the examples that are farthest off.
        forecast: of a series; None of anything else.
    """

    columns: Sequence[TargetColumn]
    worst: Sequence[WorstPredicted]
    forecast: ForecastFacts | None = field(default=None, metadata=IF_KNOWN)


@dataclass(frozen=True, slots=True)
class OfText:
    """The sections of a task with an answer at every step.

    Attributes:
        text: what is told of it.
    """

    text: TextFacts


@dataclass(frozen=True, slots=True)
class ExplainedAnswers:
    """Where the answers to a few rows come from.

    Attributes:
        rows: of the split, from 0.
        answers: what is explained of each.
        alike_with_random_weights: by method, the rank correlation with the attributions of a
            network of random weights; None where that cannot be told.
        completeness_gap: how far the parts of integrated gradients are from their sum, as a share.
        sight: for each method a sentence: whether it sees what was learned.
        shown: the rows, as HTML.
    """

    rows: Sequence[int]
    answers: Sequence[str]
    alike_with_random_weights: Mapping[str, float | None]
    completeness_gap: float
    sight: Sequence[str] = field(metadata=PAGE_ONLY)
    shown: Sequence[Markup] = field(metadata=PAGE_ONLY)
