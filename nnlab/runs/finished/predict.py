"""Prediction: the best network of a run applied to rows as they are stored, not yet scaled."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nnlab.config.loading import place_for
from nnlab.core.contracts import Machine
from nnlab.core.errors import ConfigError, DataError
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.handed import NOTHING, Handed, require_handed
from nnlab.experiment.settle import settle
from nnlab.parts.datasets.files import frames
from nnlab.parts.datasets.files.array_rules import example_shape
from nnlab.parts.datasets.lengths import false_ends, steps_there
from nnlab.parts.scores.family import predicted_class as greatest
from nnlab.runs.building.build import place_network
from nnlab.runs.building.forward import evaluation_batch, forward_of
from nnlab.runs.finished.reopen import of_run, restore_network
from nnlab.runs.folder.data_json import read_data, shape_of
from nnlab.training import device as devices
from nnlab.training.evaluate import Forward


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a network says of N examples.

    Attributes:
        outputs: (N, K), as the output layer gives them; of a regression the numbers that it
            predicts, in the targets' own unit.
        classes: the K names; empty for a regression.
        probabilities: (N, K) of the classes; None where the loss gives the outputs no such meaning.
        labels: N class names, the most probable ones; empty where an example has none or several.
    """

    outputs: NDArray[np.floating[Any]]
    classes: tuple[str, ...]
    probabilities: NDArray[np.floating[Any]] | None
    labels: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Predictor:
    """The best network of a run, ready for rows.

    Attributes:
        known: the content of data.json.
        experiment: settled.
        batch: rows that go through the network at once, as in an evaluation.
    """

    known: dict[str, Any]
    experiment: Experiment
    batch: int
    _forward: Forward

    @property
    def network(self) -> nn.Module:
        """(N, *shape) scaled inputs to (N, K) outputs, on its device, in evaluation mode."""
        return self._forward.network

    @property
    def autocast(self) -> torch.dtype | None:
        """The lower precision of its matrix products; None computes in the parameters' own."""
        return self._forward.autocast

    def __call__(self, inputs: object) -> Prediction:
        """What the network says of rows as they are stored.

        The same rows give the same bits however they are cut into multiples of `batch`.

        Raises:
            DataError: they have another shape, or are not finite numbers.
        """
        rows = torch.from_numpy(_checked(inputs, self.known))
        outputs = self._forward.outputs(rows, batch=self.batch, scale=self._scaled)
        finite = torch.isfinite(outputs.reshape(len(outputs), -1)).all(dim=1)
        if not finite.all():
            row = int((~finite).nonzero()[0]) * len(rows) // len(outputs)
            text = f"inputs: row {row} (rows count from 0) has no finite answer"
            why = "its numbers are too far from those of training, or the weights have diverged"
            raise DataError(f"{text}: {why}")
        return _told(outputs, self.experiment, self.known.get("target"))

    def _scaled(self, rows: torch.Tensor) -> torch.Tensor:
        if self.experiment.shape.tokens:
            return rows.long()
        shift, factor = (
            torch.tensor(self.known[key], dtype=torch.float32).to(rows)
            for key in ("shift", "factor")
        )
        return (rows - shift) * factor


def open_predictor(
    run: Path, *, device: str = "auto", handed: Handed = NOTHING, places: bool = False
) -> Predictor:
    """Loads the best network of a run; the data set itself is not needed.

    Args:
        run: the run's folder.
        device: auto, cpu, cuda, cuda:N or mps.
        handed: the module and the loss that Python handed in when the run was trained.
        places: whether (N * P, K) answers at P places of N rows will do.

    Raises:
        CheckpointError: the folder is no run, or has no sound checkpoint.
        ConfigError: a row has several answers, and `places` is not said.
    """
    config = of_run(run, handed=handed)
    require_handed(config, handed, "predict", run, ("model", "loss"))
    known = read_data(run)
    chosen, _ = devices.choose_device(device)
    machine = Machine.here(chosen.type)
    experiment = settle(config, place_for(run), machine, shape=shape_of(known))
    if experiment.shape.places and not places:
        text = "tells the next token at every step of a text, not one answer for a row"
        raise ConfigError(f"{run}: {text} (nnlab generate goes on with a text)")
    network = place_network(restore_network(run, experiment), experiment, chosen).eval()
    forward = forward_of(experiment, network, alone=True)
    return Predictor(known, experiment, evaluation_batch(experiment), forward)


def predict(
    run: Path, inputs: object, *, device: str = "auto", handed: Handed = NOTHING
) -> Prediction:
    """Applies the best network of a run once.

    Args:
        run: the run's folder.
        inputs: (N, *shape of one example) as the data set stores them: not scaled. Columns of a csv
            file stand as `columns` of data.json has them; NaN is a missing value of a run whose
            data say `missing: mean`.
        device: auto, cpu, cuda, cuda:N or mps.
        handed: the module and the loss that Python handed in when the run was trained.

    Raises:
        CheckpointError: the folder is no run, or has no sound checkpoint.
        DataError: the inputs have another shape, or are not finite numbers.
    """
    return open_predictor(run, device=device, handed=handed)(inputs)


def _checked(inputs: object, known: dict[str, Any]) -> NDArray[Any]:
    steps = known.get("steps", [])
    if (columns := known["columns"] or steps) and frames.is_frame(inputs):
        inputs = frames.rows_of(inputs, columns)
    rows = np.ascontiguousarray(np.asarray(inputs))
    shape = tuple(known["inputs"])
    if np.ma.is_masked(inputs):
        raise DataError("inputs: hide values behind a mask, which would be used (fill them)")
    other = rows.ndim and len(rows) and rows.shape[1:] != shape
    if other and example_shape(rows.shape, rows.dtype, where="inputs") == shape:
        rows = rows.reshape(len(rows), *shape)  # (N,) of one column, (N, H, W) of gray images
    if steps and rows.shape[1:] == shape[:1]:
        rows = rows[..., None]
    if rows.dtype.kind not in "buif":
        raise DataError(f"inputs: are {rows.dtype}, not numbers")
    if rows.shape[1:] != shape or not len(rows):
        wanted = ", ".join(("N", *map(str, shape)))
        names = f" (columns {_some(known['columns'])})" if known["columns"] else ""
        raise DataError(f"inputs: have shape {rows.shape}, expected ({wanted}){names}")
    if (base := known.get("base")) is not None:
        rows = (rows.astype(np.float64) - np.array(base)).astype(np.float32)
    if rows.dtype.kind == "f" and known.get("fill") is not None:
        rows = np.where(np.isnan(rows), np.array(known["fill"], np.float32), rows)
    if known.get("lengths") == "different":
        rows = rows.astype(np.float32)
        for row, why in false_ends(rows).items():
            raise DataError(f"inputs: row {row} {why} (rows count from 0)")
    if rows.dtype.kind == "f" and not np.isfinite(_there(rows, known)).all():
        raise DataError(_not_finite(rows, known["columns"]))
    # As the data sets store them, so that scaling rounds alike.
    if rows.dtype == np.uint8:
        return rows if rows.flags.writeable else rows.copy()  # torch warns of what it cannot write
    with np.errstate(over="ignore"):
        narrow = rows.astype(np.float32)
    if np.isinf(narrow).any():
        raise DataError(_not_finite(narrow, known["columns"]))
    return narrow


def _there(rows: NDArray[Any], known: dict[str, Any]) -> NDArray[Any]:
    """The values that there are: all, but for those behind the ends of sequences."""
    return rows[steps_there(rows)] if known.get("lengths") == "different" else rows


def _not_finite(rows: NDArray[Any], columns: Sequence[str]) -> str:
    """How many values are no numbers, and where the first one is."""
    flat = rows.reshape(len(rows), -1)
    bad = np.argwhere(~np.isfinite(flat))
    row, place = bad[0].tolist()
    where = f"row {row}" + (f", column {columns[place]}" if columns else "")
    what = "misses, and the run was trained on complete rows" if np.isnan(flat[row, place]) else ""
    said = f"{len(bad)} values that are" if len(bad) > 1 else "a value that is"
    text = f"inputs: hold {said} not finite, first in {where} (rows count from 0)"
    return f"{text}: it {what}" if what else text


def is_far_from_zero(target: dict[str, Any]) -> bool:
    """Whether a deviation of the targets is few steps of float32 at their mean."""
    return any(
        deviation < 2**14 * abs(float(np.spacing(np.float32(mean))))
        for mean, deviation in zip(target["mean"], target["deviation"], strict=True)
        if mean
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _told(
    outputs: torch.Tensor, experiment: Experiment, target: dict[str, Any] | None
) -> Prediction:
    """The outputs with their meaning."""
    classes, loss = experiment.shape.classes, experiment.loss
    if experiment.shape.task == "regression":
        numbers = loss.predictions(outputs)
        if target is not None:
            if is_far_from_zero(target):  # float32 would merge what the network keeps apart
                numbers = numbers.double()
            deviation, mean = (numbers.new_tensor(target[key]) for key in ("deviation", "mean"))
            numbers = numbers * deviation + mean
        return Prediction(numbers.numpy(), (), None, ())
    found = loss.probabilities(outputs)
    known = None if found is None else found.numpy()
    if experiment.shape.task == "labels":
        return Prediction(outputs.numpy(), classes, known, ())
    labels = tuple(classes[index] for index in greatest(outputs).tolist())
    return Prediction(outputs.numpy(), classes, known, labels)
