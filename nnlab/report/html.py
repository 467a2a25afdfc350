"""HTML and SVG as text: whatever is not markup is escaped, so that no name can become code."""

import re
from collections.abc import Iterable
from html import escape
from typing import final

VOID = ("img", "meta", "br", "hr")
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@final
class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Content = str | int | None | Iterable["Content"]
"""What stands in a tag: markup as it is, other text escaped, nothing for None."""


def tag(name: str, /, *content: Content, **attributes: str | float | None) -> Markup:
    """`<name attributes>content</name>`.

    A trailing underscore of an attribute is left out (`class_`), other underscores become hyphens;
    None leaves it out.
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_plain(str(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{said}>")
    return Markup(f"<{name}{said}>{joined(content)}</{name}>")


def joined(content: Content) -> Markup:
    """Several pieces as one."""
    if content is None:
        return Markup("")
    if isinstance(content, Markup):
        return content
    if isinstance(content, str | int):
        return Markup(_plain(str(content), quote=False))
    return Markup("".join(joined(one) for one in content))


def _plain(text: str, *, quote: bool) -> str:
    """Escaped, and without the control characters that HTML does not have."""
    return escape(_FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text), quote=quote)
