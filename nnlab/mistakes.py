"""From pydantic's errors to sentences: what is wrong, what was found, what would do."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from nnlab import synonyms
from nnlab.base import Kind, Mistake, Path
from nnlab.choices import arms_of, is_menu, kinds_of


def mistakes_of(error: ValidationError, root: type[BaseModel]) -> list[Mistake]:
    """All mistakes of a config, in the order of pydantic's report.

    Args:
        error: from `root.model_validate`.
        root: the class of the whole config, to name the keys that are valid at a place.
    """
    found = error.errors(include_url=False)
    places = [plain_path(details["loc"]) for details in found]

    def repeated(details: ErrorDetails, path: Path) -> bool:
        # A list whose items are wrong also counts as too short.
        inside = any(len(p) > len(path) and p[: len(path)] == path for p in places)
        return details["type"] == "too_short" and inside

    pairs = zip(found, places, strict=True)
    return [_mistake(details, root) for details, path in pairs if not repeated(details, path)]


def plain_path(location: tuple[int | str, ...]) -> Path:
    """An error's location without the tags of unions (see `choices`)."""
    return tuple(part for part in location if not _is_tag(part))


def shown(value: object) -> str:
    """What was found, as the user wrote it: text in quotes, null, true."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return "a list"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, str):
        return f"the text {_short(repr(value))}"
    return _short(repr(value))


def nearest(word: str, valid: list[str], table: Mapping[str, tuple[str, ...]]) -> str:
    """The hint behind an unknown word: a known synonym, the nearest name, or nothing."""
    if known := synonyms.known_as(word, valid, dict(table)):
        return f"{word} is called {known} here"
    close = get_close_matches(word.lower(), valid, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else ""


def not_one_of(word: object, valid: list[str]) -> str:
    """The sentence for a value that is on no menu."""
    found = repr(word) if isinstance(word, str) else shown(word)
    if not isinstance(word, str):
        return f"{found} is not one of {_listed(valid)}"
    hint = nearest(word, valid, synonyms.VALUES)
    if " is called " in hint:
        return f"{found} is called {hint.rsplit(' is called ')[1]}"
    return f"{_short(found)} is not one of {_listed(valid)}" + (f" ({hint})" if hint else "")


def unknown_key(key: str, valid: list[str], root: type[BaseModel]) -> str:
    """The sentence for a key that does not exist at its place."""
    hint = nearest(key, valid, synonyms.KEYS)
    if " is called " in hint:
        return hint
    if hint:
        return f"unknown key ({hint})"
    if homes := _sections_with(key, root):
        return f"unknown key here (it belongs in {' or '.join(homes)})"
    return f"unknown key (known are {_listed(valid)})" if valid else "unknown key"


def fields_at(root: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that are valid at a place of the config."""
    annotation: Any = root
    for part in location:
        annotation = _inside(annotation, part)
    return list(annotation.model_fields) if _is_model(annotation) else []


def _inside(annotation: Any, part: int | str) -> Any:
    if _is_model(annotation):
        field = annotation.model_fields.get(part)
        if field is None:
            return None
        arms = [a for a in arms_of(field.annotation) if a is not type(None)]
        marked = any(type(m).__name__ in ("Menu", "Forms") for m in field.metadata)
        return arms[0] if len(arms) == 1 and not marked else field.annotation
    if _is_tag(part):
        return _arm(annotation, str(part)[1:-1])
    if get_origin(annotation) is tuple:
        return get_args(annotation)[0]
    arms = [arm for arm in arms_of(annotation) if get_origin(arm) is tuple]
    return get_args(arms[0])[0] if arms else annotation


def _arm(annotation: Any, tag: str) -> Any:
    arms = arms_of(annotation)
    if tag.isdigit():
        return arms[int(tag)]
    for arm in arms:
        if is_menu(arm) and tag in kinds_of(arm):
            return kinds_of(arm)[tag]
        if _is_model(arm) and issubclass(arm, Kind) and arm.name() == tag:
            return arm
    return None


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _is_tag(part: int | str) -> bool:
    return isinstance(part, str) and part.startswith("<") and part.endswith(">")


def _sections_with(key: str, root: type[BaseModel]) -> list[str]:
    homes: list[str] = []
    for section, field in root.model_fields.items():
        if section == key:
            return ["the top level"]
        for arm in arms_of(field.annotation):
            kinds = kinds_of(arm).values() if is_menu(arm) else (arm,)
            if any(_is_model(kind) and key in kind.model_fields for kind in kinds):
                homes.append(f"{section}.{key}")
                break
    return homes


def _mistake(details: ErrorDetails, root: type[BaseModel]) -> Mistake:
    path, found, kind = plain_path(details["loc"]), details["input"], details["type"]
    context = details.get("ctx", {})
    if kind == "extra_forbidden":
        valid = fields_at(root, details["loc"][:-1])
        return Mistake(path, unknown_key(str(path[-1]), valid, root), at_key=True)
    if kind == "missing":
        return Mistake(path, "is missing and has no default")
    if kind == "unknown_kind":
        found = found.get("kind") if isinstance(found, dict) else found
        if isinstance(details["input"], dict):
            path = (*path, "kind")
        return Mistake(path, not_one_of(found, context["names"]))
    if kind == "kind_missing":
        return Mistake(path, f"needs kind, one of {_listed(context['names'])}")
    if kind == "literal_error":
        valid = [part.strip("'") for part in context["expected"].replace(" or ", ", ").split(", ")]
        return Mistake(path, not_one_of(found, valid))
    if kind in _RANGES:
        return Mistake(path, f"must be {_RANGES[kind](context)}, got {_short(repr(found))}")
    if kind in _TYPES:
        return Mistake(path, f"must be {_TYPES[kind]}, got {shown(found)}{_way_out(kind, found)}")
    message = details["msg"]
    if kind in ("form", "duration"):
        message = f"{message}, got {shown(found)}"
    return Mistake(path, message)


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


def _way_out(kind: str, found: object) -> str:
    if kind in ("int_type", "float_type") and isinstance(found, str):
        text = found.replace("_", "").lstrip("+") or "0"
        text = text.lstrip("0") or "0" if text.isdigit() else text
        try:
            float(text)
        except ValueError:
            return ""
        return f" (write {text}, without quotes)"
    if kind == "int_type" and isinstance(found, float) and found.is_integer():
        return f" (write {int(found)})"
    words = {"yes": "true", "on": "true", "no": "false", "off": "false"}
    if kind == "bool_type" and isinstance(found, str) and found.lower() in words:
        return f" (write {words[found.lower()]})"
    if kind == "string_type" and not isinstance(found, tuple | dict | None):
        return " (put it in quotes)"
    return ""


def _listed(names: list[str], limit: int = 16) -> str:
    names = sorted(names)
    return ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")


def _short(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[:limit] + "..."


def _number(value: float) -> str:
    return f"{value:g}"
