"""examples.safetensors of a run folder: the losses and margins of its examples at a few moments."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np
from safetensors.numpy import load as from_bytes
from safetensors.numpy import save as to_bytes

from nnlab.core import files
from nnlab.core.errors import CheckpointError
from nnlab.diagnosis.evidence.facts import ExampleRecord
from nnlab.runs.sums import SUM_KEY

FILE = "examples.safetensors"
_MOST_BYTES = 4 * 2**30


def write_record(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes the arrays of a record, with their sum."""
    files.write_file(folder / FILE, _sealed(arrays))


def read_record(folder: Path) -> ExampleRecord:
    """What a run kept of its training examples, moment by moment.

    Raises:
        CheckpointError: there is nothing, or it is damaged.
    """
    path = folder / FILE
    try:
        data = files.read_regular(path, limit=_MOST_BYTES)
        found = from_bytes(data)
        if (sum_ := _sum_in(data)) is not None and sum_ != _sum_of(found):
            raise ValueError("its SHA-256 is another")
        return ExampleRecord(
            rows=found["rows"],
            labels=found.get("labels", np.empty(0, np.int64)),
            steps=found["steps"],
            losses=found["losses"],
            margins=found.get("margins"),
            predicted=found.get("predicted"),
            held=found.get("held"),
            sure=found.get("sure"),
        )
    except Exception as error:  # safetensors raises its own kinds
        raise CheckpointError(f"{path}: cannot be read: {error}") from None


def _sealed(arrays: dict[str, np.ndarray]) -> bytes:
    """The arrays as safetensors, with their sum in its head."""
    return to_bytes(arrays, metadata={SUM_KEY: _sum_of(arrays)})


def _sum_of(arrays: Mapping[str, np.ndarray]) -> str:
    digest = sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype} {array.shape} ".encode() + array.tobytes())
    return digest.hexdigest()


def _sum_in(data: bytes) -> str | None:
    """The sum in the head of a safetensors file; None in one of an older nnlab."""
    size = int.from_bytes(data[:8], "little")
    return files.parse_json(data[8 : 8 + size]).get("__metadata__", {}).get(SUM_KEY)


def record_of(folder: Path) -> ExampleRecord | None:
    """What a run kept of its examples; None where it kept nothing."""
    return read_record(folder) if (folder / FILE).exists() else None
