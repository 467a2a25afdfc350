"""How records are written: a table for people, JSON lines and csv for programs."""

import csv
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import Any, Literal

from nnlab.commands.predict.records import Record
from nnlab.core.wrap import stream_width

Format = Literal["table", "jsonl", "csv"]
Writer = Callable[[Sequence[Record]], str]
"""The text of some records; asked again for the next ones, it goes on below them."""

_LEAST = 5
_GAP = "  "


def record_writer(format: Format, *, one_file: bool) -> Writer:
    """A writer for the records of one call.

    Args:
        format: as the command takes it.
        one_file: all rows are of one file, which a table need not name.
    """
    if format == "jsonl":
        return lambda rows: "".join(json.dumps(row) + "\n" for row in rows)
    return _csv() if format == "csv" else _table(one_file=one_file)


def _flat(record: Record) -> dict[str, Any]:
    """One value under each name: probabilities as p(setosa), the top ones as label_1, label_2."""
    found: dict[str, Any] = {}
    for key, value in record.items():
        if key == "top":
            for place, one in enumerate(value, 1):
                found |= {f"{name}_{place}": inner for name, inner in one.items()}
        elif key == "probabilities":
            found |= {f"p({name})": share for name, share in value.items()}
        elif key == "labels":
            found[key] = ";".join(value)
        elif key == "values":
            found |= value
        elif key == "target" and isinstance(value, dict):
            found |= {f"target {name}": number for name, number in value.items()}  # pyright: ignore[reportUnknownVariableType]
        else:
            found[key] = ";".join(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType]
    return found


def _csv() -> Writer:
    head: list[str] = []

    def write(rows: Sequence[Record]) -> str:
        text = StringIO()
        cells = [_flat(row) for row in rows]
        first = not head
        if first:
            head.extend(dict.fromkeys(name for row in cells for name in row))
        file = csv.DictWriter(text, head, extrasaction="ignore", lineterminator="\n")
        if first:
            file.writeheader()
        file.writerows(cells)
        return text.getvalue()

    return write


def _table(*, one_file: bool) -> Writer:
    """Columns as wide as the first records need.

    On a terminal that is too narrow a record takes several lines, broken between two columns and
    nowhere else, and so does the line of titles.
    """
    widths: dict[str, int] = {}
    lines_of: list[list[str]] = []

    def write(rows: Sequence[Record]) -> str:
        cells = [_cells(row, one_file=one_file) for row in rows]
        lines: list[str] = []
        if not widths:
            for name in dict.fromkeys(name for row in cells for name in row):
                widths[name] = max(_LEAST, len(name), *(len(row.get(name, "")) for row in cells))
            lines_of.extend(_broken(widths, stream_width(sys.stdout)))
            lines += _lines({name: name for name in widths}, lines_of, widths)
        for row in cells:
            lines += _lines(row, lines_of, widths)
        return "".join(f"{line.rstrip()}\n" for line in lines)

    return write


def _broken(widths: Mapping[str, int], room: int | None) -> list[list[str]]:
    """Which columns stand in each line of a record; all in one where there is no such width."""
    lines: list[list[str]] = [[]]
    used = 0
    for name, width in widths.items():
        if lines[-1] and room is not None and used + width > room:
            lines.append([])
            used = len(_GAP)
        lines[-1].append(name)
        used += width + len(_GAP)
    return lines


def _lines(
    row: Mapping[str, str], lines: Sequence[Sequence[str]], widths: Mapping[str, int]
) -> list[str]:
    told = (_GAP.join(f"{row.get(name, ''):<{widths[name]}}" for name in line) for line in lines)
    return [f"{_GAP if number else ''}{text}" for number, text in enumerate(told)]


def _cells(record: Record, *, one_file: bool) -> dict[str, str]:
    shown = dict(record)
    if one_file and "row" in shown:
        del shown["file"]
    if (top := shown.pop("top", None)) is not None:  # the first of them is the answer itself
        shown["then"] = ", ".join(
            f"{_shortened(one['label'])} {one['probability']:.4f}" for one in top[1:]
        )
    if isinstance(labels := shown.get("labels"), dict):
        shares: dict[str, float | None] = labels
        told = [_shortened(k) + (f" {v:.4f}" if v is not None else "") for k, v in shares.items()]
        del shown["labels"]
        shown = {**_upto(shown, "row"), "labels": ", ".join(told) or "none", **_behind(shown)}
    file = {name: shown.pop(name) for name in ("file",) if name in shown}
    return file | {name: _said(value) for name, value in _flat(shown).items()}


def _upto(record: Record, last: str) -> Record:
    return {name: value for name, value in record.items() if name in ("file", last)}


def _behind(record: Record) -> Record:
    return {name: value for name, value in record.items() if name not in ("file", "row")}


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:#.4g}" if isinstance(value, float) else _shortened(str(value))


_LONGEST = 60


def _shortened(text: str) -> str:
    """A name in a table for people; two that begin alike are told apart by their ends."""
    return text if len(text) <= _LONGEST else f"{text[:40]}...{text[3 - _LONGEST + 40 :]}"
