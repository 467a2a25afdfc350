"""The pictures of a run while it trains: collected between two updates, drawn elsewhere."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Self, final

import torch

from nnlab.core.contracts import Examples, Split
from nnlab.core.events import EpochEnd, Event, Reading, Stopped
from nnlab.display.pictures.family import Moment, Picture, Scene, thin_rows
from nnlab.display.tensorboard.sink import TensorBoard
from nnlab.experiment.experiment import Experiment
from nnlab.runs.building.build import source_of
from nnlab.runs.building.forward import forward_of
from nnlab.runs.building.probing import TIME_ROWS, loss_of_last_answers, probe_rows
from nnlab.runs.building.scoring import loss_of
from nnlab.runs.explaining.explainable import explainable_of, has_explanations
from nnlab.runs.explaining.few_points import answer_parts
from nnlab.runs.observers.distributions import Distributions
from nnlab.training.probes.sight import Sight
from nnlab.training.sources import RowSource

# The pictures themselves are imported where they are asked for: a run takes none unless told to.
if TYPE_CHECKING:
    from nnlab.display.pictures.painter import Painter
    from nnlab.runs.observers.samples import Samples


def scene_of(
    experiment: Experiment,
    examples: Examples,
    network: torch.nn.Module,
    source: RowSource | None = None,
) -> Scene:
    """What pictures and histograms look at: the network and the probe set."""
    like = next(network.parameters())
    source = source or source_of(examples, device=like.device, dtype=like.dtype)
    split: Split = "validation" if "validation" in experiment.shape.sizes else "train"
    rows = probe_rows(examples, split).to(like.device)
    layers = experiment.design.layers
    forward, sight = forward_of(experiment, network), Sight(network, layers)
    last_loss = None
    if layers.recurrent and experiment.config.rule.optimized:
        loss = loss_of(experiment, examples, network)
        few = thin_rows(rows, TIME_ROWS)
        last_loss = loss_of_last_answers(experiment, network, source, loss, few)
    parts = None
    if has_explanations(experiment, network):
        asked = explainable_of(experiment, network)
        parts = partial(answer_parts, asked, experiment.shape.task)
    names = tuple(layers.names)
    return Scene(experiment, examples, forward, sight, source, rows, names, last_loss, parts)


def pictures_of(scene: Scene) -> list[Picture]:
    """A picture of each kind that fits the data and the model of a run, in the menu's order."""
    from nnlab.display.pictures.menu import KINDS

    return [kind(scene) for kind in KINDS if kind.fits(scene.experiment)]


@final
class Gallery:
    """Takes the pictures and the histograms of a run when they are due.

    Use it in a `with` statement, inside that of the sinks: its end waits for the last drawing.

    Args:
        scene: what is looked at.
        board: where it goes.
        warn: told once when pictures cannot be drawn.
        past: the readings of a resumed run, up to its checkpoint.
    """

    def __init__(
        self,
        scene: Scene,
        board: TensorBoard,
        warn: Callable[[str], None],
        past: Iterable[Reading] = (),
    ) -> None:
        pace = scene.experiment.pace
        self._scene = scene
        self._board = board
        self._pictures_due, self._histograms_due = pace.pictures, pace.histograms
        self._pictures = pictures_of(scene) if pace.pictures.ever else []
        self._distributions = _distributions(scene) if pace.histograms.ever else None
        self._samples = _samples(scene) if pace.pictures.ever else None
        self._painter = _painter(board, warn) if self._pictures else None
        self._taken = self._counted = -1
        self._turn = 0
        self._now = Moment(0, 0.0)
        for reading in past:
            self._see(reading)
            self._taken = self._counted = reading.step

    def after(self, event: Event) -> None:
        """Looks at the network where that is due; to be called before the next update."""
        if isinstance(event, Reading):
            self._see(event)
            if event.split == "train":
                self._count(self._histograms_due.latest(event.step) > self._counted)
                # At the end of an epoch the validation reading is still to come.
                ended = event.step > 0 and event.epoch == int(event.epoch)
                self._take(not ended and self._pictures_due.latest(event.step) > self._taken)
        elif isinstance(event, EpochEnd):
            self._take(self._pictures_due.latest(event.step) > self._taken)
        elif isinstance(event, Stopped) and event.status != "failed":
            self._count(self._counted < self._now.step)
            self._take(True, last=True)
            self._judge()

    def _see(self, reading: Reading) -> None:
        self._now = Moment(reading.step, reading.epoch)
        for picture in self._pictures:
            picture.see(reading)

    def _count(self, due: bool) -> None:
        if due and self._distributions is not None:
            self._counted = self._now.step
            self._board.histograms(self._distributions.collect(), step=self._now.step)

    def _take(self, due: bool, *, last: bool = False) -> None:
        """All pictures; those that show the whole past only now and then: each says it again."""
        if not due or self._painter is None:
            return
        fresh = self._taken < self._now.step
        self._taken = self._now.step
        self._turn += 1
        if self._samples is not None and fresh:
            self._board.text("samples/written", self._samples.write(), step=self._now.step)
        for picture in self._pictures:
            wanted = last or self._turn % 3 == 0 if picture.cumulative else fresh
            if wanted and (arrays := picture.arrays()) is not None:
                self._painter.paint(picture.title, arrays, self._now)

    def _judge(self) -> None:
        """What the network makes of the validation split in the end."""
        scene = self._scene
        if self._painter is None or "validation" not in scene.experiment.shape.sizes:
            return
        from nnlab.display.pictures.judged import JUDGEMENTS
        from nnlab.runs.observers.judged import class_pr_curves, judge_split

        found = judge_split(
            scene.experiment, scene.examples, scene.forward, scene.source, "validation"
        )
        if found is None:
            return
        class_pr_curves(self._board, found, step=self._now.step)
        for kind in JUDGEMENTS:
            if (arrays := kind.collect(found)) is not None:
                self._painter.paint(kind.title, arrays, self._now)

    def close(self, *, at_once: bool = False) -> None:
        """Waits until everything is drawn, or leaves it."""
        if self._painter is not None:
            self._painter.close(at_once=at_once)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(at_once=kind is not None)


def _painter(board: TensorBoard, warn: Callable[[str], None]) -> "Painter":
    from nnlab.display.pictures.painter import Painter

    return Painter(board.record, warn)


def _samples(scene: Scene) -> "Samples | None":
    from nnlab.runs.observers.samples import Samples

    return Samples(scene) if Samples.fits(scene) else None


def _distributions(scene: Scene) -> Distributions:
    optimized = scene.experiment.config.rule.optimized
    loss = loss_of(scene.experiment, scene.examples, scene.network) if optimized else None
    return Distributions(scene, loss)
