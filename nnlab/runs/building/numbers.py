"""Hyperparameters as tensors: what a compiled step takes as inputs, so that it serves them all."""

import torch
from torch import Tensor

from nnlab.experiment.experiment import Experiment


def tuned_numbers(experiment: Experiment, device: torch.device) -> dict[str, Tensor]:
    """clip_norm, l2, l1 and what the loss is tuned by, () each; those that are 0 are left out.

    Empty where the step is not compiled: there nothing is gained by a tensor.

    Args:
        experiment: settled.
        device: that trains.
    """
    config, loss = experiment.config, experiment.loss
    if config.train.compile != "on":
        return {}
    # As torch computes with a plain number: in the precision of what it is multiplied with.
    own = torch.float64 if config.train.precision == "fp64" else torch.float32
    found: dict[str, Tensor] = {}
    if config.train.clip_norm is not None:
        found["clip_norm"] = torch.tensor(config.train.clip_norm, dtype=own, device=device)
    share = penalty_share(experiment)
    for name in ("l2", "l1"):
        value = getattr(config.regularize, name) / share
        if value:
            found[name] = torch.tensor(value, dtype=torch.float64, device=device)
    for name in loss.tuned:
        value = getattr(loss, name)
        if value:
            found[name] = torch.tensor(value, dtype=torch.float64, device=device)
    return found


def penalty_share(experiment: Experiment) -> int:
    """What the factors of the penalty are divided by."""
    return experiment.shape.sizes["train"] if experiment.config.regularize.per == "dataset" else 1
