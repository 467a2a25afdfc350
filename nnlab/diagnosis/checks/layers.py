"""Checks of single layers beside the others: one that is out of line, a rate of its own, copies."""

from json import dumps
from math import exp, inf, log
from statistics import fmean, median

from nnlab.core.finding import Finding
from nnlab.diagnosis.checks import remedies
from nnlab.diagnosis.checks.check import Check, needs_data, needs_layers, needs_updates
from nnlab.diagnosis.evidence.course import (
    much_is_learned,
    of_layers,
    should_have_begun,
)
from nnlab.diagnosis.evidence.facts import Facts, LayerFacts
from nnlab.diagnosis.evidence.history import History
from nnlab.parts.optimizers.naming import fits

_OUT_OF_LINE = 8.0
"""So many times more or less than the other layers does one make of its input."""


def badly_initialized_layer(history: History, facts: Facts) -> Finding | None:
    """A hidden layer that makes much more or less of its input than the others do."""
    # Around a sum, as in a transformer, a layer's input is not what the one before put out.
    if not history.probed or history.probed[0].step or facts.attends:
        return None
    found = _gains(history, facts)
    if len(found) < 3:
        return None
    middle = median(found.values())
    inner = {layer: gain for layer, gain in found.items() if layer in facts.hidden[1:]}
    if middle <= 0.0 or not inner:
        return None
    off = {layer: abs(log(gain / middle)) if gain > 0.0 else inf for layer, gain in inner.items()}
    layer = max(off, key=lambda one: off[one])
    # Where many differ, none is out of line.
    usual = sorted(abs(log(g / middle)) for n, g in found.items() if n is not layer and g > 0.0)
    if off[layer] < log(_OUT_OF_LINE) or off[layer] < 3.0 * usual[-1]:
        return None
    late = should_have_begun(history, facts) or history.ended or not history.step
    harm = late and not much_is_learned(history, facts)
    ratio = found[layer] / middle
    word = "nothing" if not ratio else f"{ratio:.2g} times as much"
    return Finding(
        name="badly_initialized_layer",
        level="warning" if harm else "note",
        layer=layer.name,
        measured=ratio,
        quantity="deviation of what a layer puts out over that of what comes in, beside the middle "
        "of all layers",
        since=0,
        meaning=f"{layer.name} makes {word} of its input as the other layers do, before the first "
        "update: its first weights are of another size than theirs",
        remedy=_own_init(facts, layer) or remedies.try_init(facts),
        source="He et al. 2015, arXiv:1502.01852, section 2.2",
    )


def _gains(history: History, facts: Facts) -> dict[LayerFacts, float]:
    """What each layer behind the first makes of its input, without those that a norm evens out."""
    first = history.probed[0]
    before = dict(of_layers(first, "activation_std", facts.layers))
    after = dict(of_layers(first, "preactivation_std", facts.layers))
    found: dict[LayerFacts, float] = {}
    for last, layer in zip(facts.layers, facts.layers[1:], strict=False):
        coming = before.get(last, after.get(last))
        if coming and layer in after and layer.norm == "none" and last.norm == "none":
            found[layer] = after[layer] / coming
    return found


def _own_init(facts: Facts, layer: LayerFacts) -> tuple[str, ...]:
    """The initialization of one layer of a list, where it has one of its own."""
    for placed in facts.experiment.design.placed:
        path = placed.path
        own = path and path[-2:-1] == ("layers",) and isinstance(path[-1], int)
        if placed.name == layer.module and own:
            return (f"{'.'.join(map(str, path))}.init=auto",)
    return ()


def group_rate_too_high(history: History, facts: Facts) -> Finding | None:
    """A group of parameters whose own learning rate makes its updates far too long."""
    optimizer = facts.config.optimizer
    groups = getattr(optimizer, "groups", {})
    for pattern, group in groups.items():
        if group.lr is None or group.lr < 3.0 * optimizer.lr:
            continue
        inside = [layer for layer in facts.layers if fits(pattern, f"{layer.module}.weight")]
        seen = _update_ratios(history, facts)
        mine = [seen[layer] for layer in inside if layer in seen]
        others = [ratio for layer, ratio in seen.items() if layer not in inside]
        if not mine or not others or not should_have_begun(history, facts):
            continue
        ratio, usual = max(mine), median(others)
        if ratio < facts.limits.update_high / 2.0 or ratio < 8.0 * usual:
            continue
        changed = {
            name: {k: v for k, v in one.model_dump().items() if v is not None}
            for name, one in groups.items()
        }
        changed[pattern]["lr"] = optimizer.lr
        layer = max((one for one in inside if one in seen), key=lambda one: seen[one])
        return Finding(
            name="group_rate_too_high",
            level="note" if much_is_learned(history, facts) else "warning",
            layer=layer.name,
            measured=ratio,
            quantity=f"mean |update| / |weights| of {layer.name}; {usual:.2g} in the other layers",
            since=next((p.step for p in history.probed if p.step), 0),
            meaning=f"optimizer.groups gives {pattern} a learning rate of {group.lr:g}, "
            f"{group.lr / optimizer.lr:.3g} times that of the others: its updates are "
            f"{ratio / usual:.2g} times as long beside its weights",
            remedy=(f"optimizer.groups={dumps(changed)}",),
            source="Goodfellow, Bengio & Courville 2016, section 8.3.1",
        )
    return None


def _update_ratios(history: History, facts: Facts) -> dict[LayerFacts, float]:
    """Of each layer, the mean over all full probes behind the first update."""
    kept: dict[LayerFacts, list[float]] = {}
    for point in history.probed:
        for layer, ratio in of_layers(point, "update_ratio", facts.layers):
            if point.step:
                kept.setdefault(layer, []).append(ratio)
    return {layer: fmean(values) for layer, values in kept.items()}


def copied_units(_: History, facts: Facts) -> Finding | None:
    """Groups of units that have the same weights: each group is one unit."""
    found = facts.copies or {}
    shares = {name: 1.0 - one.different / one.units for name, one in found.items()}
    if not shares:
        return None
    name = max(shares, key=lambda layer: shares[layer])
    one = found[name]
    if one.different == 1:
        return None  # symmetric_units says so
    return Finding(
        name="copied_units",
        level="warning" if shares[name] >= 0.25 else "note",
        layer=name,
        measured=float(one.different),
        quantity=f"units of {name}, of {one.units:,}, whose weights are their own",
        since=0,
        meaning=f"the {one.units:,} units of {name} are {one.different:,} different ones: copies "
        "have the same weights, get the same gradient and stay the same",
        remedy=remedies.try_init(facts),
        source="Goodfellow, Bengio & Courville 2016, section 8.4",
    )


def _no_weights(_: History, facts: Facts) -> str | None:
    if not facts.hidden or not facts.followed:
        return ""
    return None if facts.copies is not None else "only the weights of a run at its end show it"


def softmax_twice(_: History, facts: Facts) -> Finding | None:
    """Outputs that are probabilities already: the loss takes their softmax or sigmoid once more."""
    if not facts.outputs_are_shares:
        return None
    loss, outputs = facts.experiment.loss.kind, facts.experiment.shape.outputs
    link = facts.experiment.loss.link
    if link == "sigmoid":
        floor, sure = outputs * log(1.0 + exp(-1.0)), "73% for, or 50% against it"
        what = f"{outputs} labels" if outputs > 1 else "one label"
    else:
        floor = log(1.0 + max(1, outputs - 1) * exp(-1.0))
        sure, what = f"{exp(-floor):.0%}", f"{outputs} classes"
    return Finding(
        name="softmax_twice",
        level="warning",
        layer=None,
        measured=floor,
        quantity=f"no loss of such outputs is lower, with {what}",
        since=0,
        meaning=f"the network ends in {link}, and {loss} takes the {link} of its outputs itself: "
        f"it sees numbers from 0 to 1, so that no answer can be surer than {sure}, and gradients "
        "are small",
        advice=f"let the network put out what comes before its {link} (logits)",
        source="torch.nn.CrossEntropyLoss: the input is expected to contain unnormalized logits",
    )


def _no_outputs(_: History, facts: Facts) -> str | None:
    if not facts.experiment.loss.link_inside:
        return ""
    if facts.outputs_are_shares is None:
        return "only the network of a run at its end shows it"
    return None


def targets_out_of_reach(_: History, facts: Facts) -> Finding | None:
    """Targets that the activation of the output layer cannot give."""
    data, activation = facts.data, facts.experiment.output_activation
    if data is None or data.unreachable < _BEYOND or facts.handed:
        return None
    return Finding(
        name="targets_out_of_reach",
        level="warning",
        layer="output",
        measured=data.unreachable,
        quantity=f"share of training targets that {activation.kind} cannot put out",
        since=0,
        meaning=f"the output layer ends in {activation.kind}, and {data.unreachable:.0%} of the "
        "targets, as the network sees them, lie beyond what it can put out: it sits at its bound "
        "for these",
        remedy=("model.output.activation=identity", *remedies.scale_targets(facts)),
        source="Goodfellow, Bengio & Courville 2016, section 6.2.2",
    )


_BEYOND = 0.02


def _no_numbers(history: History, facts: Facts) -> str | None:
    if facts.experiment.shape.task != "regression" or facts.handed:
        return ""
    return needs_data(history, facts)


LAYER_CHECKS = (
    Check("softmax_twice", softmax_twice, at_end=True, unable=_no_outputs),
    Check("targets_out_of_reach", targets_out_of_reach, unable=_no_numbers),
    Check("copied_units", copied_units, ("symmetric_units",), at_end=True, unable=_no_weights),
    Check(
        "badly_initialized_layer",
        badly_initialized_layer,
        ("symmetric_units",),
        unable=needs_layers,
    ),
    Check("group_rate_too_high", group_rate_too_high, unable=needs_updates),
)
