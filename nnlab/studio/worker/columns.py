"""What the page draws of a network: columns of units, and what joins them."""

from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from nnlab.core.contracts import Shape
from nnlab.experiment.experiment import Experiment

MOST_UNITS = 40
"""So many units of a column are drawn; of the others there is the number."""


class UnitColumn(NamedTuple):
    """Units side by side: the inputs, or what a layer with weights puts out."""

    name: str
    """As `nnlab show` calls the layer."""
    key: str
    """Of the layer in readings: 00_hidden1; empty for the inputs."""
    kind: str
    """inputs, linear, conv, ..."""
    units: int
    each: int
    """Numbers of a unit: 1, or the places of a channel's map."""
    parameter: str
    """Of its weights; empty for the inputs."""
    activation: str

    @property
    def shown(self) -> int:
        """How many units are drawn: the first ones."""
        return min(self.units, MOST_UNITS)

    def plain(self) -> dict[str, Any]:
        """As the page gets it."""
        return {**self._asdict(), "shown": self.shown}


def network_columns(experiment: Experiment) -> list[UnitColumn]:
    """The inputs and every layer that connects units with units, from input to output."""
    inputs, layers = experiment.shape.inputs, experiment.design.layers
    plans = {plan.name: plan for plan in experiment.design.plans}
    functions = {placed.name: _activation(placed.config) for placed in experiment.design.placed}
    found = [UnitColumn("inputs", "", "inputs", *_units(inputs), "", "")]
    for matrix in layers.weights:
        plan = plans.get(matrix.module)
        units, each = (matrix.shape[0], 1) if plan is None else _units(plan.output)
        kind = plan.kind if plan is not None else "conv" if len(matrix.shape) > 2 else "linear"
        function = functions.get(matrix.module, "")
        found.append(
            UnitColumn(
                matrix.name,
                matrix.key.rpartition(".")[0],
                kind,
                units,
                each,
                matrix.parameter,
                function,
            )
        )
    return found


def _units(shape: Shape) -> tuple[int, int]:
    """Of images the channels, each with its places; else single numbers."""
    return (shape[0], prod(shape[1:])) if len(shape) == 3 else (prod(shape), 1)


def _activation(config: Any) -> str:
    function = getattr(config, "activation", None)
    return "" if function is None or isinstance(function, str) else str(function.kind)


class Joints:
    """The weights between the columns, a number for each pair of units that is drawn.

    A single weight is itself. Several, as of a kernel or of all pixels of an image, are their
    length (the root of their mean square) with the sign of their sum.

    Args:
        network: whose weights.
        columns: with the inputs first.
    """

    def __init__(self, network: nn.Module, columns: list[UnitColumn]) -> None:
        named = dict(network.named_parameters())
        self._pairs = [
            (number, named[column.parameter], columns[number - 1], column)
            for number, column in enumerate(columns)
            if column.parameter
        ]
        self._biases = {
            number: bias
            for number, column in enumerate(columns)
            if column.parameter.endswith("weight")
            and (bias := named.get(f"{column.parameter.removesuffix('weight')}bias")) is not None
        }

    @torch.no_grad()
    def collect(self) -> dict[str, Tensor]:
        """w1, w2, ... (units, units before) and b1, b2, ... (units,), copies."""
        found: dict[str, Tensor] = {}
        for number, weight, before, column in self._pairs:
            pairs = _pairs(weight.detach(), before)
            if pairs is not None:
                found[f"w{number}"] = pairs[: column.shown, : before.shown].float().clone()
        for number, bias in self._biases.items():
            found[f"b{number}"] = bias.detach()[:MOST_UNITS].float().clone()
        return found


def _pairs(weight: Tensor, before: UnitColumn) -> Tensor | None:
    """(units, units before); None where the layer does not follow the one before."""
    flat = weight.flatten(2) if weight.ndim > 2 else weight[:, :, None]
    after, into, inner = flat.shape
    if into == before.units:
        grouped = flat
    elif into % before.units == 0:
        # Behind a flattening: the places of each channel stand together.
        grouped = flat.reshape(after, before.units, into // before.units * inner)
    else:
        return None
    if grouped.shape[2] == 1:
        return grouped[:, :, 0]
    return grouped.square().mean(2).sqrt() * grouped.sum(2).sign()


def norms_of(norms: Tensor, network: nn.Module, columns: list[UnitColumn]) -> list[float | None]:
    """Of each column's weights, out of the gradient norms (P,) of all parameters."""
    place = {name: number for number, (name, _) in enumerate(network.named_parameters())}
    values: list[float] = norms.tolist()
    return [values[place[c.parameter]] if c.parameter else None for c in columns]
