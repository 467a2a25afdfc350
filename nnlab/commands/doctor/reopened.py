"""A run opened for the doctor, who can do with less than all that it was trained with."""

from pathlib import Path
from typing import NamedTuple

from nnlab.config.loading import place_for
from nnlab.core.contracts import Examples, Machine
from nnlab.core.errors import CheckpointError
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.handed import Handed, held_sections
from nnlab.experiment.settle import settle
from nnlab.models.module import ModuleConfig
from nnlab.parts.losses.function import FunctionConfig
from nnlab.runs.finished.recorded_design import recorded_design
from nnlab.runs.finished.reopen import of_run
from nnlab.runs.folder.data_json import changed_data, read_data, shape_of
from nnlab.runs.folder.folder import read_env
from nnlab.runs.weights.beginning import with_first_weights


class Reopened(NamedTuple):
    """What is at hand of a run.

    Attributes:
        experiment: settled; of a module that is not at hand it has the layers that were recorded.
        examples: its data; None where they were handed in and are not at hand.
        missing: what came from Python and is not at hand, in a sentence; empty for nothing.
        complete: whether its updates can be made again.
    """

    experiment: Experiment
    examples: Examples | None
    missing: str
    complete: bool


def reopen_for_doctor(folder: Path, handed: Handed) -> Reopened:
    """The experiment of a run and its data, as far as they are at hand.

    Raises:
        CheckpointError: the folder is no run, or data were handed in that are not those of the run.
        ConfigError: what was handed in is none of the run's.
        DataError: data in a file are not there any more.
    """
    config = of_run(folder, handed)
    gone = [name for name, again in held_sections(config, handed) if not again]
    shape = shape_of(read_data(folder)) if gone else None
    changes: dict[str, object] = {}
    if "model" in gone:
        assert isinstance(config.model, ModuleConfig)
        assert shape is not None
        changes["model"] = config.model.recorded_as(recorded_design(folder, shape.inputs))
    if "loss" in gone:
        assert isinstance(config.loss, FunctionConfig)
        changes["loss"] = config.loss.recorded()
    if changes:
        config = config.model_copy(update=changes)
    known = shape if "data" in gone else None
    experiment = settle(config, place_for(folder), Machine.here(), shape=known)
    experiment = with_first_weights(experiment, folder)
    ways = ", ".join(f"{name}={name}" for name in gone)
    why = f"not at hand: it came from Python (nnlab.doctor(run, {ways}) looks at it)"
    missing, complete = why if gone else "", not changes
    if "data" in gone:
        return Reopened(experiment, None, missing, complete)
    examples = experiment.load()
    if config.data.handed and (changed := changed_data(read_env(folder), examples)):
        raise CheckpointError(f"{folder}: {changed}")
    return Reopened(experiment, examples, missing, complete)
