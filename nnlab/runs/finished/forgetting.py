"""Catastrophic forgetting, measured: what is left of what the source of first weights knew.

The source answers its own validation rows twice: as it was, and with those layers in place of its
own that the run took from it and went on training. Layers that the run began anew, as a rule the
output layer, stay those of the source.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from nnlab.core.contracts import Examples, Split
from nnlab.core.errors import NnlabError
from nnlab.diagnosis.evidence.begun import Begun, Forgotten
from nnlab.experiment.experiment import Experiment
from nnlab.runs.building.build import source_of, split_measures
from nnlab.runs.building.forward import forward_of
from nnlab.runs.building.scoring import blind_baseline, loss_of, scores_of
from nnlab.runs.finished.reopen import open_run
from nnlab.runs.folder.checkpoint import named_checkpoint
from nnlab.runs.folder.folder import read_env


def with_forgotten(begun: Begun, folder: Path, experiment: Experiment) -> Begun:
    """What is known of a run's beginning, with what was forgotten where that can be asked.

    It can where the weights are of a run that is still here with its data, and has a score.
    """
    if experiment.config.model.begin is None or experiment.config.model.begin.run is None:
        return begun
    try:
        return replace(begun, forgotten=_measured(folder))
    except (NnlabError, OSError, KeyError):
        return begun  # the source, its data or a checkpoint are gone: nobody can be asked


def _measured(folder: Path) -> Forgotten | None:
    facts: dict[str, Any] = read_env(folder)["weights"]
    run = Path(facts["file"]).parents[2]
    split: Split = "validation"
    opened = open_run(run, split=split, device=torch.device("cpu"))
    score = next((s for s in opened.experiment.scores if s.higher_is_better), None)
    if score is None:
        return None
    blind = blind_baseline(opened.experiment, opened.examples).get(score.key)
    before = _value(opened.experiment, opened.examples, opened.network, split, score.key)
    found = named_checkpoint(folder / "checkpoints", "best").tensors
    weights = {k.removeprefix("model/"): t for k, t in found.items() if k.startswith("model/")}
    fresh = cast("list[str]", facts["fresh"])
    mine = dict(opened.network.state_dict())
    for name, tensor in weights.items():
        anew = any(name == layer or name.startswith((f"{layer}.", f"{layer}_")) for layer in fresh)
        # Layers that the run began anew stay those of the source: they never knew its data.
        if name in mine and not anew and mine[name].shape == tensor.shape:
            mine[name] = tensor
    opened.network.load_state_dict(mine)
    after = _value(opened.experiment, opened.examples, opened.network, split, score.key)
    return Forgotten(score.key, before, after, blind or 0.0)


def _value(
    experiment: Experiment, examples: Examples, network: nn.Module, split: Split, key: str
) -> float:
    first = next(network.parameters())
    source = source_of(examples, device=first.device, dtype=first.dtype)
    try:
        measures = split_measures(
            forward_of(experiment, network),
            experiment,
            examples,
            source=source,
            loss=loss_of(experiment, examples, network),
            scores=scores_of(experiment, examples),
            device=first.device,
        )
        return measures[split]()[key]
    finally:
        source.close()
