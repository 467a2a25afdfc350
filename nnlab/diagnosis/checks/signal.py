"""Checks of the signal: what comes forward through the layers, and what comes back."""

from math import sqrt

from nnlab.core.finding import Finding, Level
from nnlab.diagnosis.checks import remedies
from nnlab.diagnosis.checks.check import Check, needs_layers
from nnlab.diagnosis.evidence.course import (
    costs_something,
    held_at_readings,
    leap_from_start,
    much_is_learned,
    of_layers,
    should_have_begun,
    since_step,
)
from nnlab.diagnosis.evidence.facts import Facts, LayerFacts
from nnlab.diagnosis.evidence.history import History, HistoryPoint

_DEEP = 4
"""Fewer layers with weights than this have no gradient that could vanish on its way."""


def per_weight(point: HistoryPoint, layer: LayerFacts) -> float | None:
    """Root mean square of the gradient of a layer's weight."""
    norm = point.values.get(f"grad_norm/{layer.weight}")
    size = 1
    for axis in layer.shape:
        size *= axis
    return None if norm is None else norm / sqrt(size)


def _ends(point: HistoryPoint, facts: Facts) -> tuple[LayerFacts, LayerFacts]:
    """The first and the last layer; nothing comes back to one that is frozen, by intent."""
    layers = _moving(point, facts) or facts.layers
    return layers[0], layers[-1]


def _moving(point: HistoryPoint, facts: Facts) -> list[LayerFacts]:
    """Layers that are not frozen, neither by name nor by a learning rate of 0."""
    trained = facts.trained_at(point.step, facts.layers)
    return [layer for layer in trained if facts.slow_layers.get(layer, 1.0) > 0.0]


def first_over_last(point: HistoryPoint, facts: Facts) -> float | None:
    """The gradient of the first layer, per weight, over that of the last."""
    layers = _moving(point, facts)
    if len({layer.module for layer in layers}) < _DEEP:
        return None
    first, last = (per_weight(point, layer) for layer in _ends(point, facts))
    return None if first is None or not last else first / last


def vanishing_gradient(history: History, facts: Facts) -> Finding | None:
    """The first layers get next to no gradient."""
    limit = facts.limits.vanishing_ratio

    def below(limit: float, point: HistoryPoint) -> bool:
        ratio = first_over_last(point, facts)
        return ratio is not None and ratio < limit

    if not history.train or much_is_learned(history, facts):
        return None
    level: Level = "fault"
    if not below(limit**2, history.train[-1]):
        lasts = held_at_readings(history.train, lambda p: below(limit, p), times=3)
        if not lasts or not should_have_begun(history, facts):
            return None
        level = "warning" if costs_something(history, facts) else "note"
    ratio = first_over_last(history.train[-1], facts)
    first, last = _ends(history.train[-1], facts)
    times = f"{1.0 / ratio:.2g} times".replace("e+", "e") if ratio else "to nothing"
    kinds = {layer.activation.kind for layer in facts.hidden} - {"identity"}
    names = " and ".join(sorted(kinds)) or "linear"
    between = f"{facts.depth - 1} layers" if facts.handed else f"{facts.depth - 1} {names} layers"
    return Finding(
        name="vanishing_gradient",
        level=level,
        layer=first.name,
        measured=ratio,
        quantity=f"gradient per weight, {first.name} over {last.name}",
        limit=limit,
        since=since_step(history.train, lambda p: below(limit, p)),
        meaning=f"on its way back through {between} the gradient shrinks {times} from the last "
        "layer to the first, so the first layers do not learn",
        remedy=(
            *remedies.try_activation(facts, "relu"),
            *remedies.try_init(facts),
            *remedies.try_norm(facts),
        ),
        source="Hochreiter 1991; Glorot & Bengio 2010",
    )


def exploding_gradient(history: History, facts: Facts) -> Finding | None:
    """Gradients that are many times larger than the weights, or than those of the last layer."""

    def worst(point: HistoryPoint) -> tuple[float, LayerFacts] | None:
        found: list[tuple[float, LayerFacts]] = []
        norms = dict(of_layers(point, "weight_norm", facts.layers))
        for layer, grad in of_layers(point, "grad_norm", facts.layers):
            # Weights smaller than usual, as of N(0, 1 / n_in), grow: positions begin next to 0.
            usual = max(norms.get(layer, 0.0), layer.shape[0] ** 0.5)
            if norms.get(layer) and grad >= limits.gradient_ratio * usual:
                found.append((grad / norms[layer], layer))
        return max(found, key=lambda pair: pair[0]) if found else None

    limits = facts.limits
    if not history.probed or much_is_learned(history, facts):
        return None
    point = history.probed[-1]
    pair, ratio = worst(point), first_over_last(point, facts)
    backward = ratio is not None and ratio > limits.exploding_ratio
    if not backward and pair is None:
        return None
    first, last = _ends(point, facts)
    name = first.name if backward or pair is None else pair[1].name
    measured = ratio if backward else pair[0] if pair else None
    between = f"gradient per weight, {name} over {last.name}"
    return Finding(
        name="exploding_gradient",
        level="warning",
        layer=name,
        measured=measured,
        quantity=between if backward else f"length of the gradient over that of {name}'s weights",
        limit=limits.exploding_ratio if backward else limits.gradient_ratio,
        since=point.step,
        meaning=(
            "from layer to layer the gradient grows"
            if backward
            else "the gradient is so large beside the weights"
        )
        + ": one step of a usual rate throws these far off",
        remedy=(
            *remedies.try_init(facts),
            *remedies.output_init(facts),
            *remedies.try_clipping(facts),
        ),
        source="Pascanu et al. 2013, arXiv:1211.5063",
    )


def dead_units(history: History, facts: Facts) -> Finding | None:
    """Units that put out 0 for every example get no gradient: they stay dead."""

    def worst(point: HistoryPoint) -> tuple[float, LayerFacts] | None:
        # An output layer has some only where its own activation can be 0 for ever. Units of a
        # frozen layer are what they were made to be; no gradient is missing there.
        layers = facts.trained_at(point.step, facts.layers)
        found = [(share, layer) for layer, share in of_layers(point, "dead_units", layers)]
        return max(found, key=lambda pair: pair[0]) if found else None

    def dead(point: HistoryPoint) -> bool:
        pair = worst(point)
        return pair is not None and pair[0] >= facts.limits.dead_share

    if not history.probed or (pair := worst(history.probed[-1])) is None:
        return None
    whole = pair[0] >= 0.99
    if not (whole and dead(history.probed[-1])) and not held_at_readings(history.probed, dead):
        return None
    hurts = not much_is_learned(history, facts) if whole else costs_something(history, facts)
    if not whole and not much_is_learned(history, facts) and not should_have_begun(history, facts):
        return None
    share, layer = pair
    began = since_step(history.probed, dead)
    long = began > 0 and leap_from_start(history, facts) is not None
    return Finding(
        name="dead_units",
        level=("fault" if whole else "warning") if hurts else "note",
        layer=layer.name,
        measured=share,
        quantity="share of units that are 0 on every example",
        limit=facts.limits.dead_share,
        since=began,
        meaning=f"units of {layer.name} are silent whatever comes in; no gradient reaches them, so "
        "they stay so" + (": long updates threw them there" if long else ""),
        remedy=(
            *remedies.try_activation(facts, "leaky_relu"),
            *remedies.try_init(facts),
            *(remedies.try_rate(facts, 0.1) if history.step else ()),
        ),
        source="Maas et al. 2013, Rectifier nonlinearities improve neural network acoustic models",
    )


def saturation(history: History, facts: Facts) -> Finding | None:
    """Activations at their bounds, where the slope is next to 0."""

    def beyond(share: float, layer: LayerFacts) -> float:
        """What is more than at rest, of what could be."""
        return (share - layer.rest) / max(1e-9, 1.0 - layer.rest)

    def worst(point: HistoryPoint) -> tuple[float, LayerFacts] | None:
        # Outputs of classes are at their bounds when all is learned.
        numbers = facts.experiment.shape.task == "regression"
        layers = facts.trained_at(point.step, facts.layers if numbers else facts.hidden)
        pairs = of_layers(point, "saturated", layers)
        found = [(beyond(share, layer), layer) for layer, share in pairs]
        return max(found, key=lambda pair: pair[0]) if found else None

    def high(point: HistoryPoint) -> bool:
        pair = worst(point)
        return pair is not None and pair[0] >= facts.limits.saturated_share

    if not history.probed or not high(history.probed[-1]) or much_is_learned(history, facts):
        return None
    at_start = history.probed[-1].step == 0
    if not at_start and not (
        held_at_readings(history.probed, high) and should_have_begun(history, facts)
    ):
        return None
    pair = worst(history.probed[-1])
    assert pair is not None
    layer = pair[1]
    share = dict(of_layers(history.probed[-1], "saturated", (layer,)))[layer]
    began = since_step(history.probed, high)
    long = began > 0 and leap_from_start(history, facts) is not None
    kind = "" if layer.activation.kind == "identity" else f"{layer.activation.kind} "
    return Finding(
        name="saturation",
        level="warning" if at_start or long or costs_something(history, facts) else "note",
        layer=layer.name,
        measured=share,
        quantity=f"share of activations at a bound; {layer.rest:.2g} at rest",
        limit=facts.limits.saturated_share,
        since=began,
        meaning=f"most {kind}units of {layer.name} sit where the curve is flat: "
        "their gradient is next to 0" + (": long updates threw them there" if long else ""),
        remedy=(
            *(remedies.try_init(facts) if began == 0 else remedies.try_rate(facts, 0.1)),
            *remedies.try_norm(facts),
        ),
        source="Glorot & Bengio 2010",
    )


SIGNAL_CHECKS = (
    Check("dead_units", dead_units, ("symmetric_units",), unable=needs_layers),
    Check(
        "exploding_gradient",
        exploding_gradient,
        ("divergence", "outlier_rows", "exploding_through_time"),
        unable=needs_layers,
    ),
    Check(
        "vanishing_gradient",
        vanishing_gradient,
        ("dead_units", "symmetric_units", "exploding_gradient"),
        unable=needs_layers,
    ),
    Check(
        "saturation",
        saturation,
        ("vanishing_gradient", "exploding_through_time"),
        unable=needs_layers,
    ),
)
