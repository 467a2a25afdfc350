"""Opens a session of a run: data, torch objects, and where an earlier session left off."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, time
from typing import Any

from nnlab.config.outside import plugin_versions
from nnlab.config.run_config import RunConfig
from nnlab.core.contracts import Drawing, Examples
from nnlab.core.errors import CheckpointError, ConfigError
from nnlab.core.lazy import torch
from nnlab.display.views import View
from nnlab.experiment.experiment import Experiment, run_lengths
from nnlab.parts.datasets.checks import data_notes
from nnlab.runs.building.build import BuiltRun, build_trainer
from nnlab.runs.building.compiling import prepare_step
from nnlab.runs.building.session import Session
from nnlab.runs.folder import checkpoint
from nnlab.runs.folder import folder as folders
from nnlab.runs.folder.data_json import changed_data, data_digests, write_data
from nnlab.runs.folder.metrics import RecordPosition, check_record
from nnlab.runs.prefetch import Prefetch
from nnlab.runs.start_point import find_start
from nnlab.runs.starting import Started, start_from
from nnlab.runs.summarizing import summarize_run
from nnlab.runs.weights.beginning import beginning_facts, beginning_notes, beginning_of
from nnlab.training import device as devices
from nnlab.training.progress import Progress


@dataclass(frozen=True, slots=True)
class Wish:
    """How a run is asked for.

    Attributes:
        experiment: settled.
        device: that trains.
        why: a sentence that says which device and why.
        deterministic: refuse operations that have no deterministic form.
        examples: take the place of the config's data (a smoke run without them, a comparison);
            who loaded them has told what is to be noted of them.
        ahead: the config's data, where they are being loaded.
        began: when the session began, by `perf_counter`.
    """

    experiment: Experiment
    device: "torch.device"
    why: str
    deterministic: bool
    examples: Examples | None
    ahead: Prefetch | None
    began: float

    def load(self) -> Examples:
        """The data that are trained on."""
        if self.examples is not None:
            return self.examples
        return self.experiment.load() if self.ahead is None else self.ahead.examples()


def open_session(wish: Wish, folder: Path, view: View, *, begun: RunConfig | None) -> Session:
    """Loads, builds, takes over the newest checkpoint, and writes down what will be trained.

    Nothing is written before all of that has gone well.

    Args:
        wish: how the run is asked for.
        folder: of the run, claimed.
        view: is told what is to be noted.
        begun: what the run that is continued was trained by; None for a fresh start.

    Raises:
        NnlabError: the data, the checkpoint or the new length do not fit.
    """
    experiment = wish.experiment
    loading = perf_counter()
    if experiment.first_weights is None:
        beginning_of(experiment)  # what is missing or does not fit is told before the data are read
    examples = wish.load()
    # In this order: a checkpoint is loaded into tensors that are there, and replaces first weights.
    built = build_trainer(experiment, examples, wish.device)
    found = _continue_from(folder, built, examples, view) if begun else None
    started = None if found else _start(experiment, built, examples, view)
    progress = started.progress if started else Progress()
    progress = Progress.of(found.state["progress"]) if found else progress
    if built.why_eager:
        view.note(f"compile: the steps are eager, {built.why_eager}")
    for note in data_notes(examples) if wish.examples is None else ():
        view.note(note)
    # Written last, when nothing can fail any more: a folder with a config.yaml is a run.
    if begun is None or _goes_on(folder, begun, experiment, built, progress, view):
        folders.write_run_config(folder, experiment.config, experiment.text)
    write_data(folder, examples)
    facts = {"threads": experiment.threads, "deterministic": wish.deterministic, "why": wish.why}
    scale = examples.target_scale
    data = {**data_digests(examples), "target": None if scale is None else scale._asdict()}
    begins = {"start": started.facts} if started else _start_facts(folder)
    begins |= _begins(folder, experiment, examples, view, fresh=begun is None)
    begins["plugins"] = plugin_versions(experiment.config)
    folders.write_env(folder, {**devices.device_versions(wish.device), **facts, **data, **begins})
    now, age = time(), perf_counter() - wish.began
    seconds = {"startup": loading - wish.began, "build": perf_counter() - loading}
    began = {"session": now - age, "training": now}
    continues = begun is not None
    return Session(
        experiment, examples, built, folder, wish.why, found, continues, progress, seconds, began
    )


def _begins(
    folder: Path, experiment: Experiment, examples: Examples, view: View, *, fresh: bool
) -> dict[str, Any]:
    """What env.json keeps of where first weights come from; of a run that goes on, as it was."""
    if experiment.config.model.begin is None:
        return {}
    if not fresh and (folder / "env.json").exists():
        before = folders.read_env(folder)
        return {"weights": before["weights"]} if "weights" in before else {}
    facts = beginning_facts(experiment, examples)
    for note in beginning_notes(facts, limit=experiment.config.diagnose.weights_scale):
        view.note(note)
    return {"weights": facts}


def make_ready(session: Session, view: View) -> None:
    """Gets the step ready, which may take half a minute; a signal to the run cuts that short.

    What is killed meanwhile is a run without a checkpoint, which a resume begins anew.
    """
    started = perf_counter()
    # `running`: whoever looks meanwhile, or after a kill, finds a run and not an empty folder.
    summarize_run(session, None, 0).write()
    trainer = session.built.trainer
    prepare_step(session.built.step, trainer.order.batches(0)[0], view.note)
    session.seconds = {**session.seconds, "compile": perf_counter() - started}
    session.began["training"] = time()


def _continue_from(
    folder: Path, built: BuiltRun, examples: Examples, view: View
) -> checkpoint.Checkpoint | None:
    """The newest sound checkpoint, taken over by the step; None if none was saved yet."""
    env = folders.read_env(folder) if (folder / "env.json").exists() else {}
    if changed := changed_data(env, examples):
        raise CheckpointError(f"{folder}: {changed}")
    newest = checkpoint.newest_checkpoint(folder / "checkpoints")
    for warning in newest.warnings:
        view.note(warning)
    found = newest.checkpoint
    if found is None:
        return None
    # Layers first, in words for people; what else is missing is a matter of versions.
    state = built.step.state()
    expected = {k: v for k, v in state.items() if k.startswith("model/")}
    there = {k: v for k, v in found.tensors.items() if k.startswith("model/")}
    checkpoint.check_fits(expected, there, where=str(found.path))
    if missing := sorted(state.keys() - found.tensors.keys()):
        text = f"{found.path}: has no {missing[0]}, another version of nnlab saved it"
        raise CheckpointError(f"{text} (train anew; nnlab eval and predict still read the run)")
    built.step.load(found.tensors)
    _check_record(folder, found.state)
    view.note(f"resumed at step {found.step}, from {found.path.name}")
    if found.format < 2 and any(isinstance(m, Drawing) for m in built.network.modules()):
        view.note("dropout draws other masks from here on: an older version began this run")
    return found


def _start(
    experiment: Experiment, built: BuiltRun, examples: Examples, view: View
) -> Started | None:
    """What is taken over of another run; None where `start` names none."""
    point = find_start(experiment)
    if point is None:
        return None
    started = start_from(point, experiment, built, examples)
    for note in started.notes:
        view.note(note)
    return started


def _start_facts(folder: Path) -> dict[str, Any]:
    """What env.json says of where the run began, for a session that goes on."""
    env = folders.read_env(folder) if (folder / "env.json").exists() else {}
    return {"start": env["start"]} if "start" in env else {}


def _check_record(folder: Path, state: Mapping[str, Any]) -> None:
    """Refuses a record that is not what the checkpoint knows of; it may be gone as a whole.

    Raises:
        CheckpointError: with the way out.
    """
    path = folder / "metrics.jsonl"
    if path.exists() and "metrics_sha256" in state:
        check_record(path, RecordPosition(state["metrics_bytes"], state["metrics_sha256"]))


def _goes_on(
    folder: Path,
    begun: RunConfig,
    experiment: Experiment,
    built: BuiltRun,
    progress: Progress,
    view: View,
) -> bool:
    """Whether config.yaml becomes what is asked for now; says where there is nothing left to do.

    Raises:
        ConfigError: more has been trained than is asked for.
    """
    total, done = experiment.total, progress.step
    if total is not None and done > total:
        epochs = f"{done / experiment.per_epoch:g} epochs"
        text = f"{folder}: has trained for {done} steps ({epochs}), cannot end at step {total}"
        raise ConfigError(f"{text} (give a longer train.epochs or train.steps, or a new run)")
    ended = built.trainer.ended(progress) if done else None
    if ended is not None:
        way = {
            "early_stopped": "a longer train.early_stopping.patience",
            "time_limit": "more train.minutes",
        }.get(ended.status, "--set train.epochs=N")
        view.note(f"nothing left to do: {ended.status} ({ended.why}); to go on, give {way}")
        return ended.status == "completed"
    _tell_jump(begun, experiment, progress, view)
    return True


def _tell_jump(begun: RunConfig, experiment: Experiment, progress: Progress, view: View) -> None:
    """Notes that another length bends the schedule: the rate jumps."""
    config, per_epoch = experiment.config, experiment.per_epoch
    _, total = run_lengths(begun.train, experiment.shape.sizes["train"])
    if config.schedule.observes or total == experiment.total:
        return
    factors = (
        config.schedule.build(per_epoch=per_epoch, total=steps)(progress.step)
        for steps in (total, experiment.total)
    )
    old, new = (f"{config.optimizer.lr * factor:.3g}" for factor in factors)
    if old != new:  # as it is shown
        view.note(
            f"{config.schedule.kind} follows the new length: the learning rate jumps from "
            f"{old} to {new}"
        )
