"""Checks of the scores: what they say beside a guess, and whether their rows are enough for it."""

from dataclasses import replace

from nnlab.core.contracts import Split
from nnlab.core.finding import Finding
from nnlab.core.lazy import np
from nnlab.diagnosis.checks.check import Check
from nnlab.diagnosis.evidence.course import much_is_learned
from nnlab.diagnosis.evidence.facts import ExampleRecord, Facts, Unseen
from nnlab.diagnosis.evidence.gains import Gain, LossGain, gains, loss_gain
from nnlab.diagnosis.evidence.history import History
from nnlab.diagnosis.evidence.luck import LUCK, standard_error


def no_better_than_baseline(history: History, facts: Facts) -> Finding | None:
    """The scores at the end are those of a guess that never looks at the inputs."""
    split: Split = "validation" if history.validation else "train"
    found = gains(history, facts, split)
    # With classes drawn evenly accuracy falls below the largest class: another score judges then.
    if not found or any(one.certain and one.share >= facts.limits.better for one in found):
        return None
    loss = loss_gain(history, facts)
    if loss is not None and loss.certain:
        return None
    best = max(found, key=lambda one: one.share)
    # Far above the guess, as the training rows are: that few rows prove it not is no finding.
    if best.share >= facts.limits.learned and much_is_learned(history, facts):
        return None
    rows = facts.answers(split)
    # A score a little above the guess is no proof of the contrary.
    none = best.told and best.value - best.base <= best.error and (loss is None or loss.none)
    return Finding(
        name="no_better_than_baseline",
        level="warning" if none else "note",
        layer=None,
        measured=best.value,
        quantity=f"{best.key} on {split}",
        since=history.step,
        meaning=_meaning(best, rows, none=none) + _loss(loss),
        advice=_GENERAL if much_is_learned(history, facts) else _RATE,
        source="Karpathy 2019, A recipe for training neural networks",
    )


def _meaning(gain: Gain, rows: int, *, none: bool) -> str:
    guess = f"a guess that never looks at the inputs has {gain.base:.3g}"
    luck = f"chance moves it by up to {LUCK * gain.error:.2g} on {rows:,} rows"
    if gain.certain:
        return f"{guess}: this is hardly better ({luck})"
    if not gain.told:
        return f"{guess}: so few rows show no difference ({luck})"
    if not none:
        return f"{guess}: {_MAY_BE_CHANCE} ({luck})"
    return f"{guess}: what was learned does not help on these rows ({luck})"


def _loss(loss: LossGain | None) -> str:
    """What the validation loss says of it."""
    if loss is None:
        return ""
    text = f"; the validation loss is {loss.loss:.4g}, that of the guess {loss.guess:.4g}"
    return text if loss.none else f"{text}, {_NO_PROOF}"


def rests_on_chance(finding: Finding) -> bool:
    """Whether an accuracy is a note only since its rows are too few: more rows would tell."""
    return (
        finding.name == "no_better_than_baseline"
        and not finding.worse_than("note")
        and finding.quantity == "accuracy on validation"
        and _MAY_BE_CHANCE in finding.meaning
        and _NO_PROOF not in finding.meaning
    )


def told_by_unseen(finding: Finding, unseen: Unseen, record: ExampleRecord) -> Finding:
    """The finding, a warning where at least as many training rows say no more than a guess does.

    Args:
        finding: that rests on chance.
        unseen: what networks say of the training rows that were trained without them.
        record: of these rows.
    """
    rows, right = len(record.labels), float((unseen.margins > 0.0).mean())
    base = float(np.bincount(record.labels).max()) / rows
    few = unseen.held is not None and rows < unseen.held.shape[1]
    if few or right - base > standard_error("accuracy", base, rows):
        return finding
    told = (
        f"of {rows:,} training rows networks that had not seen them get {right:.3g} right, a guess"
    )
    return replace(finding, level="warning", meaning=f"{finding.meaning}; {told} {base:.3g}")


_MAY_BE_CHANCE = "this is hardly better, which may be chance"
_NO_PROOF = "which so few rows make no proof"
_GENERAL = "the training rows were learned: more rows, fewer columns or a simpler network may help"
_RATE = "the training rows were not learned either: nnlab lr says which rates make the loss fall"
SCORE_CHECKS = (Check("no_better_than_baseline", no_better_than_baseline, at_end=True),)
