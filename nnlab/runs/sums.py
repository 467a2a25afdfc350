"""Files that know when they were changed: a SHA-256 of their own content stands in them.

A JSON file has it as its last key, for without its end it is no JSON; a text as a comment in its
first line, so that one that was cut anywhere still says what it was. So content and sum come to the
disk together, and a kill never leaves one without the other. A file without a sum is one of an
older nnlab, or one whose sum its reader took out on purpose: it is read, and `nnlab verify` says
that nothing vouches for it. (Older texts have it in their last line.)
"""

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, cast

from nnlab.core import files
from nnlab.core.errors import CheckpointError

SUM_KEY = "sha256"
_NEAR = 400
"""Characters of the beginning, and of the end, in which the line of a sum stands."""
_LIMIT = 256 << 20
"""Bytes of a file that nnlab wrote and reads as a whole."""
_FIRST = re.compile(r"# sha256 ([0-9a-f]{64}) of the lines below[^\n]*\n")
_LAST = re.compile(r"# sha256 ([0-9a-f]{64}) of the lines above[^\n]*\n\Z")


def seal_json(values: Mapping[str, Any], *, indent: int | None = None) -> str:
    """A JSON object as text, with the sum of its values as its last key.

    Raises:
        ValueError: a number is not finite.
    """
    plain = {key: value for key, value in values.items() if key != SUM_KEY}
    found = json.dumps(
        {**plain, SUM_KEY: _digest(plain)}, indent=indent, allow_nan=False, default=str
    )
    return found + "\n"


def json_is_sound(values: Mapping[str, Any]) -> bool | None:
    """Whether an object's values are those of its sum; None where it has none.

    Spaces and the order of keys may be others: the values are what counts.
    """
    if SUM_KEY not in values:
        return None
    return values[SUM_KEY] == _digest({k: v for k, v in values.items() if k != SUM_KEY})


def _digest(values: Mapping[str, Any]) -> str:
    # Through text and back: what is read again has lists for tuples, and text for other keys.
    plain = json.loads(json.dumps(values, default=str))
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def read_sealed(path: Path, *, way: str = "") -> dict[str, Any]:
    """A JSON object that nnlab wrote, without its sum.

    Args:
        path: the file.
        way: what to do where it is damaged.

    Raises:
        FileNotFoundError: it is not there.
        CheckpointError: it cannot be read, is no JSON object, or was changed.
    """
    hint = f" ({way})" if way else ""
    try:
        found = files.parse_json(files.read_regular(path, limit=_LIMIT, follow=True))
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}{hint}") from None
    if not isinstance(found, dict):
        raise CheckpointError(f"{path}: is not a JSON object{hint}")
    values = cast("dict[str, Any]", found)
    if json_is_sound(values) is False:
        what = "is damaged or was changed, its SHA-256 is another"
        raise CheckpointError(f"{path}: {what}{hint}")
    return {key: value for key, value in values.items() if key != SUM_KEY}


class SealedText(NamedTuple):
    """A text that was read, without the line of its sum."""

    text: str
    sound: bool | None
    """None: it has no sum."""


def seal_text(text: str, hint: str = "") -> str:
    """A text with a first line, a comment, that holds its sum.

    Args:
        text: ends with a line break.
        hint: what a reader of that line is told, in one line.
    """
    assert text.endswith("\n")
    said = f" ({hint})" if hint else ""
    return f"# sha256 {sha256(text.encode()).hexdigest()} of the lines below{said}\n{text}"


def open_text(data: bytes) -> SealedText:
    """Takes the line of the sum off a text, and says whether it is that of the rest.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
    """
    text = data.decode()
    if found := _FIRST.match(text):
        rest = text[found.end() :]
    elif found := _LAST.search(text):
        rest = text[: found.start()]
    else:
        # A line that is damaged itself must not pass for one that never was.
        return SealedText(text, False if "sha256" in text[:_NEAR] + text[-_NEAR:] else None)
    return SealedText(rest, sha256(rest.encode()).hexdigest() == found[1])
