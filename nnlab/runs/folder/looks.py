"""How often a test split was looked at: each look at it makes its score less of a test.

Every scoring of a run on its test split is written down in the run's own folder, and summed over
the runs beside it that have the same test rows when it is told.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from nnlab.core import files
from nnlab.core.contracts import Examples
from nnlab.core.errors import CheckpointError, ResourceError
from nnlab.runs.folder.find import is_comparison
from nnlab.runs.sums import read_sealed, seal_json

_FORMAT = 1
_FILE = Path("eval") / "looks.json"
_PATIENCE = 10.0
"""Seconds to wait for another process that writes a look down."""


class LookCounts(NamedTuple):
    """How often a test split was scored, this time included.

    Attributes:
        run: with the run at hand, or the runs.
        family: with them and those beside them that have the same test rows.
    """

    run: int
    family: int

    def plain(self) -> dict[str, int]:
        """For JSON."""
        return self._asdict()

    @property
    def sentence(self) -> str:
        """As it is told."""
        text = f"the test split has been evaluated {_times(self.family)} so far"
        others = self.family - self.run
        text += f", {_times(others)} by other runs in the same folder" if others else ""
        return f"{text} (counted because choosing by test scores makes them too good)"


def count_look(run: Path, examples: Examples, *, command: str) -> None:
    """Writes down that the test split was scored; after a crash the look is there or is not.

    Args:
        run: the run's folder.
        examples: its data.
        command: what looked.

    Raises:
        CheckpointError: what was written before cannot be read.
        ResourceError: it cannot be written.
    """
    from filelock import FileLock, Timeout

    path = run / _FILE
    with files.storage_errors(path.parent):
        path.parent.mkdir(exist_ok=True)
        # Two evaluations at once both count: each reads the looks before it and adds its own.
        lock = FileLock(path.with_suffix(".lock"))
        try:
            lock.acquire(timeout=_PATIENCE)
        except Timeout:
            raise ResourceError(f"{path}: another process holds its lock (try again)") from None
    try:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        looks = [*_read(path), {"at": now, "command": command, "rows": fingerprint(examples)}]
        files.write_file(path, seal_json({"format": _FORMAT, "looks": looks}, indent=1))
    finally:
        lock.release()


def fingerprint(examples: Examples) -> str:
    """What names the test rows: SHA-256 of the data's digest and of the row numbers, shortened."""
    return sha256(examples.digest.encode() + examples.rows["test"].tobytes()).hexdigest()[:16]


def looks_so_far(runs: Sequence[Path]) -> LookCounts:
    """How often the test rows that these runs were evaluated on last have been evaluated so far."""
    own = {run.absolute() / _FILE: _read(run / _FILE) for run in runs}
    rows = {looks[-1]["rows"] for looks in own.values() if looks}
    beside = {path: _read(path) for run in runs for path in _beside(run) if path not in own}
    return LookCounts(
        _matching(own.values(), rows), _matching([*own.values(), *beside.values()], rows)
    )


def taken_from(found: dict[str, Any]) -> str:
    """Takes the counts out of what `eval` found; returns their sentence, empty without a count."""
    parts = [part for part in (found, *found.values()) if isinstance(part, dict)]
    numbers = [part.pop("looks") for part in parts if "looks" in part]
    return LookCounts(**numbers[-1]).sentence if numbers else ""


def _matching(found: Iterable[list[dict[str, Any]]], rows: set[str]) -> int:
    return sum(look["rows"] in rows for looks in found for look in looks)


def _beside(run: Path) -> list[Path]:
    """The records of the runs of the same name; a run of a comparison stands one folder deeper."""
    folder = run.absolute().parent
    if is_comparison(folder):
        folder = folder.parent
    return [*folder.glob(f"*/{_FILE}"), *folder.glob(f"*/*/{_FILE}")]


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        found = read_sealed(path, way="remove it to count from 0")
        if found["format"] != _FORMAT:
            text = f"format {found['format']}, this nnlab reads {_FORMAT}"
            raise CheckpointError(f"{path}: {text}")
        return [{**look, "rows": str(look["rows"])} for look in found["looks"]]
    except FileNotFoundError:
        return []
    except (KeyError, TypeError) as error:
        text = f"cannot be read: {error} (remove it to count from 0)"
        raise CheckpointError(f"{path}: {text}") from None


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
