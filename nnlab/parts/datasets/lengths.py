"""Sequences that end at different steps: what is there, and a scale that knows it."""

from dataclasses import replace
from typing import Any, Literal

from nnlab.core.contracts import Examples, PaddedShape
from nnlab.core.errors import DataError
from nnlab.core.lazy import NDArray, np

Lengths = Literal["equal", "different"]
SCALES = ("none", "unit", "feature")
"""Those that do not look at a step by itself."""


def steps_there(inputs: "NDArray[Any]") -> "NDArray[np.bool_]":
    """(N, T): which steps of (N, T, D) have a value."""
    return np.asarray(~np.isnan(inputs).all(axis=2))


def check_ends(inputs: "NDArray[np.float32]") -> None:
    """Refuses gaps that are not behind the end of a sequence.

    Args:
        inputs: (N, T, D).

    Raises:
        DataError: a sequence has no step at all, a step misses some of its values, or a step comes
            behind one that is missing.
    """
    for row, why in false_ends(inputs).items():
        raise DataError(f"data: row {row} {why} (rows count from 0)")


def false_ends(inputs: "NDArray[Any]") -> dict[int, str]:
    """The rows of (N, T, D) in which something is missing that is not behind the end; and what."""
    there = steps_there(inputs)
    partly = np.asarray((np.isnan(inputs).any(axis=2) & there).any(axis=1))
    further = (there[:, 1:] & ~there[:, :-1]).any(axis=1)
    found = dict[int, str]()
    for row in np.flatnonzero(~there[:, 0] | partly | further).tolist():
        if not there[row].any():
            found[row] = "has no step at all"
        elif partly[row]:
            found[row] = "misses some values of a step, not all"
        else:
            found[row] = "goes on behind a step that is missing"
    return found


def only_steps(inputs: "NDArray[np.float32]", rows: "NDArray[np.int64]") -> "NDArray[np.float32]":
    """(1, M, D): the steps that are there of some rows of (N, T, D), for a scale to be fitted."""
    chosen = inputs[rows]
    return chosen[steps_there(chosen)][None]


def without_padding(examples: Examples) -> Examples:
    """Examples with what a network sees as 0 behind the end of each sequence."""
    inputs = examples.inputs
    if not isinstance(examples.shape.inputs, PaddedShape) or not isinstance(inputs, np.ndarray):
        return examples
    return replace(examples, inputs=np.where(np.isnan(inputs), examples.shift, inputs))
