"""docs/screens.md is what the commands print today, but for its numbers."""

import re
from pathlib import Path

import pytest
import screens
from documents import ROOT, blocks

PAGE = ROOT / "docs" / "screens.md"
SHOWN = [block for block in blocks(PAGE) if block.language == "text"]
DRAWN = re.compile(r".*[│└─━].*|[▏▎▍▌▋▊▉█]+")
"""Curves, axes and bars, whose form is that of the numbers."""
SECONDS = re.compile(r"# ?(?:ms|s|min|h)\b(?: # ?(?:s|min))*")
"""How long something took, which is another unit where the machine is busy."""


def words_of(text: str) -> str:
    """The words, without what differs from one machine or moment to the next."""
    plain = re.sub(r"[\d.,]*\d(?:e[+-]?\d+)?[kM%]?", "#", DRAWN.sub("", text))
    return SECONDS.sub("# s", " ".join(plain.split()))


def at(title: str, columns: int) -> str:
    part = PAGE.read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return part.partition(f"\n{columns} columns:\n")[2].split("```")[1].removeprefix("text\n")


@pytest.mark.parametrize("columns", screens.WIDTHS)
@pytest.mark.parametrize("title", [screen.title for screen in screens.SCREENS])
def test_every_screen_is_as_wide_as_its_terminal(title: str, columns: int) -> None:
    lines = at(title, columns).splitlines()
    assert max(map(len, lines)) <= columns
    assert sum(bool(line.strip()) for line in lines) > 3


def test_names_nothing_of_the_machine_it_was_made_on() -> None:
    assert not re.search(r"(?<![\w.])/(?:home|work|tmp|root|Users)/", PAGE.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("columns", screens.WIDTHS)
def test_the_screens_are_those_of_today(columns: int) -> None:
    for title, lines in screens.screens_of(columns).items():
        found = "\n".join(lines)
        assert words_of(found) == words_of(at(title, columns)), (
            f"{title} at {columns} columns:\n{found}\n(python docs/screens.py captures them anew)"
        )


def test_what_differs_from_one_moment_to_the_next_is_no_word() -> None:
    quick = "completed: 1,200 steps in 0.9 s\nbatch  350 ms  20.3k samples/s  loss 1.2e-3"
    busy = "completed: 1,200 steps in 2 min 14 s\nbatch   1.2 s  996 samples/s   loss 0.5"
    assert words_of(quick) == words_of(busy)
    assert words_of(quick) != words_of(busy.replace("completed", "stopped"))


def screen(*sent: str, columns: int = 20) -> list[str]:
    terminal = screens.Terminal(columns)
    for part in sent:
        terminal.feed(part)
    return terminal.lines()


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("one\r\ntwo\r\n", ["one", "two"]),
        ("\x1b[1;36mone\x1b[0m\r\x1b[?25ltwo", ["two"]),
        ("a\r\nb\r\nc\x1b[1A\x1b[2K\x1b[1A\x1b[2K\rnew", ["new", "", "c"]),
        ("x" * 25, ["x" * 20, "x" * 5]),
        ("x" * 20 + "\r\ny", ["x" * 20, "y"]),
        ("\x1b]0;title\x07word", ["word"]),
    ],
)
def test_a_terminal_shows_what_one_would_see(sent: str, shown: list[str]) -> None:
    assert screen(sent) == shown


def test_the_pictures_of_pages_are_there() -> None:
    for name in screens.PICTURES:
        assert Path(ROOT / "docs" / f"screens-{name.replace(' ', '-')}.png").stat().st_size > 10_000
