"""The commit that one works in, read from .git itself: nothing that lies there is run.

`git` obeys the folder it stands in: core.fsmonitor, filters and hooks of a checkout are programs of
whoever made it. So its files are read: HEAD, refs, packed-refs and the index.
"""

import re
import struct
from collections.abc import Iterator
from hashlib import new as new_digest
from pathlib import Path
from stat import S_ISLNK, S_ISREG

from nnlab.core import files

_HASH = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_REF = re.compile(r"refs/(?!.*\.\.)[\x21-\x7e]{1,1000}")
_SMALL, _LARGE = 1 << 16, 64 << 20
_MOST_FILES, _MOST_BYTES = 20_000, 64 << 20
"""How much is looked at to say whether something was changed; above it nothing is said."""
_SHOWN = 12
_MOMENT = 2 * 10**9
"""Nanoseconds: times that are closer say nothing; some file systems keep two seconds."""


def git_commit(folder: Path) -> str | None:
    """The commit of the checkout around a folder, 12 digits; None where there is no checkout.

    `-dirty` stands behind them where a file that git knows is not what was staged last.
    """
    try:
        if (found := _find(folder)) is None:
            return None
        tree, git = found
        commit = _head(git)
        if commit is None:
            return None
        dirty = _is_changed(tree, git, len(commit) // 2)
    except (OSError, ValueError, struct.error, IndexError):
        return None
    return f"{commit[:_SHOWN]}{'-dirty' if dirty else ''}"


def _find(folder: Path) -> tuple[Path, Path] | None:
    """The checkout's folder and its git folder."""
    for tree in (folder, *folder.parents):
        git = tree / ".git"
        if git.is_dir():
            return tree, git
        if git.is_file():  # a worktree, or a submodule
            text = files.read_regular(git, limit=_SMALL).decode()
            return tree, tree / text.removeprefix("gitdir:").strip()
    return None


def _text(path: Path, limit: int = _SMALL) -> str:
    try:
        return files.read_regular(path, limit=limit, follow=True).decode()
    except FileNotFoundError:
        return ""


def _head(git: Path) -> str | None:
    shared = git / (_text(git / "commondir").strip() or ".")
    name = _text(git / "HEAD").strip()
    for _ in range(5):  # a ref may name another
        if _HASH.fullmatch(name):
            return name
        ref = name.removeprefix("ref:").strip()
        if not _REF.fullmatch(ref):
            return None
        name = _text(git / ref).strip() or _text(shared / ref).strip()
        if not name:
            lines = _text(shared / "packed-refs", _LARGE).splitlines()
            name = next((line.split()[0] for line in lines if line.endswith(f" {ref}")), "")
    return None


def _is_changed(tree: Path, git: Path, width: int) -> bool:
    """Whether a file differs from the index: first by size and time, then by its content."""
    budget = _MOST_BYTES
    index = git / "index"
    # A file changed in the moment of the index may have the size and time that stand there ("racy
    # git"): only older ones are known by them.
    written = index.stat().st_mtime_ns if index.exists() else 0
    for number, (name, mode, time_ns, size, digest) in enumerate(_entries(git, width)):
        if number >= _MOST_FILES:
            return False
        path = tree / name
        try:
            about = path.lstat()
        except OSError:
            return True
        if S_ISLNK(mode) or not S_ISREG(mode):
            continue
        if about.st_size == size and about.st_mtime_ns == time_ns < written - _MOMENT:
            continue
        budget -= about.st_size
        if budget < 0:
            return False
        if not S_ISREG(about.st_mode):
            return True
        content = files.read_regular(path, limit=_MOST_BYTES)
        # What git takes the hash of: the content behind its kind and size.
        blob = b"blob %d\0" % len(content) + content
        if new_digest("sha256" if width == 32 else "sha1", blob).digest() != digest:
            return True
    return False


def _entries(git: Path, width: int) -> Iterator[tuple[str, int, int, int, bytes]]:
    """Name, mode, time, size and hash of each file in the index; none of a version not known.

    The format is that of Documentation/gitformat-index: 62 bytes, a name, zeros up to 8.
    """
    try:
        data = files.read_regular(git / "index", limit=_LARGE)
    except FileNotFoundError:
        return
    signature, version, count = struct.unpack_from(">4sII", data)
    if signature != b"DIRC" or version not in (2, 3):
        return
    place = 12
    for _ in range(count):
        stat = struct.unpack_from(">10I", data, place)
        flags_at = place + 40 + width
        (flags,) = struct.unpack_from(">H", data, flags_at)
        name_at = flags_at + (4 if flags & 0x4000 else 2)
        end = data.index(b"\0", name_at)
        name = data[name_at:end].decode(errors="surrogateescape")
        yield (
            name,
            stat[6],
            stat[2] * 10**9 + stat[3],
            stat[9],
            data[place + 40 : place + 40 + width],
        )
        place += (end - place + 8) // 8 * 8
