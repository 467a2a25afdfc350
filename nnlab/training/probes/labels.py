"""How readings call layers and parameters: numbered by depth, 00_hidden1.weight."""

from collections.abc import Mapping, Sequence

from nnlab.core.contracts import Plan

LEGIBLE = 8
"""More layers than that are not shown one by one."""


def parameter_labels(plans: Sequence[Plan]) -> dict[str, str]:
    """Parameter name -> its key in readings, numbered by depth: 00_hidden1.weight."""
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


def cards_of(plans: Sequence[Plan]) -> frozenset[str]:
    """The per-layer readings that have a card of their own in TensorBoard."""
    names = parameter_labels(plans)
    shapes = {name: shape for plan in plans for name, shape in plan.parameters.items()}
    return frozenset(f"grad_norm/{names[n]}" for n, shape in shapes.items() if len(shape) >= 2)


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
