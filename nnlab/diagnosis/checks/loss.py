"""Checks of the loss: how it falls, or does not."""

from statistics import fmean

from nnlab.core.contracts import Split
from nnlab.core.finding import Finding
from nnlab.diagnosis.checks import remedies
from nnlab.diagnosis.checks.check import CAUSES, Check
from nnlab.diagnosis.evidence.course import (
    USUAL_UPDATE,
    costs_something,
    loss_of_blind_guess,
    loss_still_falls,
    not_finite,
    recent_loss,
    share_of_loss_gone,
    should_have_begun,
    typical_update,
)
from nnlab.diagnosis.evidence.facts import Facts
from nnlab.diagnosis.evidence.history import History


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
    share = share_of_loss_gone(history, facts)
    late = facts.share(history.step) >= 2 * facts.limits.patience
    if share is None or not late or not should_have_begun(history, facts):
        return None
    if share >= facts.limits.stuck or len(history.train) < 8:
        return None
    ratio = typical_update(history, facts)
    # On a plateau longer updates help as long as they are not long; short ones where the loss is
    # above that of a guess.
    usual = USUAL_UPDATE if share < -0.1 else 10.0 * USUAL_UPDATE
    factor = 10.0 if ratio is not None and ratio < usual else 0.1
    return Finding(
        name="loss_not_decreasing",
        level="warning" if costs_something(history, facts) else "note",
        layer=None,
        measured=share,
        quantity="share of a blind guess's loss that is gone",
        since=0,
        meaning="the network still knows no more than a guess that never looks at the inputs",
        remedy=remedies.try_rate(facts, factor),
        advice="nnlab lr says which rates make the loss fall",
        source="Karpathy 2019, A recipe for training neural networks",
    )


def overfitting(history: History, facts: Facts) -> Finding | None:
    """The validation loss rises while the training loss falls."""
    curve, start = history.curve("loss", "validation"), loss_of_blind_guess(history, facts)
    trained = history.curve("loss")
    if start is None or len(curve) < 6 or len(trained) < 5:
        return None
    step, low = min(curve, key=lambda pair: pair[1])
    examples = facts.experiment.shape.sizes["train"]
    now = min(value for _, value in curve[-3:])
    then = [value for at, value in trained if at <= step][-3:]
    rise = (now - low) / start
    fallen = (recent_loss(history) or 0.0) < fmean(then or [trained[0][1]])
    if rise < facts.limits.overfit_rise or not fallen or now < 1.1 * low:
        return None
    return Finding(
        name="overfitting",
        level="warning",
        layer=None,
        measured=now / low if low > 0 else rise,
        quantity="validation loss over its lowest",
        since=step,
        meaning=f"since step {step:,} the network learns its {examples:,} training examples by "
        "heart; on others it gets worse",
        remedy=remedies.try_simpler(facts),
        source="Goodfellow, Bengio & Courville 2016, sections 5.2 and 7.8",
    )


def underfitting(history: History, facts: Facts) -> Finding | None:
    """The loss has come to rest far above what could be."""
    share, start = share_of_loss_gone(history, facts), loss_of_blind_guess(history, facts)
    losses = [value for _, value in history.curve("loss")]
    if share is None or start is None or share >= facts.limits.underfit or len(losses) < 9:
        return None
    if loss_still_falls(history, facts):
        return None
    return Finding(
        name="underfitting",
        level="warning",
        layer=None,
        measured=share,
        quantity="share of a blind guess's loss that is gone",
        since=history.step,
        meaning="the training loss falls no more, and most of it is still there: this network "
        "cannot tell what it is shown",
        remedy=remedies.try_larger_network(facts),
        source="Goodfellow, Bengio & Courville 2016, section 5.2",
    )


def no_better_than_baseline(history: History, facts: Facts) -> Finding | None:
    """The scores at the end are those of a guess that never looks at the inputs."""
    known = facts.data.baseline if facts.data is not None else {}
    split: Split = "validation" if history.validation else "train"
    ways: dict[str, tuple[float, float]] = {}
    rows = facts.experiment.shape.sizes[split]
    for score in facts.experiment.scores:
        curve = history.curve(score.key, split)
        base = known.get(score.key, 1.0)
        if score.higher_is_better and len(curve) >= 2 and base < 1.0:
            value = fmean(v for _, v in curve[-3:])
            # Two standard errors of a share among so many rows are luck.
            luck = 2.0 * (max(0.0, base * (1.0 - base)) / rows) ** 0.5
            ways[score.key] = ((value - base - luck) / (1.0 - base), value)
    # With classes drawn evenly accuracy falls below the largest class: another score judges then.
    if not ways or max(ways.values())[0] >= facts.limits.better:
        return None
    key = max(ways, key=lambda name: ways[name])
    return Finding(
        name="no_better_than_baseline",
        level="warning",
        layer=None,
        measured=ways[key][1],
        quantity=f"{key} on {split}; {known[key]:.3g} without looking",
        since=history.step,
        meaning="the network answers no better than a guess that never looks at the inputs",
        source="Karpathy 2019, A recipe for training neural networks",
    )


ALWAYS = (Check("divergence", divergence),)
"""Whatever is learned, and in whichever way."""
LOSS_CHECKS = (
    Check(
        "loss_not_decreasing",
        not_decreasing,
        (*CAUSES, "learning_rate_too_high", "learning_rate_too_low", "data_not_scaled"),
    ),
    Check("overfitting", overfitting),
    Check(
        "underfitting",
        underfitting,
        (*CAUSES, "learning_rate_too_high", "learning_rate_too_low", "data_not_scaled"),
        at_end=True,
    ),
    Check("no_better_than_baseline", no_better_than_baseline, at_end=True),
)
