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

from nnlab.core import files as durable
from nnlab.core.errors import CheckpointError

_FORMAT = 2
"""Raised when older programs could misread what newer ones write, or go on otherwise.

1: dropout drew from torch's generator. 2: by row.
"""
_READABLE = (1, 2)

MODEL = "model/"
"""What the names of the network's own tensors begin with."""

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

_MODEL, _OPTIMIZER, _STATE, _MANIFEST = (
    "model.safetensors",
    "optimizer.safetensors",
    "state.json",
    "manifest.json",
)
_FILES = (_MODEL, _OPTIMIZER, _STATE)
_FOLDER = re.compile(r"step-([0-9]{8,15})(\.tmp-.*)?")
_SMALL = 64 << 20  # bytes: the most that manifest.json may hold


class Checkpoint(NamedTuple):
    """A checkpoint that was read and verified."""

    step: int
    tensors: dict[str, Tensor]
    """As given to `save`, on the CPU."""
    state: dict[str, Any]
    """As given to `save`; tuples have become lists."""
    path: Path
    format: int = _FORMAT
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
        _MODEL: to_safetensors(model),
        _OPTIMIZER: to_safetensors(others),
        _STATE: json.dumps({"format": _FORMAT, "step": step, "state": state}, indent=1).encode(),
    }
    files = {
        name: {"size": len(data), "sha256": sha256(data).hexdigest()}
        for name, data in contents.items()
    }
    manifest = json.dumps({"format": _FORMAT, "files": files}, indent=1).encode()
    return contents | {_MANIFEST: manifest}


def _plain(tensor: Tensor) -> Tensor:
    """A copy on the CPU with memory of its own: safetensors refuses shared and strided ones."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def read_checkpoint(folder: Path) -> Checkpoint:
    """Reads one checkpoint, all of it or nothing.

    Raises:
        CheckpointError: it is missing, damaged, incomplete or not ours; names the file.
    """
    contents = _verified(folder)
    number, step, state = _parse_state(folder / _STATE, contents[_STATE])
    if (match := _FOLDER.fullmatch(folder.name)) and int(match[1]) != step:
        raise CheckpointError(f"{folder / _STATE}: is of step {step}, not of this folder's")
    model = _parse_tensors(folder / _MODEL, contents[_MODEL])
    others = _parse_tensors(folder / _OPTIMIZER, contents[_OPTIMIZER])
    if any(name.startswith(MODEL) for name in others):
        raise CheckpointError(f"{folder / _OPTIMIZER}: holds parts of the model")
    return Checkpoint(
        step, {MODEL + k: v for k, v in model.items()} | others, state, folder, number
    )


def _verified(folder: Path) -> dict[str, bytes]:
    """The bytes of the fixed list of files, which agree with the manifest."""
    if folder.is_symlink() or not folder.is_dir():
        raise CheckpointError(f"{folder}: is not a checkpoint's folder")
    present = {path.name for path in folder.iterdir()}
    if missing := sorted({*_FILES, _MANIFEST} - present):
        raise CheckpointError(f"{folder / missing[0]}: is missing")
    if foreign := sorted(present - {*_FILES, _MANIFEST}):
        raise CheckpointError(f"{folder / foreign[0]}: does not belong into a checkpoint")
    listed = _manifest(folder / _MANIFEST)
    contents: dict[str, bytes] = {}
    for name in _FILES:
        size, digest = listed[name]
        data = contents[name] = _read(folder / name, limit=size)
        if len(data) != size:
            raise CheckpointError(f"{folder / name}: has {len(data)} bytes, expected {size}")
        if sha256(data).hexdigest() != digest:
            raise CheckpointError(f"{folder / name}: is damaged, its SHA-256 is not the manifest's")
    return contents


def _manifest(path: Path) -> dict[str, tuple[int, str]]:
    files = _parse_json(path, _read(path, limit=_SMALL)).get("files")
    match files:
        case dict() if set(cast("dict[str, Any]", files)) == set(_FILES):
            listed = cast("dict[str, Any]", files)
        case _:
            raise CheckpointError(f"{path}: must list exactly {', '.join(_FILES)}")
    result: dict[str, tuple[int, str]] = {}
    for name, entry in listed.items():
        match entry:
            case {"size": int(size), "sha256": str(digest)} if size >= 0:
                result[name] = (size, digest)
            case _:
                raise CheckpointError(f"{path}: {name} must have a size and a SHA-256")
    return result


def _read(path: Path, *, limit: int) -> bytes:
    try:
        return durable.read_regular(path, limit=limit)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read, {error.strerror}") from error


def _parse_json(path: Path, data: bytes) -> dict[str, Any]:
    """An object of the format that this version reads."""
    try:
        tree: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: is not JSON, {error}") from error
    if not isinstance(tree, dict):
        raise CheckpointError(f"{path}: is not a JSON object")
    found = cast("dict[str, Any]", tree)
    if found.get("format") not in _READABLE:
        newer = f"has format {found.get('format')!r:.20}, this nnlab reads up to {_FORMAT}"
        raise CheckpointError(f"{path}: {newer} (was it written by a newer one?)")
    return found


def _parse_state(path: Path, data: bytes) -> tuple[int, int, dict[str, Any]]:
    """Format, step and state."""
    match _parse_json(path, data):
        case {"format": int(number), "step": int(step), "state": dict(state)} if step >= 0:
            return number, step, cast("dict[str, Any]", state)
        case _:
            raise CheckpointError(f"{path}: must have a step and a state")


def _parse_tensors(path: Path, data: bytes) -> dict[str, Tensor]:
    try:
        return from_safetensors(data)
    except (SafetensorError, ValueError, RuntimeError, LookupError, AssertionError) as error:
        raise CheckpointError(f"{path}: is not safetensors, {error}") from error
