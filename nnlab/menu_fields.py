"""`nnlab menu FIELD`: who has a field of a name, with its type, default and meaning."""

from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel

from nnlab import synonyms
from nnlab.base import Kind
from nnlab.choices import annotation_of, is_menu, kinds_of
from nnlab.config import RunConfig
from nnlab.described import MENUS, Described, fields_of, sections
from nnlab.printing import grid, rendered


def page(name: str) -> str:
    """Every field of this name, those that are alike together; empty if there is none."""
    found: dict[tuple[str, Described], list[str]] = {}
    for home, owner, field in _fields():
        if field.name == name:
            found.setdefault((home, field), []).append(owner)
    if not found:
        return ""
    rows = [
        ("\n".join(part for part in (home, ", ".join(owners)) if part), *_cells(field))
        for (home, field), owners in found.items()
    ]
    return rendered(f"{name} (a field)\n", grid(rows, head=("of", "type", "default", "")))


def names() -> list[str]:
    """The names of all fields, each once."""
    return list(dict.fromkeys(field.name for _, _, field in _fields()))


def called_here(word: str) -> str:
    """What a field from elsewhere is called here: `lr`, `units or hidden`; empty if not known."""
    valid = set(names())
    candidates = synonyms.KEYS.get(synonyms.plain(word), ())
    own = [name for name in valid if synonyms.plain(name) == synonyms.plain(word)]
    return " or ".join(dict.fromkeys(c for c in (*own, *candidates) if c in valid and c != word))


def _cells(field: Described) -> tuple[str, str, str]:
    return field.type, field.default or "must be given", field.help


@cache
def _fields() -> tuple[tuple[str, str, Described], ...]:
    """Menu (or nothing), kind (or the place of a section), field."""
    menus = {kind: menu for menu, (union, _) in MENUS.items() for kind in kinds_of(union).values()}
    places = _places()
    return tuple(
        (menus[cls], cls.name(), field) if issubclass(cls, Kind) else ("", places[cls], field)
        for cls in sections()
        for field in fields_of(cls)
    )


def _places() -> dict[type[BaseModel], str]:
    """Where a section stands that is no kind: train, train.early_stopping, optimizer.groups."""
    chosen = {
        kind: where.partition(",")[0]
        for union, where in MENUS.values()
        for kind in kinds_of(union).values()
    }
    places: dict[type[BaseModel], str] = {RunConfig: "the top level"}
    for cls in sections():
        above = chosen[cls] if issubclass(cls, Kind) else places[cls]
        for name, field in cls.model_fields.items():
            for inner in _classes(annotation_of(field)):
                path = name if cls is RunConfig else f"{above}.{name}"
                places.setdefault(inner, path)
    return places


def _classes(annotation: Any) -> Iterator[type[BaseModel]]:
    """The classes in an annotation that no menu offers."""
    if is_menu(annotation):
        return
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not issubclass(annotation, Kind):
            yield annotation
        return
    for inner in get_args(annotation):
        yield from _classes(inner)
