"""What a network says of single rows: losses, margins, answers, and how sure it is."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnlab.core.contracts import Examples
from nnlab.experiment.experiment import Experiment
from nnlab.runs.building.forward import batches_of, forward_of
from nnlab.runs.building.scoring import loss_of
from nnlab.training.sources import RowSource


def row_answers(
    experiment: Experiment,
    examples: Examples,
    network: nn.Module,
    source: RowSource,
    rows: NDArray[np.int64],
) -> dict[str, np.ndarray]:
    """What a network says of rows, in evaluation mode; nothing in it changes.

    Args:
        experiment: that it is trained in.
        examples: the data.
        network: that is asked.
        source: of rows, where the network is.
        rows: (N,) numbers in the data.

    Returns:
        `losses` (N,), and of classes `margins`, `predicted` and `sure`, (N,) each: how far the
        largest output is above the second, whatever the label.
    """
    loss = loss_of(experiment, examples, network)
    device = next(network.parameters()).device
    batches = batches_of(experiment, rows, device)
    parts: dict[str, list[Tensor]] = {"losses": [], "margins": [], "predicted": [], "sure": []}
    with forward_of(experiment, network).over(source, batches) as found:
        for batch, outputs in found:
            parts["losses"].append(loss(outputs, batch).float())
            if experiment.shape.task == "classes":
                if outputs.shape[1] == 1:  # one logit z of two classes: as two, 0 and z
                    outputs = torch.cat([torch.zeros_like(outputs), outputs], dim=1)
                parts["margins"].append(margins(outputs, batch.targets))
                parts["predicted"].append(outputs.argmax(1).to(torch.int32))
                first, second = outputs.topk(2, dim=1).values.float().unbind(1)
                parts["sure"].append(first - second)
    return {key: torch.cat(part).cpu().numpy() for key, part in parts.items() if part}


def margins(outputs: Tensor, labels: Tensor) -> Tensor:
    """Output of the label less the largest other. Pleiss et al. 2020, eq. 1.

    Args:
        outputs: (N, K), before the link.
        labels: (N,) class numbers.

    Returns:
        (N,) float32; negative where another class is answered.
    """
    own = outputs.gather(1, labels[:, None])[:, 0]
    others = outputs.scatter(1, labels[:, None], float("-inf"))
    return (own - others.max(1).values).float()
