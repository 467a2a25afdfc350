"""What looks at a run between two updates, and shows it: by the clock, and in a share of the time.

Looking changes nothing: no weight, no buffer, no random stream, no reading.
"""

from collections.abc import Collection
from time import perf_counter
from typing import Any, final

import torch
from torch import Tensor

from nnlab.core.events import Reading
from nnlab.display.pictures.boundary import DecisionBoundary
from nnlab.display.pictures.fit import FittedFunction
from nnlab.runs.building.scoring import loss_of
from nnlab.runs.building.session import Session
from nnlab.runs.observers.gallery import scene_of
from nnlab.studio.worker.columns import Joints, network_columns, norms_of
from nnlab.studio.worker.example import Follower
from nnlab.studio.worker.post import Outlet
from nnlab.studio.worker.shown_pictures import FINEST, Fineness, ShownPictures
from nnlab.studio.worker.units import SIDE, UnitMaps, host
from nnlab.training.device import on_one_thread

_FRAMES = 25.0
"""Frames a second at most: with what a busy machine loses, twenty reach the screen."""
_SHARE = 0.2
"""Of the time may go into looking."""
_BUDGET = 0.0025
"""Seconds that a boundary may cost, a sixteenth of the time: else fewer points are asked."""
LEVELS = (FINEST, Fineness(100, halved=True), Fineness(70, halved=True))
"""How finely it is asked while it plays, by what it costs; of a run that stands the finest."""
_CLOSELY = 0.1
"""Seconds between two updates that are shown one by one: there somebody looks at each."""
_SETTLED = 0.5
"""Seconds over which the speed is taken."""


@final
class Eyes:
    """Takes frames of a session's network.

    Args:
        session: what is looked at.
        post: where the frames go.
        timed: whether updates a second mean something: not of a record.
    """

    def __init__(self, session: Session, post: Outlet, *, timed: bool = True) -> None:
        self._session, self._post = session, post
        self._timed = timed
        built, experiment = session.built, session.experiment
        self._network = built.network
        self.scene = scene_of(experiment, session.examples, built.network, built.source)
        self.columns = network_columns(experiment)
        self.pictures = ShownPictures(self.scene)
        self.follower = Follower(self.scene)
        self._joints = Joints(built.network, self.columns)
        loss = loss_of(experiment, session.examples, built.network)
        self._units = UnitMaps(self.scene, self.columns, loss, self._points())
        self._differentiates = experiment.config.rule.optimized
        about = self.pictures.about()
        self.watched: Collection[str] = [about[0]["title"]] if about else []
        self.open = True
        """Whether anybody looks at all."""
        self._next = 0.0
        self._shown, self._shown_at = -1, 0.0
        self._speed_from = (session.progress.step, perf_counter())
        self._speed: float | None = None
        self._rows: Tensor | None = None
        self._level = 0
        """Of `LEVELS`."""
        self._usual = 0.0
        """Seconds that its pictures cost, the mean of the last frames."""
        self._took = 0.0
        """Seconds that they took in the last one."""
        self.cost = 0.0
        """Seconds that looking has taken."""
        self._about = about

    def _points(self) -> Tensor | None:
        """Where units are asked: all over the plane, or along the line."""
        experiment = self.scene.experiment
        if DecisionBoundary.fits(experiment):
            return DecisionBoundary(self.scene).points(SIDE)
        if FittedFunction.fits(experiment):
            return FittedFunction(self.scene).points(4 * SIDE)
        return None

    def scenery(self) -> dict[str, Any]:
        """What the page is told once: the columns, the pictures, the data."""
        experiment, shape = self.scene.experiment, self.scene.experiment.shape
        score = experiment.scores[0] if experiment.scores else None
        return {
            "columns": [column.plain() for column in self.columns],
            "pictures": self._about,
            "inputs": list(shape.inputs),
            "names": list(shape.columns),
            "classes": list(shape.classes),
            "task": shape.task,
            "sizes": dict(shape.sizes),
            "loss": experiment.loss.kind,
            "score": None if score is None else score.key,
            "optimizer": experiment.config.optimizer.kind,
            "seed": experiment.config.first_seed,
            "refusal": self.follower.refusal,
        }

    @property
    def titles(self) -> list[str]:
        """Of all pictures that there are."""
        return [about["title"] for about in self._about]

    def see(self, reading: Reading) -> None:
        """Takes note of a reading."""
        self.pictures.see(reading)

    def wants_next(self) -> bool:
        """Whether it is time for a frame."""
        return self.open and perf_counter() >= self._next

    def show(self, rows: Tensor, step: int, *, playing: bool = False) -> None:
        """Takes a frame after an update of these rows (N,).

        Args:
            rows: of that update.
            step: updates made so far.
            playing: whether more come at once, so that it must not take long.
        """
        self._rows = rows
        closely = step == self._shown + 1 and perf_counter() - self._shown_at > _CLOSELY
        if not playing or closely:
            self._take(step)
            return
        self._take(step, LEVELS[self._level])
        self._level, self._usual = next_level(self._level, self._usual, self._took)

    def show_held(self, step: int) -> None:
        """Takes a frame of a run that stands, unless it is on the screen already."""
        if self._shown != step:
            self._take(step)

    def show_again(self) -> None:
        """Takes a frame of the same moment: somebody looks at something else."""
        self._take(self._session.progress.step if self._shown < 0 else self._shown)

    def _take(self, step: int, fineness: Fineness = FINEST) -> None:
        """Takes a frame."""
        began = perf_counter()
        with on_one_thread():
            self._post.frame(*self._frame(step, began, fineness))
        self._shown, self._shown_at = step, began
        now = perf_counter()
        self.cost += now - began
        # By the schedule and not by the last frame: what one was late by is not lost to the next.
        due = max(self._next, began - 1.0 / _FRAMES) + 1.0 / _FRAMES
        self._next = max(due, now + (1.0 / _SHARE - 1.0) * (now - began))

    def _frame(
        self, step: int, began: float, fineness: Fineness
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Head and arrays of a frame."""
        arrays: dict[str, Any] = {}
        head = self._head(step, began)
        batch = self.follower.batch()
        with torch.no_grad():
            tensors = {**self._joints.collect(), **self._units.maps(batch.inputs)}
        if self._differentiates:
            followed = self.follower.chosen is not None or self._rows is None
            whole = batch if followed else self.scene.source.gather(self._rows)  # pyright: ignore[reportArgumentType]
            deltas, head["batch_loss"] = self._units.deltas(whole)
            tensors |= deltas
            head["deltas_of"] = "example" if followed else "batch"
        arrays |= {name: x.numpy() for name, x in host(tensors).items()}
        asked = perf_counter()
        arrays |= self.pictures.collect(self.watched, fineness)
        self._took = perf_counter() - asked
        if (example := self.follower.passes()) is not None:
            head["example"] = example
        return head, arrays

    def _head(self, step: int, now: float) -> dict[str, Any]:
        session = self._session
        before, when = self._speed_from
        if self._timed and now - when >= _SETTLED:
            self._speed = (step - before) / (now - when)
            self._speed_from = (step, now)
        head: dict[str, Any] = {
            "kind": "frame",
            "step": step,
            "epoch": step / session.built.trainer.order.per_epoch,
            "updates_per_second": self._speed,
            "learning_rate": session.built.trainer.learning_rate,
        }
        observation = session.built.step.observation
        if observation is not None and observation.kept_norms is not None:
            head["norms"] = norms_of(observation.kept_norms, self._network, self.columns)
        return head


def next_level(level: int, usual: float, took: float) -> tuple[int, float]:
    """How fine the next boundary is, and what it may then be expected to cost.

    Args:
        level: of `LEVELS`, at which the last one was asked.
        usual: seconds, the mean of those before; 0 for none.
        took: seconds of the last one.
    """
    usual = usual + 0.2 * (took - usual) if usual else took
    points = LEVELS[level].points
    if usual > _BUDGET and level + 1 < len(LEVELS):
        return level + 1, usual * LEVELS[level + 1].points / points
    if level and (finer := usual * LEVELS[level - 1].points / points) < 0.8 * _BUDGET:
        return level - 1, finer
    return level, usual
