"""How readings call layers and parameters: numbered by depth, 00_hidden1.weight."""

from collections.abc import Mapping, Sequence

from nnlab.contracts import Plan


def labels(plans: Sequence[Plan]) -> dict[str, str]:
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
    names = labels(plans)
    shapes = {name: shape for plan in plans for name, shape in plan.parameters.items()}
    return frozenset(f"grad_norm/{names[n]}" for n, shape in shapes.items() if len(shape) >= 2)
