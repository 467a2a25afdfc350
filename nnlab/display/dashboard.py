"""What the live view draws of a run: curves of loss and score, and a bar for each layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, log10
from typing import NamedTuple, final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from nnlab.core.contracts import Split
from nnlab.core.events import Reading
from nnlab.core.finding import LEVELS, Level
from nnlab.display.text_chart import Drawn, Line, text_chart
from nnlab.display.views import SHORT_SPLITS

CHART_POINTS = 400
"""A curve keeps at most so many points; of a longer one every other is dropped."""
_CURVES: tuple[tuple[Split, str, int], ...] = (("train", "t", 0), ("validation", "v", 1))
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_COLORS: dict[Level, str] = {"note": "cyan", "warning": "yellow", "fault": "red"}


class Room(NamedTuple):
    """How much of a screen there is for it."""

    width: int
    """Characters."""
    curve: int
    """Lines of a chart; 0 draws none."""
    layers: int
    """Bars; 0 draws none."""

    @classmethod
    def of(cls, width: int, height: int) -> "Room":
        """For a terminal of this size, of which table and progress bar need ten lines."""
        spare = height - 10
        if width < 50 or spare < 8:
            return cls(width, 0, 0)
        curve = min(8, spare // 2 - 3)
        # A chart has a title and two lines for its axis, the bars have a title.
        return cls(width, curve, min(12, spare - curve - 5))


@final
@dataclass(slots=True)
class Curves:
    """The readings of a run, as far as they are drawn.

    Attributes:
        lines: (key, split) -> epochs and values.
        layers: key of a gradient norm in readings -> the layer's name, in the order of depth.
        norms: gradient norm of each layer, in the same order.
        notes: what else is known of a layer: "dead 12 %".
        sick: layer -> the worst level of its findings.
    """

    lines: dict[tuple[str, Split], tuple[list[float], list[float]]] = field(
        default_factory=dict[tuple[str, Split], tuple[list[float], list[float]]]
    )
    layers: Mapping[str, str] = field(default_factory=dict[str, str])
    norms: dict[str, float] = field(default_factory=dict[str, float])
    notes: dict[str, str] = field(default_factory=dict[str, str])
    sick: dict[str, Level] = field(default_factory=dict[str, Level])

    def add(self, reading: Reading, keys: Sequence[str]) -> None:
        """Takes a reading in: these of its numbers become curves."""
        for key in keys:
            if key in reading.values and (reading.step or reading.split != "train"):
                epochs, values = self.lines.setdefault((key, reading.split), ([], []))
                epochs.append(reading.epoch)
                values.append(reading.values[key])
                if len(epochs) > CHART_POINTS:
                    del epochs[1:-1:2], values[1:-1:2]
        found = {n: reading.values[k] for k, n in self.layers.items() if k in reading.values}
        self.norms = found or self.norms
        self.notes |= _notes(reading.values)

    def mark(self, layer: str | None, level: Level) -> None:
        """A finding says that something is wrong with a layer."""
        if layer is None:
            return
        known = self.sick.get(layer)
        if known is None or LEVELS.index(level) > LEVELS.index(known):
            self.sick[layer] = level


def _notes(values: Mapping[str, float]) -> dict[str, str]:
    words: dict[str, list[str]] = {}
    for name, word in (("dead_units", "dead"), ("saturated", "saturated")):
        for key, value in values.items():
            layer = key.removeprefix(f"{name}/").partition("_")[2]
            if key.startswith(f"{name}/") and layer:
                words.setdefault(layer, [])
                words[layer] += [f"{word} {value:.0%}"] if value >= 0.005 else []
    return {layer: " ".join(found) for layer, found in words.items()}


def draw_dashboard(curves: Curves, keys: Sequence[str], room: Room) -> Group:
    """The curves of the first two keys beside each other, below them the layers."""
    parts: list[Table | Text] = []
    drawn = [key for key in keys[:2] if any(name == key for name, _ in curves.lines)]
    if room.curve and drawn:
        side = (room.width - 2 * (len(drawn) - 1)) // len(drawn)
        grid = Table.grid(padding=(0, 2, 0, 0))
        for _ in drawn:
            grid.add_column(width=side, no_wrap=True)
        title = _Title.for_all({key: _there(curves, key) for key in drawn}, side)
        grid.add_row(*(_curve(curves, key, side, room.curve, title) for key in drawn))
        parts.append(grid)
    if room.layers > 1 and curves.norms:
        parts.append(_bars(curves, room))
    return Group(*parts)


def _curve(curves: Curves, key: str, width: int, height: int, title: "_Title") -> Text:
    there = _there(curves, key)
    lines = [Drawn(sign, Line(*curves.lines[key, split]), color) for split, sign, color in there]
    text = text_chart(lines, width=width, height=height, label="epoch")
    return Text("\n").join((title.of(key, there), text))


def _there(curves: Curves, key: str) -> list[tuple[Split, str, int]]:
    return [one for one in _CURVES if (key, one[0]) in curves.lines]


class _Title(NamedTuple):
    """What stands above each of the charts: its key, and which letter is which split."""

    names: Mapping[Split, str]
    below: bool
    """Whether the letters have a line of their own."""

    @classmethod
    def for_all(
        cls, charts: Mapping[str, Sequence[tuple[Split, str, int]]], width: int
    ) -> "_Title":
        """One that fits above all of them, so that they say the same in as many lines."""
        whole: dict[Split, str] = {split: split for split in SHORT_SPLITS}
        forms = (cls(whole, below=False), cls(SHORT_SPLITS, below=False))
        return next(
            (
                form
                for form in forms
                if all(form._length(*chart) <= width for chart in charts.items())
            ),
            cls(SHORT_SPLITS, below=True),
        )

    def _length(self, key: str, there: Sequence[tuple[Split, str, int]]) -> int:
        return len(key) + sum(len(f"  {letter} {self.names[split]}") for split, letter, _ in there)

    def of(self, key: str, there: Sequence[tuple[Split, str, int]]) -> Text:
        """The title of one chart."""
        title = Text().append(key, style="bold")
        between = "\n" if self.below else "  "
        for split, letter, number in there:
            title.append(
                f"{between}{letter} {self.names[split]}", style=("cyan", "magenta")[number]
            )
            between = "  "
        return title


def _bars(curves: Curves, room: Room) -> Text:
    """A bar for each layer on a logarithmic axis; of many layers some, evenly spaced."""
    layers = [*curves.norms]
    if len(layers) > room.layers:
        last = len(layers) - 1
        layers = [layers[round(i * last / (room.layers - 1))] for i in range(room.layers)]
    some = "" if len(layers) == len(curves.norms) else f", {len(layers)} of {len(curves.norms)}"
    shown = [v for v in curves.norms.values() if 0 < v < float("inf")]
    low, high = decades(shown)
    names = max(len(layer) for layer in layers)
    width = max(8, room.width - names - 32)
    text = Text().append(f"gradient norm by layer{some}", style="bold")
    text.append(f"  1e{low:+d} to 1e{high:+d}, logarithmic", style="dim")
    for layer in layers:
        value, level = curves.norms[layer], curves.sick.get(layer)
        color = _COLORS[level] if level else "green"
        share = (log10(value) - low) / (high - low) if 0 < value < float("inf") else 0.0
        text.append(f"\n{layer:<{names}} ")
        text.append(f"{_bar(share, width):<{width}}", style=color)
        text.append(f" {value:8.2e}", style=color)
        text.append(f"  {curves.notes.get(layer, '')}"[:20], style=color if level else "dim")
    return text


def decades(values: Sequence[float]) -> tuple[int, int]:
    """The powers of ten around positive values, three decades apart at least."""
    if not values:
        return -3, 0
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    return min(low, high - 3), high


def _bar(share: float, width: int) -> str:
    """As in ███▌: to an eighth of a character."""
    eighths = max(1, round(share * width * 8))
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[rest] if rest else "")
