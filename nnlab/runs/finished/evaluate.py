"""Evaluation of a finished run: needs nothing but its folder and the data."""

import json
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any, cast

from torch import nn

from nnlab.core import files
from nnlab.core.contracts import Examples, Split
from nnlab.core.errors import ConfigError, DivergedError
from nnlab.display.pictures.judged import Judged
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.handed import NOTHING, Handed
from nnlab.runs.building.build import place_network, source_of, split_measures
from nnlab.runs.building.forward import forward_of
from nnlab.runs.building.scoring import loss_of, scores_of
from nnlab.runs.finished.reopen import reopen_run, restore_network
from nnlab.runs.folder import checkpoint, looks
from nnlab.runs.observers.judged import judge_split, write_judged
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
            found[run.name]["looks"] = looks.looks_so_far([run])._asdict()
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
    chosen, _ = devices.choose_device(device)
    experiment, examples = reopen_run(run, chosen.type, examples, handed, call="evaluate")
    which = _known_split(experiment, split)
    network = place_network(restore_network(run, experiment), experiment, chosen)
    values, judged = _measured(experiment, examples, network, which, drawn=drawn)
    if not isfinite(values["loss"]):
        raise DivergedError(f"{run}: the {split} loss is not finite (the weights have diverged)")
    # R^2 of a single example is not defined, and JSON has no word for that but null.
    known = {key: value if isfinite(value) else None for key, value in values.items()}
    result: dict[str, Any] = {"split": split, "samples": experiment.shape.sizes[which], **known}
    if examples.target_scale is not None:
        result["target"] = examples.target_scale._asdict()
    folder = eval_folder(run)
    if split == "test":
        looks.count_look(run, examples, command="eval")
    files.write_file(folder / f"{split}.json", json.dumps(result, indent=2) + "\n")
    if judged is not None:
        step = checkpoint.named_checkpoint(run / "checkpoints", "best").step
        write_judged(judged, run, split=which, step=step)
    return result


def _known_split(experiment: Experiment, split: str) -> Split:
    """The split, if the run has it."""
    known = experiment.shape.sizes
    if split not in known:
        last = [*known][-1]
        text = f"this run has no {split} split, only {', '.join(known)} (use --split {last})"
        raise ConfigError(f"--split {split}: {text}")
    return cast("Split", split)


def _measured(
    experiment: Experiment, examples: Examples, network: nn.Module, split: Split, *, drawn: bool
) -> tuple[dict[str, float], Judged | None]:
    """The loss and the scores; where they are to be drawn, what the network says of each class."""
    first = next(network.parameters())
    with devices.torch_settings(threads=experiment.threads, deterministic=False):
        source = source_of(examples, device=first.device, dtype=first.dtype)
        forward = forward_of(experiment, network)
        measures = split_measures(
            forward,
            experiment,
            examples,
            source=source,
            loss=loss_of(experiment, examples, network),
            scores=scores_of(experiment, examples),
            device=first.device,
        )
        values = measures[split]()
        judged = judge_split(experiment, examples, forward, source, split) if drawn else None
    return values, judged


def eval_folder(run: Path) -> Path:
    """Where commands that follow training write; made if it is not there."""
    folder = run / "eval"
    with files.storage_errors(folder):
        folder.mkdir(exist_ok=True)
    return folder
