"""The edits that the page asks for, by name: what a form, a drag or a button does to the text."""

from collections.abc import Callable, Mapping
from typing import Any

from nnlab.config.overrides import DEFAULT_KINDS, parse_change
from nnlab.config.sections import LENGTHS
from nnlab.config.yaml import parse_yaml
from nnlab.core.errors import ConfigError, Path
from nnlab.studio.text.splice import insert_item, move_item, remove_value, set_value

Edit = Callable[[str, Mapping[str, Any]], str]


def edit_text(text: str, asked: Mapping[str, Any]) -> str:
    """The text after an edit.

    Args:
        text: YAML.
        asked: "do", a name of `EDITS`, and what that needs: "path", "value", "at", "to".

    Raises:
        ConfigError: the text is not YAML, or there is no such edit or place.
    """
    edit = EDITS.get(str(asked.get("do")))
    if edit is None:
        raise ConfigError(f"edit: {asked.get('do')!r} is not one of {', '.join(EDITS)}")
    try:
        return edit(text, asked)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ConfigError(f"edit: there is no such place ({error})") from None


def _path(asked: Mapping[str, Any]) -> Path:
    path = asked["path"]
    if not isinstance(path, list) or not path or not all(isinstance(p, str | int) for p in path):
        raise ValueError("a path is a list of keys and numbers")
    return tuple(path)


def _set(text: str, asked: Mapping[str, Any]) -> str:
    """A value as JSON has it, or as a person has typed it."""
    if "yaml" in asked:
        value = parse_yaml(str(asked["yaml"]), file="value").tree
        return set_value(text, _path(asked), value)
    return set_value(text, _path(asked), asked["value"])


def _remove(text: str, asked: Mapping[str, Any]) -> str:
    return remove_value(text, _path(asked))


def _insert(text: str, asked: Mapping[str, Any]) -> str:
    return insert_item(text, _path(asked), int(asked["at"]), asked["value"])


def _move(text: str, asked: Mapping[str, Any]) -> str:
    return move_item(text, _path(asked), int(asked["at"]), int(asked["to"]))


def _seed(text: str, asked: Mapping[str, Any]) -> str:
    """Another seed, in whichever form it is written."""
    tree = parse_yaml(text, file="text").tree
    section = tree.get("seed") if isinstance(tree, dict) else None
    return set_value(
        text, ("seed", "all") if isinstance(section, dict) else ("seed",), asked["value"]
    )


def _apply(text: str, asked: Mapping[str, Any]) -> str:
    """Changes as `--set` takes them, such as a remedy of the doctor, written into the text.

    In a comparison they would be undone by a variant that says something else: that is said.
    """
    for change in map(parse_change, asked["changes"]):
        path: Path = tuple(int(part) if part.isdigit() else part for part in change.key.split("."))
        tree: Any = parse_yaml(text, file="text").tree
        variants = tree.get("variants") if isinstance(tree, dict) else None
        if isinstance(variants, dict) and any(change.key in own for own in variants.values()):
            way = "choose another variant, or remove variants"
            raise ConfigError(f"edit: the variants decide {change.key} ({way})")
        if path[:-1] == ("train",) and path[-1] in LENGTHS:
            # One length takes the place of another.
            for other in LENGTHS:
                text = remove_value(text, ("train", other)) if other != path[-1] else text
        head = str(path[0])
        if len(path) > 1 and head in DEFAULT_KINDS and isinstance(tree, dict) and head not in tree:
            text = set_value(text, (head,), {"kind": DEFAULT_KINDS[head]})
        text = set_value(text, path, change.value)
    return text


EDITS: Mapping[str, Edit] = {
    "set": _set,
    "remove": _remove,
    "insert": _insert,
    "move": _move,
    "seed": _seed,
    "apply": _apply,
}
