"""What becomes of built steps that nobody uses: the longest unused go first."""

import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

MOST_BYTES = 1 << 30
"""Of all packages together."""
MOST_SECONDS = 90 * 86400.0
"""Since a package was last used: 90 days."""


def prune(folder: Path, *, keep: str) -> None:
    """Removes packages that were not used for long, and the longest unused beyond the limit.

    When a package was used last is its modification time. What a process is building, or waits
    for, is locked and stays.

    Args:
        folder: of the cache.
        keep: the key of a package that stays.
    """
    now = time.time()
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
                    remove(folder, f"{key}.*.pt2")
                    remove(folder / "scratch", f"{key}.*")
                    if not (folder / f"{key}.pt2").exists():
                        lock.unlink(missing_ok=True)


def remove(folder: Path, pattern: str) -> None:
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
