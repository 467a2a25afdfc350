"""The live view in a notebook: one output of the cell, written anew as the run goes on."""

import re
from collections.abc import Callable
from io import StringIO
from time import monotonic
from typing import Any, TextIO, final

from rich.console import Console

from nnlab.core.events import EpochEnd, Reading
from nnlab.core.finding import Finding
from nnlab.core.wrap import visible_text
from nnlab.display.live import LiveView
from nnlab.display.shown_summary import ShownSummary, write_summary
from nnlab.display.views import RunAbout, run_heading

Show = Callable[[str], None]
"""Puts HTML in the place of what was shown before."""

WIDTH, HEIGHT = 96, 34
_SECONDS = 0.5
_FRAME = (
    '<pre style="line-height: 1.15; font-family: Menlo, Consolas, monospace; '
    f'white-space: pre-wrap; word-break: normal; min-width: {WIDTH}ch">{{code}}</pre>'
)
# A browser takes dots from another font than letters, whose cells are wider.
_DOTS = re.compile("[\u2800-\u28ff]")
_CELL = '<span style="display: inline-block; width: 1ch">{}</span>'


@final
class NotebookView:
    """What `LiveView` draws, as HTML, twice a second at most; nothing draws in a thread.

    Args:
        show: replaces the output of the cell.
    """

    def __init__(self, show: Show) -> None:
        self._show = show
        self._screen = LiveView(StringIO())
        self._lines: list[Any] = []
        self._shown = 0.0
        self._running = False

    def start(self, about: RunAbout) -> None:
        """Shows what will be trained."""
        console = _paper(height=HEIGHT)
        self._screen.prepare(about, console)
        self._lines += run_heading(about)
        self._running = True
        self._draw()

    def reading(self, reading: Reading) -> None:
        """Takes new numbers in."""
        self._screen.reading(reading)
        if monotonic() - self._shown >= _SECONDS:
            self._draw()

    def note(self, text: str) -> None:
        """Writes it above the view."""
        self._lines.append(text)
        self._draw()

    def finding(self, finding: Finding) -> None:
        """Writes it above the view, and colours its layer."""
        self._screen.mark(finding)
        self.note(finding.line)

    def epoch(self, event: EpochEnd) -> None:
        """The view knows what to do of it."""
        self._screen.epoch(event)

    def finish(self) -> None:
        """Draws once more."""
        if self._running:
            self._draw()
        self._running = False

    def summary(self, shown: ShownSummary) -> None:
        """Writes the summary below."""
        text = StringIO()
        write_summary(shown, stream=text)
        self._draw(text.getvalue())

    def _draw(self, last_lines: str = "") -> None:
        paper = _paper(record=True, force_terminal=True)
        for line in self._lines:
            paper.print(visible_text(line), markup=False, soft_wrap=True)
        if self._screen.begun:
            paper.print(self._screen.render())
        if last_lines:
            paper.print(visible_text(last_lines), markup=False, soft_wrap=True)
        page = paper.export_html(inline_styles=True, code_format=_FRAME)
        self._show(_DOTS.sub(lambda found: _CELL.format(found[0]), page))
        self._shown = monotonic()


def _paper(**settings: Any) -> Console:
    # In a notebook rich would put what is printed below the cell, as an output of its own.
    return Console(file=StringIO(), width=WIDTH, highlight=False, force_jupyter=False, **settings)


def notebook_view(stream: TextIO) -> NotebookView | None:
    """The view for a cell that is running in Jupyter or Colab; None anywhere else."""
    import sys

    kernel = sys.modules.get("ipykernel.zmqshell")
    if kernel is None or "IPython" not in sys.modules or not hasattr(stream, "parent_header"):
        return None
    from importlib import import_module

    display: Any = import_module("IPython.display")
    handle = display.display(display.HTML(""), display_id=True)
    return NotebookView(lambda html: handle.update(display.HTML(html)))
