"""Where the values of a config were written, and the errors that point there."""

import pathlib
import re
from collections.abc import ItemsView, Iterator, Mapping, Sequence
from functools import cached_property
from heapq import nsmallest

from nnlab.core.errors import ConfigError, Mistake, Path, dotted_path

_SHOWN = 10
"""So many mistakes are printed at once, and one more where a line would only say that it is left
out."""
_MANY = 100
"""Of more mistakes only the first are written out; some may have the same line."""
_FEW = 50
"""Lookups that cost less than the whole table."""
_ENOUGH = 1000
"""Mistakes of the first variants of a comparison beside which those of the others do not matter."""


class _Laid(Mapping[Path, str]):
    """A table with places that were laid on it; each hides what is inside of it below.

    A few paths are looked up from the top; the whole is worked out for who asks for more.
    """

    def __init__(self, table: Mapping[Path, str], laid: Sequence[Mapping[Path, str]]) -> None:
        self._table, self._laid = table, laid
        self._asked = 0

    def __getitem__(self, path: Path) -> str:
        self._asked += 1
        if self._asked > _FEW:
            return self._whole[path]
        for places in reversed(self._laid):
            if path in places:
                return places[path]
            if any(path[:depth] in places for depth in range(len(path))):
                raise KeyError(path)
        return self._table[path]

    def __iter__(self) -> Iterator[Path]:
        return iter(self._whole)

    def __len__(self) -> int:
        return len(self._whole)

    def items(self) -> ItemsView[Path, str]:
        """Of the whole; Mapping's own would look up each."""
        return self._whole.items()

    @cached_property
    def _whole(self) -> dict[Path, str]:
        hidden_by = {path: i for i, places in enumerate(self._laid) for path in places}
        depths = {len(path) for path in hidden_by}
        whole: dict[Path, str] = {}
        for i, places in enumerate([self._table, *self._laid], start=-1):
            for path, where in places.items():
                for depth in depths:
                    if hidden_by.get(path[:depth], -1) > i:
                        break
                else:
                    whole[path] = where
        return whole


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
        # Of each path of a length, itself and the paths of what it holds, in the order of the file.
        self._below: dict[int, dict[Path, list[Path]]] = {}

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
        if size not in self._below:
            below = self._below[size] = dict[Path, list[Path]]()
            for found in self._values:
                below.setdefault(found[:size], []).append(found)
        inside = self._below[size].get(path, ())
        return {found[size:]: self._values[found] for found in inside}

    @cached_property
    def _keys(self) -> Mapping[Path, str]:
        return self._laid_on(self._tables[0])

    @cached_property
    def _values(self) -> Mapping[Path, str]:
        return self._laid_on(self._tables[1])

    def _laid_on(self, table: Mapping[Path, str]) -> Mapping[Path, str]:
        return _Laid(table, self._laid) if self._laid else table

    @cached_property
    def _first(self) -> dict[Path, str]:
        """Of each path, the first place of what it holds."""
        found: dict[Path, str] = {}
        for path, where in self._values.items():
            # What lies above a path that was met has been met too.
            while path and path not in found:
                found[path] = where
                path = path[:-1]
        return found

    def place(self, path: Path, *, at_key: bool = False) -> str:
        """Where a value is written, or its key; of what is not written, where it could be."""
        where = self._keys.get(path) if at_key else None
        while where is None and path:
            # The key of a value that holds others is a better place than its first key.
            where = self._values.get(path) or self._first.get(path)
            path = path[:-1]
        return where or self._values.get((), self.file)

    def position(self, mistake: Mistake) -> tuple[int, int]:
        """Line and column of a mistake, as `line_position` finds them in its line."""
        place = self.place(mistake.path, at_key=mistake.at_key)
        if ": " not in place and "\n" not in place:
            # Of thousands of mistakes: there the pattern below can fit its end alone.
            parts = place.rsplit(":", 2)
            if len(parts) == 3 and parts[1].isdecimal() and parts[2].isdecimal():
                return int(parts[1]), int(parts[2])
        found = _POSITION.match(f"{place}: ")
        # A mistake in a base is told with its own place.
        return _numbers(found) if found else line_position(self.line(mistake))

    def line(self, mistake: Mistake) -> str:
        """A mistake as it is printed: where it is written, its path, what is wrong."""
        where = self.place(mistake.path, at_key=mistake.at_key)
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
    mistakes = [*dict.fromkeys(mistakes)]
    first = mistakes
    if len(mistakes) > _MANY:
        # Of thousands few are told: only those are written out.
        first = nsmallest(_MANY, mistakes, key=origins.position)
    lines = [origins.line(mistake) for mistake in first]
    return error_of_lines(lines, left_out=len(mistakes) - len(first))


def error_of_lines(
    lines: Sequence[str], *, left_out: int = 0, at_least: bool = False
) -> ConfigError:
    """The error of these lines, from top to bottom, each once; at most ten are told.

    Args:
        lines: of single mistakes.
        left_out: how many more there are, behind these in the file.
        at_least: whether there may be still more than that.
    """
    lines = sorted(dict.fromkeys(lines), key=line_position)
    if len(lines) <= _SHOWN + 1 and not left_out:
        return ConfigError(lines)
    left_out += max(0, len(lines) - _SHOWN)
    more = f"... and {'at least ' if at_least else ''}{left_out} more"
    return ConfigError([*lines[:_SHOWN], more], left_out=left_out)


class Gathered:
    """The mistakes of several readings of one file, as of the variants of a comparison."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}
        self._most = 0
        self._count = 0
        self._readings = 0
        self._hid = False

    def add(self, error: ConfigError) -> None:
        """Takes the mistakes of one of them."""
        told = error.lines[:-1] if error.left_out else error.lines
        self._lines.update(dict.fromkeys(told))
        self._readings += 1
        self._hid = self._hid or error.left_out > 0
        self._most = max(self._most, len(told) + error.left_out)
        self._count += len(told) + error.left_out

    @property
    def enough(self) -> bool:
        """Whether there are so many that nobody will miss those of the rest."""
        return self._count >= _ENOUGH

    def raise_if_any(self) -> None:
        """The error of all of them, each told once.

        Raises:
            ConfigError: there are some.
        """
        if self._lines:
            # Of what several have left out, some may be the same.
            hidden = max(0, self._most - len(self._lines))
            unsure = self.enough or (self._hid and self._readings > 1)
            raise error_of_lines([*self._lines], left_out=hidden, at_least=unsure)


_POSITION = re.compile(r"[^\n]*?:(\d+):(\d+): ")


def _numbers(found: re.Match[str]) -> tuple[int, int]:
    return int(found[1]), int(found[2])


def line_position(line: str) -> tuple[int, int]:
    """Line and column of a message, so that it is read from top to bottom; --set comes first."""
    found = _POSITION.match(line)
    return _numbers(found) if found else (0, 0)


def path_of(name: str) -> Path:
    """The path that a dotted_path name stands for: model.layers.3."""
    return tuple(int(part) if part.isdigit() else part for part in name.split("."))
