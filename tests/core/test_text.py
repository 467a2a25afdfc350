"""Names of others on the way to a terminal."""

import unicodedata

import pytest

from nnlab.core.text import render_text, text_grid, text_grids, text_list
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


HEAD = ("layer", "signal", "theory", "gradient", "dead")
ROWS = [("hidden1", "7.6e-1", "", "8.5e-1", "11%"), ("output", "7.5e-1", "6.8e-1", "1.0e0", "")]


@pytest.mark.parametrize(
    ("columns", "heads"),
    [
        (39, ["layer signal theory gradient dead"]),
        (38, ["layer signal theory gradient dead"]),  # with narrow gaps
        (34, ["layer signal theory gradient", "layer dead"]),
        (23, ["layer signal theory", "layer gradient dead"]),
    ],
)
def test_a_table_that_is_too_wide_becomes_several(
    columns: int, heads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nnlab.core.text.terminal_width", lambda: columns)
    tables = text_grids(ROWS, head=HEAD, right=(1, 2, 3, 4), beside=(2,))
    shown = [render_text(table, width=columns).splitlines() for table in tables]
    assert [" ".join(lines[0].split()) for lines in shown] == heads
    assert all(lines[1].startswith("hidden1") for lines in shown)
    rows = [len(lines) - 1 for lines in shown]
    assert rows == ([2] if len(heads) == 1 else [2, 1 if heads[1] == "layer dead" else 2])
    assert sorted(" ".join(" ".join(lines[1:]) for lines in shown).split()) == sorted(
        [cell for row in ROWS for cell in row if cell] + ["hidden1", "output"][: sum(rows[1:])]
    )


def test_tables_lists_and_plain_parts_are_shown_so() -> None:
    table = text_grid([[CLEAR, "1"]], head=(CLEAR, "n"))
    for text in (render_text(table), render_text(CLEAR), text_list({CLEAR: CLEAR})):
        assert "\x1b" not in text
        assert "\\x1b[2J" in text


def test_a_table_without_room_tears_no_word() -> None:
    words = ["expected_calibration_error", "median_absolute_error", "r2"]
    rows = [("scores", "train.scores", " ".join(words)), ("losses", "loss", "mse mae")]
    table = text_grid(rows, head=("menu", "chosen in", "kinds"), whole=(0, 1))
    assert render_text(table, width=48).split("\n")[0] == "menu    chosen in     kinds"
    narrow = render_text(table, width=40).splitlines()
    assert narrow[:2] == ["menu    chosen in", "scores  train.scores"]
    assert set(words) <= set(" ".join(narrow).split())
    assert max(map(len, narrow)) <= 40
    assert narrow[-2:] == ["losses  loss", "  kinds: mse mae"]
