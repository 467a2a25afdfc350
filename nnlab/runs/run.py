"""A run, from its arguments to its last save. What happens, in which order, stands here.

Read from the top: `train` asks for a run, `stream_run` settles it, claims its folder and opens its
session, `_events` trains and records, `_report` says how it went.
"""

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from time import perf_counter, time

from nnlab.config.run_config import RunConfig
from nnlab.core.contracts import Examples, Machine
from nnlab.core.errors import NnlabError
from nnlab.core.events import Event, Stopped
from nnlab.core.signals import stop_signals
from nnlab.core.text import short_path
from nnlab.display.open_view import open_view
from nnlab.display.views import RunAbout, View
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.handed import NOTHING, Asked, Handed, experiment_of, require_handed
from nnlab.runs.building.scoring import blind_baseline
from nnlab.runs.building.session import Session
from nnlab.runs.finished.reopen import configs_of_run
from nnlab.runs.folder import folder as folders
from nnlab.runs.folder.find import create_folder
from nnlab.runs.folder.summary import Summary
from nnlab.runs.open_session import Wish, make_ready, open_session
from nnlab.runs.prefetch import Prefetch
from nnlab.runs.recorder import open_recorder
from nnlab.runs.start_point import find_start, started_as, with_exact_start
from nnlab.runs.summarizing import shown_summary, summarize_run
from nnlab.runs.weights.beginning import with_first_weights
from nnlab.training import device as devices


def train(
    asked: Asked,
    *,
    overrides: Sequence[str] = (),
    run_dir: Path | None = None,
    resume: bool = False,
    begun: RunConfig | None = None,
    device: str = "auto",
    deterministic: bool = False,
    view: View | None = None,
    handed: Handed = NOTHING,
    ahead: Prefetch | None = None,
) -> Summary:
    """Trains an experiment into a run folder.

    Args:
        asked: a settled experiment, or a config's path, bundled name or content.
        overrides: as `--set` takes them.
        run_dir: exactly this folder; None makes runs/<name>/<number>.
        resume: continue `run_dir` if it holds this experiment, start it otherwise.
        begun: the config of the run in `run_dir`, where that has been read.
        device: auto, cpu, cuda, cuda:N or mps.
        deterministic: refuse operations that have no deterministic form.
        view: shows the run; None for the terminal.
        handed: data, model and loss that Python hands in beside the config.
        ahead: the data of the experiment, where they are being loaded.

    Raises:
        NnlabError: of the kind that says whose turn it is; see its exit code.
    """
    stream = stream_run(
        asked,
        overrides=overrides,
        run_dir=run_dir,
        resume=resume,
        begun=begun,
        device=device,
        deterministic=deterministic,
        view=view or open_view(quiet=True, stream=sys.stderr),
        alone=True,
        handed=handed,
        ahead=ahead,
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
    """Continues a run from its newest checkpoint; only durations and logging may change.

    Args:
        run: its folder.
        overrides: changes, as `--set` takes them.
        device: auto, cpu, cuda, cuda:N or mps.
        view: shows the run; None for warnings on stderr alone.
        handed: data, module or loss that came from Python when the run began.

    Raises:
        ConfigError: something else changes.
        CheckpointError: there is no sound checkpoint.
    """
    begun, config = configs_of_run(run, overrides, handed)
    require_handed(config, handed, "resume", run)
    return train(config, run_dir=run, resume=True, begun=begun, device=device, view=view)


def stream_run(
    asked: Asked,
    *,
    overrides: Sequence[str] = (),
    run_dir: Path | None = None,
    resume: bool = False,
    begun: RunConfig | None = None,
    device: str = "auto",
    deterministic: bool = False,
    view: View,
    examples: Examples | None = None,
    shown: bool = True,
    alone: bool = False,
    handed: Handed = NOTHING,
    ahead: Prefetch | None = None,
    opened: Callable[[Session], None] = lambda _: None,
) -> Generator[Event, None, Summary]:
    """Trains into `run_dir`, a new folder if None; hands out each event once all writers had it.

    While an event is out, torch's settings are as the caller left them; with `alone` nobody looks
    at the events, and the first signal ends the run softly. `examples` take the place of the
    config's data (a smoke run without them); without `shown` the view is told neither folder nor
    summary. `opened` gets the session before the first update: to stop the run, or look inside.
    Raises a NnlabError where a config, data or a checkpoint is wrong.
    """
    began = perf_counter()
    experiment = experiment_of(asked, overrides, handed)
    if begun is None and resume and run_dir is not None:
        begun = folders.begun_config(run_dir)
    experiment = _as_it_began(experiment, begun, run_dir)
    chosen, why = devices.choose_device(device)
    experiment = experiment.on(Machine.here(chosen.type))
    wish = Wish(experiment, chosen, why, deterministic, examples, ahead, began)
    folder = (run_dir or create_folder(experiment.config.name or "run")).absolute()
    # Nothing is loaded or written before the folder is ours.
    with folders.claim_folder(folder, begun, experiment.config), ExitStack() as stack:
        session = _opened(wish, folder, begun, view, stack)
        received: list[int] = []
        if alone:
            # From here on there is a loop that a signal can stop softly.
            stack.enter_context(stop_signals(session.built.trainer.stop, received))
        with _settings(wish):
            make_ready(session, view)
            opened(session)
        events = _events(session, _about(session, folder if shown else None), view, received)
        summary = yield from _as_guests(events, wish, alone=alone)
        if shown:
            _report(session, summary, view)
        return summary


def _as_it_began(
    experiment: Experiment, begun: RunConfig | None, run_dir: Path | None
) -> Experiment:
    """Before the device is asked: a run that goes on takes the path on which it began."""
    if begun is None:
        if experiment.config.model.begin and (point := find_start(experiment)) is not None:
            experiment = with_first_weights(experiment, point.run)
        return with_exact_start(experiment)
    if run_dir is not None:
        experiment = with_first_weights(experiment, run_dir)
    return started_as(experiment.going_on(begun), begun)


def _opened(
    wish: Wish, folder: Path, begun: RunConfig | None, view: View, stack: ExitStack
) -> Session:
    """The session: data loaded, network built, the newest checkpoint taken over."""
    for remark in wish.experiment.remarks() if wish.examples is None else ():
        view.note(remark)
    with _settings(wish):
        session = open_session(wish, folder, view, begun=begun)
    # Left in the reverse order: the workers that read data stop before the view ends.
    stack.callback(view.finish)
    stack.callback(session.built.source.close)
    return session


@contextmanager
def _settings(wish: Wish) -> Generator[None]:
    """Torch as the run wants it; afterwards as it was."""
    with (
        devices.torch_settings(threads=wish.experiment.threads, deterministic=wish.deterministic),
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
    with closing(events):
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
    """Trains, writes, saves; the run folder is complete when it returns.

    Whatever ends the run is in its summary: also what comes before the first step. An error while
    that is written does not take the place of the first one, which says what went wrong.
    """
    try:
        summary = yield from _train_and_record(session, about, view, received)
    except BaseException as error:
        stopped = _broken_off(error)
        number = received[0] if received and stopped.status == "interrupted" else 0
        with suppress(Exception):
            summarize_run(session, stopped, number).write()
        raise
    view.finish()
    return summary


def _broken_off(error: BaseException) -> Stopped:
    if isinstance(error, GeneratorExit):
        # By `break` or an exception in the loop over the events: a pruner's, as a rule. Ctrl-C
        # comes while the network trains, and so in here.
        return Stopped("pruned", "the loop over its events was left, at the last checkpoint")
    if isinstance(error, KeyboardInterrupt):
        return Stopped("interrupted", "ended at once, at the last checkpoint")
    why = str(error).partition("\n")[0] if isinstance(error, NnlabError) else ""
    return Stopped("failed", f"an error ended it{why and f': {why}'}")


def _train_and_record(
    session: Session, about: RunAbout, view: View, received: list[int]
) -> Generator[Event, None, Summary]:
    """The events of the loop, each recorded before it is handed out."""
    trainer, progress = session.built.trainer, session.progress
    with open_recorder(session, view) as recorder:
        stopped = Stopped("failed", "the training loop gave no reason")
        try:
            recorder.begin(about)
            for event in trainer.run(progress):
                if isinstance(event, Stopped):
                    stopped = event
                recorder.take(event)
                # Whoever gets an event finds it in the run folder.
                yield event
                if progress.step == progress.first_step:
                    # What came before the first update was building, not training.
                    session.began["training"] = time()
        except BaseException as error:
            recorder.break_off(_broken_off(error))
            raise
        number = received[0] if received and stopped.status == "interrupted" else 0
        summary = recorder.end(stopped, number)
    return summary


def _about(session: Session, folder: Path | None) -> RunAbout:
    """What a view is told before the run."""
    experiment = session.experiment
    return RunAbout(
        name=experiment.config.name or "run",
        folder=None if folder is None else Path(short_path(folder)),
        device=_with_threads(session.device, experiment.threads),
        parameters=experiment.design.parameters,
        steps_total=experiment.total,
        steps_per_epoch=experiment.per_epoch,
        sizes=experiment.shape.sizes,
        progress=lambda: session.progress.step,
        remark=experiment.compile_why,
        layers=experiment.design.layers.names,
    )


def _report(session: Session, summary: Summary, view: View) -> None:
    """The last lines; a closed terminal does not turn a finished run into a failed one."""
    chance: dict[str, float] = {}
    if "scores" not in session.experiment.config.replaced:
        chance = blind_baseline(session.experiment, session.examples)
    with suppress(OSError, ValueError):
        view.summary(shown_summary(session, summary, chance))


def _with_threads(device: str, threads: int) -> str:
    """The device's sentence with the threads in it: cpu, 1 thread (auto: ...)."""
    name, bracket, why = device.partition(" (")
    return f"{name}, {threads} thread{'' if threads == 1 else 's'}{bracket}{why}"
