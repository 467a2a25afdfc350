"""The run folder: its lock, and what is written into it before training."""

import os
import platform
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nnlab.config.loading import load_config
from nnlab.config.run_config import RunConfig, dump_config, to_plain
from nnlab.config.sections import LENGTHS
from nnlab.core import files
from nnlab.core.errors import CheckpointError, ConfigError, ResourceError
from nnlab.core.package import package_version
from nnlab.runs.folder.find import hold_folder, release_folder, runs_home
from nnlab.runs.folder.ownership import left_by_a_start, remove_temporaries
from nnlab.runs.git_state import git_commit
from nnlab.runs.sums import SealedText, open_text, read_sealed, seal_json, seal_text

_PATIENCE = 0.3
"""Seconds to wait for a lock that somebody only looks at."""
_LIMIT = 64 << 20
"""Bytes of config.yaml; far above any."""


@contextmanager
def lock_folder(folder: Path) -> Generator[None]:
    """Holds the folder for this process; a lock dies with its process.

    Raises:
        ResourceError: another process trains into it, or it cannot be written.
    """
    from filelock import FileLock, Timeout

    ours = not folder.exists() or folder.parent.parent == runs_home().absolute()
    with files.storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock")
        handle = None
        try:
            # Not at once: `nnlab runs` looks whether it can have the lock, and gives it back.
            lock.acquire(timeout=_PATIENCE, poll_interval=0.02)
            # The file can be removed, and another process would then lock another file: the
            # folder itself stays the same.
            handle = hold_folder(folder, patience=_PATIENCE)
        except (Timeout, BlockingIOError):
            lock.release()
            owner = _owner(folder)
            way = "wait, or use another --run-dir"
            raise ResourceError(f"{folder}: in use by {owner} ({way})") from None
    try:
        with files.storage_errors(folder):
            remove_temporaries(folder)
        yield
    finally:
        _tidy(folder, ours=ours)
        release_folder(handle)
        lock.release()


def _tidy(folder: Path, *, ours: bool) -> None:
    """Removes what was prepared for a run that never began: only the lock is there."""
    with suppress(OSError):
        if [path.name for path in folder.iterdir()] == ["lock"]:
            (folder / "lock").unlink()
            if ours:
                folder.rmdir()
                if folder.parent.parent == runs_home().absolute():
                    folder.parent.rmdir()


@contextmanager
def claim_folder(folder: Path, begun: RunConfig | None, config: RunConfig) -> Generator[None]:
    """Holds the folder for a run of this config.

    Args:
        folder: of the run.
        begun: what the run that is to be continued was trained by; None for a fresh start.
        config: what is asked for now, settled.

    Raises:
        ConfigError: the folder holds something else.
        ResourceError: another process trains into it, or it cannot be written.
    """
    if begun is None:
        refuse_used(folder)  # before a lock is put beside what is there
    with lock_folder(folder):
        if begun is None:
            refuse_used(folder)  # again: nobody else writes now
        else:
            refuse_changes(folder, begun, config)
        yield


def _owner(folder: Path) -> str:
    try:
        env = files.parse_json(files.read_regular(folder / "env.json", limit=_LIMIT))
        return f"pid {env['pid']} on host {env['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def refuse_used(folder: Path) -> None:
    """Refuses a folder that holds a run, or anything else, for a fresh start.

    Raises:
        ConfigError: with the way out.
    """
    if (folder / "config.yaml").exists() or (folder / "summary.json").exists():
        raise ConfigError(f"--run-dir {folder}: holds a run (add --resume to continue it)")
    if folder.exists() and not folder.is_dir():
        raise ResourceError(f"--run-dir {folder}: is a file, needs a folder")
    if folder.is_dir() and not all(map(left_by_a_start, folder.iterdir())):
        raise ConfigError(f"--run-dir {folder}: is not empty (use a new folder)")


def write_run_config(folder: Path, config: RunConfig, source: str | None) -> None:
    """Writes config.yaml, and source.yaml as its author wrote it."""
    named = [s for s in ("data", "model", "loss") if getattr(getattr(config, s), "handed", False)]
    head = f"# From Python: {', '.join(named)} handed in; this file alone cannot be trained again."
    text = (f"{head}\n" if named else "") + dump_config(config)
    files.write_file(folder / "config.yaml", seal_text(text, EDITING))
    if source is not None:
        files.write_file(folder / "source.yaml", source)


EDITING = "to train what you changed: nnlab train THIS_FILE; to keep it here: remove this line"


def check_config(folder: Path) -> None:
    """Refuses a config.yaml that was changed behind nnlab's back: the run was not trained by it.

    Raises:
        CheckpointError: with what to do for those who meant it.
    """
    path = folder / "config.yaml"
    if _read_config(folder).sound is False:
        raise CheckpointError(
            [
                f"{path}: has changed since nnlab wrote it, this run's network and data may be "
                "others",
                f"  to train the changed config: nnlab train {path}",
                "  to use the run with it all the same: remove the file's line of # sha256",
            ]
        )


def config_text(folder: Path) -> str:
    """What a run's config.yaml says, without the line of its sum.

    Raises:
        CheckpointError: it cannot be read.
    """
    return _read_config(folder).text


def _read_config(folder: Path) -> SealedText:
    path = folder / "config.yaml"
    try:
        return open_text(files.read_regular(path, limit=_LIMIT, follow=True))
    except UnicodeDecodeError:
        raise CheckpointError(f"{path}: is damaged, it is not UTF-8") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from None


def write_env(folder: Path, facts: dict[str, Any]) -> None:
    """Writes env.json: what decides the bits of the run, and where it came from.

    Of a run that is resumed, `started` and `command` stay, and `resumed` tells those that followed.
    """
    now = {
        "command": sys.argv,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    before = read_env(folder) if (folder / "env.json").exists() else {}
    if before:
        first = {key: before.get(key) for key in now}
        now = {**first, "resumed": [*before.get("resumed", []), now]}
    env = {
        "nnlab": package_version(),
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "git": git_commit(Path.cwd()),
        **now,
        **facts,
    }
    files.write_file(folder / "env.json", seal_json(env, indent=2))


def read_env(folder: Path) -> dict[str, Any]:
    """The content of a run's env.json: versions, device, digests of the data, where it began.

    Raises:
        CheckpointError: if it cannot be read, or was changed.
    """
    try:
        return read_sealed(folder / "env.json")
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder / 'env.json'}: cannot be read: {error}") from None


@contextmanager
def missing_plugins(folder: Path) -> Generator[None]:
    """Adds to a mistake in a run's config which packages its kinds were from, if some are missing.

    Raises:
        ConfigError: with one line more for each package.
    """
    try:
        yield
    except ConfigError as error:
        env = read_env(folder) if (folder / "env.json").exists() else {}
        names = {
            name: package
            for name, package in env.get("plugins", {}).items()
            if any(f"'{name}' is not one of" in line for line in error.lines)
        }
        lines = [f"  {name} was from {package} (install it)" for name, package in names.items()]
        raise ConfigError([*error.lines, *lines]) from None


def begun_config(folder: Path) -> RunConfig | None:
    """The settled config of the run that a folder holds; None where it holds none yet.

    Raises:
        ConfigError: an nnlab of another language wrote it.
    """
    file = folder / "config.yaml"
    if not file.exists():
        return None
    check_config(folder)
    with missing_plugins(folder):
        return load_config(file)


def refuse_changes(folder: Path, begun: RunConfig, config: RunConfig) -> None:
    """Refuses to continue a run under another config; durations and logging may differ.

    Args:
        folder: of the run.
        begun: what it was trained by so far.
        config: what is asked for now, settled.

    Raises:
        ConfigError: naming the fields.
    """
    before = flat_tree(to_plain(begun))
    now = flat_tree(to_plain(config))
    free = (
        *(f"train.{name}" for name in LENGTHS),
        "train.early_stopping",
        "log",
        "diagnose",
        "train.threads",
        "data.workers",
    )
    changed = [
        f"{key}: {before.get(key, 'nothing')} there, {now.get(key, 'nothing')} now"
        for key in sorted({*before, *now})
        if before.get(key) != now.get(key) and not key.startswith(free)
    ]
    if changed:
        head = f"{folder}: holds another experiment (use a new --run-dir)"
        raise ConfigError([head, *(f"  {line}" for line in changed[:8])])


def flat_config(config: RunConfig) -> dict[str, object]:
    """Dotted path -> value, of everything that is one value."""
    return {k: v for k, v in flat_tree(to_plain(config)).items() if v is not None}


def flat_tree(value: Any, path: str = "") -> dict[str, Any]:
    """Dotted path -> value of a tree of plain values; a list of plain values is one, as text."""
    if isinstance(value, dict) and value:
        items = [(f"{path}.{key}" if path else str(key), inner) for key, inner in value.items()]
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        items = [(f"{path}.{index}", inner) for index, inner in enumerate(value)]
    else:
        return {path: str(value) if isinstance(value, list) else value}
    return {key: found for name, inner in items for key, found in flat_tree(inner, name).items()}
