"""Tables as text, as wide as the terminal: 80 columns where there is none, 120 at most."""

from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, cast

from nnlab.core.wrap import terminal_width, visible_text, wrap_text

_GAP = 2
"""Blanks between two columns."""
_LONGEST_WORD = 30
"""A longer word (a path, a formula) may be torn: for it alone no table is taken apart."""


def short_path(folder: Path) -> str:
    """The folder as one would type it: below the current one without what is above."""
    try:
        return str(folder.relative_to(Path.cwd()))
    except ValueError:
        return str(folder)


class Visible:
    """What rich draws of something, with nothing in it that acts on what shows it.

    Args:
        drawn: text, a table, ...: whatever rich takes.
    """

    def __init__(self, drawn: Any) -> None:
        self._drawn = drawn

    def __rich_console__(self, console: Any, options: Any) -> Any:
        """Yields the segments of what is drawn; those that steer the terminal are rich's own."""
        from rich.segment import Segment

        for segment in console.render(self._drawn, options):
            if segment.control:
                yield segment
            else:
                yield Segment(visible_text(segment.text), segment.style)


def render_text(*parts: Any, width: int | None = None, colors: bool = False) -> str:
    """What rich makes of these, a line break after each.

    Args:
        parts: text, tables, ...
        width: of a line; None for that of the terminal, 120 at most.
        colors: those of a terminal, as far as it has some.
    """
    from rich.console import Console

    columns = terminal_width() if width is None else width
    text = StringIO()
    console = Console(
        file=text,
        width=columns,
        highlight=False,
        markup=False,
        emoji=False,
        force_terminal=colors,  # also where FORCE_COLOR is set, such as in a notebook
        force_jupyter=False,  # where it would show the text and give back none
    )
    for part in parts:
        if isinstance(part, str):
            console.print(wrap_text(visible_text(part), columns), soft_wrap=True)
        else:
            console.print(Visible(part))
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())


def text_grid(
    rows: Sequence[Sequence[str]],
    *,
    head: Sequence[str] = (),
    right: Sequence[int] = (),
    whole: Sequence[int] = (),
) -> Any:
    """A table of plain cells.

    Where a column that may be broken would tear a word, its cells stand below their rows instead.

    Args:
        rows: their cells.
        head: titles of the columns, none for no line of titles.
        right: numbers of the columns that stand at the right.
        whole: numbers of the columns that are never broken into lines.
    """
    return _Grid(rows, tuple(head), tuple(right), tuple(whole))


class _Grid:
    """A table that knows what to do where there is little room."""

    def __init__(
        self,
        rows: Sequence[Sequence[str]],
        head: tuple[str, ...],
        right: tuple[int, ...],
        whole: tuple[int, ...],
    ) -> None:
        self._rows = [[*map(visible_text, row)] for row in rows]
        self._head = [*map(visible_text, head)]
        self._right, self._whole = right, whole

    def __rich_console__(self, console: Any, options: Any) -> Any:
        """Yields the table, or its lines where it is too narrow for one."""
        from rich.text import Text

        lines = self._stacked(options.max_width)
        if lines is None:
            yield _table(self._rows, head=self._head, right=self._right, whole=self._whole)
        else:
            yield Text("\n".join(lines), no_wrap=True, overflow="fold")

    def _stacked(self, room: int) -> list[str] | None:
        """The lines of a table whose broken columns stand below; None where it has the room."""
        count = len(self._head) or max(map(len, self._rows), default=0)
        whole = [index for index in range(count) if index in (self._whole or (0,))]
        broken = [index for index in range(count) if index not in whole]
        if not broken:
            return None
        every = [row for row in (self._head, *self._rows) if row]
        cells = [[_at(row, index) for row in every] for index in range(count)]
        words = [max((len(w) for c in cells[i] for w in c.split()), default=0) for i in broken]
        longest = sum(min(word, _LONGEST_WORD) for word in words) + _GAP * (count - 1)
        widths = {i: max(len(line) for c in cells[i] for line in c.split("\n")) for i in whole}
        beside = sum(widths.values())
        if beside + longest <= room or beside + _GAP * (len(whole) - 1) > room:
            return None
        lines: list[str] = []
        for number, row in enumerate(every):
            first = (
                f"{_at(row, i):>{widths[i]}}" if i in self._right else f"{_at(row, i):<{widths[i]}}"
                for i in whole
            )
            lines += (" " * _GAP).join(first).rstrip().split("\n")
            for index in broken if number or not self._head else ():
                title = f"{self._head[index]}: " if _at(self._head, index) else ""
                cell = f"{title}{_at(row, index)}" if _at(row, index) else ""
                below = (" " * _GAP + line for line in cell.split("\n") if line)
                lines += [part for line in below for part in wrap_text(line, room).split("\n")]
        return lines


def _at(row: Sequence[str], index: int) -> str:
    return row[index] if index < len(row) else ""


def _table(
    rows: Sequence[Sequence[str]],
    *,
    head: Sequence[str],
    right: Sequence[int],
    whole: Sequence[int],
    gap: int = 2,
) -> Any:
    from rich.table import Table

    padding = (0, 1) if gap == _GAP else (0, gap, 0, 0)
    table = Table(
        box=None, show_header=bool(head), show_edge=False, pad_edge=False, padding=padding
    )
    count = len(head) or max(map(len, rows), default=0)
    for index in range(count):
        title = head[index] if head else ""
        justify = "right" if index in right else "left"
        table.add_column(title, justify=justify, no_wrap=index in whole, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def text_grids(
    rows: Sequence[Sequence[str]],
    *,
    head: Sequence[str],
    right: Sequence[int] = (),
    kept: int = 1,
    beside: Sequence[int] = (),
    styles: Sequence[str] = (),
) -> list[Any]:
    """A table whose cells are never broken: several, where one is too wide for the terminal.

    The columns move together where that makes it one. A row that says nothing in a further table
    is left out of that.

    Args:
        rows: their cells.
        head: titles of the columns.
        right: numbers of the columns that stand at the right.
        kept: so many columns are the first ones of each table.
        beside: numbers of columns that are never parted from the one before.
        styles: of the first cell of each row; none for plain ones.
    """
    from rich.text import Text

    bare = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    # Narrow gaps cost less than a second table.
    gap = next((g for g in (_GAP, 1) if sum(bare) + g * (len(bare) - 1) <= terminal_width()), _GAP)
    groups = _grouped([width + gap for width in bare], terminal_width() + gap, kept, beside)
    tables: list[Any] = []
    for group in groups or [[]]:
        picked = [*range(kept), *group]
        table = _table(
            (),
            head=[visible_text(head[i]) for i in picked],
            right=[place for place, i in enumerate(picked) if i in right],
            whole=range(len(picked)),
            gap=gap,
        )
        for number, row in enumerate(rows):
            if tables and not any(row[i] for i in group):
                continue
            first, *others = (visible_text(row[i]) for i in picked)
            table.add_row(Text(first, style=styles[number] if styles else ""), *others)
        tables.append(table)
    return tables


def _grouped(widths: Sequence[int], room: int, kept: int, beside: Sequence[int]) -> list[list[int]]:
    """Which columns stand in each table, beside the first ones that all have."""
    room -= sum(widths[:kept])
    groups: list[list[int]] = []
    used, column = 0, kept
    while column < len(widths):
        after = column + 1
        while after in beside:
            after += 1
        wide = sum(widths[column:after])
        if not groups or used + wide > room:
            groups.append([])
            used = 0
        groups[-1] += range(column, after)
        used, column = used + wide, after
    return groups


def text_list(values: Mapping[str, Any]) -> str:
    """Names and values, a line each; what is inside a value gets both names."""
    rows: dict[str, Any] = {}
    for key, value in values.items():
        inner = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        rows |= {f"{key} {name}": part for name, part in inner.items()} or {key: value}
    shown = [(visible_text(key), visible_text(_cell(value))) for key, value in rows.items()]
    width = max(len(key) for key, _ in shown)
    return "".join(f"{key:<{width}}  {value}\n" for key, value in shown)


def _cell(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, tuple | list):
        return ", ".join(map(_cell, cast("list[Any]", value)))
    if isinstance(value, float):
        return f"{value:#.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def repeated_end(text: str, times: int = 4, least: int = 40) -> str:
    """What a text ends in again and again, once; empty where it does not.

    Args:
        text: any.
        times: so often it stands there at least, one behind the other.
        least: so many characters these are together, at least.
    """
    for length in range(1, len(text) // times + 1):
        count = max(times, -(-least // length))
        if len(text) >= count * length and text.endswith(text[-length:] * count):
            return text[-length:]
    return ""
