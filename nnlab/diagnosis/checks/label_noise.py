"""Which training labels may be wrong, by the margins of a few moments of the run.

An example whose label is wrong looks like those of another class: as long as a network learns what
examples have in common, it answers that class, with the certainty that it has for right labels.
Later it learns wrong labels by heart (Arpit et al. 2017, arXiv:1706.05394). The mean margin over
the time of learning is the area under the margin of Pleiss et al. 2020, arXiv:2001.10528, eq. 2.
"""

from typing import NamedTuple

from nnlab.config.diagnose import DiagnoseConfig
from nnlab.core.finding import Finding
from nnlab.core.lazy import NDArray, np
from nnlab.diagnosis.checks.check import Check
from nnlab.diagnosis.evidence.contradicted_labels import (
    fit_wrong_share,
    held_shares,
    more_than_held,
    more_than_unseen,
    places_beyond_chance,
)
from nnlab.diagnosis.evidence.course import held_out_gone, share_of_loss_gone
from nnlab.diagnosis.evidence.facts import ExampleRecord, Facts, Unseen
from nnlab.diagnosis.evidence.history import History


class Suspect(NamedTuple):
    """A training example whose label may be wrong."""

    row: int
    """In the data."""
    label: int
    predicted: int
    """The class that was answered most often instead."""
    margin: float
    """Mean output of the label less the largest other, over the time of learning."""
    loss: float
    """Mean loss of the example, over the time of learning."""


class Suspicion(NamedTuple):
    """The suspects, and what says that their labels are wrong rather than classes overlapping."""

    rows: list[Suspect]
    evidence: str
    """Empty for nothing."""


def suspect_labels(
    record: ExampleRecord, until: int, limits: DiagnoseConfig, unseen: Unseen | None = None
) -> Suspicion:
    """The examples whose label may be wrong; those that are answered otherwise most surely first.

    These are answered against their label with at least half of the median |margin|; with evidence
    no more of them than right labels do not explain.

    Args:
        record: with margins, else nothing is suspected.
        until: the step up to which the network has learned what examples have in common.
        limits: the thresholds.
        unseen: what networks say that were trained without the rows; it takes the record's place.
    """
    if record.margins is None or record.predicted is None:
        return Suspicion([], "")
    if unseen is None:
        used = record.used(until)
        margin, loss = record.margins[used].mean(axis=0), record.losses[used].mean(axis=0)
        held = None if record.held is None else record.held[used].mean(axis=0)
        sure = None if record.sure is None else record.sure[used].mean(axis=0)
        found, why = _against(margin, sure, held, limits, _fits(margin, record.labels))
        predicted = record.predicted[used]
    else:
        margin, loss, predicted = unseen.margins, unseen.losses, unseen.predicted
        found, why = _against_unseen(unseen, limits, _fits(margin, record.labels))
    half = float(np.median(np.abs(margin))) / 2.0
    if not half > 0.0:  # nothing is known, or numbers are not finite
        return Suspicion([], "")
    sure = np.flatnonzero(margin < -half)
    found = sure if found is None else np.intersect1d(found, sure)
    rows = [
        Suspect(
            int(record.rows[n]),
            int(record.labels[n]),
            _other(predicted[:, n], int(record.labels[n])),
            float(margin[n]),
            float(loss[n]),
        )
        for n in found[np.argsort(margin[found], kind="stable")]
    ]
    return Suspicion(rows, why)


def _against(
    margin: "NDArray[np.float32]",
    sure: "NDArray[np.float32] | None",
    held: "NDArray[np.float32] | None",
    limits: DiagnoseConfig,
    fits: bool,
) -> "tuple[NDArray[np.intp] | None, str]":
    """Places of the rows that right labels do not explain, and why; None where nothing says so."""
    fit = fit_wrong_share(margin, sure, luck=limits.luck)
    if fits and fit.least >= limits.mislabelled:
        return places_beyond_chance(margin, fit.overlap, sure), _SURE.format(fit.least)
    if held is not None and more_than_held(margin, held, sure=limits.sure, luck=limits.luck) > 0.0:
        return places_beyond_chance(margin, held_shares(margin, held)), _HELD
    return None, ""


def _against_unseen(
    unseen: Unseen, limits: DiagnoseConfig, fits: bool
) -> "tuple[NDArray[np.intp] | None, str]":
    """Places of rows that contradict networks that had not seen them, and why; None if none do."""
    margin, held, sure = unseen.margins, unseen.held, unseen.sure
    fit = fit_wrong_share(margin, sure, luck=limits.luck)
    # Each kind of evidence counts alone; of two together less of each is enough.
    part = fits and fit.least >= _PART * limits.mislabelled_unseen
    anywhere = unseen.special_place is not None and unseen.special_place <= limits.luck
    beyond = more_than_unseen(unseen) / limits.luck
    if held is not None and (beyond > 1.0 or (part and beyond > _NEARLY)):
        return places_beyond_chance(
            margin, held_shares(margin, held, sure, unseen.held_sure), sure
        ), _UNSEEN
    if part and (anywhere or fit.least >= limits.mislabelled_unseen):
        told = _ANYWHERE if anywhere else _SURE_UNSEEN
        return places_beyond_chance(margin, fit.overlap, sure), told.format(fit.least)
    return None, ""


def _fits(margin: "NDArray[np.float32]", labels: "NDArray[np.int64]") -> bool:
    """Whether contradictions may be read as those of two clouds that overlap, and of wrong labels.

    Many classes that overlap so far that most rows are contradicted are not like two. What is held
    against validation rows needs none of this: they are of the same classes.
    """
    return float((margin < 0.0).mean()) < 0.5 and _all_learned(margin, labels)


def _all_learned(margin: "NDArray[np.float32]", labels: "NDArray[np.int64]") -> bool:
    """Whether no class is answered so seldom that its rows are not learned rather than wrong.

    A rare class that the network never answers is contradicted in all of its rows, however sure.
    """
    against = margin < 0.0
    if not against.any():
        return True
    rows = np.bincount(labels)
    lost = np.bincount(labels, against, minlength=len(rows)) / np.maximum(rows, 1)
    unlearned = lost > _UNLEARNED
    return bool(np.isin(labels[against], np.flatnonzero(unlearned)).mean() <= 0.5)


_PART, _NEARLY = 0.5, 0.85
"""Of the least share of wrong labels, and of the standard errors beyond validation, that count
together. Right labels reach the second in 4 of 100 cases, and the first hardly ever: where they do,
a rare group or a long tail brings it, and these rows have a place of their own."""
_UNLEARNED = 0.7
"""So many rows of a class are answered with others: it has not been learned."""


def _other(predicted: "NDArray[np.int32]", label: int) -> int:
    """The class that was answered most often, but for the label."""
    counts = np.bincount(predicted[predicted != label])
    return int(counts.argmax())


def best_step(history: History) -> int:
    """Where the validation loss is lowest: afterwards examples are learned by heart."""
    curve = history.curve("loss", "validation")
    return min(curve, key=lambda pair: pair[1])[0] if curve else history.step


def label_noise(history: History, facts: Facts) -> Finding | None:
    """Labels that the network answers against, and not because classes overlap."""
    record = facts.record
    if record is None or record.margins is None or not history.ended:
        return None
    shares = (share_of_loss_gone(history, facts), held_out_gone(history, facts))
    if max((share for share in shares if share is not None), default=1.0) <= 0.0:
        return None  # what knows no more than a guess contradicts nothing
    return label_noise_finding(suspect_labels(record, best_step(history), facts.limits), facts)


def _unable(_: History, facts: Facts) -> str | None:
    if facts.experiment.shape.task != "classes":
        return ""
    if facts.record is None or facts.record.margins is None:
        return "the run kept no record of its training examples (log.examples=auto keeps one)"
    return None


def label_noise_finding(suspects: Suspicion, facts: Facts) -> Finding | None:
    """The finding of what is suspected; None where it is next to nothing."""
    assert facts.record is not None
    (found, why), count = suspects, len(facts.record.rows)
    if len(found) < _FEWEST:
        return None
    classes = facts.experiment.shape.classes
    one = found[0]
    return Finding(
        name="label_noise",
        level="warning" if why else "note",
        layer=None,
        measured=len(found) / count,
        quantity=f"share of train that is suspected ({len(found):,} of {count:,} rows)",
        since=0,
        meaning="these rows are answered with another class than their label, as surely as others "
        f"with their own, before rows are learned by heart; {why or _OVERLAP}; first of all row "
        f"{one.row}: labelled {classes[one.label]}, answered {classes[one.predicted]}",
        advice="look at these rows (nnlab doctor lists them): some are labelled wrongly, others "
        "only rare",
        source="Pleiss et al. 2020, arXiv:2001.10528",
    )


_HELD = "validation rows are contradicted less often where it is as sure"
_UNSEEN = "networks that were trained without them say so too, and of validation rows less often"
_SURE_UNSEEN = "at least {:.0%} of the labels contradict networks that never saw them, however sure"
_ANYWHERE = f"{_SURE_UNSEEN}, and these rows lie anywhere"
_SURE = "at least {:.0%} of the labels contradict it however sure it is"
_OVERLAP = "where classes overlap, right labels do so too"
_FEWEST = 3
"""Fewer suspects than this are not told."""
LABEL_CHECKS = (Check("label_noise", label_noise, at_end=True, unable=_unable),)
