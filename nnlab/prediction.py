"""Prediction: the best network of a run applied to rows as they are stored, not yet scaled."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nnlab import durable
from nnlab.base import CheckpointError, DataError
from nnlab.build import evaluation_batch, place
from nnlab.contracts import DataShape, Examples, Machine
from nnlab.evaluation import restore
from nnlab.experiment import Experiment, settle
from nnlab.loading import load_config, place_for
from nnlab.summary import read_summary
from nnlab.training import device as devices

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a network says of N examples.

    Attributes:
        outputs: (N, K), as the output layer gives them: logits, or numbers for a regression.
        classes: the K names; empty for a regression.
        probabilities: (N, K) of the classes; None where the loss gives the outputs no such meaning.
        labels: N class names, the most probable ones; empty for a regression.
    """

    outputs: NDArray[np.floating[Any]]
    classes: tuple[str, ...]
    probabilities: NDArray[np.floating[Any]] | None
    labels: tuple[str, ...]


def write_data(folder: Path, examples: Examples) -> None:
    """Writes data.json: what rows must look like, how they are scaled, what classes are called."""
    shape = examples.shape
    found = {
        "format": FORMAT,
        "inputs": shape.inputs,
        "task": shape.task,
        "outputs": shape.outputs,
        "classes": shape.classes,
        "columns": shape.columns,
        "sizes": dict(shape.sizes),
        # float32 is exact as a JSON number.
        "shift": examples.shift.tolist(),
        "factor": examples.factor.tolist(),
    }
    durable.write(folder / "data.json", json.dumps(found) + "\n")


def _read_data(folder: Path) -> dict[str, Any]:
    path = folder / "data.json"
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        text = f"{folder}: does not hold the scale of its data (it is of an older nnlab)"
        raise CheckpointError(text) from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from None
    if found.get("format") != FORMAT:
        raise CheckpointError(f"{path}: format {found.get('format')}, this nnlab reads {FORMAT}")
    return found


def predict(run: Path, inputs: object, *, device: str = "auto") -> Prediction:
    """Applies the best network of a run; the data set itself is not needed.

    Args:
        run: the run's folder.
        inputs: (N, *shape of one example) as the data set stores them: not scaled. Columns of a csv
            file stand as `columns` of data.json has them.
        device: auto, cpu, cuda, cuda:N or mps.

    Raises:
        CheckpointError: the folder is no run, or has no sound checkpoint.
        DataError: the inputs have another shape, or are not finite numbers.
    """
    read_summary(run)
    known = _read_data(run)
    chosen, _ = devices.choose(device)
    config = load_config(run / "config.yaml")
    kind: Any = chosen.type
    machine = Machine(kind, cpu_count() or 1)
    experiment = settle(config, place_for(run), machine, shape=_shape(known))
    rows = _checked(inputs, known)
    threads = experiment.config.train.threads
    assert not isinstance(threads, str)
    with devices.settings(threads=threads, deterministic=False), torch.inference_mode():
        network = place(restore(run, experiment), experiment, chosen).eval()
        dtype = next(network.parameters()).dtype
        shift, factor = (
            torch.tensor(known[key], dtype=torch.float32).to(chosen, dtype)
            for key in ("shift", "factor")
        )
        parts = [
            network((part.to(chosen).to(dtype) - shift) * factor).cpu()
            for part in torch.from_numpy(rows).split(evaluation_batch(experiment))
        ]
    return _told(torch.cat(parts), experiment)


def _shape(known: dict[str, Any]) -> DataShape:
    return DataShape(
        inputs=tuple(known["inputs"]),
        task=known["task"],
        outputs=known["outputs"],
        classes=tuple(known["classes"]),
        sizes=known["sizes"],
        columns=tuple(known["columns"]),
    )


def _checked(inputs: object, known: dict[str, Any]) -> NDArray[Any]:
    rows = np.ascontiguousarray(np.asarray(inputs))
    shape = tuple(known["inputs"])
    if rows.dtype.kind not in "buif":
        raise DataError(f"inputs: are {rows.dtype}, not numbers")
    if rows.shape[1:] != shape or not len(rows):
        wanted = ", ".join(("N", *map(str, shape)))
        names = f" (columns {_some(known['columns'])})" if known["columns"] else ""
        raise DataError(f"inputs: have shape {rows.shape}, expected ({wanted}){names}")
    if rows.dtype.kind == "f" and not np.isfinite(rows).all():
        raise DataError("inputs: hold values that are not finite")
    # As the data sets store them, so that scaling rounds alike.
    return rows if rows.dtype == np.uint8 else rows.astype(np.float32)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _told(outputs: torch.Tensor, experiment: Experiment) -> Prediction:
    """The outputs with their meaning."""
    classes = experiment.shape.classes
    if not classes:
        return Prediction(outputs.numpy(), (), None, ())
    found = experiment.loss.probabilities(outputs)
    # One output of two classes: its sign decides, as in the accuracy.
    single = outputs.shape[1] == 1
    best = (outputs[:, 0] > 0).long() if single else outputs.argmax(dim=1)
    labels = tuple(classes[index] for index in best.tolist())
    return Prediction(outputs.numpy(), classes, None if found is None else found.numpy(), labels)
