"""What nnlab may remove: a run is known by its own format and files, not by a name.

A folder called `3` beside others, or one that holds a file called summary.json, may be anybody's.
It is a run where one of its files has the format that only nnlab writes; and it is removed where,
besides, nothing lies in it that no run writes.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from nnlab.core import files

_FILES = frozenset(
    {
        *("lock", "config.yaml", "source.yaml", "env.json", "data.json", "summary.json"),
        *("metrics.jsonl", "findings.jsonl", "examples.safetensors", "group.json", "curves.png"),
    }
)
_FOLDERS = frozenset({"checkpoints", "eval"})
_BEGUN = frozenset({"lock", "config.yaml", "source.yaml", "data.json", "env.json", "group.json"})
"""What a start writes before there is a summary."""
_EVENTS = re.compile(r"events\.out\.tfevents\.[0-9]+\..+")
_TEMPORARY = re.compile(r"(.+)\.tmp-[0-9]+")
_IN_CHECKPOINTS = re.compile(
    r"(last|best|init|kept|pointers\.json|step-[0-9]{8,15})(\.tmp-[0-9]+(-old)?)?"
)
_OF_THE_SYSTEM = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""What a file manager leaves wherever it was."""
_LIMIT = 64 << 20
"""Bytes of a file that is asked for its format."""


def why_not_removable(folder: Path) -> str | None:
    """Why a folder is not to be removed as a run or a comparison, in words; None where it may be.

    Args:
        folder: with the runs of a comparison in it, or with the files of a run.
    """
    try:
        foreign = foreign_names(folder)
        if not foreign and (_has_format(folder) or is_cut_start(folder)):
            return None
    except OSError as error:
        return f"cannot be looked at: {(error.strerror or str(error)).lower()}"
    if foreign and (_has_format(folder) or is_cut_start(folder)):
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        return f"holds {', '.join(foreign[:3])}{more}, which no run writes (move it away first)"
    return "is not a run of nnlab, none of its files has the format of one"


def foreign_names(folder: Path) -> list[str]:
    """What lies in the folder of a run or a comparison and was written by neither."""
    found: list[str] = []
    members = _members(folder)
    for path in sorted(folder.iterdir()):
        name = path.name
        if name in _OF_THE_SYSTEM:
            continue
        if name in members and path.is_dir() and not path.is_symlink():
            if why_not_removable(path) is not None:
                found.append(f"{name}/")
        elif name in _FOLDERS and path.is_dir() and not path.is_symlink():
            if name == "checkpoints":
                found += [
                    f"{name}/{inner.name}"
                    for inner in sorted(path.iterdir())
                    if not _IN_CHECKPOINTS.fullmatch(inner.name)
                    and inner.name not in _OF_THE_SYSTEM
                ]
        elif path.is_dir() or not (_own(name) or _EVENTS.fullmatch(name)):
            found.append(f"{name}/" if path.is_dir() else name)
    return found


def _own(name: str) -> bool:
    temporary = _TEMPORARY.fullmatch(name)
    return (temporary[1] if temporary else name) in _FILES


def is_cut_start(folder: Path) -> bool:
    """Whether nothing but what a start of nnlab leaves that was cut lies there: no run yet."""
    names = {path.name for path in folder.iterdir()} - _OF_THE_SYSTEM
    own = {(found[1] if (found := _TEMPORARY.fullmatch(name)) else name) for name in names}
    # A lock is the first thing that a start writes.
    return own <= _BEGUN and (not names or "lock" in names)


def left_by_a_start(path: Path) -> bool:
    """Whether a file is what a start leaves that was cut before config.yaml: such is no run."""
    temporary = _TEMPORARY.fullmatch(path.name)
    return path.name == "lock" or (temporary is not None and temporary[1] in _BEGUN)


def remove_temporaries(folder: Path) -> None:
    """Removes what writers that were killed left under temporary names.

    For the process that holds the folder: nobody else writes in it.
    """
    for path in folder.iterdir():
        if (found := _TEMPORARY.fullmatch(path.name)) and found[1] in _FILES:
            path.unlink(missing_ok=True)


def _has_format(folder: Path) -> bool:
    """Whether one of the files is what only nnlab writes. One is enough: others may be damaged."""
    for name, test in _FORMATS.items():
        if (found := _read(folder / name)) is not None and test(found):
            return True
    return any(
        (_read(path) or {}).get("format") == 1
        for path in sorted((folder / "checkpoints").glob("step-*/manifest.json"))[:3]
    )


_FORMATS: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "summary.json": lambda v: v.get("format") == 1 and {"status", "steps", "name"} <= v.keys(),
    "group.json": lambda v: v.get("format") == 1 and {"status", "members"} <= v.keys(),
    "env.json": lambda v: {"nnlab", "pid", "command"} <= v.keys(),
    "data.json": lambda v: v.get("format") == 1 and {"inputs", "shift", "factor"} <= v.keys(),
}


def _members(folder: Path) -> set[str]:
    """The names of a comparison's runs; empty where it is none."""
    members = (_read(folder / "group.json") or {}).get("members")
    return set(map(str, cast("Mapping[str, Any]", members))) if isinstance(members, dict) else set()


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON object, None where there is none that can be read."""
    try:
        found = json.loads(files.read_regular(path, limit=_LIMIT))
    except (OSError, ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None
