"""What is wrong with a text that is no YAML: the place and a sentence, in words of its writer."""

import re
from typing import Any

# ruamel's words, and what they mean to somebody who does not know how YAML is parsed.
_UNQUOTED = re.compile(r"found character '(.+)' that cannot start any token")


def broken_at(error: Any, text: str) -> tuple[int, int, str] | None:
    """Where a text stops being YAML, and what would mend it.

    Args:
        error: of ruamel, which marks a place.
        text: of the whole file.

    Returns:
        Line and column, both from 1, and the sentence; None where the parser's own words must do.
    """
    problem = str(getattr(error, "problem", None) or "")
    here, begin = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    if here is None:
        return None
    lines = text.split("\n")
    if problem.startswith(("expected ',' or '}'", "expected ',' or ']'")) and begin is not None:
        sign = problem[len("expected ',' or '")]
        opened = "{" if sign == "}" else "["
        words = f"this {opened} is not closed, or lacks a comma behind it (close it with {sign})"
        return begin.line + 1, begin.column + 1, words
    if problem.startswith("found unexpected end of stream") and begin is not None:
        return begin.line + 1, begin.column + 1, "this quotation mark is not closed"
    if problem.startswith("mapping values are not allowed"):
        line = _deeper(lines, here.line)
        if line is not None:
            return line + 1, _indent(lines[line]) + 1, _DEEPER
        words = "a second colon with a space behind it in one value (put the value in quotes)"
        return here.line + 1, here.column + 1, words
    if problem.startswith("expected <block end>"):
        if problem.partition("found ")[2] in _STRAYING:
            return here.line + 1, here.column + 1, _ASTRAY
        return None
    if problem.startswith("could not find expected ':'"):
        line = begin.line if begin is not None else here.line
        return line + 1, _indent(lines[line]) + 1, "a colon is missing here (key: value)"
    if found := _UNQUOTED.match(problem):
        sign = found[1]
        if sign == "\\t":
            return None
        return here.line + 1, here.column + 1, f"no value begins with {sign} (put it in quotes)"
    return None


_STRAYING = ("'<block mapping start>'", "'<block sequence start>'", "'-'", "'?'", "'<key>'")
_DEEPER = (
    "is indented deeper than the line above, which has a value already (indent both alike, or "
    "remove that value)"
)
_ASTRAY = (
    "is indented like no line above it that it could belong to (the keys of one section begin in "
    "one column)"
)


def _deeper(lines: list[str], number: int) -> int | None:
    """The line, where it is indented deeper than the one before it that says something."""
    before = [line for line in lines[:number] if line.split("#")[0].strip()]
    if before and _indent(lines[number]) > _indent(before[-1].replace("- ", "  ", 1)):
        return number
    return None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
