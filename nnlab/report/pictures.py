"""Examples as a reader sees them: thumbnails of images, the telling values of a table's rows."""

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnlab.contracts import Examples

SIDE = 96
"""At most so many pixels a side; smaller images stay as they are, the page enlarges them."""
ALL_COLUMNS = 6
"""Tables of so many columns show all, wider ones as many that are most unusual."""


def are_images(examples: Examples) -> bool:
    """Whether rows are (C, H, W) with a channel count that can be seen."""
    inputs = examples.shape.inputs
    return len(inputs) == 3 and inputs[0] in (1, 3) and min(inputs[1:]) > 1


def thumbnail(examples: Examples, row: int, peak: float) -> str:
    """A PNG as a data URI.

    Args:
        examples: images.
        row: of the table.
        peak: what is white.
    """
    from PIL import Image

    pixels = stored(examples, row).astype(np.float32) * (255 / peak)
    shown = np.clip(pixels, 0, 255).astype(np.uint8)
    image = Image.fromarray(shown[0] if len(shown) == 1 else shown.transpose(1, 2, 0))
    image.thumbnail((SIDE, SIDE))
    content = BytesIO()
    image.save(content, format="png", optimize=True)
    return f"data:image/png;base64,{b64encode(content.getvalue()).decode()}"


def peak_of(examples: Examples, rows: Sequence[int]) -> float:
    """What is white: 255, or the greatest value of images that never come near it."""
    greatest = max((float(stored(examples, row).max()) for row in rows), default=1.0)
    return 255.0 if greatest > 64 else max(greatest, 1e-12)


def stored(examples: Examples, row: int) -> NDArray[Any]:
    """One example as it is stored."""
    inputs = examples.inputs
    return inputs[row] if isinstance(inputs, np.ndarray) else inputs.read(row)


def values(examples: Examples, row: int) -> list[dict[str, Any]]:
    """Name, value and distance from the training mean in deviations, of a table's row.

    All columns of a narrow table in their order, of a wide one the most unusual first.
    """
    inputs = examples.inputs
    assert isinstance(inputs, np.ndarray)
    train = inputs[examples.rows["train"]].reshape(len(examples.rows["train"]), -1)
    mean, deviation = (part.astype(np.float64) for part in (train.mean(axis=0), train.std(axis=0)))
    here = inputs[row].ravel().astype(np.float64)
    away = np.divide(here - mean, deviation, out=np.zeros_like(here), where=deviation > 0)
    names = examples.shape.columns or tuple(f"x{k + 1}" for k in range(len(here)))
    order = np.arange(len(here))
    if len(here) > ALL_COLUMNS:
        order = np.argsort(-np.abs(away), kind="stable")[:ALL_COLUMNS]
    return [
        {"column": names[k], "value": float(here[k]), "deviations": float(away[k])} for k in order
    ]
