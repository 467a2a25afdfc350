"""How weights expect their inputs to be scaled, and how far what a network sees is from it."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nnlab.parts.datasets.scaling import IMAGENET_DEVIATION, IMAGENET_MEAN


class ExpectedScale(NamedTuple):
    """Inputs as the weights were trained: (stored - shift) * factor.

    Attributes:
        shift: broadcastable to (N, *shape), in units of the stored rows.
        factor: as `shift`.
        said: in words.
        name: as `data.scale` says it; empty where it has no name.
    """

    shift: "NDArray[np.float64]"
    factor: "NDArray[np.float64]"
    said: str
    name: str = ""


def scale_of_metadata(metadata: Mapping[str, str]) -> ExpectedScale | None:
    """What stands in a file: `mean` and `std` of 0..1 pixels, or nnlab's `shift` and `factor`."""
    try:
        if "mean" in metadata and "std" in metadata:
            return _of_moments(json.loads(metadata["mean"]), json.loads(metadata["std"]))
        if "shift" in metadata and "factor" in metadata:
            return scale_of_run(json.loads(metadata["shift"]), json.loads(metadata["factor"]))
    except (ValueError, TypeError):
        return None
    return None


def _of_moments(mean: Any, std: Any) -> ExpectedScale:
    centre, spread = (np.asarray(part, np.float64).reshape(1, -1, 1, 1) for part in (mean, std))
    numbers = ", ".join(f"{value:g}" for value in centre.ravel())
    widths = ", ".join(f"{value:g}" for value in spread.ravel())
    said = f"pixels from 0 to 1, less ({numbers}), over ({widths})"
    known = tuple(centre.ravel()), tuple(spread.ravel())
    names = {(IMAGENET_MEAN, IMAGENET_DEVIATION): "imagenet", ((0.0,) * 3, (1.0,) * 3): "unit"}
    return ExpectedScale(centre * 255.0, 1.0 / (255.0 * spread), said, names.get(known, ""))


def scale_of_run(shift: Any, factor: Any, name: str = "") -> ExpectedScale:
    """How a run scales its inputs, from `shift` and `factor` of its data.json."""
    low, by = np.asarray(shift, np.float64), np.asarray(factor, np.float64)
    some = by.ravel()
    said = f"(stored - {np.ravel(low)[0]:.4g}) * {some[0]:.4g}"
    said = said if some.size == 1 else f"{said}, ... for each place"
    return ExpectedScale(low, by, said, name)


def scale_difference(
    expected: ExpectedScale,
    shift: "NDArray[Any]",
    factor: "NDArray[Any]",
    stored: "NDArray[Any]",
) -> float | None:
    """Root mean square of what is seen less what is expected, over the deviation expected.

    Args:
        expected: of the weights.
        shift: of the data at hand.
        factor: of the data at hand.
        stored: (N, *shape) some training rows, as they are stored.

    Returns:
        None where the two are not of one shape.
    """
    rows = stored.astype(np.float64)
    try:
        wanted = (rows - expected.shift) * expected.factor
    except ValueError:
        return None
    if wanted.shape != rows.shape:
        return None
    seen = (rows - shift) * factor
    spread = float(wanted.std()) or 1.0
    return float(np.sqrt(np.square(seen - wanted).mean()) / spread)
