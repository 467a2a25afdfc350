"""Checkpoints: a folder per saved step, complete or not there, and never loaded when damaged.

    step-00000123/    model.safetensors  optimizer.safetensors  state.json  manifest.json
    last, best, init  text files that hold the name of such a folder
    kept              the names of such folders, one a line: those that `log.checkpoints` asks for
    pointers.json     what nnlab wrote into these four

A folder is written under a temporary name, flushed to disk and renamed. `manifest.json` is written
last and holds size and SHA-256 of the others, so that a folder whose manifest agrees is complete.
"""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from nnlab.core import files
from nnlab.core.errors import CheckpointError
from nnlab.runs.folder.checkpoint_files import (
    MODEL,
    Checkpoint,
    Json,
    checkpoint_contents,
    read_checkpoint,
)
from nnlab.runs.folder.pointers import POINTERS, STEP_FOLDER, has_record, pointed_to
from nnlab.runs.folder.pointers import Pointer as Pointer
from nnlab.runs.folder.pointers import keep_checkpoint as keep_checkpoint
from nnlab.runs.folder.pointers import kept_checkpoints as kept_checkpoints
from nnlab.runs.folder.pointers import point_to as point_to

_TEMPORARY = re.compile(r"(step-[0-9]{8,15})\.tmp-.*")


class Newest(NamedTuple):
    """The newest sound checkpoint of a run, where training can go on."""

    checkpoint: Checkpoint | None
    """None: nothing was ever saved."""
    warnings: tuple[str, ...]
    """The checkpoints that were skipped, and why."""


def save_checkpoint(
    folder: Path, *, step: int, tensors: Mapping[str, Tensor], state: Mapping[str, Json]
) -> Path:
    """Writes folder/step-00000123 and waits until it is on disk.

    A folder of this step that is there already (left by a run that was killed, or of a run that is
    saved twice at its end) is replaced.

    Args:
        folder: the run's checkpoints; made if it is not there.
        step: updates made.
        tensors: "model/..." and others; on any device, in any layout, even sharing memory.
        state: everything else that continuing needs; JSON, floats are kept exactly.

    Returns:
        The new folder.

    Raises:
        ResourceError: the disk is full, or the like; what was there before is still there.
    """
    final = folder / checkpoint_name(step)
    temporary = folder / f"{final.name}.tmp-{os.getpid()}"
    contents = checkpoint_contents(step, tensors, state)
    with files.storage_errors(final, need=sum(map(len, contents.values()))):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            temporary.mkdir()
            for name, data in contents.items():
                files.write_new(temporary / name, data)
            # Before the rename: else a crash could keep the name and lose what lies under it.
            files.sync_folder(temporary)
            _put_in_place(temporary, final)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        # Without it a crash may undo the rename.
        files.sync_folder(folder)
    return final


def checkpoint_name(step: int) -> str:
    """The folder's name of a step."""
    return f"step-{step:08d}"


def prune_checkpoints(folder: Path, *, newest: int = 2) -> None:
    """Removes checkpoints that no pointer names, except the newest, and what is half-done.

    Raises:
        ResourceError: something could not be removed.
        CheckpointError: a pointer or the list of what is kept cannot be read; then nothing is
            removed, for it may be what is named there.
    """
    named = {*(pointed_to(folder, pointer) for pointer in POINTERS), *kept_checkpoints(folder)}
    with files.storage_errors(folder):
        for path in _steps(folder)[newest:]:
            if path.name not in named:
                # Renamed first: a kill must not leave half of it under its name.
                path.rename(path.with_name(f"{path.name}.tmp-{os.getpid()}"))
    remove_half_done(folder)


def remove_half_done(folder: Path) -> None:
    """Removes what saves and removals that were cut have left under temporary names.

    For the process that owns the run, behind `newest_checkpoint`: that has named what is complete.

    Raises:
        ResourceError: something could not be removed.
    """
    with files.storage_errors(folder):
        for path in folder.glob("*.tmp-*"):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def named_checkpoint(folder: Path, name: Pointer) -> Checkpoint:
    """The checkpoint that a pointer names.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    target = pointed_to(folder, name)
    if target is None:
        raise CheckpointError(f"{folder / name}: names no checkpoint (has the run saved one?)")
    return read_checkpoint(folder / target)


def newest_checkpoint(folder: Path) -> Newest:
    """The checkpoint to continue from: the one `last` names, else the newest that is sound.

    For the process that owns the run: a complete folder that a crash kept from its name gets it.

    Raises:
        CheckpointError: there are checkpoints, but none is sound; or `last` is not what nnlab
            wrote: from another checkpoint, what came behind it would be cut from the record.
    """
    _adopt(folder)
    warnings: list[str] = []
    try:
        last = pointed_to(folder, "last")
    except CheckpointError as error:
        if has_record(folder):
            raise
        last, warnings = None, [f"{line} (skipped)" for line in error.lines]
    for path in _candidates(folder, last):
        try:
            return Newest(read_checkpoint(path), tuple(warnings))
        except CheckpointError as error:
            warnings += [f"{line} (skipped)" for line in error.lines]
    if warnings:
        raise CheckpointError([f"{folder}: no checkpoint is sound", *warnings[:8]])
    return Newest(None, ())


def check_fits(
    expected: Mapping[str, Tensor], found: Mapping[str, Tensor], *, where: str = "checkpoint"
) -> None:
    """Refuses tensors that are not exactly the expected ones by name, shape and sort of number.

    Args:
        expected: what the network and its optimizer hold here.
        found: what the checkpoint holds.
        where: the checkpoint's path, for the message.

    Raises:
        CheckpointError: a line for each difference, ten at most.
    """
    lines = list(_differences(expected, found, where))
    if len(lines) > 10:
        lines = lines[:9] + [f"{where}: and {len(lines) - 9} more differences"]
    if lines:
        raise CheckpointError(lines)


def _differences(
    expected: Mapping[str, Tensor], found: Mapping[str, Tensor], where: str
) -> Iterator[str]:
    for name, here in expected.items():
        there = found.get(name)
        label = f"{where}: {name.removeprefix(MODEL)}"
        if there is None:
            yield f"{label} is missing there, has shape {tuple(here.shape)} here"
        elif there.shape != here.shape:
            yield f"{label} has shape {tuple(there.shape)} there and {tuple(here.shape)} here"
        elif there.dtype.is_floating_point != here.dtype.is_floating_point:
            yield f"{label} is {there.dtype} there and {here.dtype} here"
    for name in [name for name in found if name not in expected]:
        yield f"{where}: {name.removeprefix(MODEL)} is there and not here"


def _put_in_place(temporary: Path, final: Path) -> None:
    """Renames a folder, if need be over an older one, so that a complete one is there at any time.

    Between the two renames both stand under temporary names, complete: `_adopt` finds them.
    """
    if not os.path.lexists(final):
        temporary.replace(final)
        return
    aside = final.with_name(f"{temporary.name}-old")
    shutil.rmtree(aside, ignore_errors=True)  # of a process with our number that was killed
    final.replace(aside)
    try:
        temporary.replace(final)
    except BaseException:
        aside.replace(final)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _adopt(folder: Path) -> None:
    """Gives complete folders under a temporary name, where a crash left them, their own."""
    for path in sorted(folder.glob("step-*.tmp-*")):
        match = _TEMPORARY.fullmatch(path.name)
        if match is None or os.path.lexists(folder / match[1]):
            continue
        try:
            read_checkpoint(path)
        except CheckpointError:
            continue
        with files.storage_errors(path):
            path.replace(folder / match[1])


def _steps(folder: Path) -> list[Path]:
    """The folders of saved steps, the newest first."""
    found = [path for path in folder.glob("step-*") if STEP_FOLDER.fullmatch(path.name)]
    return sorted(found, key=lambda path: int(path.name[5:]), reverse=True)


def _candidates(folder: Path, last: str | None) -> list[Path]:
    first = [] if last is None else [folder / last]
    return first + [path for path in _steps(folder) if path.name != last]
