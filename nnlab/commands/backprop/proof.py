"""The gradient three times: the four equations, autograd, central finite differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnlab.commands.backprop.equations import Dense, Pass, backward, example_loss
from nnlab.commands.backprop.through_time import (
    Steps,
    StepsPass,
    last_state,
    split_layers,
    steps_backward,
)
from nnlab.core.contracts import Batch
from nnlab.experiment.experiment import Experiment
from nnlab.models.network import build_network as build_network
from nnlab.models.network import initial_fills
from nnlab.parts.losses.family import LossConfig

LIMIT = 1e-6
"""The largest relative error that counts as agreement, in float64."""
STEP = 1e-5
"""Of the differences: their error is about STEP^2 = 1e-10, their rounding 1e-16 / STEP = 1e-11."""
ENTRIES = 256
"""Of a larger tensor so many entries are perturbed, drawn with a fixed seed."""

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the three gradients of one parameter are apart.

    Attributes:
        name: hidden1.weight.
        size: the largest absolute entry of the gradient.
        autograd: relative error of the equations against autograd.
        differences: relative error of the equations against central finite differences.
        entries: how many entries were perturbed.
        kinks: how many of those stand at a kink, where differences say nothing.
    """

    name: str
    size: float
    autograd: float
    differences: float
    entries: int
    kinks: int


@dataclass(frozen=True, slots=True)
class Worksheet:
    """One example worked through.

    Attributes:
        x: its inputs, flat; of a sequence (steps, features).
        y: its target, as columns.
        loss: the loss.
        passes: of each layer, the first first.
        agreements: of each parameter.
        updated: the parameters after one step of the optimizer.
        steps: of each recurrent layer, the first first; they come before the others.
    """

    x: _Floats
    y: _Floats
    loss: float
    passes: tuple[Pass, ...]
    agreements: tuple[Agreement, ...]
    updated: Mapping[str, _Floats]
    steps: tuple[StepsPass, ...] = ()

    @property
    def worst(self) -> float:
        """The largest relative error of all; NaN if one is not a number."""
        errors = [error for one in self.agreements for error in (one.autograd, one.differences)]
        return float(np.max(errors))

    @property
    def agrees(self) -> bool:
        """Whether all three say the same."""
        return self.worst <= LIMIT


def work_example(
    experiment: Experiment,
    x: _Floats,
    target: Any,
    *,
    parameters: Mapping[str, Tensor] | None = None,
) -> Worksheet:
    """Works one example through the network, in float64.

    Args:
        experiment: with a fully connected network, or plain recurrent layers before it.
        x: the scaled inputs of one example, any shape.
        target: its class number, or its (K,) numbers.
        parameters: the weights and biases by name; None for those that the network begins with.

    Raises:
        MistakeError: a layer is neither a fully connected one nor a plain recurrent one.
    """
    network = build_network(experiment.design, seed=experiment.config.seed_of("init"))
    network = network.double().eval()
    if parameters is None:
        _fill_exactly(network, experiment)
    else:
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                parameter.copy_(parameters[name])
    before = {name: p.detach().numpy().copy() for name, p in network.named_parameters()}
    steps, layers = split_layers(experiment.design.placed, before)
    loss = experiment.loss
    y = loss.columns(np.asarray(target)[None], experiment.shape)[0]
    seen = x if steps else x.reshape(-1)
    chain = _Chain(steps, layers, loss, seen, y)
    passes = backward(layers, loss, last_state(steps, seen), y)
    through = steps_backward(steps, seen, passes)
    theirs = _autograd(network, experiment, x, target)
    agreements = tuple(
        _agreement(name, gradient, theirs[name], chain)
        for name, gradient in _gradients(through, passes).items()
    )
    updated = _updated(network, experiment)
    return Worksheet(seen, y, chain.value(), passes, agreements, updated, through)


def _fill_exactly(network: nn.Module, experiment: Experiment) -> None:
    """Numbers that are written, such as 0.15, in float64; networks are built in float32."""
    parameters = dict(network.named_parameters())
    for name, fill in initial_fills(experiment.design).items():
        if fill.init.kind in ("given", "constant"):
            fill.begin(parameters[name], torch.Generator())


def _gradients(through: Sequence[StepsPass], passes: Sequence[Pass]) -> dict[str, _Floats]:
    found: dict[str, _Floats] = {}
    for one in through:
        found |= {f"{one.layer.name}.{part}": value for part, value in one.gradients.items()}
    for one in passes:
        for suffix, gradient in (("weight", one.weight_gradient), ("bias", one.bias_gradient)):
            if gradient is not None:
                found[f"{one.layer.name}.{suffix}"] = gradient
    return found


def _autograd(
    network: nn.Module, experiment: Experiment, x: _Floats, target: Any
) -> dict[str, _Floats]:
    """Torch's gradients; they stay in the parameters."""
    targets = torch.as_tensor(np.asarray(target)[None])
    if targets.is_floating_point():
        targets = targets.double()
    batch = Batch(torch.from_numpy(x[None]), targets, torch.zeros(1, dtype=torch.int64))
    loss = experiment.loss.build(experiment.shape)
    loss(network(batch.inputs), batch).mean().backward()
    return {
        name: np.zeros(p.shape) if p.grad is None else p.grad.numpy().copy()
        for name, p in network.named_parameters()
    }


def _updated(network: nn.Module, experiment: Experiment) -> dict[str, _Floats]:
    """The parameters after the optimizer's first step with autograd's gradients."""
    optimizer = experiment.config.optimizer
    rate = torch.tensor(optimizer.lr, dtype=torch.float64)
    optimizer.build(list(network.named_parameters()), lr=rate).step()
    return {name: p.detach().numpy().copy() for name, p in network.named_parameters()}


def _agreement(name: str, ours: _Floats, theirs: _Floats, chain: "_Chain") -> Agreement:
    count = min(ours.size, ENTRIES)
    chosen = np.random.Generator(np.random.PCG64(0)).permutation(ours.size)[:count]
    middle = chain.value()
    sides = np.array([_sides(name, int(i), middle, chain) for i in chosen])
    left, right = sides[:, 0], sides[:, 1]
    # Of a smooth function they differ by STEP * f'' alone.
    smooth = np.abs(right - left) <= 1e-3 * (np.abs(right) + np.abs(left)) + 1e-5
    return Agreement(
        name,
        size=float(np.abs(ours).max(initial=0.0)),
        autograd=relative_error(ours, theirs),
        differences=relative_error(
            ours.reshape(-1)[chosen][smooth], ((left + right) / 2.0)[smooth]
        ),
        entries=count,
        kinks=int((~smooth).sum()),
    )


def relative_error(a: _Floats, b: _Floats) -> float:
    """Max |a - b| / max(|a|, |b|), largest entries; below 1e-4 differences are rounding noise."""
    scale = max(float(np.abs(a).max(initial=0.0)), float(np.abs(b).max(initial=0.0)), 1e-4)
    return float(np.abs(a - b).max(initial=0.0)) / scale


def _sides(name: str, index: int, middle: float, chain: "_Chain") -> tuple[float, float]:
    """(C(w) - C(w - h)) / h and (C(w + h) - C(w)) / h; their mean is the central difference."""
    before, after = (chain.moved(name, index, by).value() for by in (-STEP, STEP))
    return (middle - before) / STEP, (after - middle) / STEP


@dataclass(frozen=True, slots=True)
class _Chain:
    """The layers with one example, as the equations know them."""

    steps: tuple[Steps, ...]
    layers: tuple[Dense, ...]
    loss: LossConfig
    x: _Floats
    y: _Floats

    def value(self) -> float:
        """The loss of the example."""
        return example_loss(self.layers, self.loss, last_state(self.steps, self.x), self.y)

    def moved(self, name: str, index: int, by: float) -> "_Chain":
        """The layers with one entry of one parameter moved."""
        layer, _, part = name.rpartition(".")

        def changed(one: Steps | Dense) -> dict[str, _Floats]:
            values = getattr(one, part).copy()
            values.reshape(-1)[index] += by
            return {part: values}

        def steps(one: Steps) -> Steps:
            return replace(one, **changed(one)) if one.name == layer else one

        def dense(one: Dense) -> Dense:
            return replace(one, **changed(one)) if one.name == layer else one

        return replace(
            self, steps=tuple(map(steps, self.steps)), layers=tuple(map(dense, self.layers))
        )
