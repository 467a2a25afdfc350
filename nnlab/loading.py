"""From a file, a bundled name or a dict, with overrides, to a `RunConfig`."""

import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from pydantic import ValidationError

from nnlab import yaml
from nnlab.base import ConfigError, Mistake, Path
from nnlab.config import Origins, RunConfig
from nnlab.mistakes import mistakes_of
from nnlab.overrides import apply
from nnlab.parts.datasets.family import Place

SHOWN = 10
"""How many mistakes are printed at once."""


class Text(NamedTuple):
    """A config as written."""

    text: str
    file: str
    """How to call it in errors."""
    folder: pathlib.Path
    """Where its relative paths start."""
    name: str
    """The name that a run gets if the config gives none."""


def bundled() -> dict[str, pathlib.Path]:
    """The configs that come with nnlab, by name; in a checkout and in an installed package."""
    package = pathlib.Path(__file__).parent
    for folder in (package / "configs", package.parent / "configs"):
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    return {}


def read_text(source: str | pathlib.Path) -> Text:
    """The text of a config: a file, a bundled name, or `-` for standard input.

    Raises:
        ConfigError: if there is no such file or it cannot be read.
    """
    if str(source) == "-":
        import sys

        data = sys.stdin.buffer.read(yaml.MAX_BYTES + 1)
        return Text(_decoded(data, "<stdin>"), "<stdin>", pathlib.Path.cwd(), "stdin")
    path = pathlib.Path(source)
    known = bundled()
    try:
        if str(source) in known and not path.exists():
            path = known[str(source)]
        # Not the whole file, which may be large, or a device without an end.
        with path.open("rb") as file:
            data = file.read(yaml.MAX_BYTES + 1)
    except FileNotFoundError:
        near = get_close_matches(str(source), list(known), n=1)
        hint = f"did you mean {near[0]}?" if near else "nnlab new lists the bundled ones"
        raise ConfigError(f"{source}: no such file or bundled config ({hint})") from None
    except IsADirectoryError:
        raise ConfigError(f"{source}: is a folder, needs a YAML file") from None
    except OSError as error:
        raise ConfigError(f"{source}: {error.strerror or error}") from None
    shown = str(source) if str(source) not in known else _shown(path)
    return Text(_decoded(data, shown), shown, path.resolve().parent, path.stem)


def _decoded(data: bytes, shown: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # The YAML reader says where, and that it is too large where it is.
        yaml.parse(data, file=shown)
        raise


def _shown(path: pathlib.Path) -> str:
    try:
        return str(path.relative_to(pathlib.Path.cwd()))
    except ValueError:
        return str(path)


def load_config(
    source: str | pathlib.Path | Mapping[str, Any] | RunConfig, overrides: Sequence[str] = ()
) -> RunConfig:
    """Reads and checks the syntax, the keys and the types of a config.

    Args:
        source: a path, a bundled name, or the config itself as a mapping.
        overrides: `optimizer.lr=0.01`, as `--set` takes them.

    Raises:
        ConfigError: with every mistake of the first stage that has one.
    """
    if isinstance(source, RunConfig):
        return source
    if isinstance(source, Mapping):
        return from_tree(_tuples(source), Origins("config", {}, {}), overrides, name="run")
    text = read_text(source)
    return from_text(text, overrides)


def from_text(text: Text, overrides: Sequence[str] = ()) -> RunConfig:
    """Likewise, from a text that has been read."""
    document = yaml.parse(text.text, file=text.file)
    marks = document.marks
    origins = Origins(
        text.file,
        {path: f"{text.file}:{mark.line}:{mark.column}" for path, mark in marks.keys.items()},
        {path: f"{text.file}:{mark.line}:{mark.column}" for path, mark in marks.values.items()},
        text.folder,
    )
    if not isinstance(document.tree, dict):
        found = "a list" if isinstance(document.tree, tuple) else "one value"
        found = "nothing" if document.tree is None else found
        what = f"needs a mapping with data and model, found {found}"
        raise ConfigError(origins.line(Mistake((), what)))
    return from_tree(document.tree, origins, overrides, name=text.name)


def from_tree(
    tree: dict[str, Any], origins: Origins, overrides: Sequence[str], *, name: str
) -> RunConfig:
    """Applies overrides to a tree of plain values and validates it.

    Raises:
        ConfigError: unknown keys, wrong types and ranges, all at once.
    """
    tree, origins = apply(tree, overrides, origins)
    try:
        config = RunConfig.model_validate(tree)
    except ValidationError as error:
        raise located(mistakes_of(error, RunConfig), origins) from None
    if config.name is None:
        fitting = "".join(c if re.match(r"[A-Za-z0-9_.-]", c) else "-" for c in name)
        fitting = fitting.lstrip("_.-")[:100] or "run"
        config = config.model_copy(update={"name": fitting})
    return config.written(origins)


def located(mistakes: Sequence[Mistake], origins: Origins) -> ConfigError:
    """The error for these mistakes, each at its place; at most ten are told."""
    lines = sorted((origins.line(mistake) for mistake in mistakes), key=_position)
    more = len(lines) - SHOWN
    return ConfigError([*lines[:SHOWN], *([f"... and {more} more"] if more > 0 else [])])


def _position(line: str) -> tuple[int, int]:
    """Line and column of a message, so that it is read from top to bottom; --set comes first."""
    found = re.match(r"[^\n]*?:(\d+):(\d+): ", line)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def path_of(name: str) -> Path:
    """The path that a dotted name stands for: model.layers.3."""
    return tuple(int(part) if part.isdigit() else part for part in name.split("."))


def place_for(folder: pathlib.Path) -> Place:
    """Where data may lie: `NNLAB_DATA`, else the user's cache folder."""
    from platformdirs import user_cache_path

    cache = user_cache_path("nnlab", appauthor=False)
    root = os.environ.get("NNLAB_DATA")
    return Place(folder, pathlib.Path(root).resolve() if root else cache / "data", cache)


def _tuples(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _tuples(inner) for key, inner in value.items()}
    return tuple(_tuples(inner) for inner in value) if isinstance(value, list | tuple) else value
