"""Checks of the data: scale, constant columns, classes of very different size, rows seen twice."""

from nnlab.core.finding import Finding
from nnlab.diagnosis.checks import remedies
from nnlab.diagnosis.checks.check import Check
from nnlab.diagnosis.evidence.facts import Facts
from nnlab.diagnosis.evidence.history import History

_JUDGES_ALL = ("accuracy", "error_rate", "top_k")
"""Scores that a guess of the largest class does well in."""


def not_scaled(_: History, facts: Facts) -> Finding | None:
    """Columns of very different size, or all far from 1."""
    data, limits = facts.data, facts.limits
    if data is None or data.smallest == 0.0 or not facts.followed:
        return None
    spread = data.largest / data.smallest
    uneven = data.table and data.columns > 1 and spread > limits.spread
    if facts.experiment.shape.tokens:  # which number a token has says nothing
        return None
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
    found = facts.data.outliers if facts.data is not None else ()
    if not found:
        return None
    shown = ", ".join(map(str, found[:5])) + (", ..." if len(found) > 5 else "")
    return Finding(
        name="outlier_rows",
        level="warning",
        layer=None,
        measured=float(len(found)),
        quantity=f"training rows of {facts.limits.outlying:g} times the usual size",
        since=0,
        meaning=f"the loss and the gradient of a batch with row {shown} are theirs alone",
        advice="look at these rows",
        source="Huber 1981, Robust statistics, section 1.1",
    )


def targets_not_scaled(_: History, facts: Facts) -> Finding | None:
    """Numbers to learn that are far from 0, where outputs begin."""
    data = facts.data
    if data is None or not data.blind or not data.silent or not facts.followed:
        return None
    ratio = data.silent / data.blind
    far = ratio > facts.limits.initial_loss
    large = max(data.blind, 1.0 / data.blind) > facts.limits.input_size**2
    if facts.experiment.shape.task != "regression" or not (far or large):
        return None
    size = data.blind**0.5
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
        quantity="loss of outputs 0 over that of the mean" if far else "deviation of the targets",
        since=0,
        meaning=f"{text}: the first updates, all of them large, only bring the outputs there",
        remedy=("data.scale_target=standard",) if facts.experiment.loss.any_unit else (),
        source="LeCun, Bottou, Orr & Müller 1998, Efficient BackProp, section 4.5",
    )


def constant_features(_: History, facts: Facts) -> Finding | None:
    """Columns of a table that are the same in every training row."""
    data = facts.data
    if data is None or not data.table or not data.constant:
        return None
    shown = ", ".join(data.constant[:5]) + (", ..." if len(data.constant) > 5 else "")
    share = len(data.constant) / data.columns
    return Finding(
        name="constant_features",
        level="warning" if share >= 0.5 else "note",
        layer=None,
        measured=float(len(data.constant)),
        quantity=f"columns of {data.columns} that never change",
        since=0,
        meaning=f"nothing can be learned from what is always the same: {shown}",
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
        since=0,
        meaning=f"always answering {name} is right {share:.0%} of the time: accuracy does not show "
        "whether the other classes are learned",
        remedy=(*judged, *(() if sampled else ("train.sampling=balanced",))),
        source="He & Garcia 2009, doi:10.1109/TKDE.2008.239",
    )


def duplicates(_: History, facts: Facts) -> Finding | None:
    """Rows that are learned and then asked for."""
    found = facts.data.doubles if facts.data is not None else {}
    if not found:
        return None
    share, split = max((share, split) for split, share in found.items())
    rows = facts.experiment.shape.sizes[split]
    if share * rows < 2.0:
        return None
    return Finding(
        name="duplicates_across_splits",
        level="warning" if share >= facts.limits.duplicates else "note",
        layer=None,
        measured=share,
        quantity=f"share of {split} that is in train as well",
        since=0,
        meaning=f"{round(share * rows):,} of {rows:,} rows of {split} are rows of train too: their "
        "score says nothing about new data",
        advice="remove the doubles from the source, or split by what makes them alike",
        source="Barz & Denzler 2020, arXiv:1902.00423",
    )


DATA_CHECKS = (
    Check("outlier_rows", outlier_rows),
    Check("data_not_scaled", not_scaled, ("outlier_rows",)),
    Check("targets_not_scaled", targets_not_scaled),
    Check("constant_features", constant_features),
    Check("class_imbalance", class_imbalance),
    Check("duplicates_across_splits", duplicates),
)
