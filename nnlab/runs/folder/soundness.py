"""Which files of a run are what nnlab wrote: `nnlab verify`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from nnlab.core import files
from nnlab.core.errors import CheckpointError, NnlabError
from nnlab.runs.folder.data_json import read_data
from nnlab.runs.folder.find import COMPARISON_FILE, members_of, read_comparison_file
from nnlab.runs.folder.folder import check_config, read_env
from nnlab.runs.folder.metrics import read_history
from nnlab.runs.folder.pointers import (
    KEPT,
    POINTERS,
    Pointer,
    has_record,
    kept_checkpoints,
    pointed_to,
)
from nnlab.runs.folder.summary import read_summary
from nnlab.runs.sums import SUM_KEY, json_is_sound, open_text

State = Literal["sound", "no sum", "damaged"]
_LIMIT = 1 << 30


class FileState(NamedTuple):
    """One file of a run, or one of its checkpoints."""

    file: str
    """Its path in the run's folder."""
    state: State
    why: str = ""
    """What is wrong with it; or why nothing vouches for it."""


def file_states(run: Path) -> list[FileState]:
    """What is sound in the folder of a run or a comparison, file by file.

    `no sum` is what an older nnlab wrote, or what was edited on purpose: it is read all the same.
    """
    found = list(_of_one(run))
    if (run / COMPARISON_FILE).exists() and all(s.state != "damaged" for s in found):
        for member in members_of(run):
            found += [s._replace(file=f"{member.name}/{s.file}") for s in _of_one(member)]
    return found


def _of_one(run: Path) -> Iterator[FileState]:
    readers: dict[str, Callable[[Path], object]] = {
        COMPARISON_FILE: read_comparison_file,
        "summary.json": read_summary,
        "env.json": read_env,
        "data.json": read_data,
    }
    if (run / "config.yaml").exists():
        yield _judged("config.yaml", check_config, run, _text_has_sum(run / "config.yaml"))
    for name, reader in readers.items():
        if (run / name).exists():
            yield _judged(name, reader, run, _json_has_sum(run / name))
    if (run / "metrics.jsonl").exists():
        yield _judged(
            "metrics.jsonl", lambda r: read_history(r / "metrics.jsonl"), run, _record_has_sum(run)
        )
    yield from _findings(run / "findings.jsonl")
    folder = run / "checkpoints"
    if not folder.is_dir():
        return
    from nnlab.runs.folder.checkpoint_files import read_checkpoint  # loads torch

    vouched = has_record(folder)
    for name in POINTERS:
        if (folder / name).exists():
            yield _judged(f"checkpoints/{name}", lambda f, n=name: _follow(f, n), folder, vouched)
    if (folder / KEPT).exists() or vouched:
        kept = _judged(f"checkpoints/{KEPT}", kept_checkpoints, folder, vouched)
        if kept.state == "damaged" or (folder / KEPT).exists():
            yield kept
    for path in sorted(folder.glob("step-*")):
        if not path.name.partition(".")[2]:
            yield _judged(f"checkpoints/{path.name}", read_checkpoint, path, True)


def _follow(folder: Path, name: Pointer) -> None:
    target = pointed_to(folder, name)
    if target is not None and not (folder / target).is_dir():
        raise CheckpointError(f"{folder / name}: names {target}, which is not there")


def _judged(
    name: str, read: Callable[[Path], object], place: Path, vouched: bool | None
) -> FileState:
    try:
        read(place)
    except NnlabError as error:
        return FileState(name, "damaged", error.lines[0])
    except OSError as error:
        return FileState(name, "damaged", f"cannot be read: {error}")
    if vouched:
        return FileState(name, "sound")
    return FileState(name, "no sum", "of an older nnlab, or its sum was taken out")


def _json_has_sum(path: Path) -> bool:
    values = _parsed(path)
    return isinstance(values, dict) and SUM_KEY in values


def _text_has_sum(path: Path) -> bool:
    try:
        return open_text(files.read_regular(path, limit=_LIMIT, follow=True)).sound is not None
    except (OSError, ValueError):
        return False


def _record_has_sum(run: Path) -> bool:
    values = _parsed(run / "summary.json")
    return isinstance(values, dict) and bool(values.get("record"))


def _parsed(path: Path) -> Any:
    try:
        return files.parse_json(files.read_regular(path, limit=_LIMIT, follow=True))
    except (OSError, ValueError):
        return None


def _findings(path: Path) -> Iterator[FileState]:
    if not path.exists():
        return
    name = path.name
    try:
        # Without what stands behind the last line break: the part of a line that a kill left.
        lines = files.read_regular(path, limit=_LIMIT, follow=True).split(b"\n")[:-1]
        sums = {json_is_sound(files.parse_json(line)) for line in lines}
    except (OSError, ValueError, TypeError) as error:
        yield FileState(name, "damaged", f"{path}: {error}")
        return
    if False in sums:
        yield FileState(name, "damaged", f"{path}: a line was changed, its SHA-256 is another")
    elif None in sums:
        yield FileState(name, "no sum", "of an older nnlab, or its sum was taken out")
    else:
        yield FileState(name, "sound")
