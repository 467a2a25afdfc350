"""How records are written: a table for people, JSON lines and csv for programs."""

import csv
import json
from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any, Literal

from nnlab.commands.predict.records import Record

Format = Literal["table", "jsonl", "csv"]
Writer = Callable[[Sequence[Record]], str]
"""The text of some records; asked again for the next ones, it goes on below them."""

_LEAST = 5


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
    """Columns as wide as the first records need."""
    widths: dict[str, int] = {}

    def write(rows: Sequence[Record]) -> str:
        cells = [_cells(row, one_file=one_file) for row in rows]
        lines: list[str] = []
        if not widths:
            for name in dict.fromkeys(name for row in cells for name in row):
                widths[name] = max(_LEAST, len(name), *(len(row.get(name, "")) for row in cells))
            lines.append("  ".join(f"{name:<{width}}" for name, width in widths.items()))
        lines += [
            "  ".join(f"{row.get(name, ''):<{w}}" for name, w in widths.items()) for row in cells
        ]
        return "".join(f"{line.rstrip()}\n" for line in lines)

    return write


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
