"""Evaluation as pictures: confusion, calibration, worst mistakes, precision-recall curves."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nnlab.core import files as durable
from nnlab.core.contracts import Examples, Split
from nnlab.display.pictures.drawing import PIXELS, figure_png
from nnlab.display.pictures.family import class_probabilities
from nnlab.display.pictures.judged import JUDGEMENTS, Judged, precision_recall_curve
from nnlab.display.tensorboard.sink import TensorBoard
from nnlab.experiment.experiment import Experiment
from nnlab.parts.scores.family import predicted_class
from nnlab.runs.building.forward import batches_of
from nnlab.training.evaluate import Forward
from nnlab.training.sources import RowSource

MOST_CURVES = 10
"""So many classes get a precision-recall curve."""
CURVE = "How precision falls as more of the class is found. High up to the right is good."


def judge_split(
    experiment: Experiment, examples: Examples, forward: Forward, source: RowSource, split: Split
) -> Judged | None:
    """What the network says of a split; None where its outputs are no probabilities of classes."""
    probabilities = class_probabilities(experiment)
    if experiment.shape.task != "classes" or experiment.shape.places or probabilities is None:
        return None
    rows = examples.rows[split]
    device = next(forward.network.parameters()).device
    found: list[Tensor] = []
    said: list[Tensor] = []
    with forward.over(source, batches_of(experiment, rows, device)) as answers:
        for _, outputs in answers:
            found.append(probabilities(outputs))
            # As the accuracy: two outputs may differ and round to the same probability.
            said.append(predicted_class(outputs))
    table = torch.cat(found).double().cpu().numpy()
    stored = examples.inputs
    images = None
    if isinstance(stored, np.ndarray) and len(experiment.shape.inputs) == 3:
        images = stored[rows]
    # A network that has diverged has no probabilities that could be compared.
    if not np.isfinite(table).all():
        return None
    classes = torch.cat(said).cpu().numpy()
    return Judged(table, classes, examples.targets[rows], experiment.shape.classes, images)


def class_pr_curves(board: TensorBoard, found: Judged, *, step: int) -> None:
    """A precision-recall curve for each of the first classes."""
    for number, name in enumerate(found.classes[:MOST_CURVES]):
        curve = precision_recall_curve(found.probabilities[:, number], found.targets == number)
        board.pr_curve(f"evaluation/{name}", curve, step=step, about=CURVE)


def write_judged(found: Judged, run: Path, *, split: Split, step: int) -> None:
    """Draws an evaluation: PNG files in eval/pictures/ and events in eval/SPLIT/ of the run."""
    from nnlab.display.tensorboard import events, plugins

    files, folder = run / "eval" / "pictures", run / "eval" / split
    with durable.storage_errors(files):
        files.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
    board = TensorBoard(folder, purge_step=None)
    class_pr_curves(board, found, step=step)
    for kind in JUDGEMENTS:
        if (arrays := kind.collect(found)) is not None:
            image = figure_png(kind, arrays)
            durable.write_file(files / f"{kind.title.replace(' ', '-')}.{split}.png", image)
            tag = f"{kind.group}/{kind.title}"
            event = plugins.image(tag, image, PIXELS, step=step, about=kind.about)
            board.record(events.frame(event))
    board.close()
