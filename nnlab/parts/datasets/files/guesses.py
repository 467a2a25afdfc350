"""What targets seem to be, where the config does not say: the same rule for files and arrays."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from nnlab.core.contracts import Task
from nnlab.core.lazy import NDArray, np
from nnlab.core.wrap import eye_key

FEW = 20
"""At most so many different whole numbers are taken for classes in a table."""
_REPEATED = 2
"""Whole numbers that occur so often on average could be names as well."""
_REPEATED_OFTEN = 10
"""The same, of numbers with a fraction."""


def is_one_hot(targets: "NDArray[Any]") -> bool:
    """Whether (N, K) targets, K at least 2, hold one 1 in every row and else 0."""
    return targets.ndim == 2 and targets.shape[1] > 1 and are_marks(targets) and _ones(targets)


def _ones(targets: "NDArray[Any]") -> bool:
    return bool((targets.sum(axis=1, dtype=np.int64) == 1).all())


def are_marks(targets: "NDArray[Any]") -> bool:
    """Whether targets hold nothing but 0 and 1."""
    return targets.dtype.kind in "buif" and bool(((targets == 0) | (targets == 1)).all())


def of_numbers(
    values: "NDArray[Any]", said: str, *, most: int, stored: str = ""
) -> tuple[Task, str, str]:
    """Whether numbers are classes or quantities.

    Args:
        values: (N,).
        said: how a sentence about them begins: "data: price holds".
        most: so many different whole numbers are classes, more are quantities; 0 where the way
            they are stored says that they are quantities.
        stored: how they are stored, where that decided.

    Returns:
        The task; what would make them the other one; and a sentence where they could be that.
    """
    whole = bool((values == np.rint(values)).all())
    different = len(np.unique(values)) if whole else 0
    if whole and different <= most:
        way = "task: regression, if they are quantities"
        text = f"{different} different whole numbers, taken for classes"
        return "classes", way, f"{said} {text} ({way})"
    often = _REPEATED
    if not whole:
        # 0.5, 1, 1.5, ...: numbers with a fraction that are few and come again may be grades.
        different, often = len(np.unique(values)), _REPEATED_OFTEN
    if not 2 <= different <= len(values) // often or (not whole and different > FEW):
        return "regression", "", ""
    way = "task: classes, if they are names of something"
    what = f" as {stored}" if stored else ""
    text = f"{different} different {'whole ' if whole else ''}numbers{what}, taken for numbers"
    return "regression", way, f"{said} {text} ({way})"


def look_alike(names: Sequence[str]) -> str:
    """Two words that look the same, as a sentence begins: "'Yes' and 'yes', which differ in ...,".

    Returns:
        The beginning; empty where all look different.
    """
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(eye_key(name), name)
        if other == name:
            continue
        if other.casefold() == name.casefold():
            return f"{other!r} and {name!r}, which differ in capitals alone,"
        return f"{other!a} and {name!a}, which look the same,"
    return ""


_BETWEEN_LABELS = "|;,/+&"


def several_in_one(names: Sequence[str]) -> tuple[str, str] | None:
    """A class whose parts stand in other classes too, and the sign between them: "a|b", "|".

    It may be a name of its own, or several labels of one example. None where no class is so.
    """
    for sign in _BETWEEN_LABELS:
        parts = {name: {part.strip() for part in name.split(sign)} for name in names}
        times = Counter(part for some in parts.values() for part in some)
        for name, some in parts.items():
            if len(some) > 1 and all(part and times[part] > 1 for part in some):
                return name, sign
    return None


_ZERO_FIRST = re.compile(r"0\d+")


def written_names(cells: Iterable[str]) -> tuple[str, ...] | None:
    """Names of classes as they are written, by value: numbers with a 0 before them, 01 or 007.

    Returns:
        Them; None where numbers name the classes as well: none begins with a 0, or one number has
        two writings.
    """
    names = set(cells)
    if not any(map(_ZERO_FIRST.fullmatch, names)) or two_writings(names):
        return None
    return tuple(sorted(names, key=float))


def two_writings(cells: Iterable[str]) -> str:
    """Two writings of one whole number of which one begins with a 0: "01 and 1"; else ""."""
    seen: dict[float, str] = {}
    for name in sorted(set(cells)):
        other = seen.setdefault(float(name), name)
        if other != name and (_ZERO_FIRST.fullmatch(other) or _ZERO_FIRST.fullmatch(name)):
            return f"{other} and {name}"
    return ""


def label_of(number: float) -> str:
    """What a class is called that a number names: 1 and 1.0 are the same."""
    return str(int(number)) if float(number).is_integer() else str(number)
