"""Installed packages: nnlab's own files and version, and the packages that bring kinds along.

    [project.entry-points."nnlab.kinds"]        # pyproject.toml of the package
    snake = "nnlab_example.activations:SnakeConfig"

The left side is the kind's name. A package is imported when a config chooses one of its names and
nnlab has none of its own, or when all kinds are listed. What a config, a run folder or a weight
file says only selects among installed packages: it never names a module.
"""

import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint, PackageNotFoundError, distributions, version
from inspect import isabstract
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parents[1]
"""The package; in a checkout its parent is the repository."""

DISTRIBUTION = "nnlab-torch"
"""What `pip install` calls the package. Its metadata stand under this name, not under `nnlab`."""


def package_version() -> str:
    """The version of the installed package, `0+unknown` of a checkout that is not installed."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "0+unknown"


GROUP = "nnlab.kinds"
"""The group of the entry points."""

_REGISTERED: list[type] = []
"""Classes that this process handed over, the newest first."""


class BrokenPluginError(Exception):
    """A kind of an installed package that cannot be used; the text says which and why."""


class Origin(NamedTuple):
    """Where a kind from outside comes from."""

    package: str
    """Its distribution and version; a module where it was registered."""
    entry: str
    """The entry point, module:class."""


def add_kind(kind: type) -> None:
    """Puts a class before all that were registered; one of the same place in the code goes."""
    _REGISTERED[:] = [kind, *(other for other in _REGISTERED if _place(other) != _place(kind))]


def remove_kind(kind: type) -> None:
    """Takes a registered class away again."""
    _REGISTERED.remove(kind)


def outside_state() -> object:
    """What hangs on it which names are known outside: where it is unlike before, look again."""
    return [*_REGISTERED], [*sys.path]


def _place(kind: type) -> tuple[str, str]:
    return kind.__module__, kind.__qualname__


def outside_named(name: str, family: type) -> type | None:
    """The class of a family that goes by a name outside of nnlab.

    Raises:
        BrokenPluginError: a package names it and it cannot be used.
    """
    found = [kind for kind in _REGISTERED if issubclass(kind, family) and name_of(kind) == name]
    if found:
        return found[0]
    loaded = [_load(point) for point in _points() if point.name == name]
    return next((kind for kind in loaded if issubclass(kind, family)), None)


def outside_kinds(family: type) -> Iterator[type]:
    """All classes of a family from outside; those that cannot be used are left out."""
    yield from (kind for kind in _REGISTERED if issubclass(kind, family))
    for point in _points():
        try:
            kind = _load(point)
        except BrokenPluginError:
            continue  # `broken_plugins` tells it
        if issubclass(kind, family):
            yield kind


def broken_plugins() -> list[str]:
    """A sentence for each kind of an installed package that cannot be used."""
    broken: list[str] = []
    for point in _points():
        try:
            _load(point)
        except BrokenPluginError as error:
            broken.append(str(error))
    return broken


def origin_of(kind: type) -> Origin | None:
    """Where a kind comes from, if it is none of nnlab's own."""
    own, qualified = _place(kind)
    if own.partition(".")[0] == __name__.partition(".")[0]:
        return None
    place = f"{own}:{qualified}"
    found = next((point for point in _points() if point.value.replace(" ", "") == place), None)
    return Origin(own if found is None else _package(found), place)


def name_of(kind: type) -> str:
    """The word that chooses a class in YAML; empty for a class without one."""
    fields = getattr(kind, "model_fields", {})
    name = fields["kind"].default if "kind" in fields else ""
    return name if isinstance(name, str) else ""


def unusable(kind: object) -> str:
    """Why something cannot stand on a menu; empty if it can."""
    if not isinstance(kind, type):
        return f"it is {type(kind).__name__}, needs a class"
    if not name_of(kind):
        return f"{kind.__name__} has no name (needs kind: Literal['a_name'] = 'a_name')"
    if isabstract(kind):
        missing = sorted(getattr(kind, "__abstractmethods__", ()))
        return f"{kind.__name__} does not define {', '.join(missing)}"
    try:
        kind.example()  # pyright: ignore[reportAttributeAccessIssue] - whatever has a kind is one
    except Exception as error:
        # Menus, the schema and the studio show it; a field without a default needs one there.
        return f"{kind.__name__}.example() fails with {type(error).__name__}: {error}"
    return ""


def _points() -> tuple[EntryPoint, ...]:
    return _points_on(tuple(sys.path))


@cache
def _points_on(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The entry points of what is installed along a path, which takes some 20 ms to look up."""
    found: dict[tuple[str, str], EntryPoint] = {}
    # What stands earlier on the path hides another version of itself, as it does for imports.
    for package in distributions(path=list(path)):
        for point in package.entry_points:
            if point.group == GROUP:
                found.setdefault((package.name, point.name), point)
    return tuple(sorted(found.values(), key=lambda point: (point.name, point.value)))


def _load(point: EntryPoint) -> type:
    try:
        kind = point.load()
    except Exception as error:
        # Whatever somebody else's module does at its import.
        why = f"{type(error).__name__}: {error}"
        raise _broken(point, why) from None
    if why := unusable(kind):
        raise _broken(point, why)
    if name_of(kind) != point.name:
        raise _broken(point, f"the class calls itself {name_of(kind)!r}")
    return kind


def _broken(point: EntryPoint, why: str) -> BrokenPluginError:
    text = f"{point.name!r} of the package {_package(point)} ({point.value}) cannot be used: {why}"
    return BrokenPluginError(text)


def _package(point: EntryPoint) -> str:
    return "unknown" if point.dist is None else f"{point.dist.name} {point.dist.version}"
