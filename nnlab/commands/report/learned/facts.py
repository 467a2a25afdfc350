"""What a run recorded of its training: curves, gradients by depth, units, findings, its picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from nnlab.commands.report.learned.task_picture import TaskPicture, draw_task
from nnlab.core.contracts import Reading
from nnlab.core.finding import Finding
from nnlab.diagnosis.story import tell_story
from nnlab.display.pictures.depth import GradientByDepth
from nnlab.display.pictures.family import Moment, Scene
from nnlab.display.web.learning import CurveMark, DrawnCurve
from nnlab.experiment.experiment import Experiment
from nnlab.runs.finished.reopen import Opened
from nnlab.runs.folder.metrics import readings_of
from nnlab.runs.folder.summary import Summary, read_summary
from nnlab.runs.observers.findings import read_findings
from nnlab.runs.observers.gallery import scene_of

_SCORES = 2
"""So many scores have a chart beside that of the loss."""


@dataclass(frozen=True, slots=True)
class LearningCurves:
    """One quantity over the epochs, of the splits that were read while the network trained.

    Attributes:
        key: loss, accuracy, ...
        curves: training and validation.
    """

    key: str
    curves: tuple[DrawnCurve, ...]


@dataclass(frozen=True, slots=True)
class Learned:
    """How a run learned.

    Attributes:
        ended: how it ended, in a sentence.
        best: the epoch of the best weights; None where nothing was watched.
        chosen: the tag that chose them, or empty.
        quantities: loss and scores over the epochs.
        learning_rate: over the epochs; None where it was the same throughout.
        layers: from input to output, as far as they have weights.
        gradients: (step, gradient norm of each of the layers), at most some five moments.
        dead: share of units that are 0 on every example, a curve for each layer.
        saturated: share of activations at a bound, a curve for each layer.
        findings: what was found wrong while it trained, causes first.
        picture: what the network makes of the task, as far as that can be drawn.
        doctor: the command that examines it once more.
        again: the command that trains it anew, changes go behind it.
    """

    ended: str
    best: CurveMark | None
    chosen: str
    quantities: tuple[LearningCurves, ...]
    learning_rate: DrawnCurve | None
    layers: tuple[str, ...]
    gradients: tuple[tuple[int, tuple[float, ...]], ...]
    dead: tuple[DrawnCurve, ...]
    saturated: tuple[DrawnCurve, ...]
    findings: tuple[Finding, ...]
    picture: TaskPicture | None
    doctor: str
    again: str

    def plain(self) -> dict[str, Any]:
        """What `--json` says of it; the curves themselves are in metrics.jsonl."""
        return {
            "ended": self.ended,
            "best_epoch": None if self.best is None else self.best.place,
            "chosen_by": self.chosen,
            "findings": [finding.plain() for finding in self.findings],
            "layers": list(self.layers),
            "gradient_norms": [
                {"step": step, "norms": list(norms)} for step, norms in self.gradients
            ],
            "dead_units": _last_values(self.dead),
            "saturated": _last_values(self.saturated),
        }


def how_it_learned(opened: Opened) -> Learned:
    """Reads a run's record, and asks its best network for the picture of its task.

    Raises:
        CheckpointError: metrics.jsonl or findings.jsonl cannot be read.
    """
    from shlex import quote

    summary = read_summary(opened.run)
    readings = readings_of(_history(summary))
    train = [one for one in readings if one.split == "train"]
    scene = scene_of(opened.experiment, opened.examples, opened.network)
    layers, gradients = _gradients(scene, readings)
    best = summary.best
    findings = read_findings(opened.run)
    moment = Moment(opened.step, opened.step / opened.experiment.per_epoch)
    return Learned(
        ended=_ended(summary),
        best=None if best is None else CurveMark(float(best["epoch"]), "best"),
        chosen="" if best is None else summary.monitor,
        quantities=tuple(_quantities(opened.experiment, readings)),
        learning_rate=_varying_rate(train),
        layers=layers,
        gradients=gradients,
        dead=_shares(opened.experiment, train, "dead_units"),
        saturated=_shares(opened.experiment, train, "saturated"),
        findings=tuple(tell_story({one.name: one for one in findings}.values())),
        picture=draw_task(scene, moment),
        doctor=f"nnlab doctor {quote(opened.name)}",
        again=f"nnlab train {quote(f'{opened.name}/config.yaml')}",
    )


def how_they_learned(runs: Sequence[Opened], labels: Sequence[str]) -> tuple[LearningCurves, ...]:
    """Loss and scores that all of several runs have read, a curve for each run and split.

    Raises:
        CheckpointError: metrics.jsonl of one cannot be read.
    """
    found: dict[str, list[DrawnCurve]] = {}
    for number, (opened, label) in enumerate(zip(runs, labels, strict=True)):
        readings = readings_of(_history(read_summary(opened.run)))
        for one in _quantities(opened.experiment, readings):
            last = one.curves[-1]  # validation, where there is any; training is dotted beside it
            found.setdefault(one.key, []).extend(
                curve._replace(hue=number, label=label, style="solid")
                if curve is last
                else curve._replace(hue=number, label="", style="dotted")
                for curve in one.curves
            )
    return tuple(LearningCurves(key, tuple(curves)) for key, curves in found.items())


def _history(summary: Summary) -> list[dict[str, Any]]:
    try:
        return summary.history
    except FileNotFoundError:
        return []


def _ended(summary: Summary) -> str:
    """As in: Completed after 880 updates (40 epochs) in 1.0 s."""
    status = summary.status.replace("_", " ").capitalize()
    epochs = f"{summary.epochs:,} {'epoch' if summary.epochs == 1 else 'epochs'}"
    seconds = summary.seconds.get("train", 0.0)
    why = f": {summary.why}" if summary.why and summary.status != "completed" else ""
    return f"{status} after {summary.steps:,} updates ({epochs}) in {seconds:,.1f} s{why}."


def _quantities(experiment: Experiment, readings: Sequence[Reading]) -> list[LearningCurves]:
    keys = ["loss", *(score.key for score in experiment.scores)][: 1 + _SCORES]
    found: list[LearningCurves] = []
    for key in keys:
        curves = [
            curve
            for number, (split, label) in enumerate(
                (("train", "training"), ("validation", "validation"))
            )
            if (curve := _curve(label, [r for r in readings if r.split == split], key, number))
        ]
        if curves:
            found.append(LearningCurves(key, tuple(curves)))
    return found


def _curve(label: str, readings: Sequence[Reading], key: str, hue: int) -> DrawnCurve | None:
    known = [one for one in readings if key in one.values]
    if not known:
        return None
    return DrawnCurve(label, [one.epoch for one in known], [one.values[key] for one in known], hue)


def _varying_rate(train: Sequence[Reading]) -> DrawnCurve | None:
    curve = _curve("learning rate", train, "learning_rate", 0)
    return curve if curve is not None and len({*curve.values}) > 1 else None


def _gradients(
    scene: Scene, readings: Sequence[Reading]
) -> tuple[tuple[str, ...], tuple[tuple[int, tuple[float, ...]], ...]]:
    """The layers with weights, and their gradient norms at several moments."""
    if not GradientByDepth.fits(scene.experiment):
        return (), ()
    picture = GradientByDepth(scene)
    for reading in readings:
        picture.see(reading)
    arrays = picture.arrays()
    if arrays is None:
        return (), ()
    lines = zip(arrays["steps"].tolist(), arrays["norms"].tolist(), strict=True)
    chosen = [(int(step), tuple(norms)) for step, norms in lines]
    return tuple(arrays["layers"].tolist()), tuple(chosen)


def _shares(experiment: Experiment, train: Sequence[Reading], key: str) -> tuple[DrawnCurve, ...]:
    """A curve for each layer that has such a reading, from input to output."""
    names: Mapping[str, str] = {k: seen.layer for k, seen in experiment.design.layers.seen.items()}
    found: list[DrawnCurve] = []
    for layer, name in names.items():
        curve = _curve(name, train, f"{key}/{layer}", len(found))
        if curve is not None:
            found.append(curve)
    return tuple(found)


def _last_values(curves: Sequence[DrawnCurve]) -> dict[str, float | None]:
    return {
        curve.label: curve.values[-1] if isfinite(curve.values[-1]) else None for curve in curves
    }
