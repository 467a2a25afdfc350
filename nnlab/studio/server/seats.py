"""The seats of a classroom: each a session of its own with a folder that nothing leads out of."""

import json
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnlab.core import files
from nnlab.core.errors import CheckpointError
from nnlab.core.reach import REACH_VARIABLE, reach_only
from nnlab.runs.folder.find import runs_kept_in
from nnlab.studio.limits import Limits

_DRAFT = "draft.json"
_LETTERS = 9
"""Random bytes of a seat's token: 72 bits, and short enough to be typed."""


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a session lives.

    Attributes:
        number: from 1 on.
        token: in its address.
        home: where its runs and tables are.
        reach: what its configs may name besides: data for all.
        limits: what it may take.
    """

    number: int
    token: str
    home: Path
    reach: tuple[Path, ...]
    limits: Limits

    @contextmanager
    def entered(self) -> Generator[None]:
        """Within it runs are those of this seat, and configs read nothing outside."""
        with runs_kept_in(self.home), reach_only(self.home, *self.reach):
            yield

    @property
    def environment(self) -> dict[str, str]:
        """What its training process has of the same."""
        folders = os.pathsep.join(str(path.resolve()) for path in (self.home, *self.reach))
        return {"NNLAB_RUNS": str(self.home), REACH_VARIABLE: folders}

    def kept_text(self, first: str) -> str | None:
        """The text as it was when the server ended, if the class began with the same one then."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            found = json.loads((self.home / _DRAFT).read_text())
            return str(found["text"]) if found["first"] == first else None
        return None

    def keep_text(self, first: str, text: str) -> None:
        """Keeps the text, and what the class began with."""
        with suppress(OSError):  # a full disk is said where a run begins
            (self.home / _DRAFT).write_text(json.dumps({"first": first, "text": text}))

    def used(self) -> int:
        """Bytes in its folder."""
        total = 0
        for folder, _, names in os.walk(self.home):
            for name in names:
                with suppress(OSError):  # removed meanwhile
                    total += (Path(folder) / name).lstat().st_size
        return total


def make_seats(
    folder: Path, count: int, reach: tuple[Path, ...], limits: Limits
) -> tuple[str, list[Seat]]:
    """The teacher's token and the seats; a class that was there before keeps its addresses.

    Args:
        folder: of the class; each seat gets a folder in it.
        count: of seats.
        reach: what configs of all seats may name besides their own folders.
        limits: of each.

    Raises:
        ResourceError: the folder cannot be written.
    """
    path = folder / "class.json"
    with files.storage_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    known = _known(path)
    teacher = str(known.get("teacher") or secrets.token_urlsafe(24))
    tokens = [str(token) for token in known.get("seats", ())]
    tokens += [secrets.token_urlsafe(_LETTERS) for _ in range(count - len(tokens))]
    files.write_file(path, json.dumps({"teacher": teacher, "seats": tokens}))
    seats: list[Seat] = []
    for number, token in enumerate(tokens[:count], start=1):
        home = (folder / f"{number:02}").absolute()
        home.mkdir(exist_ok=True)
        seats.append(Seat(number, token, home, reach, limits))
    return teacher, seats


def _known(path: Path) -> dict[str, Any]:
    try:
        found = files.parse_json(files.read_regular(path, limit=1 << 20))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        why = "remove it, and all get new addresses"
        raise CheckpointError(f"{path}: cannot be read: {error} ({why})") from None
    return found if isinstance(found, dict) else {}
