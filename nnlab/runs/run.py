"""A run: config -> objects -> run folder. What happens, in which order, stands here in the open."""

import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from contextlib import closing as closing_of
from os import cpu_count
from pathlib import Path
from time import perf_counter, time
from typing import Any

from nnlab.config.loading import Text, place_for, read_text
from nnlab.core.contracts import EpochEnd, Event, Examples, Machine, Reading, SaveDue, Stopped
from nnlab.core.signals import stop_signals
from nnlab.core.text import short_path
from nnlab.display.open_view import open_view
from nnlab.display.tensorboard.sink import TensorBoard
from nnlab.display.views import RunAbout, View
from nnlab.experiment.handed import NOTHING, Handed, Source
from nnlab.experiment.handed import load_config_with as load_config
from nnlab.experiment.settle import settle
from nnlab.runs.building.scoring import blind_baseline
from nnlab.runs.building.session import Session
from nnlab.runs.finished.reopen import of_run
from nnlab.runs.folder import folder as folders
from nnlab.runs.folder.find import create_folder
from nnlab.runs.folder.metrics import JsonLines, Sinks, read_history, readings_of
from nnlab.runs.folder.summary import Summary
from nnlab.runs.observers.findings import Examiner
from nnlab.runs.observers.gallery import Gallery, scene_of
from nnlab.runs.observers.per_example import PerExample
from nnlab.runs.open_session import Wish, make_ready, open_session
from nnlab.runs.outcome import (
    closing_outcome,
    conclude_run,
    describe_run,
    score_meanings,
    summarize_run,
    summary_card,
)
from nnlab.runs.saving import Saver
from nnlab.training import device as devices
from nnlab.training.probes.labels import legible_layers, number_of


def train(
    source: Source,
    *,
    overrides: Sequence[str] = (),
    run_dir: Path | None = None,
    resume: bool = False,
    device: str = "auto",
    deterministic: bool = False,
    view: View | None = None,
    handed: Handed = NOTHING,
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
        handed: data, model and loss that Python hands in beside the config.

    Raises:
        NnlabError: of the kind that says whose turn it is; see its exit code.
    """
    view = view or open_view(quiet=True, stream=sys.stderr)
    stream = stream_run(
        source,
        overrides=overrides,
        run_dir=run_dir,
        resume=resume,
        device=device,
        deterministic=deterministic,
        view=view,
        alone=True,
        handed=handed,
    )
    return last_of(stream)


def last_of(stream: Generator[Event, None, Summary]) -> Summary:
    """Trains to the end, with nobody between the events."""
    while True:
        try:
            next(stream)
        except StopIteration as end:
            return end.value


def resume(
    run: Path,
    *,
    overrides: Sequence[str] = (),
    device: str = "auto",
    view: View | None = None,
    handed: Handed = NOTHING,
) -> Summary:
    """Continues a run from its newest checkpoint; only durations and logging may change."""
    config = of_run(run, overrides, handed)
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
    shown: bool = True,
    alone: bool = False,
    handed: Handed = NOTHING,
) -> Generator[Event, None, Summary]:
    """Trains an experiment as a stream of events; each is handed to the writers first.

    While an event is out, torch is as the caller left it; with `alone` nobody looks at the events,
    and the first signal ends the run softly. `examples` take the place of the config's data (a
    smoke run without them); without `shown` the view is told neither folder nor outcome.
    """
    began = perf_counter()
    config = folders.as_begun(load_config(source, overrides, handed), run_dir, resume=resume)
    place = place_for(config.origins.folder)
    chosen, why = devices.choose_device(device)
    kind: Any = chosen.type
    shape = None if examples is None else examples.shape
    experiment = settle(config, place, Machine(kind, cpu_count() or 1), shape=shape)
    text = _text_of(source)
    wish = Wish(experiment, place, chosen, why, deterministic, text, examples, began)
    with ExitStack() as stack:
        folder = (run_dir or create_folder(experiment.config.name or "run")).absolute()
        continues = stack.enter_context(
            folders.claim_folder(folder, experiment.config, resume=resume)
        )
        for remark in config.data.remarks(place) if examples is None else ():
            view.note(remark)
        with _settings(wish):
            session = open_session(wish, folder, view, continues=continues)
        stack.callback(view.finish)
        stack.callback(session.built.source.close)
        received: list[int] = []
        if alone:
            stack.enter_context(stop_signals(session.built.trainer.stop, received))
        with _settings(wish):
            make_ready(session, view)
        about = _about(session, folder if shown else None)
        summary = yield from _as_guests(_events(session, about, view, received), wish, alone=alone)
        if shown:
            _report(session, summary, view)
        return summary


def _text_of(source: Source) -> str | None:
    """The file as its author wrote it, where there is one that can be read again."""
    if isinstance(source, Text):
        return source.text
    if not isinstance(source, str | Path) or str(source) == "-":
        return None
    return read_text(source).text


@contextmanager
def _settings(wish: Wish) -> Generator[None]:
    """Torch as the run wants it; afterwards as it was."""
    with (
        devices.torch_settings(threads=wish.threads, deterministic=wish.deterministic),
        devices.own_generator(wish.device),
    ):
        yield


def _as_guests(
    events: Generator[Event, None, Summary], wish: Wish, *, alone: bool
) -> Generator[Event, None, Summary]:
    """The events, with torch as it was before the run whenever one is handed out to others."""
    if alone:
        with _settings(wish):
            return (yield from events)
    with closing_of(events):
        while True:
            with _settings(wish):
                try:
                    event = next(events)
                except StopIteration as end:
                    return end.value
            yield event


def _events(
    session: Session, about: RunAbout, view: View, received: list[int]
) -> Generator[Event, None, Summary]:
    """Trains, writes, saves; the run folder is complete when it returns."""
    trainer, progress, folder = session.built.trainer, session.progress, session.folder
    lines, board = _record(session, view)
    with Sinks([lines, board], view.note) as sinks, _gallery(session, board, view) as gallery:
        saver = Saver(
            folder, session.built.step, progress, trainer.monitor, sinks=sinks, lines=lines
        )
        examiner, examples = Examiner(session), PerExample(session)
        view.start(about)
        _begin(session, saver, board)
        stopped = Stopped("failed", "an error ended it")
        try:
            for event in trainer.run(progress):
                if isinstance(event, Reading):
                    sinks.write(event)
                    view.reading(event)
                    saver.keep_best(event)
                elif isinstance(event, EpochEnd):
                    view.epoch(event)
                elif isinstance(event, SaveDue):
                    saver.save(stays=event.stays)
                    summarize_run(session, None, 0).write()
                else:
                    stopped = event
                    session.conclusion = conclude_run(session)
                gallery.after(event)
                examples.after(event)
                for finding in examiner.observe(event):
                    view.finding(finding)
                    board.text(f"findings/{finding.name}", finding.line)
                yield event
                if progress.step == 0:
                    session.began["training"] = time()
        except (GeneratorExit, KeyboardInterrupt):
            stopped = Stopped("interrupted", "ended at once, at the last checkpoint")
            raise
        finally:
            board.hparams_end(stopped.status)
            number = received[0] if received and stopped.status == "interrupted" else 0
            try:
                saver.save_best()
            finally:
                summary = summarize_run(session, stopped, number)
                summary.write()
                board.text("summary", summary_card(summary))
    view.finish()
    return summary


def _record(session: Session, view: View) -> tuple[JsonLines, TensorBoard]:
    """The places that readings go to, cut back to where the checkpoint stood."""
    found = session.found
    length = found.state["metrics_bytes"] if found else None
    lines = JsonLines(session.folder / "metrics.jsonl", length=length)
    if lines.lost:
        view.note(f"metrics.jsonl: {lines.lost} bytes that the checkpoint knows of are lost")
    purge = session.progress.step + 1 if found else None
    plans = session.experiment.design.plans
    shown: set[int | None] = {None, *legible_layers(plans)}
    board = TensorBoard(
        session.folder,
        purge_step=purge,
        cards=session.built.cards,
        hidden=lambda key: number_of(key) not in shown,
        about=score_meanings(session.experiment),
    )
    return lines, board


def _gallery(session: Session, board: TensorBoard, view: View) -> Gallery:
    """What takes pictures, with what was read before a resume."""
    built = session.built
    scene = scene_of(session.experiment, session.examples, built.network, built.source)
    history = read_history(session.folder / "metrics.jsonl") if session.found else []
    return Gallery(scene, board, view.note, readings_of(history))


def _begin(session: Session, saver: Saver, board: TensorBoard) -> None:
    """What is written and saved before the first step of the session."""
    if session.found is None:
        describe_run(board, session)
        saver.initial()
    else:
        saver.go_back()


def _about(session: Session, folder: Path | None) -> RunAbout:
    experiment = session.experiment
    return RunAbout(
        name=experiment.config.name or "run",
        folder=None if folder is None else Path(short_path(folder)),
        device=_with_threads(session.device, experiment.config.train.threads),
        parameters=experiment.design.parameters,
        steps_total=experiment.total,
        steps_per_epoch=experiment.per_epoch,
        sizes=experiment.shape.sizes,
        progress=lambda: session.progress.step,
        remark=experiment.compile_why,
    )


def _report(session: Session, summary: Summary, view: View) -> None:
    """The closing lines; a closed terminal does not turn a finished run into a failed one."""
    chance: dict[str, float] = {}
    if "scores" not in session.experiment.config.replaced:
        chance = blind_baseline(session.experiment, session.examples)
    with suppress(OSError, ValueError):
        view.outcome(closing_outcome(session, summary, chance))


def _with_threads(device: str, threads: object) -> str:
    """The device's sentence with the threads in it: cpu, 1 thread (auto: ...)."""
    name, bracket, why = device.partition(" (")
    return f"{name}, {threads} thread{'' if threads == 1 else 's'}{bracket}{why}"
