"""A text whose tokens are shaded by a number of each."""

from collections.abc import Sequence

from nnlab.display.web.html import Markup, number_text, tag

_STYLE = "white-space: pre-wrap; overflow-wrap: anywhere"
_NAMES = {"space": " ", "newline": "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}\n", "tab": "\t"}
"""What a token is called, and what is written for it."""
_STRONGEST = 70
"""Percent of the colour that the greatest number gets: the token must still be read."""


def shaded_text(tokens: Sequence[str], numbers: Sequence[float], *, sign: bool = False) -> Markup:
    """Each token the redder the greater its number, or the bluer the farther it is below 0.

    Args:
        tokens: T names.
        numbers: T; full colour is the greatest size among them.
        sign: whether a number is written with its sign.
    """
    most = max(*map(abs, numbers), 1e-30)
    joint = "" if max(map(len, tokens)) <= max(map(len, _NAMES)) else " "
    marks = [
        tag(
            "span",
            f"{_NAMES.get(token, token)}{joint}",
            title=number_text(number, sign=sign),
            style=_shade(number / most),
        )
        for token, number in zip(tokens, numbers, strict=True)
    ]
    return tag("pre", marks, style=_STYLE)


def plain_text(*content: Markup | str) -> Markup:
    """A text without shades, in the same letters."""
    return tag("pre", *content, style=_STYLE)


def _shade(share: float) -> str:
    color = "red" if share >= 0 else "blue"
    return (
        f"background: color-mix(in srgb, var(--{color}) {_STRONGEST * abs(share):.0f}%, "
        "transparent)"
    )
