"""How a run asks its network: in which precision, and about how many examples at once."""

from math import ceil, prod

import numpy as np
import torch
from numpy import int64
from numpy.typing import NDArray
from torch import Tensor, nn

from nnlab.experiment.experiment import Experiment
from nnlab.training import objective
from nnlab.training.evaluate import EVALUATION_ELEMENTS, Forward

MAX_EVALUATION_BATCH = 2000
LANE = 16
"""Windows of a lane, at least; the first of them begins with an empty state."""


def forward_of(experiment: Experiment, network: nn.Module, *, alone: bool = False) -> Forward:
    """What asks a network as the config says.

    Args:
        experiment: settled.
        network: on its device, in its precision.
        alone: whether no run has set the threads: then they are set while it is asked.
    """
    train = experiment.config.train
    lower = objective.autocast_dtype(train.precision)
    return Forward(network, lower, experiment.threads if alone else None, train.carry)


def evaluation_batch(experiment: Experiment) -> int:
    """How many examples are evaluated at once: by the largest layer, so that it is arithmetic."""
    widest = max(prod(p.output) for plan in experiment.design.plans for p in (plan, *plan.children))
    widest = max(widest, prod(experiment.shape.inputs))
    return max(1, min(MAX_EVALUATION_BATCH, EVALUATION_ELEMENTS // widest))


def batches_of(
    experiment: Experiment, rows: "NDArray[int64]", device: torch.device
) -> list[Tensor]:
    """Rows (N,) as they go through the network together, on its device.

    Where a state is carried, windows that follow each other go through in lanes, as in training:
    row j of a batch follows row j of the batch before.
    """
    if experiment.config.train.carry and len(rows) > 1 and (np.diff(rows) == 1).all():
        lanes = min(experiment.batch_size, ceil(len(rows) / LANE))
        parts = np.array_split(rows, lanes)  # the first ones may have one more
        moments = ([part[k] for part in parts if k < len(part)] for k in range(len(parts[0])))
        return [torch.tensor(moment, device=device) for moment in moments]
    return list(torch.from_numpy(rows).to(device).split(evaluation_batch(experiment)))


def order_of(batches: list[Tensor], rows: "NDArray[int64]") -> Tensor:
    """(N,) on the CPU: where each of the rows that `batches_of` got stands among its batches."""
    found = torch.cat(batches).cpu()
    # Those in lanes were ascending; others stay as they are.
    same = torch.equal(found, torch.from_numpy(rows))
    return torch.arange(len(found)) if same else found.argsort()
