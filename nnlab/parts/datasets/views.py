"""Examples as sequences: images row by row or pixel by pixel, a table's columns as steps."""

from dataclasses import replace
from typing import Literal

from nnlab.core.contracts import Shape
from nnlab.core.errors import DataError
from nnlab.core.lazy import np
from nnlab.parts.datasets.tables import Table, TableSource

View = Literal["image", "rows", "pixels", "time"]


def viewed_shape(inputs: Shape, view: View) -> Shape:
    """(C, H, W) as H rows (H, C W) or pixels (H W, C); (F,) columns as steps (F, 1)."""
    if view == "time":
        return (*inputs, 1)
    if view == "image":
        return inputs
    channels, height, width = inputs
    if view == "rows":
        return (height, channels * width)
    return (height * width, channels)


def viewed_source(source: TableSource, view: View) -> TableSource:
    """What a source holds, as it is seen: the steps of a sequence have no names of columns."""
    if view == "image":
        return source
    steps = source.columns if view == "time" else ()
    return replace(source, inputs=viewed_shape(source.inputs, view), columns=(), steps=steps)


def viewed_table(table: Table, view: View, *, gaps: bool = False) -> Table:
    """A table as it is seen: images (N, C, H, W) from the first row to the last; columns (N, F).

    Args:
        table: as it was read.
        view: how it is seen.
        gaps: a step may be missing, as behind the end of a sequence.

    Raises:
        DataError: the images are read one by one; a column misses values.
    """
    if view == "image":
        return table
    images = table.inputs
    if view == "time":
        assert isinstance(images, np.ndarray)
        if not gaps and table.gaps and np.isnan(images).any():
            text = "a step has no value, and the mean of its column is not what was there"
            raise DataError(
                f"data.view: time: {text} (fill it in the file; data.lengths: different, "
                "where it is behind the end of a sequence)"
            )
        source = viewed_source(table.source, view)
        return replace(table, source=source, inputs=images[..., None], gaps=False)
    if not isinstance(images, np.ndarray):
        raise DataError("data.view: images that are read one by one stay images (view: image)")
    # A row of a color image is its pixels one after the other, each with its channels.
    pixels = np.moveaxis(images, 1, -1)
    shape = viewed_shape(table.source.inputs, view)
    inputs = np.ascontiguousarray(pixels).reshape(len(images), *shape)
    return replace(table, source=viewed_source(table.source, view), inputs=inputs)
