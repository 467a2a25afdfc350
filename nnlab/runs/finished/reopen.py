"""A finished run opened again: its experiment, its data, its network."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from nnlab.config.loading import document_of, place_for
from nnlab.config.run_config import RunConfig
from nnlab.core.contracts import Examples, Machine, Split
from nnlab.core.errors import CheckpointError, ConfigError, DataError
from nnlab.core.text import short_path
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.handed import NOTHING, Handed, load_config_with, require_handed
from nnlab.experiment.settle import settle
from nnlab.models.network import build_network as build_network
from nnlab.runs.building.build import place_network
from nnlab.runs.folder import checkpoint
from nnlab.runs.folder.data_json import changed_data, read_data, shape_of
from nnlab.runs.folder.folder import check_config, missing_plugins, read_env
from nnlab.runs.folder.summary import read_summary
from nnlab.runs.weights.beginning import with_first_weights


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
        """The run's folder, as short as it can be said from the current one."""
        return short_path(self.run.absolute())


def open_run(run: Path, *, split: Split, device: torch.device) -> Opened:
    """Loads the data and the best checkpoint of a run.

    Raises:
        ConfigError: the data have no such split.
        CheckpointError: the run has no sound checkpoint.
        DataError: the data are gone, or are others.
    """
    experiment, examples = reopen_run(run, device.type)
    if split not in experiment.shape.sizes:
        known = ", ".join(experiment.shape.sizes)
        raise ConfigError(f"--split {split}: {short_path(run)} has {known}")
    network, step = restore_with_step(run, experiment)
    network = place_network(network, experiment, device).eval()
    return Opened(run, experiment, examples, network, step, device)


def reopen_run(
    run: Path,
    device: str,
    examples: Examples | None = None,
    handed: Handed = NOTHING,
    *,
    call: str = "",
) -> tuple[Experiment, Examples]:
    """The experiment of a run and its data, which must be those that it was trained on.

    Args:
        run: its folder.
        device: its kind: cpu, cuda or mps.
        examples: its data, where they are at hand.
        handed: what Python hands in again.
        call: the function of `nnlab` that can be handed it: "evaluate"; empty for none.

    Raises:
        ConfigError: something was handed in to train it and is not at hand.
        CheckpointError: they are not, or the folder is no run.
        DataError: they are not there any more.
    """
    config = of_run(run, handed=handed)
    if call:
        needed = ("data", "model", "loss") if examples is None else ("model", "loss")
        require_handed(config, handed, call, run, needed)
    folder = place_for(run)
    machine = Machine.here(device)
    if examples is not None:
        experiment = settle(config, folder, machine, shape=examples.shape)
        return with_first_weights(experiment, run), examples
    if not config.data.available(folder) and (root := getattr(config.data, "root", None)):
        here = place_for(run).root
        if Path(root) != here and config.data.model_copy(update={"root": None}).available(folder):
            # The run came from another machine, or NNLAB_DATA has moved.
            data = config.data.model_copy(update={"root": str(here)})
            config = config.model_copy(update={"data": data})
    experiment = with_first_weights(settle(config, folder, machine), run)
    examples = experiment.load()
    if changed := changed_data(read_env(run), examples):
        raise DataError(f"{run}: {changed}")
    return experiment, examples


def restore_network(
    run: Path, experiment: Experiment, name: checkpoint.Pointer = "best"
) -> nn.Module:
    """The network of a run with the weights of a checkpoint, on the CPU.

    Raises:
        CheckpointError: there is no such checkpoint, it is damaged or of another network.
    """
    return restore_with_step(run, experiment, name)[0]


def restore_with_step(
    run: Path, experiment: Experiment, name: checkpoint.Pointer = "best"
) -> tuple[nn.Module, int]:
    """The network of a run's checkpoint, on the CPU, and how many updates had been made.

    Raises:
        CheckpointError: there is no such checkpoint, it is damaged or of another network.
    """
    found = checkpoint.named_checkpoint(run / "checkpoints", name)
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


def load_network(run: Path, handed: Handed = NOTHING) -> nn.Module:
    """The best network of a run, in evaluation mode, on the CPU: scaled inputs to outputs.

    For numbers as targets it carries `target_mean` and `target_deviation`, (K,) each: outputs *
    target_deviation + target_mean are in the target's own unit (0 and 1 without
    `data.scale_target`).
    """
    config = of_run(run, handed=handed)
    require_handed(config, handed, "load", run, ("model", "loss"))
    # Arrays that Python handed in are not needed for it.
    known = shape_of(read_data(run)) if config.data.handed and handed.data is None else None
    experiment = settle(config, place_for(run), Machine.here(), shape=known)
    network = restore_network(run, experiment).eval()
    if experiment.shape.task == "regression":
        scale, columns = read_env(run).get("target"), experiment.shape.outputs
        for name, unscaled in (("mean", 0.0), ("deviation", 1.0)):
            values = torch.tensor(scale[name] if scale else [unscaled] * columns)
            network.register_buffer(f"target_{name}", values, persistent=False)
    return network


def of_run(run: Path, handed: Handed = NOTHING) -> RunConfig:
    """The config that a run was trained by, with what was handed in.

    Raises:
        CheckpointError: the folder is no run, or one that `nnlab.Watch` has recorded; or its
            config was changed since.
        ConfigError: as `load_config`.
    """
    return configs_of_run(run, (), handed)[0]


def configs_of_run(
    run: Path, overrides: Sequence[str], handed: Handed = NOTHING
) -> tuple[RunConfig, RunConfig]:
    """The config that a run was trained by, and the same with overrides; its file is read once.

    Raises:
        CheckpointError: the folder is no run, or one that `nnlab.Watch` has recorded; or its
            config was changed since.
        ConfigError: as `load_config`.
    """
    read_summary(run)
    if not (run / "config.yaml").exists():
        text = "nnlab.Watch recorded it, its network and data are in the code that trained it"
        raise CheckpointError(f"{run}: has no config.yaml: {text} (runs, tensorboard show it)")
    check_config(run)
    document = document_of(run / "config.yaml")
    with missing_plugins(run):
        begun = load_config_with(document, (), handed)
    return begun, load_config_with(document, overrides, handed) if overrides else begun
