"""Where the values of a config were written, and the errors that point there."""

import pathlib
import re
from collections.abc import Mapping, Sequence
from functools import cached_property

from nnlab.core.errors import ConfigError, Mistake, Path, dotted_path

_SHOWN = 10
"""So many mistakes are printed at once, and one more where a line would only say that it is left
out."""


class Origins:
    """Where the values of a config were written: `configs/mnist.yaml:12:15`, `--set lr=0`.

    Args:
        file: how to call the whole.
        keys: places of the keys, by path.
        values: places of the values.
        folder: where its relative paths start; None is the current folder.
    """

    def __init__(
        self,
        file: str,
        keys: Mapping[Path, str],
        values: Mapping[Path, str],
        folder: pathlib.Path | None = None,
    ) -> None:
        self.file = file
        self.folder = folder or pathlib.Path.cwd()
        self._tables = keys, values
        self._laid: list[Mapping[Path, str]] = []

    def __eq__(self, other: object) -> bool:
        """Always: where a config was written does not make it another (pydantic compares it)."""
        return isinstance(other, Origins)

    def replaced(self, places: Mapping[Path, str]) -> "Origins":
        """The origins where these values (with all inside them) come from elsewhere."""
        found = Origins(self.file, *self._tables, self.folder)
        # Carried out when somebody asks: of a hundred variants without a mistake nobody does.
        found._laid = [*self._laid, places]
        return found

    def under(self, other: "Origins") -> "Origins":
        """The origins with the places of another file wherever that says something."""
        keys, values = {**self._keys, **other._keys}, {**self._values, **other._values}
        return Origins(other.file, keys, values, other.folder)

    def without(self, sections: Sequence[str]) -> "Origins":
        """The origins of all but some sections."""
        keys, values = (
            {path: where for path, where in table.items() if not path or path[0] not in sections}
            for table in (self._keys, self._values)
        )
        return Origins(self.file, keys, values, self.folder)

    def inside(self, path: Path) -> dict[Path, str]:
        """The places of a value and of all that it holds, by the rest of their paths."""
        size = len(path)
        return {found[size:]: self._values[found] for found in self._below.get(path, ())}

    @cached_property
    def _keys(self) -> Mapping[Path, str]:
        return self._laid_on(self._tables[0])

    @cached_property
    def _values(self) -> Mapping[Path, str]:
        return self._laid_on(self._tables[1])

    def _laid_on(self, table: Mapping[Path, str]) -> Mapping[Path, str]:
        for places in self._laid:
            kept = {
                path: where
                for path, where in table.items()
                if not any(path[:depth] in places for depth in range(len(path) + 1))
            }
            table = {**kept, **places}
        return table

    @cached_property
    def _below(self) -> dict[Path, list[Path]]:
        """Of each path, itself and the paths of what it holds, in the order of the file."""
        found: dict[Path, list[Path]] = {}
        for path in self._values:
            for depth in range(len(path) + 1):
                found.setdefault(path[:depth], []).append(path)
        return found

    def line(self, mistake: Mistake) -> str:
        """A mistake as it is printed: where it is written, its path, what is wrong."""
        path = mistake.path
        where = self._keys.get(path) if mistake.at_key else None
        while where is None and path:
            # The key of a value that holds others is a better place than its first key.
            where = self._values.get(path) or next(iter(self.inside(path).values()), None)
            path = path[:-1]
        where = where or self._values.get((), self.file)
        text = mistake.text
        name = _printable(dotted_path(mistake.path))
        if not name:
            return f"{where}: {text}"
        joint = " " if text.startswith("(") else ": "
        return f"{where}: {name}{joint}{text}"


def _printable(name: str) -> str:
    """A path with whatever a file may have as a key, fit for a terminal."""
    name = name if name.isprintable() else repr(name)[1:-1]
    return name if len(name) <= 120 else name[:120] + "..."


def error_at_places(mistakes: Sequence[Mistake], origins: Origins) -> ConfigError:
    """The error for these mistakes, each at its place; at most ten are told."""
    return error_of_lines([origins.line(mistake) for mistake in mistakes])


def error_of_lines(lines: Sequence[str]) -> ConfigError:
    """The error of these lines, from top to bottom, each once; at most ten are told."""
    lines = sorted(dict.fromkeys(lines), key=line_position)
    if len(lines) <= _SHOWN + 1:
        return ConfigError(lines)
    return ConfigError([*lines[:_SHOWN], f"... and {len(lines) - _SHOWN} more"])


def line_position(line: str) -> tuple[int, int]:
    """Line and column of a message, so that it is read from top to bottom; --set comes first."""
    found = re.match(r"[^\n]*?:(\d+):(\d+): ", line)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def path_of(name: str) -> Path:
    """The path that a dotted_path name stands for: model.layers.3."""
    return tuple(int(part) if part.isdigit() else part for part in name.split("."))
