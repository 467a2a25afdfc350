"""Files that survive a crash: whole or not there at all, and a full disk said in words."""

import errno
import os
import shlex
import shutil
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from nnlab.core.errors import ResourceError

# Windows has only some of these.
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_NO_LINK, _NO_WAIT = getattr(os, "O_NOFOLLOW", 0), getattr(os, "O_NONBLOCK", 0)
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
"""How to open a file for writing that must not exist yet."""

_FULL = {errno.ENOSPC, errno.EDQUOT}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_ELSEWHERE = "choose another place; for a run: --run-dir"
"""What is said of a place that may not be written: runs write there, and a dozen commands."""


@contextmanager
def storage_errors(path: Path, *, need: int = 0) -> Generator[None]:
    """Turns the OSErrors of writing `path` into a ResourceError that says what to do.

    Args:
        path: what is being written.
        need: how many bytes are to be written, 0 if unknown.

    Raises:
        ResourceError: for any OSError within.
    """
    try:
        yield
    except OSError as error:
        raise resource_error(path, error, need=need) from error


def resource_error(path: Path, error: OSError, *, need: int = 0) -> ResourceError:
    """The error of writing `path`, for people."""
    why = (error.strerror or str(error) or "input/output error").lower()
    if error.errno in _FULL:
        size = f"needs {_size(need)}, " if need else ""
        return ResourceError(f"{path}: {why}, {size}{_free(path)} free (free some space)")
    if error.errno in _DENIED:
        return ResourceError(f"{path}: cannot be written, {why} ({_ELSEWHERE})")
    if error.errno == errno.EFBIG:
        size = f", needs {_size(need)}" if need else ""
        return ResourceError(f"{path}: {why}{size} (raise the limit on file sizes: ulimit -f)")
    if error.errno == errno.ENOENT and not path.parent.is_dir():
        way = f"there is no folder {path.parent} (mkdir -p {shlex.quote(str(path.parent))})"
        return ResourceError(f"{path}: cannot be written, {way}")
    return ResourceError(f"{path}: cannot be written, {why}")


def write_all(handle: int, data: bytes) -> None:
    """Writes every byte to an open file, in one call where the system takes them at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def write_new(path: Path, data: bytes) -> None:
    """Writes a file that does not exist yet, and waits until it is on disk.

    Raises:
        ResourceError: the disk is full, or the like.
    """
    with storage_errors(path, need=len(data)):
        _write_new(path, data)


def _write_new(path: Path, data: bytes) -> None:
    handle = os.open(path, NEW, 0o666)
    try:
        write_all(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)


def write_file(path: Path, content: str | bytes) -> None:
    """Puts a file in place at once: after a crash it is the old one or the new one.

    Written under a temporary name in the same folder, then renamed.

    Raises:
        ResourceError: the disk is full, or the like; the old file is untouched.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    with storage_errors(path, need=len(data)):
        temporary.unlink(missing_ok=True)  # of an earlier process with this number
        try:
            _write_new(temporary, data)  # an error names the file that is meant
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        # Without it a crash may undo the rename.
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Waits until the names in a folder are on disk."""
    if os.name == "nt":  # cannot open folders, and needs not
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_regular(path: Path, *, follow: bool = False) -> BinaryIO:
    """Opens a regular file to read it: no pipe is waited for, no device read without an end.

    Args:
        path: the file.
        follow: whether a link may lead to it. What a person names may be a link; what nnlab
            itself wrote never is one.

    Raises:
        ValueError: it is no regular file, or the path can name none: it holds NUL, or characters
            that no file's name has.
        OSError: it cannot be opened.
    """
    tricks = _NO_WAIT if follow else _NO_WAIT | _NO_LINK
    if not follow and path.is_symlink():  # where the system has no O_NOFOLLOW
        raise ValueError("is a link, not a regular file")
    try:
        handle = os.open(path, _READ | tricks)
    except UnicodeError:
        raise ValueError("has characters that no file's name can have") from None
    except ValueError:
        raise ValueError("has a NUL in its name") from None
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise ValueError("is not a regular file")
        return os.fdopen(handle, "rb")
    except BaseException:
        # Here it has not been handed to a file object, which would close it.
        os.close(handle)
        raise


def refuse_irregular(path: Path) -> None:
    """Refuses a path that leads to something else than a file or a folder: a pipe, a device.

    For what another library opens by its name; a folder's turn comes when it is opened.

    Raises:
        ValueError: it is none, or the path can name none.
        OSError: it is not there.
    """
    try:
        mode = path.stat().st_mode
    except UnicodeError:
        raise ValueError("has characters that no file's name can have") from None
    except ValueError:
        raise ValueError("has a NUL in its name") from None
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise ValueError("is not a regular file")


def read_regular(path: Path, *, limit: int, follow: bool = False) -> bytes:
    """The bytes of a regular file: no pipe is waited for.

    Args:
        path: the file.
        limit: the most bytes that it may hold.
        follow: whether a link may lead to it.

    Raises:
        ValueError: it is not a regular file, or too large.
        OSError: it cannot be read.
    """
    with open_regular(path, follow=follow) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise ValueError(f"has {size} bytes, expected at most {limit}")
        return file.read(limit + 1)


def parse_json(data: str | bytes) -> Any:
    """What a JSON text says; whatever is wrong with it is a ValueError.

    Raises:
        ValueError: it is not JSON, nested too deeply, or a number in it is too long.
    """
    import json

    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def _free(path: Path) -> str:
    for folder in path.parents:
        try:
            return _size(shutil.disk_usage(folder).free)
        except OSError:
            continue
    return "an unknown amount"


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1e3:.0f} kB" if count < 1e6 else f"{count / 1e6:,.1f} MB"
