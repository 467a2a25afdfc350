"""Images as sequences: row by row, or pixel by pixel."""

from dataclasses import replace
from typing import Literal

from nnlab.core.contracts import Shape
from nnlab.core.errors import DataError
from nnlab.core.lazy import np
from nnlab.parts.datasets.tables import Table, TableSource

View = Literal["image", "rows", "pixels"]


def viewed_shape(inputs: Shape, view: View) -> Shape:
    """(C, H, W) as it is, as H rows (H, C W), or as pixels (H W, C)."""
    channels, height, width = inputs
    if view == "rows":
        return (height, channels * width)
    return (height * width, channels) if view == "pixels" else inputs


def viewed_source(source: TableSource, view: View) -> TableSource:
    """What a source of images holds, as it is seen."""
    return source if view == "image" else replace(source, inputs=viewed_shape(source.inputs, view))


def viewed_table(table: Table, view: View) -> Table:
    """A table of images (N, C, H, W) as it is seen, from the first row of the image to the last.

    Raises:
        DataError: the images are read one by one.
    """
    if view == "image":
        return table
    images = table.inputs
    if not isinstance(images, np.ndarray):
        raise DataError("data.view: images that are read one by one stay images (view: image)")
    # A row of a color image is its pixels one after the other, each with its channels.
    pixels = np.moveaxis(images, 1, -1)
    shape = viewed_shape(table.source.inputs, view)
    inputs = np.ascontiguousarray(pixels).reshape(len(images), *shape)
    return replace(table, source=viewed_source(table.source, view), inputs=inputs)
