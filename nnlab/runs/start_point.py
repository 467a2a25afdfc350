"""Where a run begins that goes on from another: which checkpoint `start` means, and if it fits.

Nothing here loads torch: a mistake is told before.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from nnlab.config.origins import error_at_places
from nnlab.config.run_config import RunConfig
from nnlab.config.sections import LENGTHS, StartConfig
from nnlab.core.contracts import Plan, Shape
from nnlab.core.errors import ConfigError, Mistake, MistakeError, NnlabError
from nnlab.experiment.experiment import Experiment, run_lengths
from nnlab.runs.folder.checkpoint_bytes import model_shapes
from nnlab.runs.folder.data_json import read_data, shape_of
from nnlab.runs.folder.find import find_run, is_comparison, runs_home
from nnlab.runs.folder.folder import begun_config
from nnlab.runs.folder.pointers import STEP_FOLDER, pointed_to


class StartPoint(NamedTuple):
    """A checkpoint of another run.

    Attributes:
        run: the folder of that run.
        name: how a config calls it.
        folder: of the checkpoint.
        step: updates that had been made.
        first_step: where the run that begins there counts from: the same place in the data.
        config: of that run, settled.
    """

    run: Path
    name: str
    folder: Path
    step: int
    first_step: int
    config: RunConfig


def find_start(experiment: Experiment) -> StartPoint | None:
    """The checkpoint that `start` of an experiment means; None where it begins afresh.

    Raises:
        ConfigError: there is none, it does not fit, or nothing would be left to train.
    """
    start = experiment.config.start
    if start is None:
        return None
    try:
        point = _found(start, experiment)
    except MistakeError as error:
        raise error_at_places([error.mistake], experiment.config.origins) from None
    wrong = [*_misfits(point, experiment), *_edit_mistakes(start, experiment)]
    if wrong:
        raise error_at_places(wrong, experiment.config.origins)
    return point


def with_exact_start(experiment: Experiment) -> Experiment:
    """The experiment with the very run and step in its `start`: `last` is another tomorrow.

    Raises:
        ConfigError: as `find_start`.
    """
    point = find_start(experiment)
    return experiment if point is None else _started_at(experiment, point.name, point.step)


def started_as(experiment: Experiment, begun: RunConfig) -> Experiment:
    """The experiment as the continuation of a run, which has its start behind it."""
    if begun.start is None or experiment.config.start is None:
        return experiment
    start = begun.start.model_copy(update={"edits": experiment.config.start.edits})
    config = experiment.config.model_copy(update={"start": start})
    return replace(experiment, config=config)


def _started_at(experiment: Experiment, name: str, step: int) -> Experiment:
    config = experiment.config
    assert config.start is not None
    start = config.start.model_copy(update={"run": name, "step": step})
    changed = config.model_copy(update={"start": start})
    return replace(experiment, config=changed)


def _found(start: StartConfig, experiment: Experiment) -> StartPoint:
    run, name = _run(start.run)
    try:
        config = begun_config(run)
        if config is None:
            why = f"{name} has no config.yaml: nnlab.Watch recorded it, without checkpoints"
            raise MistakeError(("start", "run"), why)
        folder = _checkpoint(run, name, start.step)
        step = int(folder.name[5:])
        per_epoch, _ = run_lengths(config.train, shape_of(read_data(run)).sizes["train"])
    except NnlabError as error:
        raise MistakeError(("start", "run"), error.lines[0]) from None
    # Another batch size makes another number of updates of the same way through the data.
    first = step if per_epoch == experiment.per_epoch else step * experiment.per_epoch // per_epoch
    return StartPoint(run, name, folder, step, first, config)


def _run(text: str) -> tuple[Path, str]:
    """The folder that RUN means, and how it is called from everywhere."""
    path = ("start", "run")
    try:
        run = find_run(text).resolve()
    except ConfigError as error:
        raise MistakeError(path, error.lines[0]) from None
    if is_comparison(run):
        members = sorted(each.name for each in run.iterdir() if (each / "config.yaml").exists())
        one = f"{text}/{members[0]}" if members else "one of its runs"
        raise MistakeError(path, f"{text} is a comparison, one run is needed ({one})")
    return run, name_of_run(run)


def name_of_run(run: Path) -> str:
    """How a config calls a run from everywhere: below the home of runs, or its whole path."""
    run, home = run.resolve(), runs_home().resolve()
    return run.relative_to(home).as_posix() if run.is_relative_to(home) else str(run)


def saved_steps(run: Path) -> list[int]:
    """The steps of a run's checkpoints, in order."""
    folder = run / "checkpoints"
    return sorted(int(p.name[5:]) for p in folder.glob("step-*") if STEP_FOLDER.fullmatch(p.name))


def _checkpoint(run: Path, name: str, step: int | str) -> Path:
    """The folder of a checkpoint.

    Raises:
        MistakeError: it is not kept, with those that are.
        CheckpointError: a pointer is damaged.
    """
    folder = run / "checkpoints"
    there = saved_steps(run)
    if not there:
        raise MistakeError(("start", "run"), f"{name} has saved no checkpoint (train it first)")
    if not isinstance(step, int):
        pointer = pointed_to(folder, step)  # pyright: ignore[reportArgumentType]
        step = -1 if pointer is None else int(pointer[5:])
    if step not in there:
        known = ", ".join(map(str, there[-8:]))
        way = f"it has {known}; log.checkpoints keeps more"
        what = f"of step {step}" if step >= 0 else "of that name"
        raise MistakeError(("start", "step"), f"{name} has no checkpoint {what} ({way})")
    return folder / f"step-{step:08d}"


def _misfits(point: StartPoint, experiment: Experiment) -> Iterator[Mistake]:
    """What of the checkpoint does not fit the experiment."""
    total, train = experiment.total, experiment.config.train
    if total is not None and point.first_step >= total:
        length = next(n for n in LENGTHS if getattr(train, n) is not None)
        stands = f"{point.name} stands at step {point.first_step} there"
        way = f"give a longer train.{length}, or an earlier start.step"
        text = f"the run ends at step {total}, and {stands} ({way})"
        yield Mistake(("train", length), text)
    if experiment.design.module is not None:
        return  # torch alone knows its parameters
    there = model_shapes(point.folder)
    for name, shape in _shapes(experiment).items():
        if name not in there:
            yield Mistake(("model",), f"has {name}, and {point.name} has not ({_SAME})")
        elif shape != there[name]:
            sizes = f"shape {list(shape)}, in {point.name} {list(there[name])}"
            yield Mistake(("model",), f"{name} has {sizes} ({_SAME})")


_SAME = "a start needs the same layers"


def _edit_mistakes(start: StartConfig, experiment: Experiment) -> Iterator[Mistake]:
    shapes = _shapes(experiment)
    for number, edit in enumerate(start.edits):
        path, shape = ("start", "edits", number), shapes.get(edit.parameter)
        if experiment.design.module is not None:
            continue
        if shape is None:
            known = ", ".join([*shapes][:8])
            yield Mistake((*path, "parameter"), f"there is no {edit.parameter} (there are {known})")
        elif len(edit.at) != len(shape) or any(i >= n for i, n in zip(edit.at, shape, strict=True)):
            text = f"{list(edit.at)} is no place of {edit.parameter}, whose shape is {list(shape)}"
            yield Mistake((*path, "at"), f"{text} (counted from 0)")


def _shapes(experiment: Experiment) -> Mapping[str, Shape]:
    found: dict[str, Shape] = {}

    def add(plan: Plan) -> None:
        found.update(plan.parameters)
        for child in plan.children:
            add(child)

    for plan in experiment.design.plans:
        add(plan)
    return found
