"""Where exactly a run broke: its updates are made again from the last checkpoint.

The same config gives the same bits, so that the update which broke it comes again; on another
machine or device nearly the same one.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nnlab.core.contracts import Examples, LossFn, ObservingFn
from nnlab.core.errors import CheckpointError
from nnlab.experiment.experiment import Experiment
from nnlab.runs.building.build import BuiltRun, build_trainer
from nnlab.runs.building.forward import forward_of
from nnlab.runs.building.scoring import loss_of
from nnlab.runs.folder import checkpoint
from nnlab.training import device as devices
from nnlab.training.evaluate import Forward
from nnlab.training.probes.sight import trailed
from nnlab.training.progress import FAR, Progress

MOST_STEPS = 20_000
"""A run that went on for longer behind its last checkpoint is not replayed."""
MOST_ROWS = 10


class Broken(NamedTuple):
    """The update that broke a run.

    Attributes:
        step: updates before it.
        layer: the first, from the input on, whose numbers are not finite; None where all are.
        rows: of its batch, with the largest loss first; those that are not finite, else the ten
            largest.
        losses: of these rows; NaN or infinite where they are not finite.
        size: of the batch.
        what: what was not as it should be: "the loss", "the weights after it".
    """

    step: int
    layer: str | None
    rows: tuple[int, ...]
    losses: tuple[float, ...]
    size: int
    what: str


def replay_updates(
    folder: Path, experiment: Experiment, examples: Examples, *, until: int
) -> Broken | None:
    """Trains on from the last checkpoint, on the CPU, and looks at every update.

    Args:
        folder: of the run; nothing is written there.
        experiment: of the run.
        examples: its data.
        until: the step at which the run was found to be broken.

    Returns:
        None where nothing breaks, where the way is too long, or where there is no sound checkpoint
        of this version of nnlab.
    """
    device = torch.device("cpu")
    try:
        found = checkpoint.newest_checkpoint(folder / "checkpoints").checkpoint
    except CheckpointError:
        return None
    if found is None or until - found.step > MOST_STEPS:
        return None
    with (
        devices.torch_settings(threads=experiment.threads, deterministic=False),
        devices.own_generator(device),
    ):
        built = build_trainer(without_compiler(experiment), examples, device)
        if built.step.state().keys() - found.tensors.keys():
            return None
        built.step.load(found.tensors)
        progress = Progress.of(found.state["progress"])
        loss = loss_of(experiment, examples, built.network)
        forward = forward_of(experiment, built.network)
        return _first(built, forward, loss, progress, until)


def updates_to_replay(folder: Path, *, until: int) -> int:
    """How many updates lie behind the last checkpoint; 0 where these are not replayed.

    Args:
        folder: of the run.
        until: the step at which it was found to be broken.
    """
    try:
        found = checkpoint.newest_checkpoint(folder / "checkpoints").checkpoint
    except CheckpointError:
        return 0
    behind = 0 if found is None else until - found.step
    return behind if behind <= MOST_STEPS else 0


def without_compiler(experiment: Experiment) -> Experiment:
    """Without a compiler: a few updates are over before it would be done."""
    train = experiment.config.train.model_copy(update={"compile": "off"})
    return replace(experiment, config=experiment.config.model_copy(update={"train": train}))


def _first(
    built: BuiltRun, forward: Forward, loss: LossFn, progress: Progress, until: int
) -> Broken | None:
    trainer, network = built.trainer, built.network
    schedule = trainer.schedule
    if isinstance(schedule, ObservingFn) and progress.schedule:
        schedule.load(progress.schedule)
    far = FAR * max(1.0, abs(progress.first_loss or 0.0))
    for step in range(progress.step, until):
        epoch, position = divmod(step, trainer.order.per_epoch)
        rows = trainer.order.batches(epoch)[position]
        losses, layer = _losses(built, forward, loss, rows)
        if not bool(torch.isfinite(losses).all()) or losses.mean().item() > far:
            return _broken(step, layer, rows, losses, "the loss")
        trainer.fill(step)
        built.step.update(rows)
        layer = _not_finite(network)
        if layer is not None:
            return _broken(step, layer, rows, losses, "the weights after it")
    return None


def _losses(
    built: BuiltRun, forward: Forward, loss: LossFn, rows: Tensor
) -> tuple[Tensor, str | None]:
    """(N,) of the batch, without dropout; and the first layer that is not finite."""
    first: list[str] = []

    def tap(name: str, x: Tensor) -> None:
        if not first and x.is_floating_point() and not bool(torch.isfinite(x).all()):
            first.append(name)

    built.source.announce([rows])
    with trailed(forward.network, tap), torch.no_grad():
        batch = built.source.gather(rows)
        return loss(forward.as_trained(batch.inputs), batch).double(), first[0] if first else None


def _not_finite(network: nn.Module) -> str | None:
    for name, parameter in network.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            return name.rpartition(".")[0]
    return None


def _broken(step: int, layer: str | None, rows: Tensor, losses: Tensor, what: str) -> Broken:
    numbers: list[float] = losses.tolist()
    bad = [n for n, value in enumerate(numbers) if not isfinite(value)]
    ranked = bad or sorted(range(len(numbers)), key=lambda n: -numbers[n])
    chosen: Sequence[int] = ranked[:MOST_ROWS]
    names: list[int] = rows.tolist()
    return Broken(
        step,
        layer,
        tuple(names[n] for n in chosen),
        tuple(numbers[n] for n in chosen),
        len(numbers),
        what,
    )
