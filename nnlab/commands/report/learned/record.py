"""What a run recorded of its training: curves, gradients by depth, units, findings, its picture."""

from collections.abc import Mapping, Sequence
from typing import Any

from nnlab.commands.report.learned.facts import Learned, LearningCurves
from nnlab.commands.report.learned.task_picture import draw_task
from nnlab.core.events import Reading
from nnlab.diagnosis.story import tell_story
from nnlab.display.pictures.depth import GradientByDepth
from nnlab.display.pictures.family import Moment, Scene
from nnlab.display.shown_summary import two_decimals
from nnlab.display.web.learning import CurveMark, DrawnCurve
from nnlab.experiment.experiment import Experiment
from nnlab.runs.finished.reopen import Opened
from nnlab.runs.folder.metrics import readings_of
from nnlab.runs.folder.summary import Summary, read_summary
from nnlab.runs.observers.findings import read_findings
from nnlab.runs.observers.gallery import scene_of

_SCORES = 2
"""So many scores have a chart beside that of the loss."""


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
    count = summary.epochs_trained
    epochs = f"{two_decimals(count)} {'epoch' if count == 1 else 'epochs'}"
    seconds = summary.session_seconds
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
