"""The bytes of a checkpoint, verified by its manifest; what reads no tensors needs no torch."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from nnlab.core.errors import CheckpointError
from nnlab.core.files import read_regular

FORMAT = 2
"""Raised when older programs could misread what newer ones write, or go on otherwise.

1: dropout drew from torch's generator. 2: by row.
"""
READABLE = (1, 2)
MODEL_FILE, OPTIMIZER_FILE, STATE_FILE, MANIFEST = (
    "model.safetensors",
    "optimizer.safetensors",
    "state.json",
    "manifest.json",
)
FILES = (MODEL_FILE, OPTIMIZER_FILE, STATE_FILE)
_SMALL = 64 << 20  # bytes: the most that manifest.json may hold
_HEAD = 8  # bytes of a safetensors file that say how long its head is


def verified_contents(folder: Path) -> dict[str, bytes]:
    """The bytes of the fixed list of files, which agree with the manifest.

    Raises:
        CheckpointError: one is missing, damaged or not ours; names it.
    """
    if folder.is_symlink() or not folder.is_dir():
        raise CheckpointError(f"{folder}: is not a checkpoint's folder")
    present = {path.name for path in folder.iterdir()}
    if missing := sorted({*FILES, MANIFEST} - present):
        raise CheckpointError(f"{folder / missing[0]}: is missing")
    if foreign := sorted(present - {*FILES, MANIFEST}):
        raise CheckpointError(f"{folder / foreign[0]}: does not belong into a checkpoint")
    listed = _manifest(folder / MANIFEST)
    contents: dict[str, bytes] = {}
    for name in FILES:
        size, digest = listed[name]
        data = contents[name] = _read(folder / name, limit=size)
        if len(data) != size:
            raise CheckpointError(f"{folder / name}: has {len(data)} bytes, expected {size}")
        if sha256(data).hexdigest() != digest:
            raise CheckpointError(f"{folder / name}: is damaged, its SHA-256 is not the manifest's")
    return contents


def manifest_digest(folder: Path) -> str:
    """The SHA-256 of manifest.json, which holds those of the other files: it stands for them all.

    Raises:
        CheckpointError: it cannot be read.
    """
    return sha256(_read(folder / MANIFEST, limit=_SMALL)).hexdigest()


def model_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Name -> shape of the tensors of a model, from the head of its file; nothing is verified.

    Raises:
        CheckpointError: it cannot be read, or is no safetensors file.
    """
    path = folder / MODEL_FILE
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(_HEAD), "little")
            # Not what the file says of itself: a damaged one could ask for all memory.
            head = json.loads(file.read(min(size, _SMALL)))
        return {n: tuple(e["shape"]) for n, e in head.items() if n != "__metadata__"}
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read, {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{path}: is not safetensors, {error}") from error


def _manifest(path: Path) -> dict[str, tuple[int, str]]:
    files = parse_object(path, _read(path, limit=_SMALL)).get("files")
    match files:
        case dict() if set(cast("dict[str, Any]", files)) == set(FILES):
            listed = cast("dict[str, Any]", files)
        case _:
            raise CheckpointError(f"{path}: must list exactly {', '.join(FILES)}")
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
        return read_regular(path, limit=limit)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read, {error.strerror}") from error


def parse_object(path: Path, data: bytes) -> dict[str, Any]:
    """An object of the format that this version reads.

    Raises:
        CheckpointError: it is none.
    """
    try:
        tree: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: is not JSON, {error}") from error
    if not isinstance(tree, dict):
        raise CheckpointError(f"{path}: is not a JSON object")
    found = cast("dict[str, Any]", tree)
    if found.get("format") not in READABLE:
        newer = f"has format {found.get('format')!r:.20}, this nnlab reads up to {FORMAT}"
        raise CheckpointError(f"{path}: {newer} (was it written by a newer one?)")
    return found
