"""The layers of a network that Python handed in, as far as the records of its run show them."""

from collections.abc import Mapping
from pathlib import Path

from nnlab.core.contracts import Plan, Seen, Shape
from nnlab.core.errors import CheckpointError
from nnlab.models.family import Design
from nnlab.runs.folder import checkpoint
from nnlab.runs.folder.metrics import read_history
from nnlab.training.probes.labels import Layers, layer_labels, parameter_labels

_BOUNDS = (-1.0, 1.0)
"""Of an activation that is recorded as bounded; tanh's are the most usual ones."""


def recorded_design(run: Path, inputs: Shape) -> Design:
    """A design without its module: names and order from metrics.jsonl, shapes from a checkpoint.

    Args:
        run: its folder.
        inputs: shape of one example.

    Returns:
        With no layers where the run kept no checkpoint or no gradient.
    """
    shapes = _shapes(run)
    keys = _keys(run)
    by_number: dict[str, dict[str, Shape]] = {}
    for key in keys.get("grad_norm", ()):
        number, _, parameter = key.partition("_")
        if number.isdigit() and parameter in shapes:
            by_number.setdefault(number, {})[parameter] = shapes[parameter]
    plans = tuple(
        Plan(next(iter(named)).rpartition(".")[0], "module", (), (), (), parameters=named)
        for _, named in sorted(by_number.items())
    )
    labels = parameter_labels(plans)
    names = [plan.name for plan in plans]
    seen = {
        key: Seen(name, None, name, _BOUNDS if key in keys.get("saturated", ()) else None)
        for name, key in layer_labels(names, labels).items()
        if key in keys.get("activation_std", ())
    }
    return Design(inputs, (), plans, None, Layers(plans, seen))


def _shapes(run: Path) -> Mapping[str, Shape]:
    try:
        found = checkpoint.newest_checkpoint(run / "checkpoints").checkpoint
    except CheckpointError:
        return {}
    tensors = found.tensors if found is not None else {}
    return {
        key.removeprefix("model/"): tuple(tensor.shape)
        for key, tensor in tensors.items()
        if key.startswith("model/")
    }


def _keys(run: Path) -> dict[str, dict[str, None]]:
    """What stands behind the slash in the keys of readings, by what stands before it; in order."""
    found: dict[str, dict[str, None]] = {}
    for record in read_history(run / "metrics.jsonl"):
        for key in record:
            prefix, slash, name = key.partition("/")
            if slash:
                found.setdefault(prefix, {})[name] = None
    return found
