"""What a run leaves behind: each event goes to every writer and observer, in one order."""

from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import final

from nnlab.core.events import EpochEnd, Event, Reading, SaveDue, Stopped
from nnlab.display.tensorboard.sink import TensorBoard
from nnlab.display.views import RunAbout, View
from nnlab.runs.building.session import Session
from nnlab.runs.folder.metrics import JsonLines, Sinks, read_history, readings_of
from nnlab.runs.folder.summary import Summary
from nnlab.runs.observers.findings import Examiner
from nnlab.runs.observers.gallery import Gallery, scene_of
from nnlab.runs.observers.per_example import PerExample
from nnlab.runs.saving import Saver
from nnlab.runs.summarizing import (
    conclude_run,
    describe_run,
    score_meanings,
    summarize_run,
    summary_card,
)


@final
class Recorder:
    """Hands the events of a run to all that write, show and watch.

    Args:
        session: of the run.
        view: shows it.
        sinks: take the readings, in a thread of their own.
        board: TensorBoard's files, one of the sinks.
        saver: of checkpoints.
        gallery: takes pictures.
    """

    def __init__(
        self,
        session: Session,
        view: View,
        *,
        sinks: Sinks,
        board: TensorBoard,
        saver: Saver,
        gallery: Gallery,
    ) -> None:
        self._session, self._view = session, view
        self._sinks, self._board, self._saver, self._gallery = sinks, board, saver, gallery
        self._examiner, self._examples = Examiner(session), PerExample(session)

    def begin(self, about: RunAbout) -> None:
        """What is shown, written and saved before the first step of the session."""
        self._view.start(about)
        if self._session.progress.step == self._session.progress.first_step:
            # Also again: it stands at the first step, which a resume takes back.
            describe_run(self._board, self._session)
        if self._session.found is None:
            # The beginning is kept: pictures and the doctor compare with it.
            self._saver.initial()
        else:
            self._saver.go_back()

    def take(self, event: Event) -> None:
        """An event, first to what keeps it, then to what looks at it."""
        session, view = self._session, self._view
        if isinstance(event, Reading):
            self._sinks.write(event)
            view.reading(event)
            # Behind the sinks: a checkpoint remembers how many bytes of readings belong to it.
            self._saver.keep_best(event.step)
        elif isinstance(event, EpochEnd):
            view.epoch(event)
            self._saver.keep_best(event.step)
        elif isinstance(event, SaveDue):
            self._saver.save(stays=event.stays)
            # A run that is killed later still says how far it came.
            summarize_run(session, None, 0).write()
        else:
            session.conclusion = conclude_run(session)
        self._gallery.after(event)
        self._examples.after(event)
        # The doctor comes last: it reads what the observers before it have recorded.
        for finding in self._examiner.observe(event):
            view.finding(finding)
            self._board.text(f"findings/{finding.name}", finding.line)

    def end(self, stopped: Stopped, signal: int) -> Summary:
        """The last save and the summary.

        Args:
            stopped: how the run ended.
            signal: that ended it, or 0.
        """
        self._board.hparams_end(stopped.status)
        self._saver.save_best()
        # Before the summary, which says how long the record was.
        self._sinks.flush()
        summary = summarize_run(self._session, stopped, signal)
        summary.write()
        self._board.text("summary", summary_card(summary))
        return summary

    def break_off(self, stopped: Stopped) -> None:
        """Saves what can still be saved of a run that an error ends; others tell the error."""
        self._board.hparams_end(stopped.status)
        self._board.text("summary", summary_card(summarize_run(self._session, stopped, 0)))
        with suppress(Exception):
            self._saver.save_best()


@contextmanager
def open_recorder(session: Session, view: View) -> Generator[Recorder]:
    """The recorder of a session; at its end everything is on disk."""
    lines, board = _sinks_of(session, view)
    session.lines = lines
    # The gallery closes before the sinks: its last pictures go through them.
    with Sinks([lines, board], view.note) as sinks, _gallery(session, board, view) as gallery:
        built = session.built
        saver = Saver(
            session.folder,
            built.step,
            session.progress,
            built.trainer.monitor,
            sinks=sinks,
            lines=lines,
        )
        yield Recorder(session, view, sinks=sinks, board=board, saver=saver, gallery=gallery)


def _sinks_of(session: Session, view: View) -> tuple[JsonLines, TensorBoard]:
    """The places that readings go to, cut back to where the checkpoint stood."""
    found = session.found
    progress = session.progress
    began = progress.step == progress.first_step
    length = None if found is None or began else found.state["metrics_bytes"]
    lines = JsonLines(session.folder / "metrics.jsonl", length=length)
    if lines.lost:
        view.note(f"metrics.jsonl: {lines.lost} bytes that the checkpoint knows of are lost")
    # The next step to be read: the first is read again; others were read before they were saved.
    purge = (progress.step + (0 if began else 1)) if session.continues else None
    layers = session.experiment.design.layers
    board = TensorBoard(
        session.folder,
        purge_step=purge,
        cards=session.built.cards,
        hidden=lambda key: not layers.legible(key),
        about=score_meanings(session.experiment),
    )
    return lines, board


def _gallery(session: Session, board: TensorBoard, view: View) -> Gallery:
    """What takes pictures, with what was read before a resume."""
    built = session.built
    scene = scene_of(session.experiment, session.examples, built.network, built.source)
    history = read_history(session.folder / "metrics.jsonl") if session.found else []
    return Gallery(scene, board, view.note, readings_of(history))
