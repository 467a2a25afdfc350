"""What the files of a prediction must look like, from what a run knows of its data."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from nnlab.config.run_config import RunConfig
from nnlab.core.contracts import Shape, Task
from nnlab.core.lazy import NDArray
from nnlab.parts.datasets.files.csv_table import CsvConfig
from nnlab.parts.datasets.files.image_folder import ImageFolderConfig
from nnlab.parts.datasets.files.npz import NpzConfig
from nnlab.parts.datasets.files.pixels import Pixels
from nnlab.parts.datasets.files.sheets.columns import Columns
from nnlab.parts.datasets.files.sheets.notation import Notation
from nnlab.parts.datasets.files.sheets.reading import Layout
from nnlab.parts.datasets.sequences.series import SeriesLikeConfig
from nnlab.parts.datasets.split_sizes import FromColumn

TargetColumn = str | tuple[float, ...] | None
"""A class's name, or numbers (of a regression, 0 and 1 of labels); None where it is not known."""


class Piece(NamedTuple):
    """Some examples of a file.

    Attributes:
        places: file and number of each, from 0.
        inputs: (N, *shape) as the run's data set stores them.
        targets: N of them; empty where the file has none.
        bases: (N,) what is added to each answer, of a series whose answers are what the next steps
            are above the last one; None where answers stand as they are.
    """

    places: tuple[tuple[Path, int], ...]
    inputs: "NDArray[Any]"
    targets: tuple[TargetColumn, ...]
    bases: "NDArray[Any] | None" = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run's data, as far as a file must agree with them.

    Attributes:
        inputs: shape of one example.
        task: what the targets are.
        outputs: K classes, labels or columns of numbers.
        classes: the K names; empty for a regression.
        columns: names of a table's inputs, which may be the steps of a sequence; else empty.
        fills: whether a table may miss values.
        peak: the largest value of a pixel; None where inputs are no bytes.
        targets: names of a csv file's target columns.
        own_targets: what else the one target of a named set may be called, however it is spelled.
        known: columns of a csv file that are no inputs, and need no word.
        layout: of a csv file; columns without a name are left out.
        notation: how its numbers are written.
        own_layout: whether a tab stands between the cells of a .tsv file all the same.
        described: what its columns are, where the config says it.
        arrays: what inputs may be called in an npz file.
        target_arrays: what targets may be called there.
        pixels: how deep and transparent images are read.
        series: whether the rows of a csv file are steps of one series.
        ends: whether a sequence may end early, with nothing behind its last step.
    """

    inputs: Shape
    task: Task
    outputs: int
    classes: tuple[str, ...]
    columns: tuple[str, ...]
    fills: bool
    peak: int | None
    targets: tuple[str, ...] = ("target",)
    own_targets: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    layout: Layout = field(default_factory=lambda: Layout(lenient=True))
    notation: Notation = field(default_factory=Notation)
    own_layout: bool = True
    described: Columns = field(default_factory=Columns)
    arrays: tuple[str, ...] = ("x", "X", "inputs")
    target_arrays: tuple[str, ...] = ("y", "targets")
    pixels: Pixels = field(default_factory=lambda: Pixels(pixel_range="by_mode", ground="white"))
    series: bool = False
    ends: bool = False

    def named_in(self, columns: Collection[str]) -> "Wanted":
        """What is wanted of a file with these columns: iris's target may be `Species`."""
        if all(name in columns for name in self.targets):
            return self
        there = {name.strip().casefold(): name for name in columns if name not in self.columns}
        found = next((there[name] for name in self.own_targets if name in there), None)
        return self if found is None else replace(self, targets=(found,))

    @property
    def said(self) -> str:
        """What one example is, for an error."""
        if self.series:
            return f"series of {self.inputs[0]} steps or more (csv)"
        if self.columns:
            return f"rows of {len(self.columns)} columns (csv or npz)"
        if self.peak is not None and len(self.inputs) == 3:
            return f"images (channels, height, width) = {self.inputs} (image files or npz)"
        return f"arrays of shape {self.inputs} (npz)"


def wanted_of(config: RunConfig, known: Mapping[str, Any]) -> Wanted:
    """What a run takes.

    Args:
        config: of the run.
        known: its data.json.
    """
    data = config.data
    more: dict[str, Any] = {"own_targets": data.own_targets}
    if isinstance(data, CsvConfig):
        marks = [s.column for s in (data.validation, data.test) if isinstance(s, FromColumn)]
        more |= {
            "targets": (data.target,) if isinstance(data.target, str) else data.target,
            "known": frozenset((*data.columns.drop, *marks)),
            "layout": replace(data.layout, lenient=True),
            "notation": data.notation,
            "described": data.columns,
        }
    elif isinstance(data, ImageFolderConfig):
        more |= {"pixels": Pixels(pixel_range=data.pixel_range, ground=data.background)}
    elif isinstance(data, SeriesLikeConfig):
        ahead = tuple(f"step {k + 1}" for k in range(data.horizon))
        more |= {"series": True, "targets": ahead}
    elif isinstance(data, NpzConfig):
        more |= {
            "arrays": (data.inputs, "x", "X"),
            "target_arrays": (data.targets, "y"),
        }
    return Wanted(
        inputs=tuple(known["inputs"]),
        task=known["task"],
        outputs=known["outputs"],
        classes=tuple(known["classes"]),
        columns=tuple(known["columns"]) or tuple(known.get("steps", ())),
        fills=known.get("fill") is not None,
        peak=known.get("peak"),
        ends=known.get("lengths") == "different",
        **more,
    )


def class_named(cell: str, classes: tuple[str, ...], value: float | None) -> str | None:
    """The class that a cell names: by its name, as the number 1.0 for 1, or by its place from 0.

    Args:
        cell: of the file.
        classes: the names.
        value: the cell as a number, None where it is none.
    """
    if cell in classes:
        return cell
    if value is None:
        return None
    name = str(int(value)) if value.is_integer() else str(value)
    if name in classes:
        return name
    zeros = [one for one in classes if one.isdecimal() and float(one) == value]
    if len(zeros) == 1:  # 01, of which a spreadsheet makes 1
        return zeros[0]
    by_name = any(not name.lstrip("-").replace(".", "").isdigit() for name in classes)
    if by_name and value.is_integer() and 0 <= value < len(classes):
        return classes[int(value)]
    return None
