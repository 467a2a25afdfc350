"""What the best network of a run says of every example of a split, kept for whoever judges it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from nnlab.base import ConfigError
from nnlab.build import evaluation_batch, place, source_of
from nnlab.contracts import Examples, Split
from nnlab.evaluation import reopen, restored
from nnlab.experiment import Experiment
from nnlab.measuring import loss_of
from nnlab.outcome import short
from nnlab.training import device as devices
from nnlab.training import objective


@dataclass(frozen=True, slots=True)
class Opened:
    """A finished run, ready to be asked.

    Attributes:
        run: its folder.
        experiment: settled.
        examples: its data.
        network: with the weights of the best checkpoint, in evaluation mode.
        step: of that checkpoint.
        device: where the network is.
    """

    run: Path
    experiment: Experiment
    examples: Examples
    network: nn.Module
    step: int
    device: torch.device

    @property
    def name(self) -> str:
        """Its folder, short."""
        return short(self.run.absolute())


@dataclass(frozen=True, slots=True)
class Answers:
    """What a network says of N examples, on the CPU.

    Attributes:
        outputs: (N, K) float64.
        losses: (N,) float64.
    """

    outputs: Tensor
    losses: Tensor


def open_run(run: Path, *, split: Split, device: torch.device) -> Opened:
    """Loads the data and the best checkpoint of a run.

    Raises:
        ConfigError: the data have no such split.
        CheckpointError: the run has no sound checkpoint.
        DataError: the data are gone, or are others.
    """
    experiment, examples = reopen(run, device.type)
    if split not in experiment.shape.sizes:
        known = ", ".join(experiment.shape.sizes)
        raise ConfigError(f"--split {split}: {short(run)} has {known}")
    network, step = restored(run, experiment)
    network = place(network, experiment, device).eval()
    return Opened(run, experiment, examples, network, step, device)


@torch.no_grad()
def answers(opened: Opened, split: Split) -> Answers:
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
    threads = opened.experiment.config.train.threads
    assert not isinstance(threads, str)
    return devices.settings(threads=threads, deterministic=False)
