"""The names of checkpoints: `last`, `best`, `init` and `kept`, and what vouches for them.

Each is a small text file, replaced at once. A text of one line cannot say whether it was changed;
`pointers.json` beside them holds, under a sum, what nnlab wrote into each. It is written first and
names the old text and the new one, so that a kill between the two finds a text that is known.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

from nnlab.core import files
from nnlab.core.errors import CheckpointError
from nnlab.runs.sums import json_is_sound, seal_json

Pointer = Literal["last", "best", "init"]
POINTERS: tuple[Pointer, ...] = ("last", "best", "init")
KEPT = "kept"
RECORD = "pointers.json"
STEP_FOLDER = re.compile(r"step-([0-9]{8,15})")
_FORMAT = 1
_NOT_YET = "\0"
"""In the record: the file is about to be written for the first time."""
_LIMIT = 10**6
"""Bytes of `kept`, and of the record."""


def point_to(folder: Path, name: Pointer, target: str) -> None:
    """Makes `last`, `best` or `init` name a checkpoint's folder, all at once.

    Raises:
        ResourceError: the disk is full, or the like; the old pointer still stands.
        CheckpointError: the record of the pointers is damaged.
    """
    assert STEP_FOLDER.fullmatch(target), target
    _write(folder, name, f"{target}\n")


def keep_checkpoint(folder: Path, target: str) -> None:
    """Keeps a checkpoint's folder for good.

    Raises:
        ResourceError: the disk is full, or the like.
        CheckpointError: the names that are kept so far cannot be read.
    """
    assert STEP_FOLDER.fullmatch(target), target
    names = sorted({*kept_checkpoints(folder), target}, key=lambda name: int(name[5:]))
    _write(folder, KEPT, "".join(f"{name}\n" for name in names))


def pointed_to(folder: Path, name: Pointer) -> str | None:
    """The name of a folder in a pointer; None where there is no such file.

    Raises:
        CheckpointError: there is one, and it does not hold what nnlab wrote.
    """
    text = _checked(folder, name)
    if text is None:
        return None
    if not STEP_FOLDER.fullmatch(text.removesuffix("\n")):
        raise CheckpointError(f"{folder / name}: names no checkpoint, it holds {text[:40]!r}")
    return text.removesuffix("\n")


def kept_checkpoints(folder: Path) -> list[str]:
    """The names of the folders that stay, in the order of their steps; [] where none does.

    Raises:
        CheckpointError: there are some, and they cannot be read.
    """
    text = _checked(folder, KEPT)
    wrote = _recorded(folder).get(KEPT, [])
    if text is None and wrote and _NOT_YET not in wrote:
        what = f"is missing, it named {', '.join(wrote[-1].split())}"
        raise CheckpointError(f"{folder / KEPT}: {what} (write these into it, one a line)")
    names = (text or "").split()
    if wrong := [name for name in names if not STEP_FOLDER.fullmatch(name)]:
        way = "write folders' names into it, one a line"
        raise CheckpointError(f"{folder / KEPT}: {wrong[0][:40]!r} is no checkpoint's name ({way})")
    return sorted(set(names), key=lambda name: int(name[5:]))


def has_record(folder: Path) -> bool:
    """Whether something vouches for the pointers: older versions of nnlab wrote no record."""
    return (folder / RECORD).exists()


def _write(folder: Path, name: str, text: str) -> None:
    known = _recorded(folder)
    now = _read(folder / name)
    # It is there already: each of the two files would wait for the disk.
    if now == text and text in known.get(name, ()):
        return
    expected = dict.fromkeys([_NOT_YET if now is None else now, text])
    if KEPT in known and (folder / KEPT).exists():
        known = {**known, KEPT: [part for part in known[KEPT] if part != _NOT_YET]}
    record = {"format": _FORMAT, "wrote": {**known, name: [*expected]}}
    files.write_file(folder / RECORD, seal_json(record, indent=1))
    files.write_file(folder / name, text)


def _checked(folder: Path, name: str) -> str | None:
    """The text of a file of names, None where there is none."""
    path = folder / name
    text = _read(path)
    wrote = _recorded(folder).get(name)
    if text is None or wrote is None or text in wrote:
        return text
    right = ", ".join(wrote[-1].split())
    what = f"is damaged, it holds {text.strip()[:40]!r} where nnlab wrote {right}"
    raise CheckpointError(f"{path}: {what} (write that back)")


def _read(path: Path) -> str | None:
    try:
        return files.read_regular(path, limit=_LIMIT).decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise CheckpointError(f"{path}: is damaged, it is no text") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from None


def _recorded(folder: Path) -> Mapping[str, list[str]]:
    """What nnlab wrote into each file: the last text, and behind a kill the one before it."""
    path = folder / RECORD
    if (text := _read(path)) is None:
        return {}
    try:
        found: Any = files.parse_json(text)
        if found.get("format") == _FORMAT and json_is_sound(found):
            wrote = cast("dict[str, list[Any]]", found["wrote"])
            return {name: [str(part) for part in parts] for name, parts in wrote.items()}
    except (ValueError, KeyError, AttributeError, TypeError):
        pass
    way = "remove it to trust last, best, init and kept as they are"
    raise CheckpointError(f"{path}: is damaged, its SHA-256 is another ({way})")
