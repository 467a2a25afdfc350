"""What the language's classes say of a place in a config: which keys are valid there.

A place is an error's location: keys, numbers, and the tags of unions, such as `<adam>`.
"""

from functools import lru_cache
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from nnlab.core.errors import Path
from nnlab.core.kinds import (
    Forms,
    Menu,
    annotation_of,
    arms_of,
    is_menu,
    kind_named,
    kinds_having,
)

KEY = "[key]"
"""What pydantic puts behind a key of a mapping that is wrong itself."""


def plain_path(location: tuple[int | str, ...]) -> Path:
    """An error's location without the tags that unions put into it, `<adam>`."""
    # Of thousands of errors in one place only the last parts differ.
    return _plain(location[:-3]) + _plain(location[-3:])


@lru_cache(maxsize=4096)
def _plain(location: tuple[int | str, ...]) -> Path:
    return tuple(part for part in location if not _is_tag(part) and part != KEY)


def fields_at(root: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that are valid at a place of the config."""
    annotation = _at(root, location)
    return list(annotation.model_fields) if _is_model(annotation) else []


def _at(root: type[BaseModel], location: tuple[int | str, ...]) -> Any:
    annotation: Any = root
    for part in location:
        annotation = _inside(annotation, part)
    return annotation


def _inside(annotation: Any, part: int | str) -> Any:
    if _is_model(annotation):
        field = annotation.model_fields.get(part)
        if field is None:
            return None
        # To whoever asks for its keys, `X | None` is X.
        arms = [a for a in arms_of(field.annotation) if a is not type(None)]
        marked = any(isinstance(m, Menu | Forms) for m in field.metadata)
        return arms[0] if len(arms) == 1 and not marked else annotation_of(field)
    if _is_tag(part):
        return _arm(annotation, str(part)[1:-1])
    if get_origin(annotation) is tuple:
        return get_args(annotation)[0]
    if get_origin(annotation) is dict:
        return get_args(annotation)[1]
    arms = [arm for arm in arms_of(annotation) if get_origin(arm) is tuple]
    return get_args(arms[0])[0] if arms else annotation


def _arm(annotation: Any, tag: str) -> Any:
    if is_menu(annotation):
        return kind_named(annotation, tag)
    arms = arms_of(annotation)
    if tag.isdigit():
        return arms[int(tag)]
    return next((kind for arm in arms if is_menu(arm) and (kind := kind_named(arm, tag))), None)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _is_tag(part: int | str) -> bool:
    return isinstance(part, str) and part.startswith("<") and part.endswith(">")


def kinds_with(key: str, location: tuple[int | str, ...], root: type[BaseModel]) -> list[str]:
    """The other kinds of the same menu that have such a key."""
    if len(location) < 2 or not _is_tag(location[-2]):
        return []
    menu = _at(root, location[:-2])
    menus = (menu,) if is_menu(menu) else filter(is_menu, arms_of(menu))
    return [name for one in menus for name in kinds_having(one, key)][:4]


def sections_with(key: str, root: type[BaseModel]) -> list[str]:
    """Where else in the config such a key stands: optimizer.lr."""
    homes: list[str] = []
    for section, field in root.model_fields.items():
        if section == key:
            return ["the top level"]
        whole = annotation_of(field)
        for arm in (whole,) if is_menu(whole) else arms_of(whole):
            if kinds_having(arm, key) if is_menu(arm) else key in getattr(arm, "model_fields", ()):
                homes.append(f"{section}.{key}")
                break
    return homes
