"""Facts as JSON: a dataclass becomes an object whose keys are its fields, in their order.

A trailing underscore of a field is left out (`class_`), and NaN and infinity, which JSON does not
have, become null. What stands otherwise says so at its field:

    calibration: Calibration | None = field(default=None, metadata=IF_KNOWN)
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

IF_KNOWN = {"json": "if known"}
"""The key is missing where the field is None; otherwise None is null."""
IN_PLACE = {"json": "in place"}
"""The keys of the field, a dataclass, stand in place of its own; none where it is None."""
PAGE_ONLY = {"json": "page only"}
"""A page shows the field, JSON does not hold it."""


@runtime_checkable
class _OwnForm(Protocol):
    """What says itself how it stands in JSON."""

    def plain(self) -> dict[str, Any]: ...


def plain_fields(facts: Any) -> dict[str, Any]:
    """A dataclass as one JSON object.

    Args:
        facts: an instance; its fields hold numbers, text, paths, None, mappings with text as keys,
            sequences, other dataclasses, and whatever has a method `plain` of its own.
    """
    found: dict[str, Any] = {}
    for part in fields(facts):
        value, form = getattr(facts, part.name), part.metadata.get("json")
        if form == "page only" or (form is not None and value is None):
            continue
        if form == "in place":
            found |= plain_value(value)
        else:
            found[part.name.removesuffix("_")] = plain_value(value)
    return found


def plain_value(value: Any) -> Any:
    """Any of what `plain_fields` takes, as dicts, lists, numbers, text and None."""
    if isinstance(value, _OwnForm):
        return plain_value(value.plain())
    if is_dataclass(value):
        return plain_fields(value)
    if isinstance(value, Mapping):
        return {k: plain_value(v) for k, v in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [plain_value(one) for one in cast("Sequence[Any]", value)]
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, float) and not isfinite(value) else value
