"""What the best network of a run says of every example of a split, kept for whoever judges it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from nnlab.core.contracts import Split
from nnlab.runs.building.build import evaluation_batch, source_of
from nnlab.runs.building.scoring import loss_of
from nnlab.runs.finished.reopen import Opened
from nnlab.training import device as devices
from nnlab.training import objective


@dataclass(frozen=True, slots=True)
class Answers:
    """What a network says of N examples, on the CPU.

    Attributes:
        outputs: (N, K) float64.
        losses: (N,) float64.
    """

    outputs: Tensor
    losses: Tensor


@torch.no_grad()
def split_answers(opened: Opened, split: Split) -> Answers:
    """Outputs and losses of every example of a split, as `evaluate` sees them."""
    experiment, examples = opened.experiment, opened.examples
    loss = loss_of(experiment, examples, opened.network)
    dtype = next(opened.network.parameters()).dtype
    source = source_of(examples, device=opened.device, dtype=dtype)
    rows = torch.from_numpy(examples.rows[split]).to(opened.device)
    batches = list(rows.split(evaluation_batch(experiment)))
    source.announce(batches)

    def parts() -> Iterator[tuple[Tensor, Tensor]]:
        for numbers in batches:
            batch = source.gather(numbers)
            outputs = _forward(opened, batch.inputs)
            yield outputs, loss(outputs, batch)

    with _threads(opened):
        outputs, losses = zip(*parts(), strict=True)
    return Answers(torch.cat(outputs).cpu().double(), torch.cat(losses).cpu().double())


@torch.no_grad()
def outputs_of(opened: Opened, inputs: Tensor) -> Tensor:
    """(N, K) float64 on the CPU: the outputs for scaled inputs (N, *shape) that nobody stored."""
    dtype = next(opened.network.parameters()).dtype
    with _threads(opened):
        parts = [
            _forward(opened, part.to(opened.device, dtype))
            for part in inputs.split(evaluation_batch(opened.experiment))
        ]
    return torch.cat(parts).cpu().double()


def _forward(opened: Opened, inputs: Tensor) -> Tensor:
    lower = objective.autocast_dtype(opened.experiment.config.train.precision)
    with torch.autocast(opened.device.type, dtype=lower, enabled=lower is not None):
        return opened.network(inputs)


def _threads(opened: Opened) -> AbstractContextManager[None]:
    return devices.torch_settings(threads=opened.experiment.threads, deterministic=False)
