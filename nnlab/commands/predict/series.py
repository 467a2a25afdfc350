"""Series for a prediction: each row of a csv file as the last step that is seen."""

from collections.abc import Iterator
from pathlib import Path

from nnlab.commands.predict.expected_inputs import Piece, TargetColumn
from nnlab.core.errors import DataError
from nnlab.core.lazy import np
from nnlab.parts.datasets.sequences.series import SeriesLikeConfig, columns_of, read_columns


def read_series(path: Path, data: SeriesLikeConfig, rows: int) -> Iterator[Piece]:
    """The windows of a csv file, named by their last row; what follows it is the target.

    Args:
        path: the file, with a header, from the earliest step on.
        data: of the run.
        rows: in a piece.

    Raises:
        DataError: it cannot be read, lacks a column, or is shorter than a window.
    """
    columns = data.in_file
    known = columns.target in columns_of(path)
    if not known and data.difference:
        text = f"has no column {columns.target!r}, above whose last value the next steps are told"
        raise DataError(f"{path}: {text} (data.difference)")
    names = [*columns.inputs, *([columns.target] if known else [])]
    table = read_columns(path, names, columns.missing)
    inputs = table[:, : len(columns.inputs)]
    target = table[:, -1] if known else None
    first = data.window - 1
    if data.difference:
        inputs, first = np.diff(inputs, axis=0), data.window
    if len(inputs) < data.window:
        steps = data.window + data.difference
        raise DataError(f"{path}: has {len(table)} rows, a forecast needs {steps} (data.window)")
    windows = np.lib.stride_tricks.sliding_window_view(inputs, data.window, axis=0)
    windows = np.moveaxis(windows, -1, 1)
    for start in range(0, len(windows), rows):
        some = windows[start : start + rows].astype(np.float32)
        last = first + start + np.arange(len(some))
        told: tuple[TargetColumn, ...] = ()
        if target is not None:
            after = (target[row + 1 : row + 1 + data.horizon] for row in last.tolist())
            told = tuple(tuple(x.tolist()) if len(x) == data.horizon else None for x in after)
        bases = target[last] if data.difference and target is not None else None
        places = tuple((path, int(row)) for row in last)
        yield Piece(places, some, told, bases)
