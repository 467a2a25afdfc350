"""What is done about cells without a value: by column, by kind, and never without a word."""

from collections.abc import Mapping, Sequence, Set
from typing import Literal, NamedTuple

from nnlab.core.errors import ConfigError, DataError
from nnlab.core.lazy import NDArray, np
from nnlab.parts.datasets.files.sheets.columns import NO_VALUE, Categories, Numbers
from nnlab.parts.datasets.files.sheets.notation import Notation, named
from nnlab.parts.datasets.files.sheets.sheet import Sheet

Policy = Literal["fill", "refuse", "drop", "mean", "category"]
"""fill, mean: a number's mean, a category of its own for words, and a row without a target goes."""
GlobalPolicy = Literal["fill", "refuse", "drop", "mean"]
_MANY = 0.1
"""From this share of the rows on, what is said is a warning."""
_SHOWN = 8
_WAYS = (
    "missing: fill gives numbers their mean and words a category of their own; missing: drop "
    "leaves the rows out"
)


class Filled(NamedTuple):
    """A table without the rows that were left out.

    Attributes:
        sheet: the rest.
        kept: (M,) which rows of the whole are left.
        remarks: what was left out, a line for each file.
    """

    sheet: Sheet
    kept: "NDArray[np.int64]"
    remarks: tuple[str, ...]


def policy_of(missing: GlobalPolicy | Mapping[str, Policy], name: str) -> Policy:
    """What the config says of a column."""
    return missing if isinstance(missing, str) else missing.get(name, "fill")


def leave_out(
    sheet: Sheet,
    inputs: Sequence[str],
    targets: Sequence[str],
    missing: GlobalPolicy | Mapping[str, Policy],
    notation: Notation,
) -> Filled:
    """The table without the rows that the policy drops.

    Raises:
        DataError: a column that may miss nothing does, or no row is left.
    """
    gaps = {name: sheet.gaps(name, notation) for name in (*inputs, *targets)}
    gaps = {name: mask for name, mask in gaps.items() if mask.any()}
    _refuse(sheet, gaps, missing)
    drops = {
        name: mask
        for name, mask in gaps.items()
        if name in targets or policy_of(missing, name) == "drop"
    }
    if not drops:
        return Filled(sheet, np.arange(len(sheet)), ())
    gone = np.logical_or.reduce(list(drops.values()))
    kept = np.flatnonzero(~gone)
    if not len(kept):
        way = "missing: fill" if set(drops) - set(targets) else "no row has a target"
        raise DataError(f"{sheet.where(0)}: every row misses a value ({way})")
    return Filled(sheet.keep(kept), kept, _left_out(sheet, gone, drops, targets))


def _refuse(
    sheet: Sheet,
    gaps: "Mapping[str, NDArray[np.bool_]]",
    missing: GlobalPolicy | Mapping[str, Policy],
) -> None:
    bad = {name: mask for name, mask in gaps.items() if policy_of(missing, name) == "refuse"}
    if not bad:
        return
    row = min(int(np.argmax(mask)) for mask in bad.values())
    first = next(name for name, mask in bad.items() if mask[row])
    raise DataError(f"{sheet.gap(row, first)}; rows without a value: {_counts(bad)} ({_WAYS})")


def _left_out(
    sheet: Sheet,
    gone: "NDArray[np.bool_]",
    drops: "Mapping[str, NDArray[np.bool_]]",
    targets: Sequence[str],
) -> tuple[str, ...]:
    """A line for each file that lost rows."""
    found: list[str] = []
    for file, path in enumerate(sheet.files):
        mine = sheet.origins[:, 0] == file
        where = "data" if len(sheet.files) == 1 else str(path)
        found += left_out_line(where, mine, gone, drops, targets)
    return tuple(found)


def left_out_line(
    where: str,
    mine: "NDArray[np.bool_]",
    gone: "NDArray[np.bool_]",
    drops: "Mapping[str, NDArray[np.bool_]]",
    targets: Sequence[str],
) -> tuple[str, ...]:
    """What is said of rows that were left out; nothing where none were.

    Args:
        where: whose rows they are.
        mine: (N,) those rows.
        gone: (N,) all that were left out.
        drops: by column, (N,) why.
        targets: the columns without which a row is none.
    """
    lost, rows = int((gone & mine).sum()), int(mine.sum())
    if not lost:
        return ()
    counts = {name: mask & mine for name, mask in drops.items() if (mask & mine).any()}
    why = "have no target" if set(counts) <= set(targets) else "miss a value (missing: drop)"
    text = f"{where}: {lost:,} of {rows:,} rows {why} and were left out: {_counts(counts)}"
    return (warned(text, lost, rows),)


def warned(text: str, count: int, rows: int) -> str:
    """The text, as a warning where many rows are concerned."""
    return f"warning: {text}" if count >= _MANY * rows else text


def _counts(gaps: "Mapping[str, NDArray[np.bool_]]") -> str:
    """Each column with how many rows miss it, most first."""
    found = sorted(((int(mask.sum()), name) for name, mask in gaps.items()), reverse=True)
    some = ", ".join(f"{name} {count:,}" for count, name in found[:_SHOWN])
    rest = found[_SHOWN:]
    return some + (f", and {len(rest)} more columns" if rest else "")


def filled_remarks(
    sheet: Sheet,
    parts: Sequence[Numbers | Categories],
    missing: GlobalPolicy | Mapping[str, Policy],
) -> tuple[str, ...]:
    """What stands in the place of values that miss, a line for numbers and one for categories.

    Raises:
        ConfigError: a column cannot be filled as it is asked for.
    """
    means: dict[str, NDArray[np.bool_]] = {}
    own: dict[str, NDArray[np.bool_]] = {}
    for part in parts:
        asked = policy_of(missing, part.name)
        if isinstance(part, Numbers):
            if not isinstance(sheet.columns[part.name], list):
                continue
            mask = np.isnan(part.values)
            if mask.any() and asked == "category":
                way = f"columns: {{categorical: [{named(part.name)}]}}"
                text = f"{part.name} holds numbers, which are no categories ({way}, or mean)"
                raise ConfigError(f"data.missing: {text}")
            means |= {part.name: mask} if mask.any() else {}
        elif part.names and part.names[-1] == NO_VALUE:
            mask = part.places == len(part.names) - 1
            if not isinstance(missing, str) and asked == "mean":
                raise ConfigError(f"data.missing: {_no_mean(part.name)}")
            own[part.name] = mask
    return _filling(means, own, len(sheet))


def _no_mean(name: str) -> str:
    return f"{name} holds words, which have no mean ({name}: category)"


def _filling(
    means: "Mapping[str, NDArray[np.bool_]]", own: "Mapping[str, NDArray[np.bool_]]", rows: int
) -> tuple[str, ...]:
    """What stands in the place of numbers and of words that miss."""
    lines: list[str] = []
    for gaps, what in ((means, "their mean in training"), (own, "a category of its own")):
        if gaps:
            most = max(int(mask.sum()) for mask in gaps.values())
            text = f"data: rows without a value, which get {what}: {_counts(gaps)}"
            lines.append(warned(f"{text} (of {rows:,})", most, rows))
    return tuple(lines)


class FrameRows(NamedTuple):
    """What DataFrames miss, all splits one below the other.

    Attributes:
        gaps: by column, (N,) where it has no value.
        words: those of the columns that hold words; the others hold numbers.
        unlabelled: (N,) where there is no target; None where each row has one.
        splits: their names.
        split_of: (N,) the number of the split of each row.
    """

    gaps: "Mapping[str, NDArray[np.bool_]]"
    words: Set[str]
    unlabelled: "NDArray[np.bool_] | None"
    splits: tuple[str, ...]
    split_of: "NDArray[np.int64]"


class FrameGaps(NamedTuple):
    """What was done about them.

    Attributes:
        kept: (M,) the rows that are left.
        dropped: columns whose rows without a value were left out.
        remarks: what was left out and what gets filled, a line each.
    """

    kept: "NDArray[np.int64]"
    dropped: frozenset[str]
    remarks: tuple[str, ...]


def fill_or_leave_out(rows: FrameRows, missing: GlobalPolicy | Mapping[str, Policy]) -> FrameGaps:
    """What the policy of csv files does of DataFrames.

    Raises:
        ConfigError: a column cannot be filled as it is asked for.
        DataError: a column that may miss nothing does, or no row of a split is left.
    """
    gaps = {name: mask for name, mask in rows.gaps.items() if mask.any()}
    bad = {name: mask for name, mask in gaps.items() if policy_of(missing, name) == "refuse"}
    if bad:
        raise DataError(f"data: X: rows without a value: {_counts(bad)} ({_WAYS})")
    drops = {name: mask for name, mask in gaps.items() if policy_of(missing, name) == "drop"}
    if rows.unlabelled is not None:
        drops["y"] = rows.unlabelled
    gone = np.logical_or.reduce([np.zeros(len(rows.split_of), np.bool_), *drops.values()])
    lines: list[str] = []
    for number, split in enumerate(rows.splits):
        mine = rows.split_of == number
        where = "data" if len(rows.splits) == 1 else f"data[{split!r}]"
        lines += left_out_line(where, mine, gone, drops, ("y",))
        if not (mine & ~gone).any():
            raise DataError(f"{where}: every row misses a value (missing: fill)")
    kept = np.flatnonzero(~gone)
    left = {name: mask[kept] for name, mask in gaps.items() if name not in drops}
    for name in left:
        asked = policy_of(missing, name)
        if name in rows.words and asked == "mean" and not isinstance(missing, str):
            raise ConfigError(f"data.missing: {_no_mean(name)}")
        if name not in rows.words and asked == "category":
            text = f"{name} holds numbers, which are no categories"
            raise ConfigError(f"data.missing: {text} (mean, or X[{name!r}].astype(str))")
    lines += _filling(
        {name: mask for name, mask in left.items() if name not in rows.words},
        {name: mask for name, mask in left.items() if name in rows.words},
        len(kept),
    )
    return FrameGaps(kept, frozenset(drops), tuple(lines))
