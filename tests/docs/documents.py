"""The pages that people read, taken apart: blocks of code, commands with what they print, links."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
"""Those that are written by hand; docs/generate.py writes the others."""


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    language: str
    text: str

    @property
    def name(self) -> str:
        """For the names of tests."""
        return f"{self.page}: {self.text.splitlines()[0]}"


class Command(NamedTuple):
    """A line behind a prompt, and the lines that the page shows under it."""

    line: str
    shown: tuple[str, ...]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@cache
def blocks(page: Path) -> list[Block]:
    found: list[tuple[str, str]] = re.findall(
        r"^```([\w{}-]*)[^\n]*\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE
    )
    return [Block(name_of(page), language, text) for language, text in found]


def blocks_in(language: str) -> list[Block]:
    return [block for page in PAGES for block in blocks(page) if block.language == language]


def commands(page: Path) -> list[Command]:
    """Every command behind a prompt, those that go on in the next line as one."""
    found: list[Command] = []
    for block in blocks(page):
        if block.language != "console":
            continue
        text = re.sub(r"^(\$ .*)\\\n +", r"\1", block.text, flags=re.MULTILINE)
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            line, *shown = part.rstrip("\n").split("\n")
            found.append(Command(re.sub(r"\s+#.*", "", line), tuple(shown)))
    return found


def inline(page: Path) -> list[str]:
    """The commands of nnlab within sentences and tables."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    found: list[str] = re.findall(r"`(nnlab [^`]+)`", text)
    return [re.sub(r"\s+", " ", line).replace("\\|", "|") for line in found]


def links(page: Path) -> list[str]:
    """Where the links and pictures of a page lead."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"\]\(<?([^)>\s]+)>?\)", text)
