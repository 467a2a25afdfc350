"""Text on its way to a terminal: as wide as that is, and with nothing in it that acts on it."""

import os
import re
from collections.abc import Iterator
from shutil import get_terminal_size
from typing import TextIO
from unicodedata import category, normalize

NARROW, USUAL, WIDE = 40, 80, 120
"""Columns: the fewest that text is broken for, those of a file or pipe, the most that read well."""

_COMMANDS = (
    "backprop|bench|check|compare|doctor|eval|explain|export|generate|import-weights|lr|menu|new|"
    "pictures|predict|resume|runs|schema|show|studio|tensorboard|train|verify"
)
# A command to paste ends where its sentence goes on; a setting is one word though it has a space,
# and so are both sides of a sign between numbers, and a count behind its word.
_WHOLE = re.compile(
    rf"nnlab (?:{_COMMANDS})\b[^`(),;]*[^`(),;\s]|--set \S+|\S+ [=<>] \S+|\S+ \(\d+\)\S*|\S+"
)
_FIELDS = re.compile(r"\S.*?\s{2,}(?=\S)")
_PART = re.compile(r"\S.*")
_GAP = re.compile(r"(?<=\S)\s{2,}(?=\S)")


def visible_text(text: str) -> str:
    r"""A text of others, in which nothing acts on what shows it: the one way to any terminal.

    Class names, headers of columns, file names and what stands in a config come from elsewhere.
    Control characters (escape sequences begin with one), those that turn the direction of writing,
    and halves of characters become what Python writes for them: \x1b. Line breaks and tabs stay.
    """
    return _ACTING.sub(lambda found: ascii(found[0])[1:-1], text)


# C0 without tab and line feed, DEL, C1; directions (CVE-2021-42574); separators; surrogates.
_ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def eye_key(text: str) -> str:
    """What two texts have in common that look the same, but for capitals.

    An umlaut is one sign or two, blanks come in several kinds, and some signs are not seen at all.
    """
    seen = (sign for sign in normalize("NFKC", text) if category(sign) != "Cf")
    return " ".join("".join(seen).split()).casefold()


def told_apart(name: str, beside: str) -> str:
    r"""A name as a message offers it for another one: in escapes where both look the same.

    What is in quotes then, "Gro\u0308\u00dfe", is taken by YAML, JSON and Python.
    """
    alike = eye_key(name) == eye_key(beside) and name.casefold() != beside.casefold()
    return f'"{ascii(name)[1:-1]}"' if alike else name


def terminal_width() -> int:
    """Columns of a line on stdout, at most 120; 80 where it is no terminal."""
    return max(NARROW, min(WIDE, get_terminal_size((USUAL, 24)).columns))


def stream_width(stream: TextIO) -> int | None:
    """Columns of the terminal behind a stream; None where there is none: such lines stay whole."""
    try:
        if not stream.isatty():
            return None
        # A terminal that was told no size says 0.
        return max(NARROW, os.get_terminal_size(stream.fileno()).columns or USUAL)
    except (OSError, ValueError):
        return None


def wrap_text(text: str, width: int | None, hanging: int | None = None) -> str:
    """Breaks long lines between words; what follows stands below the first words of the line.

    A line that begins with a label and two spaces or more (`next  nnlab eval ...`) goes on below
    what follows the label; one of more such parts (`1/2  relu  loss 0.1 (val 0.2)  0.3 s`) is
    broken between them. Words longer than a line, commands and settings stay whole.

    Args:
        text: lines; line breaks in it stay.
        width: of a line, in columns; None leaves the text as it is.
        hanging: columns before the following lines; None is as said above.
    """
    if width is None:
        return text
    return "\n".join(
        line if len(line) <= width else _wrap_line(line, width, hanging)
        for line in text.split("\n")
    )


def _wrap_line(line: str, width: int, hanging: int | None) -> str:
    if hanging is None:
        indent = len(line) - len(line.lstrip())
        label = _FIELDS.match(line.lstrip())
        hanging = indent + (len(label[0]) if label else 2)
        if hanging > width // 2:
            hanging = indent + 2
    lines, current = [""], 0
    for found in _parts(line, width - hanging):
        gap = line[current : found.start()]
        current = found.end()
        if lines[-1].strip() and len(lines[-1]) + len(gap) + len(found[0]) > width:
            lines.append(" " * hanging + found[0])
        else:
            lines[-1] += gap + found[0]
    return "\n".join(lines)


def _parts(line: str, room: int) -> Iterator[re.Match[str]]:
    """What a line is broken between: its words; of a row of parts, those that fit into a line."""
    gaps = [*_GAP.finditer(line)]
    starts, ends = [0, *(gap.end() for gap in gaps)], [*(gap.start() for gap in gaps), len(line)]
    for start, end in zip(starts, ends, strict=True):
        part = _PART.search(line, start, end)
        if part is not None and len(gaps) > 1 and len(part[0]) <= room:
            yield part
        else:
            yield from _WHOLE.finditer(line, start, end)


def write_wrapped(stream: TextIO, text: str) -> None:
    """Writes a line, or several, as wide as the stream's terminal, and flushes."""
    stream.write(wrap_text(visible_text(text), stream_width(stream)) + "\n")
    stream.flush()
