"""Which rows train, validate and test: stratified, exact, and the same for the same seed."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nnlab.core.contracts import Split
from nnlab.core.errors import DataError
from nnlab.core.lazy import NDArray, np
from nnlab.core.seeds import seed_for
from nnlab.parts.datasets.split_sizes import FirstRows, LastRows, Limit, rows_wanted

if TYPE_CHECKING:
    Rows = NDArray[np.int64]


def shuffled(rows: "Rows", split_seed: int) -> "Rows":
    """The rows in an order that only depends on their number and the seed.

    Sorts by raw 64-bit words of PCG64: NumPy promises that stream for ever, which it does not for
    `Generator.permutation`.
    """
    words = np.random.PCG64(seed_for(split_seed, "split")).random_raw(len(rows))
    return rows[np.argsort(words, kind="stable")]


def shares(counts: "Rows", size: int, *, spare: int) -> "Rows":
    """How many of each class a stratified draw of `size` takes: largest remainders, at least one.

    Args:
        counts: (K,) rows of each class, all at least 1.
        size: the total, exact.
        spare: rows of each class that are left for the splits to come, where it has so many.

    Raises:
        DataError: there are too few rows.
    """
    quota = size * counts / counts.sum()
    most = np.maximum(counts - spare, 1)
    share = np.minimum(np.maximum(np.floor(quota).astype(np.int64), 1), most)
    if not len(counts) <= size <= most.sum():
        raise DataError(
            f"data: cannot draw {size} of {counts.sum()} rows with at least one of each of "
            f"{len(counts)} classes, and leave {spare} of each"
        )
    # Remainders below 1 are dealt out largest first, one each; what the floor of one took too much
    # goes back the other way.
    while (missing := size - int(share.sum())) != 0:
        lack = quota - share
        if missing > 0:
            share[np.argmax(np.where(share < most, lack, -np.inf))] += 1
        else:
            share[np.argmin(np.where(share > 1, lack, np.inf))] -= 1
    return share


def draw_splits(
    rows: "Rows", labels: "Rows | None", size: int, *, spare: int
) -> tuple["Rows", "Rows"]:
    """Takes `size` of the rows, stratified where there are labels: (taken, left), both in order."""
    if labels is None:
        return rows[:size], rows[size:]
    _, mine, counts = np.unique(labels[rows], return_inverse=True, return_counts=True)
    order = np.argsort(mine, kind="stable")
    rank = np.empty(len(rows), np.int64)
    rank[order] = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    taken = rank < shares(counts.astype(np.int64), size, spare=spare)[mine]
    return rows[taken], rows[~taken]


def split_rows(
    asked: Mapping[Split, object],
    limit: Limit,
    *,
    count: int,
    given: Mapping[Split, "Rows"],
    labels: "Rows | None",
    names: Sequence[str],
    split_seed: int,
) -> dict[Split, "Rows"]:
    """The rows of each split. Test is taken first, then validation, then the limit.

    Args:
        asked: the config's `test` and `validation`, without auto.
        limit: the config's `limit`.
        count: rows of the table.
        given: rows that the source assigns itself; nothing else is drawn from them.
        labels: (count,) class numbers, or None for regression.
        names: what the classes are called.
        split_seed: the only other thing that the split depends on.
    """
    pool = _pool(count, given)
    drawn = [split for split, size in asked.items() if isinstance(size, int | float)]
    if labels is not None and drawn:
        _check_rare(labels[pool], names, ["train", *drawn])
    left = shuffled(pool, split_seed)
    taken: dict[Split, Rows] = {}
    order: tuple[tuple[Split, int], ...] = (("test", 2), ("validation", 1))
    for split, spare in order:
        size = asked[split]
        number = rows_wanted(size, len(pool))
        if number is None:
            taken |= {} if size == "none" else {split: given[split]}
        elif isinstance(size, LastRows):
            last = np.sort(left)[len(left) - number :]
            taken[split], left = last, left[~np.isin(left, last)]
        else:
            rows, left = draw_splits(left, labels, number, spare=spare)
            taken[split] = np.sort(rows)
    if isinstance(limit, FirstRows):
        left = np.sort(left)[: limit.first]
    elif limit is not None and limit < len(left):
        left = draw_splits(left, labels, limit, spare=0)[0]
    return {"train": left, **dict(reversed(taken.items()))}


def _pool(count: int, given: Mapping[Split, "Rows"]) -> "Rows":
    """The rows that the source does not assign itself."""
    free = np.ones(count, bool)
    for rows in given.values():
        free[rows] = False
    return np.flatnonzero(free)


def _check_rare(labels: "Rows", names: Sequence[str], splits: list[str]) -> None:
    """Refuses a class that is too rare to be in every split."""
    present, counts = np.unique(labels, return_counts=True)
    rarest = int(np.argmin(counts))
    if counts[rarest] < len(splits):
        raise DataError(
            f"data: class {names[present[rarest]]!r} has {counts[rarest]} rows, too few for "
            f"one in each of {', '.join(splits)} (leave the class out, or {splits[-1]}: none)"
        )
