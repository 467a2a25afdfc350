"""The kinds in a config that are not nnlab's own: which, from where, and what code they run."""

import inspect
import sys
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

from nnlab.core import package
from nnlab.core.kinds import Kind


def outside_kinds_in(value: object) -> Iterator[type[Kind]]:
    """The classes in a config that are not nnlab's own, each once."""
    seen: dict[type[Kind], None] = {}

    def visit(value: object) -> None:
        if isinstance(value, Kind) and package.origin_of(type(value)) is not None:
            seen.setdefault(type(value))
        if isinstance(value, BaseModel):
            for name in type(value).model_fields:
                visit(getattr(value, name))
        elif isinstance(value, Mapping):
            for inner in cast("Mapping[Any, object]", value).values():
                visit(inner)
        elif isinstance(value, tuple | list):
            for inner in cast("tuple[object, ...]", value):
                visit(inner)

    visit(value)
    yield from seen


def plugin_versions(config: object) -> dict[str, str]:
    """Kind -> the package and version, or the module, that a config has it from."""
    found = ((kind.name(), package.origin_of(kind)) for kind in outside_kinds_in(config))
    return {name: origin.package for name, origin in found if origin is not None}


def plugin_code(config: object) -> dict[str, str] | None:
    """Kind -> the SHA-256 of the code that it may run; None where that is in no file.

    Of a package all its files are meant: a class seldom stands alone. A class that was put together
    while a program ran (`pydantic.create_model`) is in no file.
    """
    found: dict[str, str] = {}
    for kind in outside_kinds_in(config):
        top = sys.modules.get(kind.__module__.partition(".")[0])
        file = getattr(top, "__file__", None)
        if file is None or top is None:
            return None
        # A script's folder holds anything; a package's holds the package.
        files = (
            sorted(Path(file).parent.rglob("*.py")) if hasattr(top, "__path__") else [Path(file)]
        )
        try:
            digest = sha256(inspect.getsource(kind).encode())
        except OSError:
            return None
        for path in files:
            digest.update(path.read_bytes())
        found[kind.name()] = digest.hexdigest()
    return found
