"""Checks of the loss: how it falls, or does not."""

from nnlab.core.finding import Finding
from nnlab.diagnosis.checks import remedies
from nnlab.diagnosis.checks.check import CAUSES, Check, needs_losses, needs_validation
from nnlab.diagnosis.evidence.course import (
    FEWEST,
    USUAL_UPDATE,
    costs_something,
    loss_of_blind_guess,
    not_finite,
    share_of_loss_gone,
    should_have_begun,
    typical_update,
)
from nnlab.diagnosis.evidence.facts import Facts
from nnlab.diagnosis.evidence.gains import beats_a_guess, score_since
from nnlab.diagnosis.evidence.history import History
from nnlab.diagnosis.evidence.trend import Trend, comes_to_rest, falls_since, loss_trend


def divergence(history: History, facts: Facts) -> Finding | None:
    """The loss or a gradient has left the finite numbers."""
    if not history.train:
        return None
    point = history.train[-1]
    where = not_finite(point, facts)
    finite = where is None and point.values.get("loss", 0.0) is not None
    if finite and not history.diverged:
        return None
    before = [p.step for p in history.train[:-1] if p.values.get("loss") is not None]
    last = f"; all was finite at step {before[-1]:,}" if before else ""
    return Finding(
        name="divergence",
        level="fault",
        layer=where,
        measured=None,
        quantity="the loss",
        since=point.step,
        meaning=f"the numbers have left what can be computed with{last}",
        remedy=(*remedies.try_rate(facts, 0.1), *remedies.try_clipping(facts)),
        source="Goodfellow, Bengio & Courville 2016, section 8.2.4",
    )


def not_decreasing(history: History, facts: Facts) -> Finding | None:
    """The training loss stays where a blind guess is."""
    share, trend = share_of_loss_gone(history, facts), loss_trend(history)
    late = facts.share(history.step) >= 2 * facts.limits.patience
    if share is None or trend is None or not late or not should_have_begun(history, facts):
        return None
    if share >= facts.limits.stuck or len(history.train) < 8 or not comes_to_rest(history):
        return None
    if beats_a_guess(history, facts):
        return None
    ratio, start = typical_update(history, facts), loss_of_blind_guess(history, facts)
    assert start is not None  # a share of it is known
    # On a plateau longer updates help as long as they are not long; short ones where the loss is
    # above that of a guess.
    usual = USUAL_UPDATE if share < -0.1 else 10.0 * USUAL_UPDATE
    factor = 10.0 if ratio is not None and ratio < usual else 0.1
    return Finding(
        name="loss_not_decreasing",
        level="warning" if costs_something(history, facts) else "note",
        layer=None,
        measured=trend.after,
        quantity="training loss",
        since=0,
        meaning=f"{_guess(start)}, and the loss does not fall: {_thirds(trend)}",
        remedy=remedies.try_rate(facts, factor),
        advice="nnlab lr says which rates make the loss fall",
        source="Karpathy 2019, A recipe for training neural networks",
    )


def _guess(loss: float) -> str:
    return f"a guess that never looks at the inputs has {loss:.4g}"


def _thirds(trend: Trend) -> str:
    """What was measured of the slope."""
    return (
        f"{trend.before:.4g} in the middle third of the readings, {trend.after:.4g} in the last "
        f"(chance moves it by {2.0 * trend.error:.2g})"
    )


def overfitting(history: History, facts: Facts) -> Finding | None:
    """The validation loss rises while the training loss falls."""
    curve, start = history.curve("loss", "validation"), loss_of_blind_guess(history, facts)
    if start is None or len(curve) < 6 or len(history.curve("loss")) < 5:
        return None
    step, low = min(curve, key=lambda pair: pair[1])
    examples = facts.experiment.shape.sizes["train"]
    now = min(value for _, value in curve[-3:])
    rise = (now - low) / start
    if rise < facts.limits.overfit_rise or now < 1.1 * low or not falls_since(history, step):
        return None
    better = score_since(history, facts, step)
    return Finding(
        name="overfitting",
        level="warning" if better is None else "note",
        layer=None,
        measured=now / low if low > 0 else rise,
        quantity="validation loss over its lowest",
        limit=1.1,
        since=step,
        meaning=f"since step {step:,} the training loss falls and the validation loss has risen "
        f"from {low:.4g} to {now:.4g}: the network learns its {examples:,} training examples by "
        "heart"
        if better is None
        else f"since step {step:,} the validation loss has risen from {low:.4g} to {now:.4g}, "
        f"though {better}: the network answers better and is too sure where it is wrong",
        remedy=remedies.try_simpler(facts) if better is None else (),
        advice="" if better is None else "go by the score; loss.label_smoothing makes it less sure",
        source="Goodfellow, Bengio & Courville 2016, sections 5.2 and 7.8",
    )


def underfitting(history: History, facts: Facts) -> Finding | None:
    """The loss has come to rest far above what could be."""
    share, start = share_of_loss_gone(history, facts), loss_of_blind_guess(history, facts)
    trend, losses = loss_trend(history), history.curve("loss")
    if share is None or start is None or share >= facts.limits.underfit or len(losses) < 9:
        return None
    if trend is None or not comes_to_rest(history) or history.step < FEWEST:
        return None
    return Finding(
        name="underfitting",
        level="warning",
        layer=None,
        measured=trend.after,
        quantity="training loss",
        since=history.step,
        meaning=f"{_guess(start)}; the loss has come to rest ({_thirds(trend)}), and "
        f"{_left(share)}: this network cannot tell what it is shown",
        remedy=remedies.try_larger_network(facts),
        source="Goodfellow, Bengio & Courville 2016, section 5.2",
    )


def _left(share: float) -> str:
    if share <= 0.0:
        return "it is no lower than a guess's"
    return f"only {share:.1%} of a guess's loss is gone"


ALWAYS = (Check("divergence", divergence),)
"""Whatever is learned, and in whichever way."""
LOSS_CHECKS = (
    Check(
        "loss_not_decreasing",
        not_decreasing,
        (*CAUSES, "learning_rate_too_high", "learning_rate_too_low", "data_not_scaled"),
        passes=True,
        unable=needs_losses,
    ),
    Check("overfitting", overfitting, passes=True, unable=needs_validation),
    Check(
        "underfitting",
        underfitting,
        (
            *CAUSES,
            "learning_rate_too_high",
            "learning_rate_too_low",
            "data_not_scaled",
            "too_few_updates",
        ),
        unable=needs_losses,
        at_end=True,
    ),
)
