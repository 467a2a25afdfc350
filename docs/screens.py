"""What commands print on terminals of 60, 80 and 120 columns: `python docs/screens.py` captures it.

It runs each command of `SCREENS` in a pseudo-terminal, in a folder of its own, and writes what then
stands on the screen into screens.md; with --pictures it takes those of the pages in a browser anew.
tests/docs/test_screens.py holds that these are the screens of
today, but for their numbers.
"""

import fcntl
import os
import pty
import shlex
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import fill
from typing import NamedTuple

import pyte

PAGE = Path(__file__).parent / "screens.md"
WIDTHS = (60, 80, 120)
_ROWS = 60
"""Lines of the terminal that a program is told of: all that it draws again stays on it."""
_HEIGHT = 400
"""Lines that are kept, far more than any of these commands writes."""


class Screen(NamedTuple):
    """A command whose screen is shown.

    Attributes:
        title: of its section.
        command: as it is typed.
        before: what runs first, unseen.
        says: what to look at.
    """

    title: str
    command: str
    before: str = ""
    says: str = ""


SCREENS = (
    Screen("The doctor, before a network is trained", "nnlab doctor digits_mlp"),
    Screen("A run", "nnlab train digits_mlp --device cpu", says=(
        "While it runs, bar, table, curves and layers are drawn anew twice a second; at the end "
        "the summary takes the place of the table."
    )),
    Screen("A lesson", "nnlab train lessons/line_detector --device cpu", says=(
        "A question, what happens, and what each run must show."
    )),
    Screen("Scores", "nnlab eval digits_mlp/1 --device cpu"),
    Screen("The doctor, after a run that went wrong", "nnlab doctor digits_mlp/2 --yes", before=(
        "nnlab train digits_mlp --set optimizer.lr=0.3 --set train.epochs=8 --device cpu"
    )),
    Screen("Two runs beside each other", "nnlab compare digits_mlp/1 digits_mlp/2"),
    Screen("A learning rate", "nnlab lr digits_mlp --device cpu"),
)  # fmt: skip
"""In this order, in one folder."""


class Terminal:
    """A screen as wide as asked for, so high that nothing of a command leaves it at the top.

    Args:
        columns: of a line; what is longer goes on in the next one.
    """

    def __init__(self, columns: int) -> None:
        self.screen = pyte.Screen(columns, _HEIGHT)
        self._stream = pyte.Stream(self.screen)

    def feed(self, text: str) -> None:
        """Takes what a program writes to its terminal, orders included."""
        # pyte knows no faint letters; grey ones look like them.
        self._stream.feed(text.replace("\x1b[2m", "\x1b[90m"))

    def lines(self) -> list[str]:
        """What stands on it, without blanks at the ends."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip().split("\n")


def captured(command: str, folder: Path, columns: int) -> list[str]:
    """What stands on a terminal of this width when a command is done, without colours.

    Raises:
        RuntimeError: it failed; code 7 of the doctor, and 8 of a comparison, say that they found
            something.
    """
    return terminal_after(command, folder, columns).lines()


def terminal_after(command: str, folder: Path, columns: int) -> Terminal:
    """The terminal, of this width, when a command is done; errors as those of `captured`."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, columns, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_KEPT}
    process = subprocess.Popen(
        [sys.executable, "-m", *shlex.split(command)],
        cwd=folder,
        env={**kept, "TERM": "xterm-256color", "NNLAB_RUNS": "runs"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        close_fds=True,
    )
    os.close(theirs)
    parts: list[bytes] = []
    while part := _read(ours):
        parts.append(part)
    os.close(ours)
    screen = Terminal(columns)
    screen.feed(b"".join(parts).decode())
    if process.wait() not in (0, 7, 8):
        raise RuntimeError("\n".join(screen.lines()))
    return screen


_NOT_KEPT = ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "NNLAB_RUNS", "TTY_COMPATIBLE")


def _read(number: int) -> bytes:
    try:
        return os.read(number, 65536)
    except OSError:  # nobody writes any more
        return b""


def screens_of(columns: int) -> dict[str, list[str]]:
    """What each command shows on a terminal of this width, by its title."""
    found: dict[str, list[str]] = {}
    with TemporaryDirectory() as folder:
        for screen in SCREENS:
            if screen.before:
                captured(screen.before, Path(folder), columns)
            found[screen.title] = captured(screen.command, Path(folder), columns)
    return found


_HEAD = """# Screens

What commands print on terminals of 60, 80 and 120 columns, captured from a pseudo-terminal by
`python docs/screens.py`: prose is broken between words, a table that is too wide becomes several,
and only paths and commands to paste stay whole. On a terminal they are coloured.
"""
_PAGES = """
## In a browser

The report of `nnlab eval digits_mlp/1 --report`, and the page of `nnlab compare digits_mlp/1
digits_mlp/2 --html curves.html`, in a wide window and in a narrow one.
"""


def page_of(found: Mapping[int, Mapping[str, list[str]]]) -> str:
    """The page: each command at all widths.

    Args:
        found: by columns, then by title, the lines.
    """
    parts = [_HEAD]
    for screen in SCREENS:
        parts.append(f"\n## {screen.title}\n\n`{screen.command}`\n")
        if screen.before:
            parts.append(f"\nThe run was that of `{screen.before}`.\n")
        if screen.says:
            parts.append(f"\n{fill(screen.says, 100)}\n")
        for columns, screens in found.items():
            lines = "\n".join(screens[screen.title])
            parts.append(f"\n{columns} columns:\n\n```text\n{lines}\n```\n")
    shown = [f"![{name}](screens-{name.replace(' ', '-')}.png)\n" for name in PICTURES]
    return "".join([*parts, _PAGES, "\n", "\n".join(shown)])


PICTURES = ("report wide", "report narrow", "compare wide", "compare narrow")
_WINDOWS = {"wide": (1280, 1400), "narrow": (390, 1400)}


def take_pictures() -> None:
    """The pages of report and compare as a browser shows them, in two windows; needs Chromium."""
    from playwright.sync_api import sync_playwright

    commands = (
        "nnlab train digits_mlp --device cpu -q",
        "nnlab train digits_mlp --set optimizer.lr=0.3 --set train.epochs=8 --device cpu -q",
        "nnlab eval digits_mlp/1 --report --device cpu",
        "nnlab compare digits_mlp/1 digits_mlp/2 --html curves.html",
    )
    with TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        for command in commands:
            captured(command, folder, 80)
        (report,) = folder.glob("runs/digits_mlp/1/eval/**/*.html")
        path = os.environ.get("NNLAB_BROWSER") or None
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for kind, page in (("report", report), ("compare", folder / "curves.html")):
            for size, (width, height) in _WINDOWS.items():
                tab = browser.new_page(viewport={"width": width, "height": height})
                tab.goto(page.as_uri())
                tab.screenshot(path=PAGE.parent / f"screens-{kind}-{size}.png")
                tab.close()
        browser.close()


if __name__ == "__main__":
    PAGE.write_text(page_of({columns: screens_of(columns) for columns in WIDTHS}))
    if "--pictures" in sys.argv:
        take_pictures()
