"""Signal and gradient by depth in a network that has not been trained, beside the theory's."""

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nnlab.commands.doctor import theory
from nnlab.core.contracts import Batch, LossFn
from nnlab.diagnosis.evidence.facts import Facts, LayerFacts
from nnlab.parts.layers.weighted import LinearConfig
from nnlab.training.probes.labels import Site
from nnlab.training.probes.sight import Sight
from nnlab.training.window import flat_places

_PAIRS = 64
"""So many examples are compared, each with each."""


class DepthMeasure(NamedTuple):
    """What was measured of one layer's pre-activations."""

    square: float
    """Mean square over examples and units."""
    likeness: float
    """Mean cosine of two different examples."""
    gradient: float
    """Root of the summed squares of the loss's gradient by them."""


def by_depth(
    network: nn.Module, batch: Batch, loss: LossFn, facts: Facts
) -> dict[str, dict[str, float | None]]:
    """One forward and backward pass: the numbers of each layer, from input to output.

    Leaves no gradient and no changed buffer behind.
    """
    measured = _measure(Sight(network, facts.experiment.design.layers), batch, loss)
    weights = dict(network.named_parameters())
    expected = _expected(facts, measured, weights)
    found: dict[str, dict[str, float | None]] = {}
    last = next((m.gradient for m in reversed(list(measured.values())) if m.gradient), None)
    for layer in facts.layers:
        one = measured.get(layer.module)
        if one is None:
            continue
        row: dict[str, float | None] = {
            "signal": one.square**0.5,
            "gradient": one.gradient / last if last else None,
            "likeness": one.likeness,
        }
        found[layer.name] = row | expected.get(layer.name, {})
    return found


def _measure(sight: Sight, batch: Batch, loss: LossFn) -> dict[str, DepthMeasure]:
    kept: dict[str, Tensor] = {}
    alone = {place.layer for place in sight.layers.places.values() if place.role == "preactivation"}

    def tap(place: Site, x: Tensor) -> None:
        # What has its activation inside (a recurrent layer) shows that alone.
        wanted = place.role == "preactivation" or place.layer not in alone
        if wanted and x.requires_grad:
            x.retain_grad()
            kept[place.layer] = x

    with sight.still(), sight.open(tap, whole=True), torch.enable_grad():
        outputs = flat_places(sight.network(batch.inputs))
        loss(outputs, batch).mean().backward()
    sight.network.zero_grad(set_to_none=True)
    return {name: _of(x) for name, x in kept.items()}


def _of(x: Tensor) -> DepthMeasure:
    z = x.detach().double().flatten(1)
    some = z[:_PAIRS]
    unit = some / some.norm(dim=1, keepdim=True).clamp(min=1e-300)
    cosines = unit @ unit.T
    count = len(some)
    likeness = (cosines.sum() - cosines.diagonal().sum()) / max(1, count * (count - 1))
    gradient = 0.0 if x.grad is None else x.grad.double().norm().item()
    return DepthMeasure(z.square().mean().item(), likeness.item(), gradient)


def _expected(
    facts: Facts, measured: Mapping[str, DepthMeasure], weights: Mapping[str, Tensor]
) -> dict[str, dict[str, float | None]]:
    """The theory's numbers, from the first measured ones of each row of plain dense layers."""
    found: dict[str, dict[str, float | None]] = {}
    for row in _rows(facts):
        names = [layer.name for layer in row]
        if len(row) < 2 or not all(name in measured for name in names):
            continue
        q, c = measured[names[0]].square, measured[names[0]].likeness
        chis: list[float] = []
        for before, layer in pairwise(row):
            weight = weights[f"{layer.name}.weight"].detach().double()
            bias = weights.get(f"{layer.name}.bias")
            sw2 = weight.shape[1] * weight.square().mean().item()
            sb2 = 0.0 if bias is None else bias.detach().double().square().mean().item()
            chis.append(theory.backward_factor(before.activation, q, sw2=sw2))
            c = theory.next_correlation(before.activation, q, c, sw2=sw2, sb2=sb2)
            q = theory.next_variance(before.activation, q, sw2=sw2, sb2=sb2)
            found[layer.name] = {"signal_theory": q**0.5, "likeness_theory": c}
        # Backward from the last of the row, whose gradient is taken as it was measured.
        last = next((m.gradient for m in reversed(list(measured.values())) if m.gradient), 0.0)
        gradient = measured[names[-1]].gradient / last if last else 0.0
        for layer, chi in zip(reversed(row[:-1]), reversed(chis), strict=True):
            gradient *= chi**0.5
            found.setdefault(layer.name, {})["gradient_theory"] = gradient
    return found


def _rows(facts: Facts) -> list[list[LayerFacts]]:
    """Runs of dense layers that follow each other with nothing between but an activation."""
    configs = {placed.name: placed.config for placed in facts.experiment.design.placed}
    order = [name for name, config in configs.items() if config.kind != "dropout"]
    rows: list[list[LayerFacts]] = [[]]
    layers = {layer.name: layer for layer in facts.layers}
    for name in order:
        layer = layers.get(name)
        plain = isinstance(configs[name], LinearConfig) and layer is not None
        if not plain or layer is None or layer.norm != "none":
            rows.append([])
            continue
        rows[-1].append(layer)
        if layer.activation.kind == "softmax":
            rows.append([])
    return rows
