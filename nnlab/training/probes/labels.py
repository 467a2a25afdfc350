"""Which layers of a network can be seen, and what readings call them: the one place that knows.

It follows from the plans of the layers alone, without torch, for networks of ours and for modules
of a user's own. `sight.py` beside it observes what passes between the layers that stand here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple, final

from nnlab.core.contracts import Plan, Seen, Shape, flat_plans

LEGIBLE = 8
"""More layers than that are not shown one by one."""


GATES: Mapping[str, Mapping[str, int]] = {
    "rnn": {},
    "lstm": {"input": 0, "forget": 1, "output": 3},
    "gru": {"reset": 0, "update": 1},
}
"""Kind of a recurrent layer -> its gates and the place of each among what a unit computes."""

Role = Literal["preactivation", "activation"]


class Matrix(NamedTuple):
    """A parameter of two axes or more, units first: what moves a network, whatever its name.

    Biases and the parameters of most norms have one axis, and few numbers.
    """

    parameter: str
    """Its full name: hidden1.weight, lstm.weight_ih_l0."""
    key: str
    """In readings: 00_hidden1.weight."""
    shape: Shape

    @property
    def module(self) -> str:
        """What it belongs to: hidden1, block1.conv2, lstm."""
        return self.parameter.rpartition(".")[0]

    @property
    def name(self) -> str:
        """What a person calls it: the layer, and the parameter where that is no plain weight."""
        return self.parameter.removesuffix(".weight")


class Site(NamedTuple):
    """Where a probe is put: what comes out of a module."""

    layer: str
    """The layer's full name."""
    key: str
    """The layer in readings: 00_hidden1."""
    role: Role
    bounds: tuple[float, float] | None
    """Where an activation flattens out on both sides."""


@final
@dataclass(frozen=True)
class Layers:
    """Which layers of a network can be seen.

    Attributes:
        plans: of the layers, from input to output.
        seen: what a probe sees of them, by their key in readings.
        axes: of the units in what a module puts out, by the tap's name; 1 where there is none.
        scales: parameters of norms, which multiply or shift each unit alone.
    """

    plans: tuple[Plan, ...]
    seen: Mapping[str, Seen]
    axes: Mapping[str, int] = field(default_factory=dict[str, int])
    scales: frozenset[str] = frozenset()

    @cached_property
    def keys(self) -> Mapping[str, str]:
        """Parameter name -> its key in readings: 00_hidden1.weight."""
        return parameter_labels(self.plans)

    @cached_property
    def matrices(self) -> tuple[Matrix, ...]:
        """Of all layers, from input to output."""
        return matrices(self.plans)

    @cached_property
    def weights(self) -> tuple[Matrix, ...]:
        """Those that connect units with units: a norm's, one number for a pixel, do not."""
        return tuple(each for each in self.matrices if each.parameter not in self.scales)

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Key of a weight's gradient norm -> what a person calls the weight, in order of depth."""
        return {f"grad_norm/{each.key}": each.name for each in self.weights}

    @cached_property
    def recurrent(self) -> Mapping[str, str]:
        """Key of each recurrent layer of ours in readings -> its kind."""
        kinds = {plan.name: plan.kind for plan in self.plans if plan.kind in GATES}
        return {key: kinds[s.layer] for key, s in self.seen.items() if s.layer in kinds}

    @cached_property
    def attention(self) -> Mapping[str, int]:
        """Key of each layer of attention in readings -> how many heads it has."""
        heads = {plan.name: plan.heads for plan in flat_plans(self.plans) if plan.heads}
        return {key: heads[s.layer] for key, s in self.seen.items() if s.layer in heads}

    @property
    def cards(self) -> frozenset[str]:
        """The gradient norms that have a curve of their own in TensorBoard."""
        return frozenset(f"grad_norm/{each.key}" for each in self.matrices)

    @cached_property
    def places(self) -> Mapping[str, Site]:
        """What a probe is shown, by the tap's name."""
        found: dict[str, Site] = {}
        for key, seen in self.seen.items():
            if seen.before:
                found[seen.before] = Site(seen.layer, key, "preactivation", seen.bounds)
            if seen.after:
                found[seen.after] = Site(seen.layer, key, "activation", seen.bounds)
        return found

    def legible(self, key: str) -> bool:
        """Whether TensorBoard shows the inside of the layer that a reading's key is of."""
        number = number_of(key)
        return number is None or number in self._shown

    @cached_property
    def _shown(self) -> frozenset[int]:
        return legible_layers(self.plans)


def layers_of(plans: Sequence[Plan], seen: Sequence[Seen]) -> Layers:
    """The layers of a network of ours.

    Args:
        plans: of the layers, from input to output.
        seen: what the layers say that a probe sees, in the same order.
    """
    named = parameter_labels(plans)
    names = layer_labels([each.layer for each in seen], named)
    sequences = {plan.name for plan in flat_plans(plans) if len(plan.output) == 2}
    axes = {
        tap: 2
        for each in seen
        if each.layer in sequences
        for tap in (each.before, each.after)
        if tap is not None
    }
    # A norm behind a layer is hidden1_norm, one by itself is batch_norm1.
    norms = {name for name in named if "_norm" in name.rpartition(".")[0].rpartition(".")[2]}
    places = {names[each.layer]: each for each in seen}
    return Layers(tuple(plans), places, axes=axes, scales=frozenset(norms))


def matrices(plans: Sequence[Plan]) -> tuple[Matrix, ...]:
    """The matrices of layers, from input to output."""
    named = parameter_labels(plans)
    return tuple(
        Matrix(name, named[name], shape)
        for plan in plans
        for name, shape in plan.parameters.items()
        if is_matrix(shape)
    )


def is_matrix(shape: Shape) -> bool:
    """Whether a parameter of this shape connects units with units."""
    return len(shape) >= 2


def parameter_labels(plans: Sequence[Plan]) -> dict[str, str]:
    """Parameter name -> its key in readings, numbered by depth: 00_hidden1.weight."""
    # A number in front, as TensorBoard sorts by letters: hidden10 would stand before hidden2.
    deep = [plan for plan in plans if plan.parameters]
    return {
        name: f"{number:02d}_{name}" for number, plan in enumerate(deep) for name in plan.parameters
    }


def layer_labels(layers: Sequence[str], named: Mapping[str, str]) -> dict[str, str]:
    """Layer name -> its key in readings: the number of the last layer with weights before it."""
    numbers = {name.split(".")[0]: label.split("_")[0] for name, label in named.items()}
    found: dict[str, str] = {}
    number = "00"
    for layer in layers:
        number = numbers.get(layer.split(".")[0], number)
        found[layer] = f"{number}_{layer}"
    return found


def legible_layers(plans: Sequence[Plan]) -> frozenset[int]:
    """The numbers of the layers whose insides TensorBoard shows: of a deep network a few.

    The first and the last are among them. Gradient norms are shown of all, and metrics.jsonl holds
    everything.
    """
    count = sum(bool(plan.parameters) for plan in plans)
    if count <= LEGIBLE:
        return frozenset(range(count))
    return frozenset(round(n * (count - 1) / (LEGIBLE - 1)) for n in range(LEGIBLE))


def number_of(key: str) -> int | None:
    """The layer's number in a reading's key: 3 of activation_std/03_hidden4; None of a total."""
    number = key.partition("/")[2].partition("_")[0]
    return int(number) if number.isdigit() else None
