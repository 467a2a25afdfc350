"""Rules of the loss: how it falls, or does not, and what that says of the learning rate."""

from itertools import pairwise
from statistics import fmean, median, pstdev

from nnlab.diagnosis import remedies
from nnlab.diagnosis.facts import Facts
from nnlab.diagnosis.history import (
    History,
    Point,
    blind,
    gone,
    learned,
    recent,
    waited,
)
from nnlab.diagnosis.rule import Rule
from nnlab.diagnosis.weights import USUAL_UPDATE, middle_update
from nnlab.findings import Finding

_KEYS = ("weight_norm", "grad_norm", "activation_std", "preactivation_std")


def not_finite(point: Point, facts: Facts) -> str | None:
    """The first layer, from the input on, with a number that is not finite."""
    for layer in facts.layers:
        for key in _KEYS:
            for name in (layer.weight, layer.key):
                if point.values.get(f"{key}/{name}", 0.0) is None:
                    return layer.name
    return None


def divergence(history: History, facts: Facts) -> Finding | None:
    """The loss or a gradient has left the finite numbers."""
    if not history.train:
        return None
    point = history.train[-1]
    where = not_finite(point, facts)
    if where is None and point.values.get("loss", 0.0) is not None:
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
        remedy=(*remedies.rate(facts, 0.1), *remedies.clip(facts)),
        source="Goodfellow, Bengio & Courville 2016, section 8.2.4",
    )


def typical_update(history: History, facts: Facts) -> float | None:
    """|update| / |weights|, median over the layers and the last looks."""
    found = [middle_update(point, facts) for point in history.close[-5:] if point.step]
    known = [ratio for ratio in found if ratio is not None]
    return median(known) if known else None


_BLOCKS = 8


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


def falling(history: History) -> bool:
    """Whether the training loss of the last quarter is below that of the quarter before."""
    losses = [value for _, value in history.curve("loss")]
    quarter = max(1, len(losses) // 4)
    before, after = losses[-2 * quarter : -quarter], losses[-quarter:]
    return bool(before) and fmean(after) < 0.95 * fmean(before)


def rate_too_high(history: History, facts: Facts) -> Finding | None:
    """The loss jumps to and fro, or is worse than a guess, while the updates are long."""
    limits, start, now = facts.limits, blind(history, facts), recent(history)
    ratio = typical_update(history, facts)
    if start is None or now is None or not waited(history, facts) or learned(history, facts):
        return None
    swings, worse = swing(history), now > 1.1 * start and not falling(history)
    long = ratio is not None and ratio > limits.update_high
    able = ratio is None or ratio > USUAL_UPDATE
    if not (long or (able and (worse or swings > limits.swing))):
        return None
    if long:
        measured, quantity = ratio, "|update| / |weights|, median of the layers; 1e-3 is usual"
    elif worse:
        measured, quantity = now / start, "training loss over that of a blind guess"
    else:
        measured, quantity = swings, "swing of the training loss, of its mean"
    aim = 0.1 if ratio is None else min(0.1, max(1e-4, 3.0 * USUAL_UPDATE / ratio))
    return Finding(
        name="learning_rate_too_high",
        level="warning",
        layer=None,
        measured=measured,
        quantity=quantity,
        since=history.step,
        meaning="updates overshoot: each step leaps over the valley it should walk down",
        remedy=remedies.rate(facts, aim),
        source="Goodfellow, Bengio & Courville 2016, section 8.3.1",
    )


def rate_too_low(history: History, facts: Facts) -> Finding | None:
    """The updates of the whole run would hardly move the weights."""
    ratio, share = typical_update(history, facts), gone(history, facts)
    total = facts.experiment.total
    if ratio is None or share is None or total is None or not waited(history, facts):
        return None
    reach = ratio * total
    if learned(history, facts) or reach > facts.limits.reach or not ratio:
        return None
    return Finding(
        name="learning_rate_too_low",
        level="warning",
        layer=None,
        measured=ratio,
        quantity="|update| / |weights|, median of the layers; 1e-3 is usual",
        since=next((p.step for p in history.close if p.step), 0),
        meaning=f"all {total:,} updates together change the weights by {reach:.1%} at most: the "
        "run ends before anything is learned",
        remedy=remedies.rate(facts, min(1e5, 3.0 * USUAL_UPDATE / ratio)),
        source="Goodfellow, Bengio & Courville 2016, section 8.3.1",
    )


def not_decreasing(history: History, facts: Facts) -> Finding | None:
    """The training loss stays where a blind guess is."""
    share = gone(history, facts)
    late = facts.share(history.step) >= 2 * facts.limits.patience
    if share is None or not late or not waited(history, facts):
        return None
    if share >= facts.limits.stuck or len(history.train) < 8:
        return None
    ratio = typical_update(history, facts)
    factor = 10.0 if ratio is not None and ratio < USUAL_UPDATE else 0.1
    return Finding(
        name="loss_not_decreasing",
        level="warning",
        layer=None,
        measured=share,
        quantity="share of a blind guess's loss that is gone",
        since=0,
        meaning="the network still knows no more than a guess that never looks at the inputs",
        remedy=remedies.rate(facts, factor),
        advice="nnlab lr says which rates make the loss fall",
        source="Karpathy 2019, A recipe for training neural networks",
    )


def overfitting(history: History, facts: Facts) -> Finding | None:
    """The validation loss rises while the training loss falls."""
    curve, start = history.curve("loss", "validation"), blind(history, facts)
    trained = history.curve("loss")
    if start is None or len(curve) < 6 or len(trained) < 5:
        return None
    step, low = min(curve, key=lambda pair: pair[1])
    examples = facts.experiment.shape.sizes["train"]
    now = min(value for _, value in curve[-3:])
    then = [value for at, value in trained if at <= step][-3:]
    rise = (now - low) / start
    fallen = (recent(history) or 0.0) < fmean(then or [trained[0][1]])
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
        remedy=remedies.simpler(facts),
        source="Goodfellow, Bengio & Courville 2016, sections 5.2 and 7.8",
    )


def underfitting(history: History, facts: Facts) -> Finding | None:
    """The loss has come to rest far above what could be."""
    share, start = gone(history, facts), blind(history, facts)
    losses = [value for _, value in history.curve("loss")]
    if share is None or start is None or share >= facts.limits.underfit or len(losses) < 9:
        return None
    third = len(losses) // 3
    fall = (fmean(losses[-2 * third : -third]) - fmean(losses[-third:])) / start
    if fall > 0.02:
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
        remedy=remedies.larger(facts),
        source="Goodfellow, Bengio & Courville 2016, section 5.2",
    )


def no_better_than_baseline(history: History, facts: Facts) -> Finding | None:
    """The scores at the end are those of a guess that never looks at the inputs."""
    known = facts.data.baseline if facts.data is not None else {}
    split = "validation" if history.validation else "train"
    ways: dict[str, tuple[float, float]] = {}
    for score in facts.experiment.scores:
        curve = history.curve(score.key, split)
        base = known.get(score.key, 1.0)
        if score.higher_is_better and len(curve) >= 2 and base < 1.0:
            value = fmean(v for _, v in curve[-3:])
            ways[score.key] = ((value - base) / (1.0 - base), value)
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


_CAUSES = (
    "divergence",
    "symmetric_units",
    "dead_units",
    "saturation",
    "vanishing_gradient",
    "exploding_gradient",
)
ALWAYS = (Rule("divergence", divergence),)
"""Whatever is learned, and in whichever way."""
RULES = (
    *ALWAYS,
    Rule("learning_rate_too_high", rate_too_high, _CAUSES),
    Rule("learning_rate_too_low", rate_too_low, _CAUSES),
    Rule(
        "loss_not_decreasing",
        not_decreasing,
        (*_CAUSES, "learning_rate_too_high", "learning_rate_too_low", "data_not_scaled"),
    ),
    Rule("overfitting", overfitting),
    Rule(
        "underfitting",
        underfitting,
        (*_CAUSES, "learning_rate_too_high", "learning_rate_too_low", "data_not_scaled"),
        at_end=True,
    ),
    Rule("no_better_than_baseline", no_better_than_baseline, at_end=True),
)
