"""Built steps on disk: made once, found again by what they compute, read by their owner alone."""

import json
import os
import shutil
import stat
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import final

from filelock import FileLock, Timeout

from nnlab.core import files
from nnlab.core.signals import cut_short

_LIMIT = 1 << 20
"""Bytes of what stands beside a step."""


@dataclass(frozen=True, slots=True)
class BuiltStep:
    """A step on disk.

    Attributes:
        path: the package.
        inputs: names of its inputs, in order.
        seconds: that building it took.
    """

    path: Path
    inputs: tuple[str, ...]
    seconds: float


@final
class StepCache:
    """A folder of built steps.

    A recipe names what a step was made from (config, data, versions of all code) and leads to what
    was recorded from it; so a run that repeats another need not record again. What has not been
    used for long is removed whenever something is built (`pruning`).

    Args:
        folder: made with mode 0700 where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def trusted(self) -> str:
        """Why the folder is not used: machine code is loaded from it. Else the empty word."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Of the name itself: what a link leads to may be ours, and the link another's.
            about = self._folder.lstat()
        except OSError as error:
            return f"{self._folder} cannot be made ({error.strerror}; name another by NNLAB_CACHE)"
        if not self._folder.is_dir() or self._folder.is_symlink():
            return f"{self._folder} is no folder"
        if hasattr(os, "getuid") and about.st_uid != os.getuid():
            return f"{self._folder} belongs to another user"
        if os.name == "posix" and about.st_mode & 0o077:
            return f"{self._folder} can be read or written by others (chmod 700)"
        return next(filter(None, map(open_to_others, self._folder.resolve().parents)), "")

    @property
    def scratch(self) -> Path:
        """Where torch's compiler may put what it makes on the way: private like all of it."""
        return self._folder / "scratch"

    def by_recipe(self, recipe: str) -> BuiltStep | None:
        """What was made from a recipe."""
        try:
            path = self._folder / f"{recipe}.recipe"
            key = files.parse_json(files.read_regular(path, limit=_LIMIT))["key"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        _touch(path)
        return self.by_key(str(key))

    def by_key(self, key: str) -> BuiltStep | None:
        """A built step whose bytes are those that were written."""
        path = self._package(key)
        try:
            about = files.parse_json(files.read_regular(self._folder / f"{key}.json", limit=_LIMIT))
            if sha256(path.read_bytes()).hexdigest() != about["sha256"]:
                return None
            built = BuiltStep(path, tuple(map(str, about["inputs"])), float(about["seconds"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        _touch(path)
        return built

    @contextmanager
    def building(self, key: str, note: Callable[[str], None]) -> Generator[Path]:
        """Holds other processes that want the same; a path to build at, which does not stay.

        A signal ends the waiting and the building at once, and the compilers. `note` is told whom
        it waits for.

        Raises:
            CutShort: at the first signal to a run.
        """
        draft = self._folder / f"{key}.{os.getpid()}.pt2"
        # In this order, so that a signal ends the waiting for the lock too.
        with cut_short(), self._locked(key, note):
            try:
                # Of one that was killed.
                _remove(self._folder, f"{key}.*.pt2")
                _remove(self.scratch, f"{key}.*")
                yield draft
            finally:
                draft.unlink(missing_ok=True)

    @contextmanager
    def _locked(self, key: str, note: Callable[[str], None]) -> Generator[None]:
        lock = FileLock(self._folder / f"{key}.lock")
        try:
            # Without waiting first: who has to wait is told for whom.
            lock.acquire(timeout=0)
        except Timeout:
            drafts = (path.name.split(".") for path in self.scratch.glob(f"{key}.*"))
            who = next((f"process {name[1]}" for name in drafts), "another process")
            note(f"compile: waits for {who}, which is building the same step ({key[:12]})")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def keep(self, key: str, draft: Path, inputs: Sequence[str], seconds: float) -> BuiltStep:
        """Moves a package that was just built into the cache, and drops what lay there too long.

        Args:
            key: the name of the step's recipe.
            draft: the package; its file is gone afterwards.
            inputs: names of the tensors that a call takes, in their order.
            seconds: that building it took.
        """
        digest = sha256(draft.read_bytes()).hexdigest()
        path = self._package(key)
        # The package first: without its JSON nobody takes it, so a kill here leaves no half step.
        draft.replace(path)
        about = {"sha256": digest, "inputs": list(inputs), "seconds": seconds}
        files.write_file(self._folder / f"{key}.json", json.dumps(about) + "\n")
        with suppress(OSError):
            prune_cache(self._folder, keep=key)
        return BuiltStep(path, tuple(inputs), seconds)

    def remember(self, recipe: str, key: str) -> None:
        """A run with this recipe needs what has this key."""
        files.write_file(self._folder / f"{recipe}.recipe", json.dumps({"key": key}) + "\n")

    def _package(self, key: str) -> Path:
        return self._folder / f"{key}.pt2"


def _touch(path: Path) -> None:
    """Notes that a file was used; another owner's file system may not allow it."""
    with suppress(OSError):
        os.utime(path)


MOST_BYTES = 1 << 30
"""Of all packages together."""
MOST_SECONDS = 90 * 86400.0
"""Since a package was last used: 90 days."""


def prune_cache(folder: Path, *, keep: str) -> None:
    """Removes packages that were not used for long, and the longest unused beyond the limit.

    When a package was used last is its modification time. What a process is building, or waits
    for, is locked and stays.

    Args:
        folder: of the cache.
        keep: the key of a package that stays.
    """
    now = time.time()
    # Not what is being built, KEY.PID.pt2.
    packages = [path for path in folder.glob("*.pt2") if path.name.count(".") == 1]
    used = {path.stem: _stat(path) for path in packages if path.stem != keep}
    total = _stat(folder / f"{keep}.pt2")[1]
    # From the one used last: what still fits beside it stays.
    for key, (when, size) in sorted(used.items(), key=lambda item: -item[1][0]):
        total += size
        if now - when > MOST_SECONDS or total > MOST_BYTES:
            with _free(folder, key) as free:
                if free:
                    for end in ("json", "pt2"):
                        (folder / f"{key}.{end}").unlink(missing_ok=True)
                    total -= size
    _sweep(folder, now)


def _sweep(folder: Path, now: float) -> None:
    """What killed builds left behind, and recipes that nobody asked for since."""
    for path in folder.glob("*.recipe"):
        if now - _stat(path)[0] > MOST_SECONDS:
            path.unlink(missing_ok=True)
    for lock in folder.glob("*.lock"):
        key = lock.stem
        if not (folder / f"{key}.pt2").exists() or any((folder / "scratch").glob(f"{key}.*")):
            with _free(folder, key) as free:
                if free:
                    _remove(folder, f"{key}.*.pt2")
                    _remove(folder / "scratch", f"{key}.*")
                    if not (folder / f"{key}.pt2").exists():
                        lock.unlink(missing_ok=True)


def _remove(folder: Path, pattern: str) -> None:
    """Removes the files and folders of a pattern."""
    for path in folder.glob(pattern):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


@contextmanager
def _free(folder: Path, key: str) -> Generator[bool]:
    """Whether nobody holds a key's lock; it is held within the block."""
    lock = FileLock(folder / f"{key}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _stat(path: Path) -> tuple[float, int]:
    """When a file was used last, and its bytes; (0, 0) for none."""
    try:
        about = path.stat()
    except OSError:
        return 0.0, 0
    return about.st_mtime, about.st_size


def open_to_others(parent: Path) -> str:
    """Why a folder above the cache lets others exchange it; else the empty word.

    As OpenSSH asks of the folders above a key: they belong to root or to the user, and nobody else
    writes to them. Two are let pass: the sticky bit (as of /tmp), with which others cannot rename
    what is not theirs, and a group of which the user is the only member.
    """
    if os.name != "posix":
        return ""
    about = parent.stat()
    if about.st_uid not in (0, os.getuid()):
        return f"{parent}, above the cache, belongs to another user"
    others = about.st_mode & stat.S_IWOTH
    group = about.st_mode & stat.S_IWGRP and not _private(about.st_gid)
    if (others or group) and not about.st_mode & stat.S_ISVTX:
        way = "chmod go-w, or name a folder elsewhere by NNLAB_CACHE"
        return f"{parent}, above the cache, can be written to by others ({way})"
    return ""


def _private(group: int) -> bool:
    """Whether a group is the user's alone: it has the user's name and no other member."""
    import grp
    import pwd

    try:
        found, user = grp.getgrgid(group), pwd.getpwuid(os.getuid())
    except KeyError:
        return False
    return found.gr_name == user.pw_name and set(found.gr_mem) <= {user.pw_name}
