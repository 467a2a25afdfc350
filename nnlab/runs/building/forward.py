"""How a run asks its network: in which precision, and about how many examples at once."""

from math import prod

import torch
from numpy import int64
from numpy.typing import NDArray
from torch import Tensor, nn

from nnlab.experiment.experiment import Experiment
from nnlab.training import objective
from nnlab.training.evaluate import EVALUATION_ELEMENTS, Forward

MAX_EVALUATION_BATCH = 2000


def forward_of(experiment: Experiment, network: nn.Module, *, alone: bool = False) -> Forward:
    """What asks a network as the config says.

    Args:
        experiment: settled.
        network: on its device, in its precision.
        alone: whether no run has set the threads: then they are set while it is asked.
    """
    train = experiment.config.train
    assert not isinstance(train.threads, str)
    lower = objective.autocast_dtype(train.precision)
    return Forward(network, lower, train.threads if alone else None)


def evaluation_batch(experiment: Experiment) -> int:
    """How many examples are evaluated at once: by the largest layer, so that it is arithmetic."""
    widest = max(prod(p.output) for plan in experiment.design.plans for p in (plan, *plan.children))
    widest = max(widest, prod(experiment.shape.inputs))
    return max(1, min(MAX_EVALUATION_BATCH, EVALUATION_ELEMENTS // widest))


def batches_of(
    experiment: Experiment, rows: "NDArray[int64]", device: torch.device
) -> list[Tensor]:
    """Rows (N,) as they go through the network together, on its device."""
    return list(torch.from_numpy(rows).to(device).split(evaluation_batch(experiment)))
