"""Checks of the weights: how they begin and how far an update moves them."""

from nnlab.core.finding import Finding
from nnlab.diagnosis.checks import remedies
from nnlab.diagnosis.checks.check import Check, needs_updates
from nnlab.diagnosis.evidence.course import (
    USUAL_UPDATE,
    costs_something,
    held_at_readings,
    leap_from_start,
    middle_update,
    of_layers,
    share_of_loss_gone,
    should_have_begun,
    since_step,
)
from nnlab.diagnosis.evidence.facts import Facts
from nnlab.diagnosis.evidence.history import History, HistoryPoint


def symmetric_units(history: History, facts: Facts) -> Finding | None:
    """Units with the same weights get the same gradient and stay one unit."""
    several = [layer for layer in facts.hidden if layer.shape[0] > 1]

    def alike(point: HistoryPoint) -> list[str]:
        limit = facts.limits.symmetric
        return [layer.name for layer, v in of_layers(point, "unit_spread", several) if v <= limit]

    probed = [point for point in history.probed if point.step]
    if not probed or not (names := alike(probed[-1])):
        return None
    return Finding(
        name="symmetric_units",
        level="fault",
        layer=names[0],
        measured=dict(of_layers(probed[-1], "unit_spread", several))[
            next(layer for layer in several if layer.name == names[0])
        ],
        quantity="how much the weights of its units differ, of their length",
        limit=facts.limits.symmetric,
        since=since_step(history.probed, lambda p: bool(alike(p))),
        meaning=f"all units of {names[0]} have the same weights and get the same gradient: they "
        "learn as one unit, or not at all",
        remedy=(*remedies.try_init(facts), *remedies.output_init(facts)),
        source="Goodfellow, Bengio & Courville 2016, section 8.4",
    )


def poor_initialization(history: History, facts: Facts) -> Finding | None:
    """The first weights are far from knowing nothing: they are sure, and wrong; or next to 0."""
    if (light := _too_light(history, facts)) is not None:
        return light
    data = facts.data
    # Rare classes and targets far from 0 are not the weights' fault.
    known = max(data.blind, data.silent) if data and data.blind and data.silent else None
    first = history.train[0].values.get("loss") if history.train else None
    if not known or first is None or history.train[0].step:
        return None
    ratio, limits = first / known, facts.limits
    if ratio < limits.initial_loss:
        return None
    # Some steps mend a mild case: it counts where they have not at the end, or where long updates
    # followed from first weights that were far from usual; from usual ones the rate is the cause.
    usual = bool(history.probed) and not heavy_weights(history, facts)
    far = leap_from_start(history, facts) is not None
    unmended = not usual if far else costs_something(history, facts)
    # Usual weights whose loss has come below that of a guess: what is left is not their doing.
    passed = (share_of_loss_gone(history, facts) or 0.0) > limits.stuck
    unmended = unmended and not (usual and passed)
    late = should_have_begun(history, facts) and unmended
    severe = not usual and ratio >= limits.initial_loss**2
    size = data.size if data is not None else 1.0
    wide = usual and size > limits.initial_loss
    made = f"; the inputs are of size {size:.3g}, and first weights are made for 1"
    return Finding(
        name="poor_initialization",
        level="warning" if late or severe else "note",
        layer=None,
        measured=ratio,
        quantity="first loss over that of a guess which never looks at the inputs",
        limit=limits.initial_loss,
        since=0,
        meaning=f"the loss begins at {first:.3g}, where a guess without looking has {known:.3g}: "
        f"the outputs are too large before anything is learned{made if wide else ''}",
        remedy=remedies.try_scale(facts)
        if wide
        else (*remedies.try_init(facts), *remedies.output_init(facts)),
        source="Goodfellow, Bengio & Courville 2016, section 8.4",
    )


def _too_light(history: History, facts: Facts) -> Finding | None:
    """A hidden layer whose first weights let next to nothing of a signal through.

    At the end alone: many optimizers mend it within a few updates.
    """
    if not history.probed or history.probed[0].step or not costs_something(history, facts):
        return None
    # In a block the signal has a way around: GPT-2 begins what ends one with small weights.
    straight = [layer for layer in facts.hidden if not facts.in_block(layer)]
    lengths = of_layers(history.probed[0], "weight_norm", straight)
    found = [(length / layer.shape[0] ** 0.5, layer) for layer, length in lengths]
    found = [(ratio, layer) for ratio, layer in found if 0.0 < ratio < _LIGHT]
    if not found:
        return None
    ratio, layer = min(found, key=lambda pair: pair[0])
    return Finding(
        name="poor_initialization",
        level="warning",
        layer=layer.name,
        measured=ratio,
        quantity="length of the first weights, over that of N(0, 1 / inputs)",
        since=0,
        meaning=f"the first weights of {layer.name} are next to 0: hardly anything of an input "
        "comes through, and hardly any gradient comes back",
        remedy=(*remedies.try_init(facts), *remedies.output_init(facts)),
        source="Glorot & Bengio 2010; He et al. 2015, arXiv:1502.01852",
    )


_LIGHT = 0.05
"""Beside N(0, 1 / inputs): no initialization in use is as small."""


def heavy_weights(history: History, facts: Facts) -> bool:
    """Whether a layer's first weights are several times those of N(0, 1 / n_in)."""
    lengths = of_layers(history.probed[0], "weight_norm", facts.layers) if history.probed else ()
    limit = facts.limits.initial_loss
    return any(length > limit * layer.shape[0] ** 0.5 for layer, length in lengths)


def update_ratio_off(history: History, facts: Facts) -> Finding | None:
    """Updates that are very long or very short beside the weights they change."""
    high, low = facts.limits.update_high, facts.limits.update_low

    def off(point: HistoryPoint) -> bool:
        ratio = middle_update(point, facts)
        return ratio is not None and not low <= ratio <= high

    probed = [point for point in history.probed if point.step]
    if not held_at_readings(probed, off) or not _constant(facts):
        return None
    ratio = middle_update(probed[-1], facts)
    assert ratio is not None
    if ratio == 0.0:
        return None
    long = ratio > high
    word = "long" if long else "short"
    return Finding(
        name="update_ratio_off",
        level="note",
        layer=None,
        measured=ratio,
        quantity="|update| / |weights|, median of the layers; 1e-3 is usual",
        limit=high if long else low,
        since=since_step(probed, off),
        meaning=f"updates are very {word} beside the weights: the learning rate is too "
        f"{'large' if long else 'small'} for this network",
        remedy=remedies.try_rate(facts, _factor(ratio)),
        source="Bottou 2015; Karpathy, CS231n",
    )


def _factor(ratio: float) -> float:
    """What brings updates near the usual length; at most so much that a second look is needed."""
    return min(1e4, max(1e-4, 3.0 * USUAL_UPDATE / ratio))


def _constant(facts: Facts) -> bool:
    """Whether updates are not short because the schedule says so."""
    return facts.config.schedule.kind == "constant"


def batch_norm_rows(_: History, facts: Facts) -> Finding | None:
    """Statistics of a batch over very few values."""
    layers = [layer for layer in facts.hidden if layer.norm == "batch"]
    flat = [layer for layer in layers if len(layer.shape) == 2]
    rows = facts.batch_size
    if not flat or rows > facts.limits.batch_norm_rows:
        return None
    return Finding(
        name="batch_norm_with_tiny_batches",
        level="warning",
        layer=flat[0].name,
        measured=float(rows),
        quantity="examples in a batch",
        limit=float(facts.limits.batch_norm_rows),
        since=0,
        meaning=f"batch normalization takes mean and deviation over {rows} examples: what a unit "
        "puts out hangs on which others are in the batch",
        remedy=("model.norm=layer",)
        if remedies.model_has_field(facts, "norm")
        else ("train.batch_size=32",),
        source="Wu & He 2018, arXiv:1803.08494",
    )


def scale_differs_from_weights(_: History, facts: Facts) -> Finding | None:
    """Inputs in another scale than that in which the first weights were trained."""
    begun, limit = facts.begun, facts.limits.weights_scale
    if begun is None or begun.scale_off is None or begun.scale_off <= limit:
        return None
    known = begun.scale and begun.scale != facts.config.data.scale
    return Finding(
        name="scale_differs_from_weights",
        level="warning",
        layer=facts.layers[0].name if facts.layers else None,
        measured=begun.scale_off,
        quantity="root mean square of inputs less those in the expected scale, in deviations",
        limit=limit,
        since=0,
        meaning=f"the weights of {begun.title} expect {begun.expects}, and the inputs are others: "
        "what their layers have learned to find does not look so here",
        remedy=(f"data.scale={begun.scale}",) if known else (),
        source="Yosinski et al. 2014, arXiv:1411.1792",
    )


def forgetting(_: History, facts: Facts) -> Finding | None:
    """The layers that were taken over tell next to nothing of the data they came from any more."""
    begun = facts.begun
    found = None if begun is None else begun.forgotten
    if begun is None or found is None or found.share < facts.limits.forgotten:
        return None
    rate = facts.config.optimizer.lr / 10.0
    return Finding(
        name="forgetting",
        level="note",
        layer=None,
        measured=found.share,
        quantity=f"of what the source knew of its own data ({found.score} {found.before:.3g}, "
        f"{found.after:.3g} with these layers)",
        limit=facts.limits.forgotten,
        since=0,
        meaning=f"training went so far from the weights of {begun.title} that they are of no use "
        "there any more: what was learned before is overwritten, not added to",
        remedy=(f"optimizer.lr={rate:.3g}",),
        source="McCloskey & Cohen 1989; French 1999, doi:10.1016/S1364-6613(99)01294-2",
    )


def _began_elsewhere(_: History, facts: Facts) -> str | None:
    return None if facts.begun is not None else ""


def _source_asked(_: History, facts: Facts) -> str | None:
    if facts.begun is None or facts.config.model.begin is None:
        return ""
    if facts.begun.forgotten is not None:
        return None
    return "the run that the weights came from was not asked, or is not at hand"


WEIGHT_CHECKS = (
    Check("scale_differs_from_weights", scale_differs_from_weights, unable=_began_elsewhere),
    Check("forgetting", forgetting, at_end=True, unable=_source_asked),
    Check("symmetric_units", symmetric_units, unable=needs_updates),
    Check("poor_initialization", poor_initialization, ("outlier_rows",)),
    Check("batch_norm_with_tiny_batches", batch_norm_rows),
    Check(
        "update_ratio_off",
        update_ratio_off,
        ("symmetric_units", "vanishing_gradient", "dead_units", "divergence"),
        unable=needs_updates,
    ),
)
