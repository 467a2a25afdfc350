"""A run: config -> objects -> run folder. What happens, in which order, stands here in the open."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from os import cpu_count
from pathlib import Path
from sys import stderr
from time import perf_counter
from typing import Any

from nnlab import folder as folders
from nnlab.base import CheckpointError
from nnlab.build import Built, build_trainer
from nnlab.config import RunConfig
from nnlab.contracts import EpochEnd, Event, Examples, Machine, Reading, SaveDue, Stopped
from nnlab.experiment import settle
from nnlab.loading import Text, load_config, place_for, read_text
from nnlab.measuring import baseline
from nnlab.outcome import Session, conclude, describe, outcome, short, summarize
from nnlab.parts.datasets.checks import notes
from nnlab.runs import create
from nnlab.saving import Saver
from nnlab.signals import stop_signals
from nnlab.summary import Summary, read_summary
from nnlab.terminal import RunAbout, View, open_view
from nnlab.training import checkpoint
from nnlab.training import device as devices
from nnlab.training.loop import Progress
from nnlab.training.sinks import JsonLines, Sinks
from nnlab.training.tensorboard import TensorBoard

Source = str | Path | Text | Mapping[str, Any] | RunConfig


def train(
    source: Source,
    *,
    overrides: Sequence[str] = (),
    run_dir: Path | None = None,
    resume: bool = False,
    device: str = "auto",
    deterministic: bool = False,
    view: View | None = None,
) -> Summary:
    """Trains an experiment into a run folder.

    Args:
        source: a config's path, bundled name or content.
        overrides: as `--set` takes them.
        run_dir: exactly this folder; None makes runs/<name>/<number>.
        resume: continue `run_dir` if it holds this experiment, start it otherwise.
        device: auto, cpu, cuda, cuda:N or mps.
        deterministic: refuse operations that have no deterministic form.
        view: shows the run; None for the terminal.

    Raises:
        NnlabError: of the kind that says whose turn it is; see its exit code.
    """
    view = view or open_view(quiet=True, stream=stderr)
    stream = stream_run(
        source,
        overrides=overrides,
        run_dir=run_dir,
        resume=resume,
        device=device,
        deterministic=deterministic,
        view=view,
    )
    while True:
        try:
            next(stream)
        except StopIteration as end:
            return end.value


def resume(
    run: Path, *, overrides: Sequence[str] = (), device: str = "auto", view: View | None = None
) -> Summary:
    """Continues a run from its newest checkpoint; only durations and logging may change."""
    read_summary(run)
    config = load_config(run / "config.yaml", overrides)
    return train(config, run_dir=run, resume=True, device=device, view=view)


def stream_run(
    source: Source,
    *,
    overrides: Sequence[str] = (),
    run_dir: Path | None = None,
    resume: bool = False,
    device: str = "auto",
    deterministic: bool = False,
    view: View,
    examples: Examples | None = None,
    closing: bool = True,
) -> Generator[Event, None, Summary]:
    """Likewise, as a stream of events; each has been written when it comes.

    `examples` take the place of the config's data (a smoke run without them); without `closing`
    the view is not told what was reached.
    """
    began = perf_counter()
    config = load_config(source, overrides)
    folder_of_config = config.origins.folder
    chosen, sentence = devices.choose(device)
    kind: Any = chosen.type
    machine = Machine(kind, cpu_count() or 1)
    shape = None if examples is None else examples.shape
    experiment = settle(config, place_for(folder_of_config), machine, shape=shape)
    text = _text_of(source)
    with ExitStack() as stack:
        folder = run_dir
        if folder is None:
            assert experiment.config.name is not None
            folder = create(experiment.config.name)
        folder = folder.absolute()
        continues = resume and (folder / "config.yaml").exists()
        if not continues:
            folders.refuse_used(folder)
        stack.enter_context(folders.locked(folder))
        if continues:
            folders.refuse_changes(folder, experiment.config)
        else:
            folders.refuse_used(folder)
        threads = experiment.config.train.threads
        assert not isinstance(threads, str)
        stack.enter_context(devices.settings(threads=threads, deterministic=deterministic))
        started = perf_counter()
        if examples is None:
            examples = experiment.config.data.load(place_for(folder_of_config))
        with devices.own_generator(chosen):
            built = build_trainer(experiment, examples, chosen)
        found = _continue_from(folder, built, examples, view) if continues else None
        done = perf_counter()
        facts = {**devices.versions(chosen), "threads": threads, "deterministic": deterministic}
        folders.write_config(folder, experiment.config, text)
        scale = examples.target_scale
        target = None if scale is None else scale._asdict()
        folders.write_env(
            folder, {**facts, "why": sentence, "data": examples.digest, "target": target}
        )
        seconds = {"startup": started - began, "build": done - started}
        session = Session(experiment, examples, built, folder, sentence, found, seconds)
        for note in notes(examples):
            view.note(note)
        summary, progress = yield from _events(session, view, stack)
        if closing:
            _report(session, summary, progress, view)
        return summary


def _text_of(source: Source) -> str | None:
    """The file as its author wrote it, where there is one that can be read again."""
    if isinstance(source, Text):
        return source.text
    if not isinstance(source, str | Path) or str(source) == "-":
        return None
    return read_text(source).text


def _with_threads(device: str, threads: object) -> str:
    """The device's sentence with the threads in it: cpu, 1 thread (auto: ...)."""
    name, bracket, why = device.partition(" (")
    return f"{name}, {threads} thread{'' if threads == 1 else 's'}{bracket}{why}"


def _continue_from(
    folder: Path, built: Built, examples: Examples, view: View
) -> checkpoint.Checkpoint | None:
    """The newest sound checkpoint, taken over by the step; None if none was saved yet."""
    env = folders.read_env(folder) if (folder / "env.json").exists() else {}
    if env.get("data") not in (None, examples.digest):
        what = "the data have changed since this run began (SHA-256 differs)"
        raise CheckpointError(f"{folder}: {what}")
    newest = checkpoint.newest(folder / "checkpoints")
    for warning in newest.warnings:
        view.note(warning)
    found = newest.checkpoint
    if found is None:
        return None
    expected = {k: v for k, v in built.step.state().items() if k.startswith("model/")}
    there = {k: v for k, v in found.tensors.items() if k.startswith("model/")}
    checkpoint.check_fits(expected, there, where=str(found.path))
    built.step.load(found.tensors)
    view.note(f"resumed at step {found.step}, from {found.path.name}")
    return found


def _events(
    session: Session, view: View, stack: ExitStack
) -> Generator[Event, None, tuple[Summary, Progress]]:
    """Trains, writes, saves; the run folder is complete when it returns."""
    built, folder, found = session.built, session.folder, session.found
    progress = Progress(**found.state["progress"]) if found else Progress()
    length = found.state["metrics_bytes"] if found else None
    lines = JsonLines(folder / "metrics.jsonl", length=length)
    if lines.lost:
        view.note(f"metrics.jsonl: {lines.lost} bytes that the checkpoint knows of are lost")
    board = TensorBoard(folder, purge_step=progress.step + 1 if found else None, cards=built.cards)
    sinks = stack.enter_context(Sinks([lines, board], view.note))
    monitor = built.trainer.monitor
    saver = Saver(folder, built.step, progress, monitor, sinks=sinks, lines=lines)
    summarize(session, progress, None, 0).write()
    view.start(_about(session, progress))
    stack.callback(view.finish)
    if found is None:
        describe(board, session)
        saver.initial()
    stopped = Stopped("failed", "an error ended it")
    received: list[int] = []
    try:
        with stop_signals(built.trainer.stop, received):
            for event in _quiet(built.trainer.run(progress), session):
                if isinstance(event, Reading):
                    sinks.write(event)
                    view.reading(event)
                    saver.keep_best(event)
                elif isinstance(event, EpochEnd):
                    view.epoch(event)
                elif isinstance(event, SaveDue):
                    saver.save()
                else:
                    stopped = event
                    conclude(session)
                yield event
    except (GeneratorExit, KeyboardInterrupt):
        stopped = Stopped("interrupted", "ended at once, at the last checkpoint")
        raise
    finally:
        board.hparams_end(stopped.status)
        number = received[0] if received and stopped.status == "interrupted" else 0
        summary = summarize(session, progress, stopped, number)
        summary.write()
    sinks.close()
    view.finish()
    return summary, progress


def _about(session: Session, progress: Progress) -> RunAbout:
    experiment = session.experiment
    return RunAbout(
        name=experiment.config.name or "run",
        folder=Path(short(session.folder)),
        device=_with_threads(session.device, experiment.config.train.threads),
        parameters=experiment.design.parameters,
        steps_total=experiment.total,
        steps_per_epoch=experiment.per_epoch,
        sizes=experiment.shape.sizes,
        progress=lambda: progress.step,
    )


def _report(session: Session, summary: Summary, progress: Progress, view: View) -> None:
    """The closing lines; a closed terminal does not turn a finished run into a failed one."""
    chance: dict[str, float] = {}
    if "scores" not in session.experiment.config.replaced:
        chance = baseline(session.experiment, session.examples)
    with suppress(OSError, ValueError):
        view.outcome(outcome(session, summary, progress, chance))


def _quiet(events: Iterator[Event], session: Session) -> Iterator[Event]:
    """The events, with torch's default generators as they were whenever one is handed out."""
    device = next(session.built.network.parameters()).device
    while True:
        with devices.own_generator(device):
            event = next(events, None)
        if event is None:
            return
        yield event
