"""A run that goes on from another: what it takes over of a checkpoint, and what begins afresh."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nnlab.config.run_config import RunConfig, to_plain
from nnlab.config.sections import WeightEdit
from nnlab.core.contracts import Examples
from nnlab.core.errors import CheckpointError
from nnlab.core.lazy import optimizer_step
from nnlab.experiment.experiment import Experiment
from nnlab.runs.building.build import BuiltRun
from nnlab.runs.folder import checkpoint
from nnlab.runs.folder.checkpoint_bytes import manifest_digest
from nnlab.runs.folder.folder import read_env
from nnlab.runs.start_point import StartPoint
from nnlab.training.eager_step import optimizer_state
from nnlab.training.progress import Progress

_MODEL, _TRAINED, _OPTIMIZER = "model/", "trained/", "optimizer/"
_READ = ("loss", "scores", "regularize", "data", "rule")
"""Sections that decide, beside the batches, what a window of readings adds up."""


@dataclass(frozen=True, slots=True)
class Started:
    """What a run has taken over.

    Attributes:
        progress: how far it is.
        facts: for env.json: which checkpoint, with its SHA-256.
        notes: what a person must know of it.
    """

    progress: Progress
    facts: Mapping[str, Any]
    notes: tuple[str, ...]


def start_from(
    point: StartPoint, experiment: Experiment, built: BuiltRun, examples: Examples
) -> Started:
    """Loads a checkpoint of another run into the step of this one; that run is only read.

    Weights must fit. The optimizer's memory comes along where the optimizer is of the same kind and
    remembers the same; the window of readings, where what is read is the same.

    Raises:
        CheckpointError: it is damaged, or of other layers.
    """
    found = checkpoint.read_checkpoint(point.folder)
    digest = manifest_digest(point.folder)
    notes = [f"goes on from step {point.step} of {point.name}"]
    if read_env(point.run).get("data") != examples.digest:
        notes.append(f"the data are others than those of {point.name}")
    state = dict(built.step.state())
    state |= _weights(state, found.tensors, str(found.path))
    memory = _memory(point.config, experiment, built, found.tensors)
    if memory is None:
        memory = {}
        notes.append(f"{experiment.config.optimizer.kind} begins without a memory")
    state |= memory
    same = _same_readings(point.config, experiment.config)
    for group in ("rule/", "carry/", "scaler/", *(["window/"] if same else [])):
        state |= _group(group, state, found.tensors)
    state["step/count"] = torch.tensor(point.first_step, dtype=torch.int64)
    for edit in experiment.config.start.edits if experiment.config.start else ():
        _write(state, edit)
    built.step.load(state)
    progress = _progress(point, experiment, Progress.of(found.state["progress"]), same=same)
    facts = {
        "run": point.name,
        "folder": str(point.run),
        "step": point.step,
        "first_step": point.first_step,
        "sha256": digest,
    }
    return Started(progress, facts, tuple(notes))


def _weights(
    here: Mapping[str, Tensor], there: Mapping[str, Tensor], where: str
) -> dict[str, Tensor]:
    """The network's tensors; of an average those that are trained, where there is none here."""
    expected = {name: tensor for name, tensor in here.items() if name.startswith(_MODEL)}
    model = {name: tensor for name, tensor in there.items() if name.startswith(_MODEL)}
    checkpoint.check_fits(expected, model, where=where)
    averages = any(name.startswith(_TRAINED) for name in here)
    trained = {n: t for n, t in there.items() if n.startswith(_TRAINED)} or {
        _TRAINED + name.removeprefix(_MODEL): tensor for name, tensor in model.items()
    }
    if averages:
        return {**model, **trained}
    return {_MODEL + name.removeprefix(_TRAINED): tensor for name, tensor in trained.items()}


def _memory(
    before: RunConfig, experiment: Experiment, built: BuiltRun, there: Mapping[str, Tensor]
) -> dict[str, Tensor] | None:
    """What the optimizer remembers; None where it cannot take that over."""
    now = experiment.config
    if not now.rule.optimized or now.rule != before.rule:
        return {}
    kept = {name: tensor for name, tensor in there.items() if name.startswith(_OPTIMIZER)}
    if now.optimizer.kind != before.optimizer.kind:
        return None if kept or _remembers(experiment, built) else {}
    if now.optimizer.closure or not kept:
        return kept
    wanted = _remembers(experiment, built)
    fits = {n: tuple(t.shape) for n, t in kept.items()} == wanted
    return kept if fits else None


def _remembers(experiment: Experiment, built: BuiltRun) -> dict[str, tuple[int, ...]]:
    """Name -> shape of what an optimizer of this config remembers after one update."""
    named = {
        name: torch.nn.Parameter(torch.zeros_like(parameter), parameter.requires_grad)
        for name, parameter in built.network.named_parameters()
    }
    device = next(iter(named.values())).device
    rate = torch.tensor(0.0, dtype=torch.float32, device=device)
    optimizer = experiment.config.optimizer.build(list(named.items()), lr=rate)
    for parameter in named.values():
        parameter.grad = torch.zeros_like(parameter)
    if experiment.config.optimizer.closure:
        return {}
    # An optimizer makes its memory in its first update; this one is of zeros, by a rate of 0.
    optimizer_step(optimizer)
    return {name: tuple(t.shape) for name, t in optimizer_state(optimizer, named).items()}


def _same_readings(before: RunConfig, now: RunConfig) -> bool:
    trees = [to_plain(config) for config in (before, now)]
    lengths = ("batch_size", "drop_last", "accumulate", "carry", "sampling")
    parts = [
        ([tree.get(name) for name in _READ], [tree["train"][name] for name in lengths])
        for tree in trees
    ]
    return parts[0] == parts[1]


def _group(
    prefix: str, here: Mapping[str, Tensor], there: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The tensors of a group, where those that are wanted here are all there, of the same shape."""
    wanted = {n: t for n, t in here.items() if n.startswith(prefix)}
    fits = all(n in there and there[n].shape == t.shape for n, t in wanted.items())
    return {n: t for n, t in there.items() if n.startswith(prefix)} if fits and wanted else {}


def _write(state: dict[str, Tensor], edit: WeightEdit) -> None:
    """One number, in what is trained and in its average."""
    names = [n for n in (_MODEL + edit.parameter, _TRAINED + edit.parameter) if n in state]
    if not names:
        raise CheckpointError(f"start.edits: there is no {edit.parameter}")
    for name in names:
        # A copy: the tensor is the step's own, or lies twice in what is loaded.
        changed = state[name].detach().clone()
        changed[tuple(edit.at)] = edit.value
        state[name] = changed


def _progress(
    point: StartPoint, experiment: Experiment, before: Progress, *, same: bool
) -> Progress:
    """Where the new run stands: its time, its best and its patience are its own."""
    config, first = experiment.config, point.first_step
    now = Progress(step=first, first_step=first, epoch=first // experiment.per_epoch)
    if config.loss == point.config.loss:
        now.first_loss = before.first_loss
    if config.schedule == point.config.schedule:
        now.schedule = before.schedule
    if same:
        now.epoch_means, now.epoch_means_step = before.epoch_means, before.epoch_means_step
    return now
