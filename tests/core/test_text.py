"""Names of others on the way to a terminal."""

import unicodedata

import pytest

from nnlab.core.text import render_text, text_grid, text_list
from nnlab.core.wrap import visible_text

CLEAR = "\x1b[2J\x1b]0;title\x07"


@pytest.mark.parametrize("text", [CLEAR, "a\rb", "a\x08b", "\x9b31m", "a\u202eb", "\ud800", "\x00"])
def test_nothing_acts_on_a_terminal(text: str) -> None:
    shown = visible_text(text)
    assert shown.isprintable()
    shown.encode()  # no half of a character either
    assert visible_text(shown) == shown


def test_every_character_that_unicode_calls_control_is_shown() -> None:
    for number in range(0x3000):
        kind, character = unicodedata.category(chr(number)), chr(number)
        if kind in ("Cc", "Zl", "Zp") and character not in "\t\n":
            assert visible_text(character) == ascii(character)[1:-1]


@pytest.mark.parametrize("text", ["plain", "größe ±", "日本語", "a\tb\nc", "\U0001f600", ""])
def test_what_is_only_text_stays(text: str) -> None:
    assert visible_text(text) == text


def test_tables_lists_and_plain_parts_are_shown_so() -> None:
    table = text_grid([[CLEAR, "1"]], head=(CLEAR, "n"))
    for text in (render_text(table), render_text(CLEAR), text_list({CLEAR: CLEAR})):
        assert "\x1b" not in text
        assert "\\x1b[2J" in text
