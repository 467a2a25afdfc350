"""Where data lie, what a source says of itself, and a source that has been read."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

from nnlab.core.contracts import RowReader, Shape, Split, Task, Windows
from nnlab.core.errors import DataError
from nnlab.core.lazy import NDArray, np
from nnlab.core.reach import LONGEST_PATH, within_reach
from nnlab.core.wrap import eye_key, told_apart

Form = Literal["images", "table", "points", "series", "tokens"]
"""What one example is: (C, H, W); a row of named columns; (time, columns); (time,) tokens; anything
else."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where data may lie.

    Attributes:
        folder: the config's folder; relative paths in the config start here.
        root: where named sets live, unless `data.root` says otherwise.
        cache: the user's cache folder; perhaps it cannot be written.
    """

    folder: Path
    root: Path
    cache: Path

    def find(self, path: str) -> Path:
        """Where a path of the config leads: from the config's folder on; ~ is the user's home.

        Raises:
            DataError: it is an address of the web, longer than any path, or a guest may not read
                there.
        """
        if len(path) > LONGEST_PATH:
            text = f"a path of {len(path):,} letters, no system has one"
            raise DataError(f"data: {path[:40]}... is {text} (write where the file is)")
        if re.match(r"[a-z][a-z0-9+]+://", path, re.IGNORECASE):
            from shlex import quote

            name = path.rstrip("/").rpartition("/")[2] or "data"
            way = f"curl -L -o {quote(name)} {quote(path)}, then path: {name}"
            if not re.match(r"(https?|ftps?)://", path, re.IGNORECASE):
                way = f"copy it to this machine, then path: {name}"
            raise DataError(f"data: {path} is an address, files are read from the disk ({way})")
        try:
            found = self.folder / Path(path).expanduser()
        except RuntimeError as error:
            found = self.folder / path
            if not within_reach(found) or not found.exists():  # ~x.csv is a name as well
                raise DataError(f"data: {path}: {error} (write the whole path)") from None
        if not within_reach(found):
            raise DataError(f"data: {path}: is outside of your folders (hand the file in)")
        return found


class Guess(NamedTuple):
    """What `task: auto` took that could be something else.

    Attributes:
        way: what would make it that: `task: regression, if they are quantities`.
        remark: the whole sentence; empty where it is hardly worth a word.
    """

    way: str
    remark: str


def near_miss(path: Path) -> str:
    """What may have been meant by a path that leads to nothing: " (did you mean rows.csv?)".

    Returns:
        The nearest name of the same folder, else which folder is not there; "" where the path leads
        somewhere, or nothing in the folder is like it.
    """
    try:
        if path.exists():
            return ""
        if not path.parent.is_dir():
            return f" (there is no folder {path.parent})"
        names = {eye_key(one.name): one.name for one in islice(path.parent.iterdir(), 10_000)}
    except (OSError, ValueError):
        return ""
    near = get_close_matches(eye_key(path.name), names, n=1)
    return f" (did you mean {told_apart(names[near[0]], path.name)}?)" if near else ""


@dataclass(frozen=True, slots=True)
class TableSource:
    """What a source holds.

    Attributes:
        inputs: shape of one example.
        task: what the targets are.
        outputs: K classes, target columns or labels.
        classes: the K names of classes or labels, empty for regression.
        columns: names of the input columns of a table, else empty.
        steps: as in `DataShape`.
        pool: rows that splits are drawn from.
        given: how many rows the source itself assigns to a split; they are not in the pool.
        start: where a point begins, if the source is a surface; else empty.
        peak: the largest value that a uint8 input can have.
        guess: what was guessed of the task, where it could be another one.
        places: where an example has an answer, as in `DataShape`.
        blocks: rows of each split where they follow each other, as windows over a series must; None
            where splits are drawn.
        naive: as in `DataShape`.
    """

    inputs: Shape
    task: Task
    outputs: int
    classes: tuple[str, ...]
    pool: int
    columns: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    given: Mapping[Split, int] = field(default_factory=dict[Split, int])
    start: tuple[float, ...] = ()
    peak: int = 255
    guess: Guess | None = None
    places: Shape = ()
    blocks: Mapping[Split, range] | None = None
    naive: float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A source that has been read: all its rows in one table.

    Attributes:
        source: what it holds.
        inputs: (N, *shape), uint8 for images, else float32; or a reader of single rows.
        targets: (N,) int64 class numbers, or (N, K) float32: numbers, or 0 and 1 for labels;
            float64 where float32 would merge numbers.
        given: the rows that the source itself assigns to a split.
        digest: SHA-256 of inputs and targets where it is known already, else empty.
        gaps: NaN in the inputs stands for a missing value, to be filled with the training mean.
        base: what was taken off each input before it became float32; None where nothing was.
        remarks: what a user should know of how it was read, a line each.
        merged: where float32 cannot tell values apart, a line each.
        dates: of columns that hold dates, how they are written.
        units: of columns whose numbers may have one beside them, which it is; empty for none.
        windows: where rows are windows over a series, of which inputs and targets are views.
    """

    source: TableSource
    inputs: "NDArray[Any] | RowReader"
    targets: "NDArray[Any]"
    given: Mapping[Split, "NDArray[np.int64]"] = field(
        default_factory=dict[Split, "NDArray[np.int64]"]
    )
    digest: str = ""
    gaps: bool = False
    base: "NDArray[np.float64] | None" = None
    remarks: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()
    dates: Mapping[str, str] = field(default_factory=dict[str, str])
    units: Mapping[str, str] = field(default_factory=dict[str, str])
    windows: Windows | None = None


Tables = dict[object, Table]
"""Sources that have been read, by all that decides what reading them gives."""


class ReadTable:
    """A table that a config carries along, so that its source is not read again.

    Args:
        keys: what decides the table, as it was written and as it was settled.
        table: that was read.
    """

    def __init__(self, keys: tuple[object, ...], table: Table) -> None:
        self.keys = keys
        self.table = table

    def __eq__(self, other: object) -> bool:
        """Always, nothing too: what was read does not make a config another (pydantic compares)."""
        return other is None or isinstance(other, ReadTable)


def merging(
    inputs: Mapping[int, tuple[int, int]],
    columns: Sequence[str],
    targets: Mapping[int, tuple[int, int]],
    names: Sequence[str],
) -> tuple[str, ...]:
    """Says where float32 cannot tell values apart that differ.

    Args:
        inputs: column -> how many values differ, and how many then.
        columns: names of the input columns; else they are counted.
        targets: column -> the same two counts, of the targets as they are.
        names: of the target columns.
    """
    found = [
        f"data: {columns[place] if columns else f'input {place}'}: {many:,} different values are "
        f"{left:,} in float32"
        for place, (many, left) in inputs.items()
    ]
    found += [
        f"data: {names[place] if place < len(names) else f'target {place + 1}'}: {many:,} "
        f"different values are {left:,} in float32 {_APART}"
        for place, (many, left) in targets.items()
    ]
    return tuple(found)


def left_merged(merged: Sequence[str], *, scaled: bool) -> tuple[str, ...]:
    """What `merging` says, without the targets where these are scaled before they are float32."""
    return tuple(line for line in merged if not (scaled and line.endswith(_APART)))


_APART = "(scale_target: standard keeps them apart)"
