"""Every field of the language, and where a section stands that is no choice of kinds."""

from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel

from nnlab.config.described import MENUS, Described, fields_of, language_sections
from nnlab.config.run_config import RunConfig
from nnlab.core.kinds import Kind, annotation_of, is_menu, kinds_of

PLACES = ("", "train", "optimizer", "model", "data", "schedule", "regularize", "loss", "rule")
"""Where a choice from a menu has a path of names; the place most often meant comes first."""
_TOP = "the top level"


@cache
def every_field() -> tuple[tuple[str, str, Described], ...]:
    """Menu (or nothing), kind (or the place of a section), field; in the order of the language."""
    menus = {kind: menu for menu, (union, _) in MENUS.items() for kind in kinds_of(union).values()}
    places = _places()
    return tuple(
        (menus[cls], cls.name(), field) if issubclass(cls, Kind) else ("", places[cls], field)
        for cls in language_sections()
        for field in fields_of(cls)
    )


def dotted_fields() -> dict[str, list[tuple[str, Described]]]:
    """Path -> (kind, field) of each kind that has it, for all that a path of names reaches.

    The kind is empty for the field of a section. What stands in lists (layers, scores,
    augmentations) has no such path.
    """
    found: dict[str, list[tuple[str, Described]]] = {}
    for menu, owner, field in every_field():
        place = MENUS[menu][1] if menu else "" if owner == _TOP else owner
        if menu and place not in PLACES:
            continue
        path = f"{place}.{field.name}" if place else field.name
        found.setdefault(path, []).append((owner if menu else "", field))
    return found


def _places() -> dict[type[BaseModel], str]:
    """Where a section stands that is no kind: train, train.early_stopping, optimizer.groups."""
    chosen = {
        kind: where.partition(",")[0]
        for union, where in MENUS.values()
        for kind in kinds_of(union).values()
    }
    places: dict[type[BaseModel], str] = {RunConfig: _TOP}
    for cls in language_sections():
        above = chosen[cls] if issubclass(cls, Kind) else places[cls]
        for name, field in cls.model_fields.items():
            for inner in _classes(annotation_of(field)):
                path = name if cls is RunConfig else f"{above}.{name}"
                # The first place counts, where one class stands at several.
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
