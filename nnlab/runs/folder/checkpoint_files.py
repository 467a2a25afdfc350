"""The files of one checkpoint: from tensors and state to bytes, and verified bytes back."""

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load as from_safetensors
from safetensors.torch import save as to_safetensors
from torch import Tensor

from nnlab.core.errors import CheckpointError
from nnlab.runs.folder.checkpoint_bytes import (
    FORMAT,
    MANIFEST,
    MODEL_FILE,
    OPTIMIZER_FILE,
    STATE_FILE,
    parse_object,
    verified_contents,
)

MODEL = "model/"
"""What the names of the network's own tensors begin with."""

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

_FOLDER = re.compile(r"step-([0-9]{8,15})(\.tmp-.*)?")


class Checkpoint(NamedTuple):
    """A checkpoint that was read and verified."""

    step: int
    tensors: dict[str, Tensor]
    """As given to `save`, on the CPU."""
    state: dict[str, Any]
    """As given to `save`; tuples have become lists."""
    path: Path
    format: int = FORMAT
    """Of its files; below 2 dropout drew from torch's generator."""


def checkpoint_contents(
    step: int, tensors: Mapping[str, Tensor], state: Mapping[str, Json]
) -> dict[str, bytes]:
    """What a folder is to hold.

    Returns:
        File name -> bytes, in the order to write them: the manifest comes last.
    """
    plain = {name: _plain(tensor) for name, tensor in tensors.items()}
    model = {k.removeprefix(MODEL): v for k, v in plain.items() if k.startswith(MODEL)}
    others = {k: v for k, v in plain.items() if not k.startswith(MODEL)}
    contents = {
        MODEL_FILE: to_safetensors(model),
        OPTIMIZER_FILE: to_safetensors(others),
        STATE_FILE: json.dumps({"format": FORMAT, "step": step, "state": state}, indent=1).encode(),
    }
    files = {
        name: {"size": len(data), "sha256": sha256(data).hexdigest()}
        for name, data in contents.items()
    }
    manifest = json.dumps({"format": FORMAT, "files": files}, indent=1).encode()
    return contents | {MANIFEST: manifest}


def _plain(tensor: Tensor) -> Tensor:
    """A copy on the CPU with memory of its own: safetensors refuses shared and strided ones."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def read_checkpoint(folder: Path) -> Checkpoint:
    """Reads one checkpoint, all of it or nothing.

    Raises:
        CheckpointError: it is missing, damaged, incomplete or not ours; names the file.
    """
    contents = verified_contents(folder)
    number, step, state = _parse_state(folder / STATE_FILE, contents[STATE_FILE])
    if (match := _FOLDER.fullmatch(folder.name)) and int(match[1]) != step:
        raise CheckpointError(f"{folder / STATE_FILE}: is of step {step}, not of this folder's")
    model = _parse_tensors(folder / MODEL_FILE, contents[MODEL_FILE])
    others = _parse_tensors(folder / OPTIMIZER_FILE, contents[OPTIMIZER_FILE])
    if any(name.startswith(MODEL) for name in others):
        raise CheckpointError(f"{folder / OPTIMIZER_FILE}: holds parts of the model")
    return Checkpoint(
        step, {MODEL + k: v for k, v in model.items()} | others, state, folder, number
    )


def _parse_state(path: Path, data: bytes) -> tuple[int, int, dict[str, Any]]:
    """Format, step and state."""
    match parse_object(path, data):
        case {"format": int(number), "step": int(step), "state": dict(state)} if step >= 0:
            return number, step, cast("dict[str, Any]", state)
        case _:
            raise CheckpointError(f"{path}: must have a step and a state")


def _parse_tensors(path: Path, data: bytes) -> dict[str, Tensor]:
    try:
        return from_safetensors(data)
    except (SafetensorError, ValueError, RuntimeError, LookupError, AssertionError) as error:
        raise CheckpointError(f"{path}: is not safetensors, {error}") from error
