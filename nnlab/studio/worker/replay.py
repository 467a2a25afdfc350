"""A run that is over, opened to be looked at: its record, and the network at each checkpoint.

Nothing is written into its folder, and nothing is trained. `replay_page.py` makes a file of it.
"""

from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, final

from nnlab.commands.doctor.replay import without_compiler
from nnlab.core.contracts import ObservingFn
from nnlab.core.errors import CheckpointError, MistakeError, NnlabError
from nnlab.core.events import Reading
from nnlab.core.text import short_path
from nnlab.runs.building.build import build_trainer
from nnlab.runs.building.session import Session
from nnlab.runs.finished.reopen import reopen_run
from nnlab.runs.folder.checkpoint_files import read_checkpoint
from nnlab.runs.folder.metrics import read_history
from nnlab.runs.folder.summary import read_summary
from nnlab.runs.observers.findings import read_findings
from nnlab.runs.start_point import saved_steps
from nnlab.studio.worker.eyes import Eyes
from nnlab.studio.worker.gate import Command
from nnlab.studio.worker.post import Outlet
from nnlab.training import device as devices
from nnlab.training.eager_step import EagerStep
from nnlab.training.progress import Progress

_PACE = 0.6
"""Seconds from one checkpoint to the next while it plays."""


@final
class ReplayWork:
    """Shows a run as it was.

    Args:
        post: where everything goes.
        order: the first line that came in; its "replay" is the folder.
    """

    def __init__(self, post: Outlet, order: dict[str, Any]) -> None:
        self._post = post
        self._run = Path(order["replay"])
        self._device = str(order.get("device") or "auto")
        self._commands: SimpleQueue[Command] = SimpleQueue()
        self.put = self._commands.put
        self._steps: list[int] = []
        self._at = 0
        self._playing = self._leaving = False
        self._session: Session | None = None
        self._eyes: Eyes | None = None

    def train(self) -> int:
        """Tells the whole record, and shows the last checkpoint; gives an exit code."""
        try:
            self._open()
        except NnlabError as error:
            self._post.event("error", lines=list(error.lines))
            self._post.event("over", code=error.exit_code)
            return error.exit_code
        return 0

    def show_all(self, most: int) -> None:
        """Tells the whole record, and shows its checkpoints, at most so many at equal distances.

        Raises:
            NnlabError: it cannot be opened.
        """
        self._open()
        assert self._eyes is not None
        self._eyes.watched = self._eyes.titles
        last = len(self._steps) - 1
        for number in sorted({round(k * last / max(1, most - 1)) for k in range(most)}):
            self._show(number)

    def answer(self) -> None:
        """Does what a person wants, until that is enough."""
        while not self._leaving:
            try:
                self._carry_out(self._commands.get(timeout=_PACE if self._playing else None))
            except Empty:
                self._show(self._at + 1)

    def _open(self) -> None:
        run, chosen = self._run, devices.choose_device(self._device)[0]
        experiment, examples = reopen_run(run, chosen.type)
        self._steps = saved_steps(run)
        if not self._steps:
            raise CheckpointError(f"{run}: has saved no checkpoint (nnlab report shows its record)")
        built = build_trainer(without_compiler(experiment), examples, chosen)
        progress = Progress()
        session = Session(
            experiment, examples, built, run, chosen.type, None, True, progress, {}, {}
        )
        self._session, self._eyes = session, Eyes(session, self._post, timed=False)
        scenery = self._eyes.scenery()
        self._post.event("scene", run=str(run.resolve()), replay=self._steps, **scenery)
        self._post.event(
            "start",
            name=experiment.config.name or "run",
            folder=short_path(run),
            device=f"a record of {len(self._steps)} checkpoints",
            parameters=experiment.design.parameters,
            total=experiment.total,
            per_epoch=experiment.per_epoch,
            sizes=dict(experiment.shape.sizes),
            remark="",
            layers=dict(experiment.design.layers.names),
        )
        self._tell_record(self._eyes)
        for event in self._findings():
            self._post.event(**event)
        self._show(len(self._steps) - 1)

    def _tell_record(self, eyes: Eyes) -> None:
        for line in read_history(self._run / "metrics.jsonl"):
            when: dict[str, Any] = {key: line.pop(key) for key in ("step", "epoch", "split")}
            known = {key: value for key, value in line.items() if value is not None}
            eyes.see(Reading(**when, values=known))
            self._post.event("reading", **when, values=line)

    def _findings(self) -> Iterator[dict[str, Any]]:
        for finding in read_findings(self._run):
            about = {"title": finding.title, "flags": finding.flags}
            yield {"kind": "finding", **finding.plain(), **about}
        summary = read_summary(self._run)
        yield {
            "kind": "summary",
            "status": summary.status,
            "why": "" if summary.why == f"{summary.steps} steps" else summary.why,
            "steps": summary.steps,
            "seconds": summary.seconds.get("total", 0.0),
            "run": short_path(self._run),
        }

    def _show(self, at: int) -> None:
        """The network of a checkpoint, and its gradients on the batch that came next."""
        assert self._session is not None
        assert self._eyes is not None
        self._playing = self._playing and at < len(self._steps) - 1
        self._at = min(max(at, 0), len(self._steps) - 1)
        step, session = self._steps[self._at], self._session
        trainer, inner = session.built.trainer, session.built.step
        found = read_checkpoint(self._run / "checkpoints" / f"step-{step:08d}")
        progress = Progress.of(found.state["progress"])
        if isinstance(trainer.schedule, ObservingFn) and progress.schedule:
            trainer.schedule.load(progress.schedule)
        inner.load(found.tensors)
        trainer.fill(step)
        epoch, position = divmod(step, trainer.order.per_epoch)
        rows = trainer.order.batches(epoch)[position]
        if isinstance(inner, EagerStep):
            inner.observation.keep_norms()
            inner.gradients(rows)
            inner.optimizer.zero_grad(set_to_none=True)
            # Running statistics have seen the batch: back to what was saved.
            inner.load(found.tensors)
        session.progress.step = step
        self._eyes.show(rows, step)
        self._tell_state()

    def _carry_out(self, command: Command) -> None:
        try:
            self._do(command)
        except (KeyError, TypeError, ValueError, MistakeError, NnlabError) as error:
            self._post.event("refused", do=str(command.get("do")), why=str(error))

    def _do(self, command: Command) -> None:
        do, eyes = command.get("do"), self._eyes
        if do == "stop":
            self._leaving = bool(command.get("leave"))
        elif eyes is None:
            raise ValueError("there is nothing to show")
        elif do == "play":
            self._playing = True
            # From the last one it begins anew.
            self._show(0 if self._at == len(self._steps) - 1 else self._at + 1)
        elif do == "pause":
            self._playing = False
            self._tell_state()
        elif do == "step":
            self._show(self._at + 1)
        elif do == "seek":
            self._show(self._steps.index(int(command["step"])))
        elif do == "watch":
            eyes.watched = [str(title) for title in command["pictures"]]
            eyes.open = bool(command.get("open", True))
            eyes.show_again()
        elif do == "example":
            self._follow(eyes, command)
        elif do == "prove":
            self._post.event("proof", **eyes.follower.proof())

    def _follow(self, eyes: Eyes, command: Command) -> None:
        number = command.get("number")
        if number is None:
            eyes.follower.chosen = None
        else:
            eyes.follower.choose(str(command.get("split", "train")), int(number))
        eyes.show_again()

    def _tell_state(self) -> None:
        self._post.event(
            "state", running=True, playing=self._playing, rate=0.0, step=self._steps[self._at]
        )
