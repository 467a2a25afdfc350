"""How a config says which rows a split gets, and how many those are. No array is needed for it."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, PositiveInt
from pydantic_core import PydanticCustomError

from nnlab.core.contracts import Split
from nnlab.core.kinds import Config, Forms


def _count(value: int) -> int:
    if value == 1:
        raise PydanticCustomError(
            "value",
            "needs a count of 2 or more, a fraction below 1 or none: 1 may mean one or all",
        )
    if value < 1:
        raise PydanticCustomError("value", "needs a count of 2 or more, a fraction or none")
    return value


def _fraction(value: float) -> float:
    if value == 1.0:
        raise PydanticCustomError(
            "value",
            "needs a fraction below 1, or a count of 2 or more: 1.0 leaves nothing to train on",
        )
    if not 0.0 < value < 1.0:
        raise PydanticCustomError(
            "value",
            "needs a fraction between 0 and 1, a count without a decimal point, or none",
        )
    return value


class LastRows(Config, frozen=True):
    """The last rows as stored; the usual way to split MNIST is `{last: 5000}`."""

    last: PositiveInt


class FirstRows(Config, frozen=True):
    """The first of the training rows, as stored."""

    first: PositiveInt


class FromFile(Config, frozen=True):
    """All rows of another file (or folder) of the same form."""

    file: str


class FromColumn(Config, frozen=True):
    """The rows that a column marks: train, validation (or val) or test."""

    column: str


Count = Annotated[int, AfterValidator(_count)]
Fraction = Annotated[float, AfterValidator(_fraction)]

SplitSize = Annotated[
    Count | Fraction | LastRows | FromFile | FromColumn | Literal["official", "none"], Forms()
]
"""How large a split is, or where its rows come from."""

TestSize = Annotated[
    Count | Fraction | LastRows | FromFile | FromColumn | Literal["auto", "official", "none"],
    Forms(),
]
"""How many rows are for testing; auto is the source's own test split where it has one, else 0.2."""

Limit = Annotated[PositiveInt | FirstRows | None, Forms()]
"""How many training rows are used: drawn stratified, or the first."""


def rows_wanted(size: object, pool: int) -> int | None:
    """How many rows a count, a fraction or `{last: n}` takes of `pool`; None for other forms.

    A fraction is of the whole pool for test and validation alike: 0.2 and 0.1 leave 0.7.
    """
    if isinstance(size, LastRows):
        return size.last
    if isinstance(size, float):
        return round(size * pool)
    return size if isinstance(size, int) else None


def split_sizes(
    asked: Mapping[Split, object],
    limit: Limit,
    *,
    pool: int,
    given: Mapping[Split, int],
    classes: int,
) -> tuple[dict[Split, int], list[str]]:
    """Examples in each split, and what is wrong with them.

    Args:
        asked: the config's `test` and `validation`, without auto.
        limit: the config's `limit`.
        pool: rows to draw from: all that the source does not assign itself.
        given: how many rows the source assigns to a split.
        classes: K, or 0 for regression.
    """
    sizes: dict[Split, int] = {}
    wrong: list[str] = []
    left = pool
    order: tuple[Split, ...] = ("test", "validation")
    for split in order:
        size = asked[split]
        if size == "none":
            continue
        count = rows_wanted(size, pool)
        if count is None:
            sizes[split] = given[split]
            continue
        wrong += _too_small(f"data.{split}", count, classes, drawn=not isinstance(size, LastRows))
        sizes[split] = count
        left -= count
    if left < max(classes, 1):
        taken = " and ".join(f"{sizes[s]} for {s}" for s in order if s in sizes)
        wrong.append(f"data: {taken} of {pool} rows leave {max(left, 0)} to train on")
    elif limit is not None:
        count = limit.first if isinstance(limit, FirstRows) else limit
        if count > left:
            wrong.append(f"data.limit: {count} examples, but only {left} are left to train on")
        wrong += _too_small("data.limit", count, classes, drawn=isinstance(limit, int))
        left = count
    return {"train": left, **dict(reversed(sizes.items()))}, wrong


def _too_small(where: str, count: int, classes: int, *, drawn: bool) -> list[str]:
    if count < 1:
        return [f"{where}: takes no example at all (write more, or none)"]
    if drawn and count < classes:
        key = where.removeprefix("data.")
        other = f"{{first: {count}}}" if key == "limit" else "none"
        text = f"{count} examples cannot hold one of each of {classes} classes"
        return [f"{where}: {text} ({key}: {classes} or more, or {key}: {other})"]
    return []
