"""Where the values of a config were written, and the errors that point there."""

import pathlib
import re
from collections.abc import Mapping, Sequence

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
        self._keys = keys
        self._values = values

    def __eq__(self, other: object) -> bool:
        """Always: where a config was written does not make it another (pydantic compares it)."""
        return isinstance(other, Origins)

    def replaced(self, places: Mapping[Path, str]) -> "Origins":
        """The origins where these values (with all inside them) come from elsewhere."""
        kept = [
            {p: w for p, w in table.items() if not any(p[: len(new)] == new for new in places)}
            for table in (self._keys, self._values)
        ]
        return Origins(self.file, {**kept[0], **places}, {**kept[1], **places}, self.folder)

    def under(self, other: "Origins") -> "Origins":
        """The origins with the places of another file wherever that says something."""
        keys, values = {**self._keys, **other._keys}, {**self._values, **other._values}
        return Origins(other.file, keys, values, other.folder)

    def inside(self, path: Path) -> dict[Path, str]:
        """The places of a value and of all that it holds, by the rest of their paths."""
        size = len(path)
        return {p[size:]: where for p, where in self._values.items() if p[:size] == path}

    def line(self, mistake: Mistake) -> str:
        """A mistake as it is printed: where it is written, its path, what is wrong."""
        path = mistake.path
        where = self._keys.get(path) if mistake.at_key else None
        while where is None and path:
            # The key of a value that holds others is a better place than its first key.
            inside = (place for p, place in self._values.items() if p[: len(path)] == path)
            where = self._values.get(path) or next(inside, None)
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
