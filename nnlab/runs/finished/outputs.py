"""What the best network of a run says of every example of a split, kept for whoever judges it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from nnlab.core.contracts import Split
from nnlab.runs.building.build import source_of
from nnlab.runs.building.forward import batches_of, evaluation_batch, forward_of, order_of
from nnlab.runs.building.scoring import loss_of
from nnlab.runs.finished.reopen import Opened
from nnlab.training.evaluate import Forward


@dataclass(frozen=True, slots=True)
class Answers:
    """What a network says of N examples, on the CPU.

    Attributes:
        outputs: (N, K) float64.
        losses: (N,) float64.
    """

    outputs: Tensor
    losses: Tensor


def split_answers(opened: Opened, split: Split) -> Answers:
    """Outputs and losses of every example of a split, as `evaluate` sees them."""
    experiment, examples = opened.experiment, opened.examples
    loss = loss_of(experiment, examples, opened.network)
    dtype = next(opened.network.parameters()).dtype
    source = source_of(examples, device=opened.device, dtype=dtype)
    batches = batches_of(experiment, examples.rows[split], opened.device)
    order = order_of(batches, examples.rows[split])
    outputs: list[Tensor] = []
    losses: list[Tensor] = []
    with _forward(opened).over(source, batches) as found:
        for batch, said in found:
            outputs.append(said)
            losses.append(loss(said, batch))
    return Answers(*(_ordered(parts, order) for parts in (outputs, losses)))


def _ordered(parts: list[Tensor], order: Tensor) -> Tensor:
    """What was said of each row, with all its places, in the order of the split."""
    whole = torch.cat(parts).cpu().double()
    return whole.unflatten(0, (len(order), -1))[order].flatten(0, 1)


def outputs_of(opened: Opened, inputs: Tensor) -> Tensor:
    """(N, K) float64 on the CPU: the outputs for scaled inputs (N, *shape) that nobody stored."""
    batch = evaluation_batch(opened.experiment)
    return _forward(opened).outputs(inputs, batch=batch).double()


def _forward(opened: Opened) -> Forward:
    return forward_of(opened.experiment, opened.network, alone=True)
