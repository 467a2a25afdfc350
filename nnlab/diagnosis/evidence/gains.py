"""Scores and the validation loss beside those of a guess that never looks at the inputs."""

from statistics import fmean
from typing import NamedTuple

from nnlab.core.contracts import Split
from nnlab.diagnosis.evidence.facts import Facts
from nnlab.diagnosis.evidence.history import History
from nnlab.diagnosis.evidence.luck import LUCK, beats_the_guess, standard_error

_LAST = 3
"""A score is the mean of so many last readings."""
_WELL_ABOVE = 0.3
"""Of the way from a guess to a perfect score."""


class Gain(NamedTuple):
    """A score at the end beside that of a guess which never looks at the inputs."""

    key: str
    value: float
    base: float
    error: float
    """A standard error: of how far so many rows may be from all there could be."""

    @property
    def share(self) -> float:
        """How far it is on the way from the guess to a perfect score of 1."""
        return (self.value - self.base) / (1.0 - self.base)

    @property
    def certain(self) -> bool:
        """Whether it is above the guess by more than chance."""
        return self.value - self.base > LUCK * self.error

    @property
    def told(self) -> bool:
        """Whether so many rows rule out that it is well above the guess."""
        most = self.value - self.base + LUCK * self.error
        return most <= _WELL_ABOVE * (1.0 - self.base)


def gains(history: History, facts: Facts, split: Split) -> list[Gain]:
    """Every score of a split that has a guess to be held against and more to gain."""
    known = facts.data.baseline if facts.data is not None else {}
    counts = facts.data.counts if facts.data is not None else ()
    rows = facts.answers(split)
    found: list[Gain] = []
    for score in facts.experiment.scores:
        curve, base = history.curve(score.key, split), known.get(score.key, 1.0)
        if score.higher_is_better and len(curve) >= 2 and base < 1.0:
            value = fmean(v for _, v in curve[-_LAST:])
            luck = max(standard_error(score.key, one, rows, counts) for one in (base, value))
            found.append(Gain(score.key, value, base, luck))
    return found


class LossGain(NamedTuple):
    """The validation loss at the end beside that of the constant answer that is best there."""

    loss: float
    guess: float
    rows: int

    @property
    def certain(self) -> bool:
        """Whether it is lower by more than chance."""
        return beats_the_guess(self.loss, self.guess, self.rows)

    @property
    def none(self) -> bool:
        """Whether it is not lower at all: by less than e, as a ratio of likelihoods."""
        return self.rows * (self.guess - self.loss) < 1.0


def loss_gain(history: History, facts: Facts) -> LossGain | None:
    """Of a log loss, where it is known what a guess has; else None."""
    guess = facts.data.blind_held if facts.data is not None else None
    curve = history.curve("loss", "validation")
    if guess is None or not curve or not facts.experiment.loss.link_inside:
        return None
    rows = facts.answers("validation")
    return LossGain(fmean(v for _, v in curve[-_LAST:]), guess, rows)


def beats_a_guess(history: History, facts: Facts) -> bool:
    """Whether a score or the validation loss is above that of a guess by more than chance."""
    # In training a score is measured while the weights move, on the rows that they are fitted to:
    # of balanced batches the guess is another.
    splits: tuple[Split, ...] = ("validation",) if history.validation else ("train",)
    better = any(one.certain for split in splits for one in gains(history, facts, split))
    loss = loss_gain(history, facts)
    return better or (loss is not None and loss.certain)


def score_since(history: History, facts: Facts, step: int) -> str | None:
    """As in "accuracy has gone from 0.81 to 0.93": a validation score that rose beyond chance."""
    rows = max(1, facts.answers("validation"))
    counts = facts.data.counts if facts.data is not None else ()
    for score in facts.experiment.scores:
        curve = history.curve(score.key, "validation")
        before = [value for at, value in curve if at <= step][-_LAST:]
        if not score.higher_is_better or not before or len(curve) < 2 * _LAST:
            continue
        then, now = fmean(before), fmean(value for _, value in curve[-_LAST:])
        # The rows are the same ones, so that chance moves the difference less than this.
        if now - then > LUCK * standard_error(score.key, then, rows, counts):
            return f"{score.key} has gone from {then:.3g} to {now:.3g}"
    return None
