"""Changes of a config's text that touch nothing else: comments, order and spacing stay.

A change is a splice at the marks that the YAML reader keeps. What comes out is read again by who
calls, as any text of a person.
"""

import json
import re
from typing import Any

from nnlab.config.yaml import Span, YamlDocument, parse_yaml, scalar
from nnlab.core.errors import ConfigError, Path

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./ -]*[A-Za-z0-9_./-]|[A-Za-z_]")
_FILE = "text"


def set_value(text: str, path: Path, value: Any) -> str:
    """The text with a value at a path, which is made where it is not there yet.

    Args:
        text: YAML of a mapping.
        path: of the value: ("optimizer", "lr").
        value: plain; a mapping or list is written in brackets.

    Raises:
        ConfigError: the text is not YAML, or the path leads through something that holds no keys.
    """
    document = parse_yaml(text, file=_FILE)
    marks = document.marks
    if path in marks.spans and path:
        return _replaced(text, marks.spans[path], written(value))
    depth = max(n for n in range(len(path)) if n == 0 or path[:n] in marks.spans)
    rest: Any = value
    for part in reversed(path[depth + 1 :]):
        rest = {part: rest}
    return _added(text, document, path[:depth], path[depth], rest)


def remove_value(text: str, path: Path) -> str:
    """The text without a key and its value, or without an item of a list.

    Raises:
        ConfigError: the text is not YAML.
    """
    document = parse_yaml(text, file=_FILE)
    if path not in document.marks.spans or not path:
        return text
    key = path[-1]
    if isinstance(key, int):
        return remove_item(text, path[:-1], key)
    places = _entries(text, document, path[:-1])
    names = [p[-1] for p in _children(document, path[:-1])]
    if len(places) == 1 and len(path) > 1:
        # A mapping without keys: the braces stay, so that the text can be read.
        return _replaced(text, document.marks.spans[path[:-1]], "{}")
    number = names.index(key)
    starts = [_start(text, document, child) for child in _children(document, path[:-1])]
    line = text.rfind("\n", 0, starts[0]) + 1
    if number == 0 and text[line : starts[0]].strip():
        # Behind the dash of an item: the next key moves up to it.
        return text[: starts[0]] + text[starts[1] :]
    return _without(text, places, number, document.marks.spans[path[:-1]].flow)


def insert_item(text: str, path: Path, at: int, value: Any) -> str:
    """The text with an item in a list, before the one that stands at `at`, or behind the last.

    Raises:
        ConfigError: the text is not YAML, or there is no such list.
    """
    document = parse_yaml(text, file=_FILE)
    span = document.marks.spans.get(path)
    children = _children(document, path)
    if span is None or not children:
        return set_value(text, path, (value,))
    if span.flow:
        places = [document.marks.spans[child] for child in children]
        if at < len(places):
            start = places[at].start
            return f"{text[:start]}{written(value)}, {text[start:]}"
        end = places[-1].end
        return f"{text[:end]}, {written(value)}{text[end:]}"
    places = _entries(text, document, path)
    first = document.marks.spans[children[0]].start
    line = text.rfind("\n", 0, first) + 1
    indent = text[line : text.index("-", line)]
    start = places[at].start if at < len(places) else places[-1].end
    before = "" if start == 0 or text[start - 1] == "\n" else "\n"
    return f"{text[:start]}{before}{indent}- {written(value)}\n{text[start:]}"


def remove_item(text: str, path: Path, at: int) -> str:
    """The text without an item of a list; of the last one, brackets without anything stay.

    Raises:
        ConfigError: the text is not YAML.
    """
    document = parse_yaml(text, file=_FILE)
    span = document.marks.spans[path]
    if len(_children(document, path)) == 1:
        return _replaced(text, span, "[]")
    places = _entries(text, document, path)
    return _without(text, places, at, span.flow)


def move_item(text: str, path: Path, at: int, to: int) -> str:
    """The text with an item of a list at another place; its comments go with it.

    Raises:
        ConfigError: the text is not YAML.
    """
    document = parse_yaml(text, file=_FILE)
    places = _entries(text, document, path)
    parts = [text[p.start : p.end] for p in places]
    if not document.marks.spans[path].flow and not parts[-1].endswith("\n"):
        parts[-1] += "\n"
    order = list(range(len(parts)))
    order.insert(to, order.pop(at))
    pieces: list[str] = []
    behind = 0
    for place, number in zip(places, order, strict=True):
        pieces += [text[behind : place.start], parts[number]]
        behind = place.end
    return "".join(pieces) + text[behind:]


def written(value: Any) -> str:
    """A value as YAML within one line, in the plainest form that means it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{written(str(k))}: {written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(written, value)) + "]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value)
    text = str(value)
    return text if _PLAIN.fullmatch(text) and isinstance(scalar(text), str) else json.dumps(text)


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    if value != value or value in (float("inf"), float("-inf")):
        return {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}[str(value)]
    text = repr(value)
    return text.removesuffix(".0") if "e" in text else text


def _replaced(text: str, span: Span, by: str) -> str:
    # Of a value that is left out nothing stands there, not even a space.
    space = (
        " " if span.start == span.end and text[span.start - 1 : span.start] in (":", "-") else ""
    )
    return f"{text[: span.start]}{space}{by}{text[span.end :]}"


def _children(document: YamlDocument, path: Path) -> list[Path]:
    """The paths right below a path, in their order."""
    return [p for p in document.marks.spans if len(p) == len(path) + 1 and p[:-1] == path]


def _added(text: str, document: YamlDocument, path: Path, key: str | int, value: Any) -> str:
    """The text with a new key of a mapping that is there, or in place of a bare name or nothing."""
    marks = document.marks
    holder: Any = document.tree
    for part in path:
        holder = holder[part]
    span = marks.spans[path]
    if isinstance(holder, str) and path:
        return _replaced(text, span, written({"kind": holder, key: value}))
    if holder is None and path:
        return _replaced(text, span, written({key: value}))
    if not isinstance(holder, dict):
        raise ConfigError(f"{_FILE}: {'.'.join(map(str, path))} has no keys")
    entry = f"{written(str(key))}: {written(value)}"
    children = _children(document, path)
    if not children:
        return _replaced(text, span, f"{{{entry}}}") if path else f"{text}{entry}\n"
    last = marks.spans[children[-1]]
    if span.flow:
        return f"{text[: last.end]}, {entry}{text[last.end :]}"
    indent = " " * (marks.keys[children[0]].column - 1)
    line = text.find("\n", last.end)
    end = len(text) if line < 0 else line + 1
    newline = "" if end == 0 or text[end - 1] == "\n" else "\n"
    return f"{text[:end]}{newline}{indent}{entry}\n{text[end:]}"


def _entries(text: str, document: YamlDocument, path: Path) -> list[Span]:
    """The letters of each item or key with its value; in a block with its lines and comments."""
    marks, children = document.marks, _children(document, path)
    flow = marks.spans[path].flow
    starts = [_start(text, document, child) for child in children]
    found = [Span(a, marks.spans[c].end) for a, c in zip(starts, children, strict=True)]
    if flow:
        return found
    whole: list[Span] = []
    for span in found:
        start = text.rfind("\n", 0, span.start) + 1
        start = _with_comments(text, start, whole[-1].end if whole else 0)
        end = text.find("\n", span.end)
        whole.append(Span(start, len(text) if end < 0 else end + 1))
    return whole


def _start(text: str, document: YamlDocument, path: Path) -> int:
    """Where an item or a key begins."""
    mark = document.marks.keys.get(path)
    if mark is None:
        return document.marks.spans[path].start
    lines = text.split("\n")
    return sum(len(line) + 1 for line in lines[: mark.line - 1]) + mark.column - 1


def _with_comments(text: str, start: int, floor: int) -> int:
    """Where the comment lines right above a line begin: they are about it."""
    while start > floor:
        above = text.rfind("\n", 0, start - 1) + 1
        if above < floor or not text[above:start].lstrip().startswith("#"):
            break
        start = above
    return start


def _without(text: str, places: list[Span], at: int, flow: bool) -> str:
    if not flow:
        return text[: places[at].start] + text[places[at].end :]
    if at + 1 < len(places):
        return text[: places[at].start] + text[places[at + 1].start :]
    start = places[at - 1].end if at else places[at].start
    return text[:start] + text[places[at].end :]
