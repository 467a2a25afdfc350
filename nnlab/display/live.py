"""The live view of a run, drawn by rich. Imported only where stderr is a terminal."""

from collections.abc import Mapping
from threading import Lock
from time import monotonic
from typing import Any, TextIO, final

from rich.console import Console, Group
from rich.constrain import Constrain
from rich.live import Live
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from nnlab.core.contracts import Split
from nnlab.core.events import EpochEnd, Reading
from nnlab.core.finding import Finding
from nnlab.core.text import Visible
from nnlab.core.wrap import visible_text, wrap_text, write_wrapped
from nnlab.display.dashboard import Curves, Room, draw_dashboard
from nnlab.display.shown_summary import (
    ShownSummary,
    epoch_of,
    four_digits,
    two_decimals,
    write_summary,
)
from nnlab.display.views import (
    RunAbout,
    Speed,
    pace_text,
    run_heading,
    score_names,
    shown_values,
)

_ROWS: tuple[Split, ...] = ("train", "validation", "test")


@final
class LiveView:
    """A progress bar, a table, curves and layers, drawn anew a few times a second."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._latest: dict[Split, Reading] = {}
        self._speed = Speed()
        self._curves = Curves()
        self._drawn: tuple[int, float, Any] = (0, 0.0, None)
        self._readings = 0
        self._lock = Lock()
        self._live: Any = None
        self._over = False
        self.begun = False

    def start(self, about: RunAbout) -> None:
        """Writes what will be trained and begins to draw."""
        console = Console(file=self._stream, highlight=False, force_jupyter=False)
        for line in run_heading(about):
            shown = wrap_text(visible_text(line), console.width)
            console.print(shown, markup=False, soft_wrap=True)
        self.prepare(about, console)
        # stdout carries results: what is printed there must not be drawn into the view.
        self._live = Live(
            console=console,
            get_renderable=self.render,
            refresh_per_second=8,
            redirect_stdout=False,
            vertical_overflow="visible",
        )
        self._live.start()

    def prepare(self, about: RunAbout, console: Console) -> None:
        """All that `render` needs, for a console of this size."""
        self._about, self._console = about, console
        self._curves.layers = about.layers
        self._progress = _progress(console)
        self._task = self._progress.add_task(
            "", total=about.steps_total, completed=about.progress()
        )
        self.begun = True

    def reading(self, reading: Reading) -> None:
        """Keeps it for the next drawing."""
        # A new dictionary: the drawing thread may be going through the old one.
        self._latest = {**self._latest, reading.split: reading}
        self._speed.add(reading)
        with self._lock:
            self._curves.add(reading, ["loss", *score_names(self._latest)][:2])
        self._readings += 1

    def note(self, text: str) -> None:
        """Writes it above the view."""
        if self._live is None:
            write_wrapped(self._stream, text)
        else:
            console = self._live.console
            wrapped = wrap_text(visible_text(text), console.width)
            console.print(wrapped, markup=False, soft_wrap=True)

    def finding(self, finding: Finding) -> None:
        """Writes it above the view, and colours its layer."""
        self.mark(finding)
        self.note(finding.line)

    def mark(self, finding: Finding) -> None:
        """Colours its layer."""
        with self._lock:
            self._curves.mark(finding.layer, finding.level)
        self._readings += 1

    def epoch(self, event: EpochEnd) -> None:  # noqa: ARG002 - the bar knows the number
        """The bar knows; the speed is that of an epoch."""
        self._speed.end_line()

    def finish(self) -> None:
        """Draws once more and stops; the last drawing stays."""
        live, self._live = self._live, None
        if live is not None:
            self._over = True
            live.stop()

    def summary(self, shown: ShownSummary) -> None:
        """Writes the summary."""
        write_summary(shown, stream=self._stream)

    def render(self) -> Visible:
        """What stands on the screen now."""
        step, epochs = self._about.progress(), self._about.epochs
        epoch = step // self._about.steps_per_epoch + 1
        label = f"epoch {min(epoch, epochs)}/{epochs}" if epochs else f"epoch {epoch}"
        self._progress.update(self._task, completed=step, description=label)
        latest = self._latest
        parts: list[Any] = [_bar(self._progress, self._console)]
        if latest:
            # The summary's table, which follows, has the numbers of the last drawing.
            parts += [] if self._over else [_table(latest, self._about.steps_per_epoch)]
            parts += [_below(latest, self._speed.rate, self._console.width), self._dashboard()]
        return Visible(Group(*parts))

    def _dashboard(self) -> Any:
        """Curves and layers; drawn anew where there is something new, twice a second at most."""
        count, when, found = self._drawn
        now = monotonic()
        if found is None or (count != self._readings and (now - when > 0.5 or self._live is None)):
            count, room = self._readings, Room.of(*self._console.size)
            with self._lock:
                found = draw_dashboard(self._curves, ["loss", *score_names(self._latest)][:2], room)
            self._drawn = (count, now, found)
        return found


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("[dim]left"),
        TimeRemainingColumn(),
        console=console,
        expand=True,
    )


def _bar(progress: Progress, console: Console) -> Constrain:
    """The bar, with room for the ^C that a terminal echoes behind it.

    In a full line that would go to the next one: what is drawn then stands a line too low, and the
    line before stays.
    """
    return Constrain(progress.get_renderable(), console.width - len("^C") - 1)


def _table(latest: Mapping[Split, Reading], per_epoch: int) -> Table:
    """Training over the epoch, the other splits at their last reading."""
    columns = ["loss", *score_names(latest)][:5]
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right", header_style="bold")
    for split in _ROWS:
        if split not in latest:
            continue
        reading = latest[split]
        numbers = map(shown_values(reading).get, columns)
        cells = ["" if number is None else four_digits(number) for number in numbers]
        label = f"{split} ({_when(reading, per_epoch)})"
        table.add_row(label, *cells, style="cyan" if split == "train" else "magenta")
    return table


def _when(reading: Reading, per_epoch: int) -> str:
    if reading.step == 0:
        return "at the start"
    if reading.epoch_means:
        return f"mean of {epoch_of(reading.step, per_epoch)}"
    return f"after epoch {two_decimals(reading.epoch)}"


def _below(latest: Mapping[Split, Reading], speed: float | None, width: int) -> Text:
    """Gradient norm, learning rate and speed: each whole, in as many lines as that takes."""
    names = {"|grad|": "gradient norm", "lr": "learning rate"}
    lines: list[str] = []
    for key, value in pace_text(latest, speed).items():
        part = f"{names.get(key, '')} {value}".strip()
        if lines and len(lines[-1]) + 3 + len(part) <= width:
            lines[-1] += f"   {part}"
        else:
            lines.append(part)
    return Text("\n".join(lines), style="dim", no_wrap=True, overflow="ellipsis")


@final
class ComparisonBar:
    """One bar below the lines of a comparison: the steps of the run at hand."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False, force_jupyter=False)
        self._about: RunAbout | None = None
        self._progress = _progress(self._console)
        self._task = self._progress.add_task("", total=None)
        self._live = Live(
            console=self._console,
            get_renderable=self.render,
            refresh_per_second=8,
            redirect_stdout=False,
            transient=True,
        )
        self._live.start()

    def show(self, description: str, about: RunAbout) -> None:
        """Turns to another run."""
        self._about = about
        self._progress.reset(self._task, total=about.steps_total, description=description)

    def print(self, text: str) -> None:
        """Writes a line above the bar."""
        wrapped = wrap_text(visible_text(text), self._console.width)
        self._console.print(wrapped, markup=False, soft_wrap=True)

    def stop(self) -> None:
        """Draws no more."""
        self._live.stop()

    def render(self) -> Any:
        """What stands on the screen now."""
        if self._about is not None:
            self._progress.update(self._task, completed=self._about.progress())
        return Visible(_bar(self._progress, self._console))
