"""Tables as text, as wide as the terminal: 80 columns where there is none, 120 at most."""

from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, cast

from nnlab.core.wrap import terminal_width, visible_text, wrap_text

_GAP = 2
"""Blanks between two columns."""


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

    Args:
        rows: their cells.
        head: titles of the columns, none for no line of titles.
        right: numbers of the columns that stand at the right.
        whole: numbers of the columns that are never broken into lines.
    """
    from rich.table import Table

    table = Table(box=None, show_header=bool(head), show_edge=False, pad_edge=False)
    count = len(head) or max(map(len, rows), default=0)
    for index in range(count):
        title = visible_text(head[index]) if head else ""
        justify = "right" if index in right else "left"
        table.add_column(title, justify=justify, no_wrap=index in whole, overflow="fold")
    for row in rows:
        table.add_row(*map(visible_text, row))
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

    Args:
        rows: their cells.
        head: titles of the columns.
        right: numbers of the columns that stand at the right.
        kept: so many columns are the first ones of each table.
        beside: numbers of columns that are never parted from the one before.
        styles: of the first cell of each row; none for plain ones.
    """
    from rich.text import Text

    widths = [max(map(len, column)) + _GAP for column in zip(head, *rows, strict=True)]
    room = terminal_width() + _GAP - sum(widths[:kept])
    groups: list[list[int]] = []
    used, column = 0, kept
    while column < len(head):
        after = column + 1
        while after in beside:
            after += 1
        wide = sum(widths[column:after])
        if not groups or used + wide > room:
            groups.append([])
            used = 0
        groups[-1] += range(column, after)
        used, column = used + wide, after
    tables: list[Any] = []
    for group in groups or [[]]:
        picked = [*range(kept), *group]
        table = text_grid(
            (),
            head=[head[i] for i in picked],
            right=[place for place, i in enumerate(picked) if i in right],
            whole=range(len(picked)),
        )
        for number, row in enumerate(rows):
            first, *others = (visible_text(row[i]) for i in picked)
            table.add_row(Text(first, style=styles[number] if styles else ""), *others)
        tables.append(table)
    return tables


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
