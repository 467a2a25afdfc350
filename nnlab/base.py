"""What every file may use: `Config`, the errors with their exit codes, `lazy`, `seed_for`."""

import importlib
from collections.abc import Mapping, Sequence
from hashlib import sha256
from types import ModuleType
from typing import ClassVar, NamedTuple, Self

from pydantic import BaseModel

Path = tuple[str | int, ...]
"""Where a value stands in a config: ("model", "layers", 3, "kernel")."""


class Config(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True
):
    """A section of the language: its fields are its YAML keys.

    Its validator is built when it is first used: a config uses some twenty of over a hundred.
    """


class Kind(Config, frozen=True):
    """One entry of a menu: the class docstring is its help, `build()` makes the torch object.

    Attributes:
        replaces: sections that have no meaning beside this kind: name -> why. They are refused
            where they are written, and left out of the settled config.
        handed: whether it stands for an object that Python hands in and no file holds.
    """

    replaces: ClassVar[Mapping[str, str]] = {}
    handed: ClassVar[bool] = False
    kind: str

    @classmethod
    def example(cls) -> Self:
        """An instance to show and to test with; the defaults, unless a field has none."""
        return cls()  # pyright: ignore[reportCallIssue]

    @classmethod
    def name(cls) -> str:
        """The word that chooses this kind in YAML."""
        return cls.model_fields["kind"].default


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
    """The command line or the config says something that cannot be."""

    exit_code = 2


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


class _Lazy(ModuleType):
    """A module that is imported when its first attribute is asked for."""

    def __getattr__(self, name: str) -> object:
        return getattr(importlib.import_module(self.__name__), name)


def lazy(name: str) -> ModuleType:
    """The module `name`, imported at first use.

    Beside it stands `if TYPE_CHECKING: import torch`, so that type checkers see the real one.
    """
    return _Lazy(name)


def seed_for(seed: int, purpose: str, counter: int = 0) -> int:
    """A seed of its own for each purpose and counter, in [0, 2^63).

    The first 63 bits of SHA-256: streams of neighbouring seeds, purposes and counters have nothing
    in common, which seed + 1 does not promise.

    Args:
        seed: the user's seed.
        purpose: what is drawn: "init", "split", "order", "dropout", "augment".
        counter: the epoch for "order", the step for "dropout", the example for "augment", else 0.
    """
    digest = sha256(f"{seed}/{purpose}/{counter}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def dotted(path: Path) -> str:
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
        super().__init__(f"{dotted(path)}: {text}")
