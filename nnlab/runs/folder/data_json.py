"""data.json of a run: what a row looks like, how it is scaled, what the classes are called."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from nnlab.core import files
from nnlab.core.contracts import DataShape, Examples, PaddedShape, TokenShape
from nnlab.core.errors import CheckpointError
from nnlab.runs.sums import read_sealed, seal_json

_FORMAT = 1
_KEYS = {"format", "inputs", "task", "outputs", "classes", "sizes", "columns", "shift", "factor"}


def write_data(folder: Path, examples: Examples) -> None:
    """Writes data.json: what rows must look like, how they are scaled, what classes are called."""
    shape = examples.shape
    found = {
        "format": _FORMAT,
        "inputs": shape.inputs,
        "task": shape.task,
        "outputs": shape.outputs,
        "classes": shape.classes,
        "columns": shape.columns,
        "steps": shape.steps,
        "sizes": dict(shape.sizes),
        "tokens": shape.tokens,
        "places": shape.places,
        "lengths": "different" if isinstance(shape.inputs, PaddedShape) else "equal",
        "naive": shape.naive,
        # float32 is exact as a JSON number.
        "shift": examples.shift.tolist(),
        "factor": examples.factor.tolist(),
        "target": None if examples.target_scale is None else examples.target_scale._asdict(),
        "fill": None if examples.fill is None else examples.fill.tolist(),
        "peak": examples.peak,
        "base": None if examples.base is None else examples.base.tolist(),
    }
    files.write_file(folder / "data.json", seal_json(found))


def read_data(folder: Path) -> dict[str, Any]:
    """The content of a run's data.json: what rows look like, how they are scaled, the classes.

    Raises:
        CheckpointError: it is missing, cannot be read, or was changed.
    """
    path = folder / "data.json"
    way = "nnlab resume writes it anew, from the data"
    try:
        found = read_sealed(path, way=way)
    except FileNotFoundError:
        text = f"{folder}: does not hold the scale of its data (it is of an older nnlab)"
        raise CheckpointError(text) from None
    if missing := _KEYS - found.keys():
        raise CheckpointError(f"{path}: has no {min(missing)} ({way})")
    if found.get("format") != _FORMAT:
        raise CheckpointError(f"{path}: format {found.get('format')}, this nnlab reads {_FORMAT}")
    return found


def data_digests(examples: Examples) -> dict[str, Any]:
    """What env.json keeps of the data, SHA-256 each: content, rows of each split, class names."""
    names = json.dumps(examples.shape.classes).encode()
    return {
        "data": examples.digest,
        "splits": {s: sha256(rows.tobytes()).hexdigest() for s, rows in examples.rows.items()},
        "classes": sha256(names).hexdigest(),
    }


def changed_data(env: Mapping[str, Any], examples: Examples) -> str:
    """What of the data is not as a run had it, as a sentence; empty if all is.

    Args:
        env: of the run; one of an older nnlab says less, and is held against what it says.
        examples: the data of today.
    """
    now = data_digests(examples)
    if env.get("data") not in (None, now["data"]):
        return "the data are not those of the run (SHA-256 differs)"
    if env.get("classes") not in (None, now["classes"]):
        return "the classes are called otherwise than in the run (SHA-256 of their names differs)"
    splits: dict[str, str] = env.get("splits") or {}
    others = sorted(split for split, digest in splits.items() if now["splits"].get(split) != digest)
    if not others:
        return ""
    why = "a column that marks the split, the file of data.exclude or nnlab itself has changed"
    return f"the rows of {', '.join(others)} are not those of the run (SHA-256 differs): {why}"


def shape_of(known: dict[str, Any]) -> DataShape:
    """The shape of the data as the run saw them.

    Raises:
        CheckpointError: what stands there is no shape.
    """
    try:
        # A run of an older nnlab has neither tokens nor places.
        inputs, tokens = tuple(known["inputs"]), known.get("tokens", 0)
        if known.get("lengths") == "different":
            inputs = PaddedShape(inputs)
        return DataShape(
            inputs=TokenShape(inputs, tokens) if tokens else inputs,
            task=known["task"],
            outputs=known["outputs"],
            classes=tuple(known["classes"]),
            sizes=known["sizes"],
            columns=tuple(known["columns"]),
            steps=tuple(known.get("steps", ())),
            places=tuple(known.get("places", ())),
            naive=known.get("naive"),
        )
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"data.json: does not say what an example is: {error}") from None
