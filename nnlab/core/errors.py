"""The errors with their exit codes, and mistakes at a place of a config."""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

Path = tuple[str | int, ...]
"""Where a value stands in a config: ("model", "layers", 3, "kernel")."""


class NnlabError(Exception):
    """A failure that the user can do something about: shown without a traceback.

    Args:
        lines: one message each, in the form `where: what is wrong, what was found (the way out)`.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, lines: str | Sequence[str]) -> None:
        self.lines: tuple[str, ...] = (lines,) if isinstance(lines, str) else tuple(lines)
        super().__init__("\n".join(self.lines))


class ConfigError(NnlabError):
    """The command line or the config says something that cannot be.

    Args:
        lines: as of every failure; the last one may only say how many are left out.
        left_out: that number, 0 where all are told.
    """

    exit_code = 2

    def __init__(self, lines: str | Sequence[str], *, left_out: int = 0) -> None:
        super().__init__(lines)
        self.left_out = left_out


class DataError(NnlabError):
    """The data are missing, damaged or not fit to train on."""

    exit_code = 3


class CheckpointError(NnlabError):
    """A checkpoint is missing, damaged or belongs to another network."""

    exit_code = 4


class DivergedError(NnlabError):
    """Training left the finite numbers, or a proof failed."""

    exit_code = 5


class ResourceError(NnlabError):
    """Disk, memory, permission, device or lock."""

    exit_code = 6


def dotted_path(path: Path) -> str:
    """A path as people write it: model.layers.3.kernel."""
    return ".".join(str(part) for part in path)


class Mistake(NamedTuple):
    """Something wrong at a place of a config; `load_config` knows where that place is written."""

    path: Path
    text: str
    at_key: bool = False
    """Whether the key itself is wrong, not its value."""


class MistakeError(Exception):
    """What a config means does not fit together; becomes a ConfigError with its place."""

    def __init__(self, path: Path, text: str, *, at_key: bool = False) -> None:
        self.mistake = Mistake(path, text, at_key)
        super().__init__(f"{dotted_path(path)}: {text}")
