"""Where data lie, what a source says of itself, and a source that has been read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any, Literal

from nnlab.core.contracts import RowReader, Shape, Split, Task
from nnlab.core.errors import DataError
from nnlab.core.lazy import NDArray, np

Form = Literal["images", "table", "points"]
"""What one example is: (C, H, W); a row of named columns; anything else."""


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
            DataError: it is an address of the web.
        """
        if re.match(r"[a-z][a-z0-9+]+://", path, re.IGNORECASE):
            name = path.rstrip("/").rpartition("/")[2] or "data"
            way = f"curl -L -o {quote(name)} {quote(path)}, then path: {name}"
            raise DataError(f"data: {path} is an address, files are read from the disk ({way})")
        try:
            return self.folder / Path(path).expanduser()
        except RuntimeError as error:
            raise DataError(f"data: {path}: {error} (write the whole path)") from None


@dataclass(frozen=True, slots=True)
class TableSource:
    """What a source holds.

    Attributes:
        inputs: shape of one example.
        task: what the targets are.
        outputs: K classes, target columns or labels.
        classes: the K names of classes or labels, empty for regression.
        columns: names of the input columns of a table, else empty.
        pool: rows that splits are drawn from.
        given: how many rows the source itself assigns to a split; they are not in the pool.
        start: where a point begins, if the source is a surface; else empty.
        peak: the largest value that a uint8 input can have.
    """

    inputs: Shape
    task: Task
    outputs: int
    classes: tuple[str, ...]
    pool: int
    columns: tuple[str, ...] = ()
    given: Mapping[Split, int] = field(default_factory=dict[Split, int])
    start: tuple[float, ...] = ()
    peak: int = 255


@dataclass(frozen=True, slots=True)
class Table:
    """A source that has been read: all its rows in one table.

    Attributes:
        source: what it holds.
        inputs: (N, *shape), uint8 for images, else float32; or a reader of single rows.
        targets: (N,) int64 class numbers, or (N, K) float32: numbers, or 0 and 1 for labels.
        given: the rows that the source itself assigns to a split.
        digest: SHA-256 of inputs and targets where it is known already, else empty.
        gaps: NaN in the inputs stands for a missing value, to be filled with the training mean.
    """

    source: TableSource
    inputs: "NDArray[Any] | RowReader"
    targets: "NDArray[Any]"
    given: Mapping[Split, "NDArray[np.int64]"] = field(
        default_factory=dict[Split, "NDArray[np.int64]"]
    )
    digest: str = ""
    gaps: bool = False


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
