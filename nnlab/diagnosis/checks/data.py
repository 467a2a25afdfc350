"""Checks of the data: scale, constant columns, classes of very different size, rows seen twice."""

from nnlab.core.finding import Finding
from nnlab.diagnosis.checks import remedies
from nnlab.diagnosis.checks.check import (
    Check,
    needs_all_rows,
    needs_classes,
    needs_data,
    needs_numbers,
    needs_table,
)
from nnlab.diagnosis.evidence.facts import Facts, SplitDoubles
from nnlab.diagnosis.evidence.history import History
from nnlab.diagnosis.evidence.survey.far_values import FarValues

_JUDGES_ALL = ("accuracy", "error_rate", "top_k")
"""Scores that a guess of the largest class does well in."""


_CONTRARY = 0.1
"""Of the rows whose inputs are in train so many may have another target: labels can be wrong."""


def not_scaled(_: History, facts: Facts) -> Finding | None:
    """Columns of very different size, or all far from 1."""
    data, limits = facts.data, facts.limits
    if data is None or data.smallest == 0.0 or not facts.followed:
        return None
    spread = data.largest / data.smallest
    uneven = data.table and data.columns > 1 and spread > limits.spread
    if not uneven and 1.0 / limits.input_size**2 <= data.size <= limits.input_size:
        return None
    column = f"column {data.widest}" if data.table else "pixels"
    text = (
        f"{column} varies {spread:.3g} times as much as another: no learning rate fits both"
        if uneven
        else f"the inputs are of size {data.size:.3g}, and first weights are made for 1"
    )
    return Finding(
        name="data_not_scaled",
        level="warning",
        layer=None,
        measured=spread if uneven else data.size,
        limit=limits.spread if uneven else limits.input_size,
        quantity="deviation of columns, largest over smallest"
        if uneven
        else "root mean square of the inputs",
        since=0,
        meaning=text,
        remedy=remedies.try_scale(facts),
        source="LeCun, Bottou, Orr & Müller 1998, Efficient BackProp, section 4.3",
    )


def outlier_rows(_: History, facts: Facts) -> Finding | None:
    """Rows so much larger than the others that one batch with them throws the weights off."""
    data = facts.data
    found = data.outliers if data is not None else ()
    if data is None or not found:
        return None
    shown = ", ".join(map(str, found[:5])) + (", ..." if len(found) > 5 else "")
    far = data.survey.far if data.survey is not None else ()
    return Finding(
        name="outlier_rows",
        level="warning",
        layer=None,
        measured=float(len(found)),
        quantity="training rows with a value that does not belong to its column"
        if far
        else f"training rows of {facts.limits.outlying:g} times the usual size",
        since=0,
        meaning=f"row {shown}: {_far(far[0])}, and the scale of the column is theirs: all other "
        "rows look alike"
        if far
        else f"the loss and the gradient of a batch with row {shown} are theirs alone",
        advice="look at these rows",
        source="Huber 1981, Robust statistics, section 1.1",
    )


def _far(one: FarValues) -> str:
    """How far off a value is, beside the others of its column."""
    name = one.column if one.column.startswith("the ") else f"column {one.column}"
    return (
        f"{name} is {one.value:.4g} where nine of ten values are from {one.low:.4g} to "
        f"{one.high:.4g}"
    )


def outlier_targets(_: History, facts: Facts) -> Finding | None:
    """Numbers to learn that do not belong to the others."""
    survey = facts.data.survey if facts.data is not None else None
    if survey is None or not (far := survey.far_targets or survey.far_held_targets):
        return None
    rows = sorted({row for one in far for row in one.rows})
    shown = ", ".join(map(str, rows[:5])) + (", ..." if len(rows) > 5 else "")
    trained = bool(survey.far_targets)
    return Finding(
        name="outlier_targets",
        level="warning",
        layer=None,
        measured=float(len(rows)),
        quantity=f"{'training' if trained else 'validation and test'} rows with a target that does "
        "not belong to the others",
        since=0,
        meaning=f"row {shown}: {_far(far[0])}: the loss is theirs alone, and so is the scale of "
        "the targets"
        if trained
        else f"row {shown}: {_far(far[0])}: loss and scores are theirs alone, whatever the network "
        "makes of all others",
        advice="look at these rows",
        source="Huber 1981, Robust statistics, section 1.1",
    )


def targets_not_scaled(_: History, facts: Facts) -> Finding | None:
    """Numbers to learn that are far from 0, where outputs begin."""
    far, large = remedies.targets_off_scale(facts)
    if not far and not large:
        return None
    assert facts.data is not None
    assert facts.data.blind
    assert facts.data.silent
    blind, ratio = facts.data.blind, facts.data.silent / facts.data.blind
    if facts.experiment.output_activation.kind != "identity":
        return None  # it begins elsewhere; targets_out_of_reach says what it cannot reach
    size = blind**0.5
    text = (
        f"outputs begin at 0, and the targets lie {(ratio - 1.0) ** 0.5:.2g} deviations away"
        if far
        else f"the targets have a deviation of about {size:.2g}, and first weights are made for 1"
    )
    return Finding(
        name="targets_not_scaled",
        level="warning",
        layer=None,
        measured=ratio if far else size,
        limit=facts.limits.initial_loss if far else None,
        quantity="loss of outputs 0 over that of the mean" if far else "deviation of the targets",
        since=0,
        meaning=f"{text}: the first updates, all of them large, only bring the outputs there",
        remedy=remedies.scale_targets(facts),
        source="LeCun, Bottou, Orr & Müller 1998, Efficient BackProp, section 4.5",
    )


def constant_features(_: History, facts: Facts) -> Finding | None:
    """Columns of a table that are the same in every training row."""
    data = facts.data
    if data is None or not data.table or not data.constant:
        return None
    shown = ", ".join(data.constant[:5]) + (", ..." if len(data.constant) > 5 else "")
    share = len(data.constant) / data.columns
    rows = facts.experiment.shape.sizes["train"]
    return Finding(
        name="constant_features",
        level="warning" if share >= 0.5 else "note",
        layer=None,
        measured=float(len(data.constant)),
        quantity=f"columns, of {data.columns:,}, that are the same in all {rows:,} training rows",
        since=0,
        meaning=f"nothing can be learned from what is always the same: {shown}",
        remedy=remedies.drop_columns(facts, data.constant),
        advice="leave these columns out of the data",
        source="",
    )


def class_imbalance(_: History, facts: Facts) -> Finding | None:
    """One class so large that guessing it looks good."""
    data = facts.data
    if data is None or not data.counts or not sum(data.counts):
        return None
    share = max(data.counts) / sum(data.counts)
    fair = 1.0 / len(data.counts)
    if share < max(facts.limits.majority, 1.5 * fair):
        return None
    scores = [score.key for score in facts.experiment.scores]
    blind = all(score.startswith(_JUDGES_ALL) for score in scores)
    sampled = facts.config.train.sampling == "balanced"
    classes = facts.experiment.shape.classes
    name = classes[data.counts.index(max(data.counts))]
    judged = ("scores=[accuracy, balanced_accuracy]",) if blind else ()
    return Finding(
        name="class_imbalance",
        level="warning" if blind and not sampled else "note",
        layer=None,
        measured=share,
        quantity=f"share of class {name} in train",
        limit=max(facts.limits.majority, 1.5 * fair),
        since=0,
        meaning=f"always answering {name} is right {share:.0%} of the time: accuracy does not show "
        "whether the other classes are learned",
        remedy=(*judged, *(() if sampled else ("train.sampling=balanced",))),
        source="He & Garcia 2009, doi:10.1109/TKDE.2008.239",
    )


def duplicates(_: History, facts: Facts) -> Finding | None:
    """Rows that are learned and then asked for."""
    found = facts.data.doubles if facts.data is not None else {}
    sizes = facts.experiment.shape.sizes
    ranked = sorted(found.items(), key=lambda pair: -_beyond(pair[1]) / max(1, sizes[pair[0]]))
    if not ranked or _beyond(ranked[0][1]) < 2.0:
        return None
    split, one = ranked[0]
    rows = sizes[split]
    chance = f" (by chance, in columns like these: {one.chance:.0f})" if one.chance >= 0.5 else ""
    return Finding(
        name="duplicates_across_splits",
        level="warning" if _beyond(one) / rows >= facts.limits.duplicates else "note",
        layer=None,
        measured=one.whole / rows,
        quantity=f"share of {split} whose inputs and target are those of a training row",
        limit=facts.limits.duplicates,
        since=0,
        meaning=f"{one.whole:,} of {rows:,} rows of {split} are rows of train too{chance}: what "
        "they score says nothing about new data",
        advice="remove the doubles from the source, or split by what makes them alike",
        source="Barz & Denzler 2020, arXiv:1902.00423",
    )


def _beyond(doubles: SplitDoubles) -> float:
    """How many rows of a split are training rows too, and not by chance.

    Where inputs agree and targets differ, the columns are too few to tell rows apart: such rows
    agree by chance, and so do others whose targets happen to be the same.
    """
    if doubles.contradicted > _CONTRARY * (doubles.whole + doubles.contradicted):
        return 0.0
    return doubles.whole - doubles.chance


def _all_numbers(history: History, facts: Facts) -> str | None:
    why = needs_numbers(history, facts)
    return needs_all_rows(history, facts) if why is None else why


DATA_CHECKS = (
    Check("outlier_rows", outlier_rows, unable=needs_all_rows),
    Check("data_not_scaled", not_scaled, ("outlier_rows",), unable=needs_data),
    Check("outlier_targets", outlier_targets, unable=_all_numbers),
    Check("targets_not_scaled", targets_not_scaled, ("outlier_targets",), unable=needs_numbers),
    Check("constant_features", constant_features, unable=needs_table),
    Check("class_imbalance", class_imbalance, unable=needs_classes),
    Check("duplicates_across_splits", duplicates, unable=needs_all_rows),
)
