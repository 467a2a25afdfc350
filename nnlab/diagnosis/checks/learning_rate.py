"""Checks of the learning rate: updates that overshoot, and such that lead nowhere."""

from itertools import pairwise
from statistics import fmean, pstdev
from typing import NamedTuple

from nnlab.core.finding import Finding, Level
from nnlab.diagnosis.checks import remedies
from nnlab.diagnosis.checks.check import CAUSES, Check, needs_losses, needs_updates
from nnlab.diagnosis.evidence.course import (
    USUAL_UPDATE,
    leap_from_start,
    loss_of_blind_guess,
    middle_update,
    much_is_learned,
    not_finite,
    recent_loss,
    share_of_loss_gone,
    should_have_begun,
    typical_update,
)
from nnlab.diagnosis.evidence.facts import Facts
from nnlab.diagnosis.evidence.history import History, HistoryPoint
from nnlab.diagnosis.evidence.trend import falls_from_the_start, loss_trend

_BLOCKS = 8
_OVERSHOOT = "updates overshoot: each step leaps over the valley it should walk down"
_LEARNED = (
    "the updates left little of the first weights, so how they were drawn hardly counts; the run "
    "learned all the same"
)


def swing(history: History) -> float:
    """How much the training loss jumps to and fro, beside its mean: its last half in eight blocks.

    Single readings jump because batches differ; means of blocks do not. Jumps must go up and down
    in turns: a loss that falls in steps does not swing.
    """
    losses = [value for _, value in history.curve("loss")]
    losses = losses[len(losses) // 2 :]
    size = len(losses) // _BLOCKS
    if size < 2 or (mean := fmean(losses)) <= 0.0:
        return 0.0
    blocks = [fmean(losses[size * n : size * (n + 1)]) for n in range(_BLOCKS)]
    jumps = [b - a for a, b in pairwise(blocks)]
    turns = sum(a * b < 0 for a, b in pairwise(jumps)) / (len(jumps) - 1)
    return pstdev(jumps) / 2**0.5 / mean if turns >= 0.5 else 0.0


def rate_too_high(history: History, facts: Facts) -> Finding | None:
    """Updates so long that nothing of the first weights is left, or a loss that pays for them."""
    found = _leapt(history, facts) or _overshoots(history, facts)
    if found is None:
        return None
    level, measured, quantity, since, update, limit = found
    aim = 0.1 if update is None else min(0.1, max(1e-5, 3.0 * USUAL_UPDATE / update))
    return Finding(
        name="learning_rate_too_high",
        level=level,
        layer=None,
        measured=measured,
        quantity=quantity,
        limit=limit,
        since=since,
        meaning=_LEARNED if level == "note" else _OVERSHOOT,
        remedy=() if level == "note" else remedies.try_rate(facts, aim),
        source="Goodfellow, Bengio & Courville 2016, section 8.3.1",
    )


class _TooHigh(NamedTuple):
    level: Level
    measured: float | None
    quantity: str
    since: int
    update: float | None
    """Length of an update over that of the weights, as far as it is known."""
    limit: float | None = None
    """Of what was measured."""


def _leapt(history: History, facts: Facts) -> _TooHigh | None:
    """The first updates have thrown the weights far off, whatever came after."""
    found, start = leap_from_start(history, facts), loss_of_blind_guess(history, facts)
    if found is None:
        lost = history.diverged and all(not p.step for p in history.probed if _finite(p, facts))
        if not lost or not history.probed:
            return None
        return _TooHigh("warning", None, "how far the weights moved", history.step, None)
    if not history.diverged and not should_have_begun(history, facts):
        return None
    # That it learned all the same is luck; what it cost is seen in the loss.
    first = history.train[0].values.get("loss")
    jumped = max((value for _, value in history.curve("loss")), default=0.0)
    dear = start is not None and jumped > 2.0 * max(start, first or 0.0)
    hurts = dear or history.diverged or not much_is_learned(history, facts)
    quantity = "how far the weights moved early in the run, over their first length"
    each = found.length / found.step
    level: Level = "warning" if hurts else "note"
    return _TooHigh(level, found.length, quantity, found.step, each, facts.limits.leap)


def _finite(point: HistoryPoint, facts: Facts) -> bool:
    return point.values.get("loss") is not None and not_finite(point, facts) is None


def _overshoots(history: History, facts: Facts) -> _TooHigh | None:
    """The loss jumps to and fro, or is worse than a guess, while the updates are long."""
    limits, start, now = facts.limits, loss_of_blind_guess(history, facts), recent_loss(history)
    ratio = typical_update(history, facts)
    if (
        start is None
        or now is None
        or not should_have_begun(history, facts)
        or much_is_learned(history, facts)
    ):
        return None
    long = ratio is not None and ratio > limits.update_high
    able = ratio is None or ratio > 10 * USUAL_UPDATE
    # Where updates are short, a loss that swings or is bad is hardly their doing: rare examples,
    # labels without a pattern.
    swings = swing(history)
    tiny = ratio is not None and ratio < limits.update_low
    trend = loss_trend(history)
    level = trend is not None and trend.level
    worse = not tiny and level and now > (1.1 if able else 2.0) * start
    # A loss that falls reading by reading from where it began does not overshoot, however high.
    if falls_from_the_start(history):
        return None
    if long:
        quantity = "|update| / |weights|, median of the layers; 1e-3 is usual"
        return _TooHigh("warning", ratio, quantity, history.step, ratio, limits.update_high)
    if worse:
        quantity = "training loss over that of a guess which looks at no input"
        worst = 1.1 if able else 2.0
        return _TooHigh("warning", now / start, quantity, history.step, ratio, worst)
    if able and swings > limits.swing:
        quantity = "swing of the training loss, of its mean"
        return _TooHigh("warning", swings, quantity, history.step, ratio, limits.swing)
    return None


def rate_too_low(history: History, facts: Facts) -> Finding | None:
    """The updates of the whole run would hardly move the weights."""
    # Of all probes, not of the last: a schedule makes updates short when all is learned.
    found = [middle_update(point, facts) for point in history.probed if point.step]
    known = [ratio for ratio in found if ratio is not None]
    ratio, share = fmean(known) if known else None, share_of_loss_gone(history, facts)
    total = facts.experiment.total
    if ratio is None or share is None or total is None or not should_have_begun(history, facts):
        return None
    reach = ratio * total
    if much_is_learned(history, facts) or reach > facts.limits.reach or not ratio:
        return None
    return Finding(
        name="learning_rate_too_low",
        level="warning",
        layer=None,
        measured=ratio,
        quantity="mean |update| / |weights|, median of the layers; 1e-3 is usual",
        limit=facts.limits.reach / total,
        since=next((p.step for p in history.probed if p.step), 0),
        meaning=f"all {total:,} updates together change the weights by {reach:.1%} at most: the "
        "run ends before anything is learned",
        remedy=remedies.try_rate(facts, min(1e5, 3.0 * USUAL_UPDATE / ratio)),
        source="Goodfellow, Bengio & Courville 2016, section 8.3.1",
    )


_BEGUN = (
    "outlier_rows",
    "data_not_scaled",
    "targets_not_scaled",
    "poor_initialization",
    "symmetric_units",
    "dead_units",
    "saturation",
    "vanishing_gradient",
    "vanishing_through_time",
    "exploding_gradient",
    "exploding_through_time",
)
RATE_CHECKS = (
    Check(
        "learning_rate_too_high", rate_too_high, begun_by=_BEGUN, passes=True, unable=needs_losses
    ),
    Check("learning_rate_too_low", rate_too_low, CAUSES, unable=needs_updates),
)
