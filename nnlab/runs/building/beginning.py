"""First weights that come from elsewhere (`model.from`), put into a network."""

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from nnlab.core.errors import CheckpointError
from nnlab.experiment.experiment import Experiment
from nnlab.runs.folder import checkpoint
from nnlab.runs.weights.beginning import beginning_of


def load_beginning(network: nn.Module, experiment: Experiment) -> frozenset[str]:
    """Loads the weights that `model.from` names into a network on the CPU.

    Of a run that has begun they come from its own first checkpoint.

    Returns:
        The names of the tensors that were loaded; none without `from`.

    Raises:
        ConfigError: there is no such file, or it does not fit.
        CheckpointError: the first checkpoint of the run is damaged.
    """
    if experiment.config.model.begin is None:
        return frozenset()
    if experiment.first_weights is not None:
        found = checkpoint.named_checkpoint(experiment.first_weights, "init").tensors
        weights = {k.removeprefix("model/"): t for k, t in found.items() if k.startswith("model/")}
        checkpoint.check_fits(network.state_dict(), weights, where=str(experiment.first_weights))
        network.load_state_dict(weights)
        return frozenset(weights)
    taken = beginning_of(experiment)
    assert taken is not None
    file, matched = taken
    tensors = load_file(file.path)
    chosen = {ours: tensors[file.prefix + theirs] for ours, theirs in matched.pairs.items()}
    # Told here: training would end in a loss that is not finite, and blame the rate.
    if bad := [name for name, tensor in chosen.items() if not _finite(tensor)]:
        text = f"{bad[0]} holds numbers that are not finite"
        raise CheckpointError(f"{file.title}: {text} (another file)")
    named: dict[str, Tensor] = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    with torch.no_grad():
        for name, tensor in chosen.items():
            # Another library may have the same numbers in another shape.
            named[name].copy_(tensor.view(named[name].shape))
    return frozenset(chosen)


def _finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())
