"""Evaluation of a finished run: needs nothing but its folder and the data."""

import json
from collections.abc import Sequence
from copy import deepcopy
from math import isfinite
from os import cpu_count
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from nnlab import durable, looks
from nnlab.base import ConfigError, DataError, DivergedError
from nnlab.build import measures, place, source_of
from nnlab.contracts import Examples, Machine, Split
from nnlab.experiment import Experiment, settle
from nnlab.folder import read_env
from nnlab.handed import NOTHING, Handed, of_run
from nnlab.judging import judged, write
from nnlab.loading import place_for
from nnlab.models.network import build as build_network
from nnlab.scoring import loss_of, scores_of
from nnlab.stored_data import read_data, shape_of
from nnlab.training import checkpoint
from nnlab.training import device as devices


def evaluate_all(
    runs: Sequence[Path], *, split: str = "test", device: str = "auto"
) -> dict[str, Any]:
    """`evaluate` of a run; of several, each by its folder's name.

    Of the test split also {"looks": {"run", "family"}}: how often it was scored so far.
    """
    found = {run.name: evaluate(run, split=split, device=device, drawn=True) for run in runs}
    if split == "test":
        for run in runs:
            found[run.name]["looks"] = looks.counted([run])._asdict()
    if len(found) == 1:
        return next(iter(found.values()))
    return found


def evaluate(
    run: Path,
    *,
    split: str = "test",
    device: str = "auto",
    examples: Examples | None = None,
    drawn: bool = False,
    handed: Handed = NOTHING,
) -> dict[str, Any]:
    """The loss and the scores of the best checkpoint on a split.

    Args:
        run: the run's folder.
        split: train, validation or test.
        device: auto, cpu, cuda, cuda:N or mps.
        examples: take the place of the config's data (a smoke run without them).
        drawn: also draw what the network says of the classes, into `run`/eval/.
        handed: what Python handed in when the run was trained; a module is left as it is.

    Returns:
        {"split", "samples", "loss", "accuracy", ...}, also written to `run`/eval/`split`.json; with
        `data.scale_target` also {"target": {"mean", "deviation"}}: the loss is in that scale, the
        scores are in the target's own unit. A look at the test split is counted (`looks`).

    Raises:
        ConfigError: the data have no such split.
        CheckpointError: the run has no sound checkpoint, or the data are not those of the run.
        DivergedError: the weights give a loss that is not finite.
    """
    chosen, _ = devices.choose(device)
    experiment, examples = reopen(run, chosen.type, examples, handed)
    if split not in experiment.shape.sizes:
        known = list(experiment.shape.sizes)
        text = f"this run has no {split} split, only {', '.join(known)} (use --split {known[-1]})"
        raise ConfigError(f"--split {split}: {text}")
    train = experiment.config.train
    assert not isinstance(train.threads, str)
    network = place(restore(run, experiment), experiment, chosen)
    dtype = next(network.parameters()).dtype
    with devices.settings(threads=train.threads, deterministic=False):
        source = source_of(examples, device=chosen, dtype=dtype)
        measure = measures(
            network,
            experiment,
            examples,
            source=source,
            loss=loss_of(experiment, examples, network),
            scores=scores_of(experiment, examples),
            device=chosen,
        )[cast("Split", split)]
        values = measure()
        which = cast("Split", split)
        found = judged(experiment, examples, network, source, which) if drawn else None
    if not isfinite(values["loss"]):
        raise DivergedError(f"{run}: the {split} loss is not finite (the weights have diverged)")
    samples = experiment.shape.sizes[cast("Split", split)]
    # R^2 of a single example is not defined, and JSON has no word for that but null.
    known = {key: value if isfinite(value) else None for key, value in values.items()}
    result: dict[str, Any] = {"split": split, "samples": samples, **known}
    if examples.target_scale is not None:
        result["target"] = examples.target_scale._asdict()
    folder = eval_folder(run)
    if split == "test":
        looks.count(run, examples, command="eval")
    durable.write(folder / f"{split}.json", json.dumps(result, indent=2) + "\n")
    if found is not None:
        step = checkpoint.named(run / "checkpoints", "best").step
        write(found, run, split=cast("Split", split), step=step)
    return result


def eval_folder(run: Path) -> Path:
    """Where commands that follow training write; made if it is not there."""
    folder = run / "eval"
    with durable.storage(folder):
        folder.mkdir(exist_ok=True)
    return folder


def reopen(
    run: Path, device: str, examples: Examples | None = None, handed: Handed = NOTHING
) -> tuple[Experiment, Examples]:
    """The experiment of a run and its data, which must be those that it was trained on.

    Raises:
        CheckpointError: they are not, or the folder is no run.
        DataError: they are not there any more.
    """
    config = of_run(run, handed=handed)
    folder = place_for(run)
    machine = Machine(cast("Any", device), cpu_count() or 1)
    if examples is not None:
        return settle(config, folder, machine, shape=examples.shape), examples
    if not config.data.available(folder) and (root := getattr(config.data, "root", None)):
        here = place_for(run).root
        if Path(root) != here and config.data.model_copy(update={"root": None}).available(folder):
            # The run came from another machine, or NNLAB_DATA has moved.
            data = config.data.model_copy(update={"root": str(here)})
            config = config.model_copy(update={"data": data}).written(config.origins)
    experiment = settle(config, folder, machine)
    examples = experiment.config.data.load(folder)
    known = read_env(run).get("data")
    if known != examples.digest:
        raise DataError(f"{run}: the data are not those of the run (SHA-256 differs)")
    return experiment, examples


def restore(run: Path, experiment: Experiment, name: checkpoint.Pointer = "best") -> nn.Module:
    """The network of a run with the weights of a checkpoint, on the CPU.

    Raises:
        CheckpointError: there is no such checkpoint, it is damaged or of another network.
    """
    return restored(run, experiment, name)[0]


def restored(
    run: Path, experiment: Experiment, name: checkpoint.Pointer = "best"
) -> tuple[nn.Module, int]:
    """Likewise, with the number of updates that had been made."""
    found = checkpoint.named(run / "checkpoints", name)
    network = build_network(experiment.design, seed=0)
    if network is experiment.design.module:
        network = deepcopy(network)  # the user's own, which may be training
    weights = {
        key.removeprefix("model/"): tensor
        for key, tensor in found.tensors.items()
        if key.startswith("model/")
    }
    checkpoint.check_fits(network.state_dict(), weights, where=str(found.path))
    network.load_state_dict(weights)
    return network, found.step


def load(run: Path, handed: Handed = NOTHING) -> nn.Module:
    """The best network of a run, in evaluation mode, on the CPU: scaled inputs to outputs.

    For numbers as targets it carries `target_mean` and `target_deviation`, (K,) each: outputs *
    target_deviation + target_mean are in the target's own unit (0 and 1 without
    `data.scale_target`).
    """
    config = of_run(run, handed=handed)
    # Arrays that Python handed in are not needed for it.
    known = shape_of(read_data(run)) if config.data.handed and handed.data is None else None
    experiment = settle(config, place_for(run), Machine("cpu", cpu_count() or 1), shape=known)
    network = restore(run, experiment).eval()
    if experiment.shape.task == "regression":
        scale, columns = read_env(run).get("target"), experiment.shape.outputs
        for name, unscaled in (("mean", 0.0), ("deviation", 1.0)):
            values = torch.tensor(scale[name] if scale else [unscaled] * columns)
            network.register_buffer(f"target_{name}", values, persistent=False)
    return network
