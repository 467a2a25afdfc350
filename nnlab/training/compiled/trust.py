"""Who could put other machine code in the place of ours."""

import os
import stat
from pathlib import Path


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
