"""How far a config reaches: everywhere on this machine, or for a guest into some folders alone.

A classroom's server hands configs of others on. Whatever turns a path of a config into a file asks
here first; links are followed, so that none leads out.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

REACH_VARIABLE = "NNLAB_REACH"
"""Folders of a whole process, as PATH is written: a config of it reads nothing outside."""
LONGEST_PATH = 4096
"""Letters of a path that Linux takes; following one of a million takes half a minute."""
_ROOTS: ContextVar[tuple[Path, ...] | None] = ContextVar("reach", default=None)


@contextmanager
def reach_only(*folders: Path) -> Generator[None]:
    """Within it configs reach these folders and what is in them, in this thread and its tasks."""
    token = _ROOTS.set(tuple(folder.resolve() for folder in folders))
    try:
        yield
    finally:
        _ROOTS.reset(token)


def has_bounds() -> bool:
    """Whether configs reach some folders alone."""
    return _folders() is not None


def within_reach(path: Path) -> bool:
    """Whether a config may name a path; one that leads nowhere is judged by where it would lie."""
    folders = _folders()
    if folders is None:
        return True
    try:
        found = path.resolve()
    except (OSError, RuntimeError, ValueError):  # links in a circle, a NUL
        return False
    return any(found.is_relative_to(folder) for folder in folders)


def _folders() -> tuple[Path, ...] | None:
    roots = _ROOTS.get()
    named = os.environ.get(REACH_VARIABLE)
    # No folder at all is a bound too, so an empty tuple must not pass for none.
    if roots is not None or named is None:
        return roots
    # Resolved as what is asked for is: else nothing would lie below a link, such as macOS's /tmp.
    return tuple(Path(folder).resolve() for folder in named.split(os.pathsep) if folder)
