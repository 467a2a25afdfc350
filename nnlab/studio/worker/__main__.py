"""The main function of the worker: imports what takes seconds, then waits to be told what to do."""

import gc
import json
import os
import sys
import traceback
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, final

# The first update of an optimizer would import it.
import torch._dynamo  # noqa: F401  # pyright: ignore[reportUnusedImport]
from torch import Tensor

from nnlab.comparison.comparison import SettledComparison, settle_source
from nnlab.config.loading import Text
from nnlab.config.run_config import RunConfig
from nnlab.core.errors import ConfigError, MistakeError, NnlabError
from nnlab.core.events import Event
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.handed import NOTHING
from nnlab.runs.building.session import Session
from nnlab.runs.finished.reopen import configs_of_run
from nnlab.runs.folder.summary import Summary
from nnlab.runs.run import last_of, stream_run
from nnlab.studio.limits import Limits
from nnlab.studio.worker.eyes import Eyes
from nnlab.studio.worker.gate import Command, Gate, GatedStep
from nnlab.studio.worker.post import Post, open_post
from nnlab.studio.worker.replay import ReplayWork
from nnlab.studio.worker.view import PageView


@final
class TrainingWork:
    """One run of a session, and the answers that its page asks for during and after it.

    Args:
        post: where everything goes.
        order: the first line that came in: text, file, folder, name, set, variant, seed, device,
            run_dir, playing, rate, limits; of a run that goes on, resume: its folder.
    """

    def __init__(self, post: Post, order: dict[str, Any]) -> None:
        self._post, self._order = post, order
        self.gate = Gate(playing=bool(order.get("playing")), carry_out=self.carry_out)
        self.gate.limit(float(order.get("rate") or 0.0))
        self.put = self.gate.put
        self._view = PageView(post)
        self._session: Session | None = None
        self._eyes: Eyes | None = None
        self._step: GatedStep | None = None
        self._over = self._leaving = False
        self._began = 0.0
        limits = order.get("limits")
        self._limits = None if limits is None else Limits(**limits)

    def train(self) -> int:
        """Trains to the end; gives the exit code that `nnlab train` would have."""
        try:
            code = last_of(self._stream()).exit_code
        except NnlabError as error:
            self._post.event("error", lines=list(error.lines))
            code = error.exit_code
        except (MemoryError, RuntimeError) as error:
            code = self._told_of_memory(error)
        except Exception as error:
            traceback.print_exc()
            self._post.event("error", lines=[f"a bug of nnlab: {type(error).__name__}: {error}"])
            code = 1
        self._over = True
        self.gate.pause()
        if self._step is not None:
            self.show_held(self._step.made)
        self._post.event("over", code=code)
        return code

    def _stream(self) -> Generator[Event, None, Summary]:
        """The run that is ordered: of a text, or one that goes on."""
        order, limits = self._order, self._limits
        resumed, run_dir = order.get("resume"), order.get("resume") or order.get("run_dir")
        asked: Experiment | RunConfig
        begun: RunConfig | None = None
        if resumed:
            begun, asked = configs_of_run(Path(resumed), [], NOTHING)
        else:
            asked = _experiment(order, limits)
        if limits is not None:
            bound_memory(limits.memory)
        return stream_run(
            asked,
            run_dir=Path(run_dir) if run_dir else None,
            resume=bool(resumed),
            begun=begun,
            device=order.get("device") or "auto",
            view=self._view,
            alone=True,
            opened=self._opened,
        )

    def _told_of_memory(self, error: MemoryError | RuntimeError) -> int:
        """Says that memory is at its end; any other error is a bug."""
        if not isinstance(error, MemoryError) and "can't allocate memory" not in str(error):
            raise error
        bound = "" if self._limits is None else f": this class allows {self._limits.memory:,} MB"
        way = "a smaller batch, network or data.limit"
        self._post.event("error", lines=[f"out of memory{bound} ({way})"])
        return 6

    def answer(self) -> None:
        """After the run: its last weights can still be asked about."""
        if self._eyes is not None:
            self.gate.answer(lambda: self._leaving)

    def _opened(self, session: Session) -> None:
        trainer = session.built.trainer
        self._session = session
        self._began = self.gate.clock() - session.progress.seconds
        self._eyes = self._view.eyes = Eyes(session, self._post)
        self._step = GatedStep(trainer.step, self.gate, self, session.progress.step)
        trainer.clock, trainer.step = self.gate.clock, self._step
        trainer.hold = self._step.hold if self._limits is None else self._hold_within
        about = {"pid": os.getpid(), "run": str(session.folder), **self._eyes.scenery()}
        self._post.event("scene", **about)
        self._tell_state()

    def _hold_within(self) -> None:
        """Waits before an update, and ends the run where a class allows no more."""
        assert self._step is not None
        assert self._session is not None
        assert self._limits is not None
        self._step.hold()
        made = self._step.made - self._session.progress.first_step
        why = self._limits.end_of_run(made, self.gate.clock() - self._began)
        if why is not None:
            self._session.built.trainer.stop(why)

    def wants_next(self) -> bool:
        """As the eyes."""
        return self._eyes is not None and self._eyes.wants_next()

    def show(self, rows: Tensor, step: int) -> None:
        """As the eyes."""
        if self._eyes is not None:
            self._eyes.show(rows, step, playing=self.gate.playing)

    def show_held(self, step: int) -> None:
        """The run stands: its picture, and that it does."""
        if self._eyes is not None:
            self._eyes.show_held(step)
        self._tell_state()

    def carry_out(self, command: Command) -> None:
        """Does what a person wants; one mistaken command must not end a run."""
        try:
            self._do(command)
        except (KeyError, TypeError, ValueError, MistakeError) as error:
            self._post.event("refused", do=str(command.get("do")), why=str(error))

    def _do(self, command: Command) -> None:
        gate, eyes, do = self.gate, self._eyes, command.get("do")
        if do == "stop":
            first = not self._leaving
            self._leaving = self._leaving or bool(command.get("leave"))
            if self._session is not None and not self._over and first:
                self._session.built.trainer.stop(str(command.get("why", "stopped in the studio")))
            gate.limit(0.0)
            gate.play()
        elif eyes is None or self._session is None or self._step is None:
            raise ValueError("there is no network yet")
        elif do == "play":
            gate.play()
        elif do == "pause":
            gate.pause()
        elif do == "step":
            gate.allow(min(max(int(command.get("count", 1)), 1), 10**6))
        elif do == "epoch":
            per_epoch = self._session.built.trainer.order.per_epoch
            gate.allow(per_epoch - self._step.made % per_epoch - gate.allowed)
        elif do == "rate":
            gate.limit(min(max(float(command["rate"]), 0.0), 1e6))
        elif do == "watch":
            eyes.watched = [str(title) for title in command["pictures"]]
            eyes.open = bool(command.get("open", True))
            self._show_again(eyes)
        elif do == "example":
            self._follow(eyes, command)
        elif do == "prove":
            self._post.event("proof", **eyes.follower.proof())
        else:
            raise ValueError("nobody knows how to do that")
        self._tell_state()

    def _follow(self, eyes: Eyes, command: Command) -> None:
        number = command.get("number")
        if number is None:
            eyes.follower.chosen = None
        else:
            eyes.follower.choose(str(command.get("split", "train")), int(number))
        self._show_again(eyes)

    def _show_again(self, eyes: Eyes) -> None:
        """At once where no frame will come by itself."""
        if self._over or not (self.gate.playing or self.gate.allowed):
            eyes.show_again()

    def _tell_state(self) -> None:
        gate = self.gate
        running = not self._over
        self._post.event(
            "state",
            running=running,
            playing=running and (gate.playing or gate.allowed > 0),
            rate=gate.rate,
            step=0 if self._step is None else self._step.made,
        )


def _experiment(order: dict[str, Any], limits: Limits | None) -> Experiment:
    """What the text means; of a comparison the variant and the seed that are asked for.

    Raises:
        ConfigError: it is mistaken, or asks for more than the limits allow.
    """
    text = Text(order["text"], order["file"], Path(order["folder"]), order["name"])
    settled = settle_source(text, order.get("set") or [])
    if limits is not None and (excess := [*limits.excesses(settled.experiments)]):
        raise ConfigError(excess)
    return _member(settled, order.get("variant"), order.get("seed"))


def _member(settled: SettledComparison, variant: str | None, seed: int | None) -> Experiment:
    """The first run that fits; a comparison's runs each have a folder of their own name.

    Raises:
        ConfigError: there is none.
    """
    for member in settled.comparison.members:
        if variant in (None, member.variant) and seed in (None, member.seed):
            return settled.of(member)
    raise ConfigError(f"{settled.comparison.name}: has no variant {variant} with seed {seed}")


def write_page(post: Post, order: dict[str, Any]) -> int:
    """Writes a run as a page of its own; gives an exit code.

    Args:
        post: where it is told.
        order: "page" (the file), "run" (the folder) and device.
    """
    from nnlab.studio.replay_page import write_replay_page

    try:
        moments = write_replay_page(
            Path(order["run"]), Path(order["page"]), device=order.get("device") or "auto"
        )
    except NnlabError as error:
        post.event("error", lines=list(error.lines))
        return error.exit_code
    post.event("page", moments=moments)
    return 0


def bound_memory(megabytes: int) -> None:
    """Lets this process have no more than so much of its own, where the system can."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        most = megabytes * 10**6
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def main() -> None:
    """Waits for an order, trains, answers; never comes back."""
    # What was imported stays: to look through it takes a quarter of a second each time, and copies
    # 90 MB that a forked worker shares with the others.
    gc.freeze()
    post = open_post()
    post.event("ready", pid=os.getpid())
    line = sys.stdin.readline()
    code = 0
    if line.strip():
        order = json.loads(line)
        if order.get("page"):
            code = write_page(post, order)
            post.close()
            os._exit(code)
        work = ReplayWork(post, order) if order.get("replay") else TrainingWork(post, order)
        Thread(target=_listen, args=(work.put,), name="nnlab-studio-ear", daemon=True).start()
        code = work.train()
        work.answer()
    post.close()
    # Torch takes seconds to take itself down, and there is nothing left to tidy.
    os._exit(code)


def _listen(put: Callable[[Command], None]) -> None:
    """Commands, line by line. Where they end the studio is gone: the run stops, and is saved."""
    # A socket whose other end was killed is not at its end, but reset.
    with suppress(OSError):
        for line in sys.stdin:
            try:
                command = json.loads(line)
            except ValueError:
                continue
            put(command)
    put({"do": "stop", "leave": True, "why": "the studio is gone"})


if __name__ == "__main__":
    main()
