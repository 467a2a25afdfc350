"""What can be seen of single examples: a small picture of an image, the columns of a table."""

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnlab.commands.report.facts import NamedValue, ShownInputs
from nnlab.core.contracts import Examples
from nnlab.parts.datasets.lengths import without_padding

_SIDE = 96
"""At most so many pixels a side; smaller images stay as they are, the page enlarges them."""
_ALL_COLUMNS = 6
"""Tables of so many columns show all, wider ones as many that are most unusual."""


def shown_inputs(examples: Examples, rows: Sequence[int]) -> list[ShownInputs]:
    """What can be seen of some examples: pictures of images, columns of a table, else nothing."""
    if _are_images(examples):
        peak = _peak(examples, rows)
        return [ShownInputs(picture=_thumbnail_uri(examples, row, peak)) for row in rows]
    if len(examples.shape.inputs) == 1:
        return [ShownInputs(values=_named_values(examples, row)) for row in rows]
    return [ShownInputs()] * len(rows)


def _are_images(examples: Examples) -> bool:
    """Whether rows are (C, H, W) with a channel count that can be seen."""
    inputs = examples.shape.inputs
    return len(inputs) == 3 and inputs[0] in (1, 3) and min(inputs[1:]) > 1


def _thumbnail_uri(examples: Examples, row: int, peak: float) -> str:
    """A PNG as a data URI.

    Args:
        examples: images.
        row: of the table.
        peak: what is white.
    """
    from PIL import Image

    pixels = _stored(examples, row).astype(np.float32) * (255 / peak)
    shown = np.clip(pixels, 0, 255).astype(np.uint8)
    image = Image.fromarray(shown[0] if len(shown) == 1 else shown.transpose(1, 2, 0))
    image.thumbnail((_SIDE, _SIDE))
    content = BytesIO()
    image.save(content, format="png", optimize=True)
    return f"data:image/png;base64,{b64encode(content.getvalue()).decode()}"


def _peak(examples: Examples, rows: Sequence[int]) -> float:
    """What is white: 255, or the greatest value of images that never come near it."""
    greatest = max((float(_stored(examples, row).max()) for row in rows), default=1.0)
    return 255.0 if greatest > 64 else max(greatest, 1e-12)


def _stored(examples: Examples, row: int) -> NDArray[Any]:
    """One example as it is stored."""
    inputs = without_padding(examples).inputs
    return inputs[row] if isinstance(inputs, np.ndarray) else inputs.read(row)


def _named_values(examples: Examples, row: int) -> tuple[NamedValue, ...]:
    """Name, value and distance from the training mean in deviations, of a table's row.

    All columns of a narrow table in their order, of a wide one the most unusual first.
    """
    examples = without_padding(examples)
    inputs = examples.inputs
    assert isinstance(inputs, np.ndarray)
    train = inputs[examples.rows["train"]].reshape(len(examples.rows["train"]), -1)
    mean, deviation = (part.astype(np.float64) for part in (train.mean(axis=0), train.std(axis=0)))
    here = inputs[row].ravel().astype(np.float64)
    own = examples.own(inputs[[row]]).ravel()
    away = np.divide(here - mean, deviation, out=np.zeros_like(here), where=deviation > 0)
    names = examples.shape.columns or tuple(f"x{k + 1}" for k in range(len(here)))
    order = np.arange(len(here))
    if len(here) > _ALL_COLUMNS:
        order = np.argsort(-np.abs(away), kind="stable")[:_ALL_COLUMNS]
    return tuple(NamedValue(names[k], float(own[k]), float(away[k])) for k in order)
