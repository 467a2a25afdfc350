"""What `--epochs 3` and its like stand for: any field of a config, by `--set`."""

import shlex
from collections.abc import Sequence

from nnlab.config import synonyms
from nnlab.config.described import MENUS
from nnlab.config.every_field import every_field

_PLACES = ("", "train", "optimizer", "model", "data", "schedule", "regularize", "loss", "rule")
"""Of fields of one name the first place is meant: the rate of the optimizer, not of a rule."""
_TOP = "the top level"
_FEW = 4


def set_in_place_of(command: str, option: str, words: Sequence[str]) -> str:
    """The sentence that names the `--set`; empty if no field is called so, here or elsewhere.

    Args:
        command: where the option was given: "train".
        option: "--batch-size".
        words: of the command line, to find the value in.
    """
    found = _field_named(option.removeprefix("--"))
    if found is None:
        return ""
    path, kinds = found
    setting = shlex.quote(f"{path}={_value_of(option, words)}")
    only = f"; {', '.join(kinds)} {'has' if len(kinds) == 1 else 'have'} it" if kinds else ""
    return f"{command} {option}: is no option but a field of the config (--set {setting}{only})"


def _field_named(word: str) -> tuple[str, tuple[str, ...]] | None:
    """The path of a field, and the kinds that alone have it; () for many."""
    paths = _paths()
    dotted = word.replace("-", "_")
    if dotted in paths:
        return dotted, paths[dotted]
    valid = list(dict.fromkeys(path.rpartition(".")[2] for path in paths))
    name = dotted if dotted in valid else synonyms.known_as(word, valid, synonyms.KEY_SYNONYMS)
    if name is None:
        return None
    places = [path.rpartition(".")[0] for path in paths if path.rpartition(".")[2] == name]
    place = min(places, key=lambda p: _PLACES.index(p) if p in _PLACES else len(_PLACES))
    path = f"{place}.{name}" if place else name
    return path, paths[path]


def _paths() -> dict[str, tuple[str, ...]]:
    """Every field that `--set` reaches by a path of names, and the kinds that have it if few do.

    What stands in lists (layers, scores, augmentations) has no such path.
    """
    owners: dict[str, list[str]] = {}
    for menu, owner, field in every_field():
        place = MENUS[menu][1] if menu else "" if owner == _TOP else owner
        if menu and place not in _PLACES:
            continue
        path = f"{place}.{field.name}" if place else field.name
        owners.setdefault(path, [])
        if menu:
            owners[path].append(owner)
    # A field of many kinds, as lr is, is no surprise: naming them all would hide the answer.
    return {path: tuple(found) if len(found) <= _FEW else () for path, found in owners.items()}


def _value_of(option: str, words: Sequence[str]) -> str:
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
        if word == option and following and not following.startswith("--"):
            return following
    return "VALUE"
