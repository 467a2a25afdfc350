"""Evaluation as pictures: confusion, calibration, worst mistakes, precision-recall curves."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from nnlab.core import files as durable
from nnlab.core.contracts import Examples, Split
from nnlab.display.pictures import JUDGEMENTS
from nnlab.display.pictures.drawing import PIXELS, figure_png
from nnlab.display.pictures.family import class_probabilities
from nnlab.display.pictures.judged import Judged, precision_recall_curve
from nnlab.display.tensorboard.sink import TensorBoard
from nnlab.experiment.experiment import Experiment
from nnlab.runs.building.build import evaluation_batch
from nnlab.training.probes.no_trace import evaluation_mode
from nnlab.training.sources import RowSource

MOST_CURVES = 10
"""So many classes get a precision-recall curve."""
CURVE = "How precision falls as more of the class is found. High up to the right is good."


def judge_split(
    experiment: Experiment, examples: Examples, network: nn.Module, source: RowSource, split: Split
) -> Judged | None:
    """What the network says of a split; None where its outputs are no probabilities of classes."""
    probabilities = class_probabilities(experiment)
    if experiment.shape.task != "classes" or probabilities is None:
        return None
    rows = examples.rows[split]
    device = next(network.parameters()).device
    batches = torch.from_numpy(rows).to(device).split(evaluation_batch(experiment))
    source.announce(list(batches))
    with evaluation_mode(network):
        found = [probabilities(network(source.gather(batch).inputs)) for batch in batches]
    table = torch.cat(found).double().cpu().numpy()
    stored = examples.inputs
    images = None
    if isinstance(stored, np.ndarray) and len(experiment.shape.inputs) == 3:
        images = stored[rows]
    # A network that has diverged has no probabilities that could be compared.
    if not np.isfinite(table).all():
        return None
    return Judged(table, examples.targets[rows], experiment.shape.classes, images)


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
