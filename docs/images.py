"""The pictures of the README and of the pages beside it: `python docs/images.py` takes them anew.

It trains the runs of the first ten minutes, and one on MNIST (in $NNLAB_DATA), in a folder of its
own, and takes terminals as tmux or xterm would draw them, TensorBoard and the report as Chromium
does. Five minutes on two cores. Those of the studio are taken by tests/browser.
"""

import os
import re
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from html import escape
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright
from pyte.screens import Char
from screens import Terminal, terminal_after

DOCS = Path(__file__).parent
_COLUMNS = 100
_CURE = "--set model.activation=relu --set model.init=auto --set model.norm=batch"
_DEEP = "--set model.hidden.depth=20 --set model.activation=sigmoid"
TERMINALS = {
    "terminal": "nnlab train spirals",
    "vanishing": f"nnlab train spirals {_DEEP}",
    "": f"nnlab train runs/spirals/2/config.yaml {_CURE}",
    "compare": "nnlab compare spirals/2 spirals/3",
}
"""Commands in this order, each with the picture of its terminal; none where it has no name."""
_COLOURS = {
    "default": "#e4e4e4", "black": "#808080", "red": "#c75d78", "green": "#7cc05e",
    "brown": "#c9b458", "blue": "#6ca0dc", "magenta": "#c987c9", "cyan": "#5fb7b0",
    "white": "#e4e4e4",
}  # fmt: skip
"""What pyte calls the colours of a terminal, on a dark ground."""
_WINDOW: ViewportSize = {"width": 1120, "height": 730}


def page_of(terminal: Terminal, command: str) -> str:
    """A terminal as an HTML page, with what was typed in its first line."""
    screen, lines = terminal.screen, [f"$ {escape(command)}"]
    for row in range(len(terminal.lines())):
        cells = [screen.buffer[row][column] for column in range(screen.columns)]
        lines.append("".join(_span(cells) for cells in _alike(cells)))
    style = (
        "margin:0;padding:18px 22px;display:inline-block;background:#1e2023;color:#e4e4e4;"
        "font:17px/21px 'DejaVu Sans Mono',monospace"
    )
    text = "\n".join(lines)
    return f'<body style="margin:0"><pre style="{style}">{text}</pre></body>'


def _alike(cells: list[Char]) -> list[list[Char]]:
    """Neighbours that look alike, together."""
    return [list(group) for _, group in groupby(cells, key=lambda cell: cell[1:])]


def _span(cells: list[Char]) -> str:
    look, text = cells[0], "".join(map(_cell, cells))
    colour = _COLOURS.get(look.fg.removeprefix("bright"), f"#{look.fg}")
    weight = ";font-weight:bold" if look.bold else ""
    return f'<span style="color:{colour}{weight}">{text}</span>'


def _cell(cell: Char) -> str:
    """A sign; one that the font may lack is held to the width of the others."""
    if cell.data.isascii():
        return escape(cell.data)
    return f'<i style="display:inline-block;width:1ch;font-style:normal">{cell.data}</i>'


def take_terminals(browser: Browser, folder: Path) -> None:
    """Runs the commands, and takes what then stands on their terminals."""
    for name, command in TERMINALS.items():
        terminal = terminal_after(command, folder, _COLUMNS)
        if name:
            tab = browser.new_page()
            tab.set_content(page_of(terminal, command))
            tab.locator("pre").screenshot(path=DOCS / f"{name}.png")
            tab.close()


def take_tensorboard(browser: Browser, folder: Path) -> None:
    """The page that says whether it is learning, and the one with every curve, of both runs."""
    # Else the page of all curves begins with the first of the alphabet.
    wanted = quote("^(accuracy/validation|loss/validation|grad_norm/0[01]_)", safe="")
    pages = {"learning": "custom_scalars", "tensorboard": f"scalars&tagFilter={wanted}"}
    with _tensorboard(folder, "spirals/1", "spirals/2") as address:
        for name, page in pages.items():
            tab = browser.new_page(viewport=_WINDOW)
            tab.goto(f"{address}/#{page}")
            _settled(tab)
            tab.screenshot(path=DOCS / f"{name}.png")
            tab.close()


def _settled(tab: Page) -> None:
    """Waits until TensorBoard asks for nothing more and has drawn its lines."""
    tab.wait_for_load_state("networkidle")
    tab.locator("vz-line-chart2, tf-line-chart-data-loader").first.wait_for()
    tab.wait_for_timeout(3000)


@contextmanager
def _tensorboard(folder: Path, *runs: str) -> Generator[str]:
    """The address of a server that shows these runs."""
    command = [sys.executable, "-m", "nnlab", "tensorboard", *runs, "--port", "0"]
    environment: dict[str, Any] = {**os.environ, "NNLAB_RUNS": "runs", "COLUMNS": "200"}
    said = folder / "tensorboard.txt"
    with said.open("wb") as file:
        server = subprocess.Popen(command, cwd=folder, env=environment, stderr=file, stdout=file)
    try:
        yield _answering(said)
    finally:
        server.terminate()
        server.wait()


def _answering(said: Path) -> str:
    """The address that a server printed into a file, once it answers there."""
    for _ in range(240):
        sleep(0.5)
        if found := re.search(r"http://localhost:\d+", said.read_text()):
            with suppress(OSError), urlopen(found[0]):
                return found[0]
    raise RuntimeError(said.read_text())


def take_report(browser: Browser, folder: Path) -> None:
    """The first half of a report on MNIST."""
    terminal_after("nnlab train mnist_mlp16 -q", folder, _COLUMNS)
    terminal_after("nnlab eval mnist_mlp16/1 --report", folder, _COLUMNS)
    (report,) = folder.glob("runs/mnist_mlp16/1/eval/**/*.html")
    tab = browser.new_page(viewport={"width": 920, "height": 1600})
    tab.goto(report.as_uri())
    tab.screenshot(path=DOCS / "report.png")
    tab.close()


def main() -> None:
    """Takes all of them."""
    with TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        path = os.environ.get("NNLAB_BROWSER") or None
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        take_terminals(browser, folder)
        terminal_after("nnlab pictures spirals/1 --dpi 120", folder, _COLUMNS)
        sheet = folder / "runs/spirals/1/eval/pictures/contact-sheet.png"
        Image.open(sheet).convert("P", palette=Image.Palette.ADAPTIVE).save(
            DOCS / "pictures.png", optimize=True
        )
        take_tensorboard(browser, folder)
        take_report(browser, folder)
        browser.close()


if __name__ == "__main__":
    main()
