"""From pydantic's errors to sentences: what is wrong, what was found, what would do."""

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from math import isfinite
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from nnlab.config.fields import KEY, fields_at, kinds_with, plain_path, sections_with
from nnlab.config.words import synonyms
from nnlab.config.words.synonyms import VALUE_SYNONYMS
from nnlab.config.yaml import scalar, without_space
from nnlab.core.errors import Mistake, Path
from nnlab.core.kinds import mapping_text

_EXPLAINED = 40
"""Mistakes that get a sentence of their own; ten are printed, and each costs a search for the word
that was meant."""


def mistakes_of(
    error: ValidationError,
    root: type[BaseModel],
    line_of: Callable[[Path, bool], object] | None = None,
) -> list[Mistake]:
    """All mistakes of a config, in the order of pydantic's report.

    Args:
        error: from `root.model_validate`.
        root: the class of the whole config, to name the keys that are valid at a place.
        line_of: sorts places, with whether the key is meant, as they will be printed: of very many
            mistakes only those that come first are explained.
    """
    return _explained(_open_errors(error), root, line_of)


def _explained(
    found: list[ErrorDetails],
    root: type[BaseModel],
    line_of: Callable[[Path, bool], object] | None,
) -> list[Mistake]:
    places = [_path(details) for details in found]
    # A list whose items are wrong also counts as too short.
    above = _above(places) if any(d["type"] == "too_short" for d in found) else set[Path]()
    unknown = [details["type"] == "extra_forbidden" for details in found]
    order = list(range(len(found)))
    if line_of is not None and len(found) > _EXPLAINED:
        order.sort(key=lambda i: cast("Any", line_of(places[i], unknown[i])))
    explained = set(order[:_EXPLAINED])
    # A key that is only misspelled is not told as missing too.
    meant = {
        (*places[i][:-1], near[0])
        for i in order[:_EXPLAINED]
        if unknown[i] and (near := _near_key(found[i], root))
    }
    mistakes: list[Mistake] = []
    for i, (details, path) in enumerate(zip(found, places, strict=True)):
        kind = details["type"]
        if (kind == "too_short" and path in above) or (kind == "missing" and path in meant):
            continue
        if i in explained:
            mistakes.append(_mistake(details, root))
        else:
            mistakes.append(Mistake(path, details["msg"], at_key=unknown[i]))
    return mistakes


def _above(places: Sequence[Path]) -> set[Path]:
    """All paths that others lie below."""
    found: set[Path] = set()
    for path in places:
        # Most have the same ones above them, which may be many.
        while path and (path := path[:-1]) not in found:
            found.add(path)
    return found


def _open_errors(error: ValidationError) -> list[ErrorDetails]:
    """The errors of a config, with those inside of kinds in place of the one that stands for them.

    Args:
        error: of a class with menus in it.
    """
    found: list[ErrorDetails] = []
    _open(error.errors(include_url=False), (), found)
    return found


def _open(
    errors: list[ErrorDetails], above: tuple[int | str, ...], found: list[ErrorDetails]
) -> None:
    for details in errors:
        place = (*above, *details["loc"])
        if details["type"] == "within":
            context = details.get("ctx", {})
            _open(context["inside"].errors, (*place, context["tag"]), found)
        else:
            found.append({**details, "loc": place} if above else details)


_ROUNDS = 4
"""How deep misspelled kinds may stand inside each other to be seen through."""


def all_mistakes(
    error: ValidationError,
    tree: Mapping[str, Any],
    root: type[BaseModel],
    line_of: Callable[[Path, bool], object] | None = None,
) -> list[Mistake]:
    """All mistakes of a config, also those inside a misspelled kind, by the kind that is meant.

    Args:
        error: from `root.model_validate(tree)`.
        tree: what was validated.
        root: the class of the whole config.
        line_of: sorts places, with whether the key is meant, as they will be printed.
    """
    opened = _open_errors(error)
    found = _with_commas(_explained(opened, root, line_of), tree)
    written: dict[Path, Path] = {}
    for _ in range(_ROUNDS):
        meant, named = _kinds_meant(opened), _keys_meant(opened, root, tree)
        if not meant and not named:
            break
        for path, kind in meant.items():
            tree = _with_kind(tree, path, kind)
        for path, key in named.items():
            tree = _with_key(tree, path, key)
            written[(*path[:-1], key)] = path
        try:
            root.model_validate(tree)
            break
        except ValidationError as other:
            opened = _open_errors(other)
        inside = _explained(opened, root, line_of)
        places = [*meant, *(path for path in written if path not in meant)]
        below = [m for m in inside if _is_below(m.path, places)]
        found = [*dict.fromkeys([*found, *(_as_written(mistake, written) for mistake in below)])]
    return found


def _with_commas(found: list[Mistake], tree: Mapping[str, Any]) -> list[Mistake]:
    """The mistakes, with 0,001 in brackets taken for the number that it is meant to be."""
    for mistake in found:
        *above, key = mistake.path
        if not (mistake.at_key and isinstance(key, str) and key.isdigit()):
            continue
        mapping: Any = tree
        for part in above:
            mapping = mapping[part]
        keys = [*cast("Mapping[str, Any]", mapping)]
        before = keys[keys.index(key) - 1] if key in keys[1:] else None
        if before is None or mapping[key] is not None or not isinstance(mapping[before], int):
            continue
        text = f"a comma ends a value here (write {before}: {mapping[before]}.{key}, with a point)"
        at = (*above, before)
        found = [Mistake(at, text) if m is mistake else m for m in found if m.path != at]
    return found


def _keys_meant(opened: list[ErrorDetails], root: type[BaseModel], tree: Any) -> dict[Path, str]:
    """The paths of unknown keys that hold something, and the keys that are meant."""
    found: dict[Path, str] = {}
    for details in opened[:_EXPLAINED]:
        if details["type"] != "extra_forbidden" or not isinstance(details["input"], dict):
            continue
        path, near = _path(details), _near_key(details, root)
        mapping = tree
        for part in path[:-1]:
            mapping = mapping[part]
        if near is not None and near[0] not in mapping:
            found[path] = near[0]
    return found


def _with_key(tree: Any, path: Path, key: str) -> Any:
    """A copy of plain values in which the key at a path is called otherwise."""
    first, rest = path[0], path[1:]
    if isinstance(tree, Mapping):
        fields = cast("Mapping[Any, Any]", tree)
        if not rest:
            return {key if name == first else name: value for name, value in fields.items()}
        return {**fields, first: _with_key(fields[first], rest, key)}
    items = cast("tuple[Any, ...]", tree)
    return tuple(_with_key(v, rest, key) if i == first else v for i, v in enumerate(items))


def _as_written(mistake: Mistake, written: Mapping[Path, Path]) -> Mistake:
    """A mistake below keys that are meant, at the place where the user wrote others."""
    path = mistake.path
    for size in range(len(path), 0, -1):
        if (old := written.get(path[:size])) is not None:
            path = (*old, *path[size:])
    return mistake._replace(path=path)


def _kinds_meant(opened: list[ErrorDetails]) -> dict[Path, str]:
    """The paths of mappings whose kind is misspelled, and the kinds that are meant."""
    found: dict[Path, str] = {}
    for details in opened[:_EXPLAINED]:
        given: Any = details["input"]
        word = given.get("kind") if isinstance(given, dict) else None
        if details["type"] == "unknown_kind" and isinstance(word, str):
            near = nearest(word, _names(details.get("ctx", {})), VALUE_SYNONYMS)
            if near is not None:
                found[_path(details)] = near[0]
    return found


def _with_kind(tree: Any, path: Path, kind: str) -> Any:
    """A copy of plain values in which the mapping at a path has another kind."""
    if not path:
        return {**tree, "kind": kind} if isinstance(tree, Mapping) else tree
    first, rest = path[0], path[1:]
    if isinstance(tree, Mapping):
        fields = cast("Mapping[Any, Any]", tree)
        return {**fields, first: _with_kind(fields[first], rest, kind)} if first in fields else tree
    if not isinstance(tree, tuple):
        return tree
    items = cast("tuple[Any, ...]", tree)
    return tuple(_with_kind(v, rest, kind) if i == first else v for i, v in enumerate(items))


def _is_below(path: Path, places: Sequence[Path]) -> bool:
    return any(path[: len(place)] == place for place in places)


def _names(context: Mapping[str, Any]) -> list[str]:
    """The names of the menu that a value is not on."""
    names = context.get("names", [])
    return cast("list[str]", names() if callable(names) else names)


def _path(details: ErrorDetails) -> Path:
    location = details["loc"]
    if details["type"] == "extra_forbidden":
        # The user's own key, which may look like a tag.
        return (*plain_path(location[:-1]), location[-1])
    return plain_path(location)


def _near_key(details: ErrorDetails, root: type[BaseModel]) -> tuple[str, bool] | None:
    key, valid = str(details["loc"][-1]), fields_at(root, details["loc"][:-1])
    return nearest(key, valid, synonyms.KEY_SYNONYMS)


def _shown(value: object) -> str:
    """What was found, as the user wrote it: text in quotes, null, true."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return "a list" if value else "an empty list"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, str):
        return f"the text {_short(repr(value))}"
    return _short(repr(value))


_LONGEST = 100
"""Letters of a word that can be a misspelled one; likeness is looked for letter by letter."""


def nearest(
    word: str, valid: list[str], table: Mapping[str, tuple[str, ...]]
) -> tuple[str, bool] | None:
    """The valid word that was meant by an unknown one, and whether it is only a guess.

    Args:
        word: that is on no menu.
        valid: the menu.
        table: `KEY_SYNONYMS` or `VALUE_SYNONYMS`.
    """
    if len(word) > _LONGEST:
        return None
    return _nearest(word, tuple(valid), table is synonyms.KEY_SYNONYMS)


@lru_cache(maxsize=4096)
def _nearest(word: str, valid: tuple[str, ...], is_key: bool) -> tuple[str, bool] | None:
    # The same words are asked for again: to explain, to look below, in each variant.
    table = synonyms.KEY_SYNONYMS if is_key else VALUE_SYNONYMS
    if known := synonyms.known_as(word, valid, table):
        return known, False
    # Letters that changed places (adma, mpl) say more than a likeness: adam before adamax; and a
    # short word is hardly like itself then.
    swapped = [name for name in valid if sorted(name) == sorted(word.lower())]
    if close := swapped or get_close_matches(word.lower(), valid, n=1, cutoff=0.7):
        return close[0], True
    # Mistyped, and from elsewhere at that: learning_rte.
    others = get_close_matches(synonyms.plain_word(word), table, n=1, cutoff=0.85)
    known = synonyms.known_as(others[0], valid, table) if others else None
    return (known, True) if known else None


def not_one_of(word: object, valid: list[str]) -> str:
    """The sentence for a value that is on no menu."""
    found = repr(word) if isinstance(word, str) else _shown(word)
    text = f"{_short(found)} is not one of {_listed(valid)}"
    if not isinstance(word, str | bool):
        return text
    name = str(word).lower() if isinstance(word, bool) else word
    if "activation" in valid and (
        way_out := synonyms.LAYER_SYNONYMS.get(synonyms.plain_word(name))
    ):
        return f"{found} {way_out}"
    match nearest(name, valid, VALUE_SYNONYMS):
        case (known, False):
            return f"{found} is called {known} here"
        case (near, True):
            return f"{text} (did you mean {near}?)"
        case _:
            return text


def unknown_key(location: tuple[int | str, ...], root: type[BaseModel]) -> str:
    """The sentence for a key that does not exist at its place."""
    key, valid = str(location[-1]), fields_at(root, location[:-1])
    if why := without_space(key):
        return why
    if "." in key and key.partition(".")[0] in valid:
        first, _, rest = key.partition(".")
        return f"unknown key (write {first}: {{{rest}: ...}})"
    place = synonyms.ELSEWHERE.get(synonyms.plain_word(key))
    if place and synonyms.known_as(key, valid, synonyms.KEY_SYNONYMS) is None:
        if others := kinds_with(key, location, root):
            return f"{str(location[-2])[1:-1]} has no {key} ({' and '.join(others)} can; {place})"
        return f"unknown key here ({place})"
    match nearest(key, valid, synonyms.KEY_SYNONYMS):
        case (known, False):
            return f"{key} is called {known} here"
        case (near, True):
            return f"unknown key (did you mean {near}?)"
        case _:
            pass
    known_are = f"known are {_listed(valid)}" if valid else ""
    if others := kinds_with(key, location, root):
        own = str(location[-2])[1:-1]
        return f"{own} has no {key} ({' and '.join(others)} can; {known_are})"
    if homes := sections_with(key, root):
        return f"unknown key here (it belongs in {' or '.join(homes)})"
    return f"unknown key ({known_are})" if valid else "unknown key"


_NO_MAPPING = ("unknown_kind", "model_type", "model_attributes_type", "dict_type", "form")
"""What pydantic says of a text where a mapping could stand."""


def _mistake(details: ErrorDetails, root: type[BaseModel]) -> Mistake:
    path, found, kind = _path(details), details["input"], details["type"]
    context = details.get("ctx", {})
    if kind == "extra_forbidden":
        return Mistake(path, unknown_key(details["loc"], root), at_key=True)
    if kind == "missing":
        return Mistake(path, "is missing and has no default")
    if isinstance(found, str) and kind in _NO_MAPPING and (why := without_space(found)):
        return Mistake(path, why)
    if kind == "unknown_kind":
        found = found.get("kind") if isinstance(found, dict) else found
        if isinstance(details["input"], dict):
            path = (*path, "kind")
        return Mistake(path, not_one_of(found, _names(context)))
    if kind == "kind_missing":
        for key in found if isinstance(found, dict) else ():
            if why := without_space(str(key)):
                return Mistake((*path, str(key)), why, at_key=True)
        return Mistake(path, f"needs kind, one of {_listed(_names(context))}")
    if kind == "literal_error":
        # pydantic says the words in a sentence: 'a', 'b' or 'c'.
        valid = [part.strip("'") for part in context["expected"].replace(" or ", ", ").split(", ")]
        return Mistake(path, not_one_of(found, valid))
    if kind in _RANGES:
        got = f"one of {len(found)}" if isinstance(found, tuple) and found else _plain(found)
        return Mistake(path, f"must be {_RANGES[kind](context)}, got {got}")
    if kind == "model_type" and (keys := fields_at(root, details["loc"])):
        if found is None and isinstance(path[-1], str):
            return Mistake(path, f"has nothing below it, such as {keys[0]}: ... (or leave it out)")
        return Mistake(path, f"needs {mapping_text(keys)}, got {_shown(found)}")
    if kind in _TYPES:
        return Mistake(path, f"must be {_TYPES[kind]}, got {_shown(found)}{_way_out(kind, found)}")
    message = details["msg"]
    if (
        kind == "form"
        and isinstance(found, str)
        and nearest(found, _names(context), VALUE_SYNONYMS)
    ):
        return Mistake(path, not_one_of(found, _names(context)))
    if kind in ("form", "duration"):
        message = f"{message}, got {_shown(found)}{_form_way_out(message, found)}"
        if found is None and "with kind" in message:
            message = f"{message} (or leave it out)"
    return Mistake(path, message, at_key=details["loc"][-1:] == (KEY,))


def _plain(found: object) -> str:
    return _shown(found) if isinstance(found, tuple) else _short(repr(found))


_Context = Mapping[str, Any]
_RANGES: dict[str, Callable[[_Context], str]] = {
    "greater_than": lambda c: f"greater than {_number(c['gt'])}",
    "greater_than_equal": lambda c: f"at least {_number(c['ge'])}",
    "less_than": lambda c: f"less than {_number(c['lt'])}",
    "less_than_equal": lambda c: f"at most {_number(c['le'])}",
    "finite_number": lambda _: "a finite number",
    "too_short": lambda c: f"a list of at least {c['min_length']}",
    "too_long": lambda c: f"a list of at most {c['max_length']}",
    "string_pattern_mismatch": lambda c: f"text of the form {c['pattern']}",
    "string_too_long": lambda c: f"text of at most {c['max_length']} characters",
    "string_too_short": lambda c: f"text of at least {c['min_length']} characters",
}
_TYPES: dict[str, str] = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "none_required": "null",
}


def _form_way_out(message: str, found: object) -> str:
    """The number without quotes, the single value as a list."""
    if "number" in message:
        return _way_out("int_type" if "a whole number" in message else "float_type", found)
    if "needs text" in message and isinstance(found, int | float):
        shown = str(found).lower() if isinstance(found, bool) else str(found)
        return f' (write "{shown}", in quotes)'
    if "a list" in message and isinstance(found, str | int) and not isinstance(found, bool):
        return f" (write [{found}])" if len(str(found)) < 40 else ""
    return ""


def _way_out(kind: str, found: object) -> str:
    if kind in ("int_type", "float_type") and isinstance(found, str):
        text = found.strip().replace("_", "").lstrip("+") or "0"
        text = text.lstrip("0") or "0" if text.isdigit() else text
        if kind == "float_type" and re.fullmatch(r"[-+]?\d+,\d+", found):
            return f" (write {found.replace(',', '.')})"
        number = scalar(text)
        if isinstance(number, str | bool) or number is None or not isfinite(number):
            return ""  # nan and inf are words to YAML, with or without quotes
        if kind == "int_type" and not float(number).is_integer():
            return ""
        text = str(int(number)) if kind == "int_type" else text
        return f" (write {text}, without quotes)" if len(text) < 40 else ""
    if kind == "int_type" and isinstance(found, float) and found.is_integer():
        return f" (write {int(found)})"
    words = {"yes": "true", "on": "true", "no": "false", "off": "false"}
    if kind == "bool_type" and isinstance(found, str) and found.lower() in words:
        return f" (write {words[found.lower()]})"
    if kind == "tuple_type" and isinstance(found, str) and len(found) < 40:
        return f" (write [{found}])"
    if kind == "string_type" and not isinstance(found, tuple | dict | None):
        return " (put it in quotes)"
    return ""


def _listed(names: list[str], limit: int = 16) -> str:
    names = sorted(names)
    return ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")


def _short(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[:limit] + "..."


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"
