"""Units of a layer whose weights are those of another: they are one unit, and stay so."""

from collections.abc import Mapping
from typing import NamedTuple

from nnlab.core.lazy import NDArray, np

_SAME = 1e-5
"""How far weights of two units may differ, of their length, to be the same up to rounding."""


class UnitCopies(NamedTuple):
    """How many units of a layer there are.

    Attributes:
        units: of the layer.
        different: of these; units whose weights are all 0 count as different ones.
    """

    units: int
    different: int


def count_copies(
    weight: "NDArray[np.floating]", bias: "NDArray[np.floating] | None" = None
) -> UnitCopies:
    """How many of a layer's units have weights of their own.

    Args:
        weight: (units, ...).
        bias: (units,).
    """
    rows = weight.reshape(len(weight), -1).astype(np.float64)
    if bias is not None:
        rows = np.hstack([rows, bias.reshape(-1, 1).astype(np.float64)])
    lengths = np.linalg.norm(rows, axis=1)
    live = np.flatnonzero(lengths > 0.0)
    if not len(live):
        return UnitCopies(len(rows), len(rows))
    # Equal rows are neighbours where all are sorted along one direction.
    direction = np.random.default_rng(0).normal(size=rows.shape[1])
    order = live[np.argsort(rows[live] @ direction, kind="stable")]
    apart = np.linalg.norm(np.diff(rows[order], axis=0), axis=1)
    same = apart <= _SAME * lengths[order[1:]]
    return UnitCopies(len(rows), len(rows) - int(same.sum()))


def copies_by_layer(
    tensors: "Mapping[str, NDArray[np.floating]]", weights: Mapping[str, str]
) -> dict[str, UnitCopies]:
    """The copies of each layer that has some.

    Args:
        tensors: weights and biases by their name: hidden1.weight, hidden1.bias.
        weights: of hidden layers: the layer's name to that of its weight.
    """
    found: dict[str, UnitCopies] = {}
    for layer, name in weights.items():
        if name in tensors and len(tensors[name]) > 1:
            bias = tensors.get(f"{name.rpartition('.')[0]}.bias")
            one = count_copies(tensors[name], bias)
            if one.different < one.units:
                found[layer] = one
    return found
