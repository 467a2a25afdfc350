"""Which training labels may be wrong, by the margins of a few moments of the run.

An example whose label is wrong looks like those of another class: as long as a network learns what
examples have in common, it answers that class, with the certainty that it has for right labels.
Later it learns wrong labels by heart (Arpit et al. 2017, arXiv:1706.05394). The mean margin over
the time of learning is the area under the margin of Pleiss et al. 2020, arXiv:2001.10528, eq. 2.
"""

from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

from nnlab.base import lazy
from nnlab.diagnosis.facts import ExampleRecord, Facts
from nnlab.diagnosis.history import History
from nnlab.diagnosis.rule import Rule
from nnlab.findings import Finding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = lazy("numpy")


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
    """Likewise."""


def suspects(record: ExampleRecord, until: int) -> list[Suspect]:
    """The examples that are answered against their label as surely as others by it.

    That is with at least half of the median margin. The surest come first.

    Args:
        record: with margins, else nothing is suspected.
        until: the step up to which the network has learned what examples have in common.
    """
    if record.margins is None or record.predicted is None:
        return []
    used = record.steps <= max(until, int(record.steps[0]))
    margin, loss = record.margins[used].mean(axis=0), record.losses[used].mean(axis=0)
    half = float(np.median(margin)) / 2.0
    if not half > 0.0:  # nothing is known, or numbers are not finite
        return []
    found = np.flatnonzero(margin < -half)
    predicted = record.predicted[used]
    return [
        Suspect(
            int(record.rows[n]),
            int(record.labels[n]),
            _other(predicted[:, n], int(record.labels[n])),
            float(margin[n]),
            float(loss[n]),
        )
        for n in found[np.argsort(margin[found], kind="stable")]
    ]


def _other(predicted: "NDArray[np.int32]", label: int) -> int:
    """The class that was answered most often, but for the label."""
    counts = np.bincount(predicted[predicted != label])
    return int(counts.argmax())


def wrong_share(record: ExampleRecord, until: int) -> float:
    """The share of all examples with a negative margin."""
    assert record.margins is not None
    used = record.steps <= max(until, int(record.steps[0]))
    return float((record.margins[used].mean(axis=0) < 0.0).mean())


def overlapping(wrong: float) -> float:
    """The share that would be suspected where classes overlap and all labels are right.

    Log odds of two normal clouds of equal spread are N(m, 2 m) (linear discriminant analysis): so
    much of them lies below 0 that m is known, and with it what lies below -m / 2.
    """
    if wrong <= 0.0:
        return 0.0
    normal = NormalDist()
    return normal.cdf(1.5 * normal.inv_cdf(min(wrong, 0.5)))


def best_step(history: History) -> int:
    """Where the validation loss is lowest: afterwards examples are learned by heart."""
    curve = history.curve("loss", "validation")
    return min(curve, key=lambda pair: pair[1])[0] if curve else history.step


def label_noise(history: History, facts: Facts) -> Finding | None:
    """Labels that the network answers against, and not because classes overlap."""
    record = facts.record
    if record is None or record.margins is None or not history.ended:
        return None
    until = best_step(history)
    found, count = suspects(record, until), len(record.rows)
    share, wrong = len(found) / count, wrong_share(record, until)
    if len(found) < _FEWEST:
        return None
    limits = facts.limits
    clear = share >= limits.mislabelled and share >= limits.sure * wrong
    expected = overlapping(wrong)
    error = (expected * (1.0 - expected) / count) ** 0.5
    clear = clear and share >= expected + limits.luck * error
    classes = facts.experiment.shape.classes
    one = found[0]
    return Finding(
        name="label_noise",
        level="warning" if clear else "note",
        layer=None,
        measured=share,
        quantity=f"share of train that is suspected: {len(found):,} of {count:,} rows",
        since=0,
        meaning="these rows are answered with another class than their label, as surely as others "
        f"with their own, before rows are learned by heart; first of all row {one.row}: labelled "
        f"{classes[one.label]}, answered {classes[one.predicted]}",
        advice="look at these rows: some are labelled wrongly, others are only rare",
        source="Pleiss et al. 2020, arXiv:2001.10528",
    )


_FEWEST = 3
"""Fewer suspects than this are not told."""
RULES = (Rule("label_noise", label_noise, at_end=True),)
