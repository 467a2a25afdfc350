"""What arrays of inputs and targets mean, whether they lie in a file or come from Python."""

from typing import Any, Literal

from nnlab.core.contracts import Shape, Task
from nnlab.core.errors import DataError
from nnlab.core.lazy import NDArray, np
from nnlab.parts.datasets.tables import Form

MOST_CLASSES = 100_000
AskedTask = Literal["auto", "classes", "regression", "labels"]


def form_of(shape: Shape, dtype: "np.dtype[Any]") -> Form:
    """(N, C, H, W) and uint8 (N, H, W) are images, (N, F) and (N,) a table, others points."""
    if len(shape) == 4 or (len(shape) == 3 and dtype == "uint8"):
        return "images"
    return "table" if len(shape) <= 2 else "points"


def example_shape(shape: Shape, dtype: "np.dtype[Any]", *, where: str) -> Shape:
    """The shape of one example of inputs (N, ...).

    Args:
        shape: of all inputs.
        dtype: of the inputs.
        where: how to call them in errors: "a.npz: inputs".

    Raises:
        DataError: channels stand last.
    """
    one = shape[1:] or (1,)
    if dtype == "uint8" and len(one) == 2:
        one = (1, *one)
    if len(one) == 3 and one[0] > 4 >= one[2]:
        raise DataError(
            f"{where} have shape {shape}, which looks like (N, H, W, C), "
            "expected (N, C, H, W) (x.transpose(0, 3, 1, 2))"
        )
    return one


def columns_of(one: Shape) -> tuple[str, ...]:
    """Names for the columns of a table: x1, x2, ...; none for other examples."""
    return tuple(f"x{i + 1}" for i in range(one[0])) if len(one) == 1 else ()


def task_of(targets: "NDArray[Any]", asked: AskedTask, *, where: str) -> Task:
    """What targets (N,) or (N, K) are: whole numbers (N,) are classes, unless said otherwise.

    Raises:
        DataError: they cannot be what is asked for.
    """
    whole = targets.dtype.kind in "biu" and targets.ndim == 1
    if asked == "classes" and not whole:
        raise DataError(
            f"{where} are {targets.dtype} {targets.shape}, classes "
            "are whole numbers (N,) (task: regression)"
        )
    if asked == "labels" and targets.ndim == 1:
        raise DataError(
            f"{where} are {targets.shape}, labels are 0 and 1 (N, K), K at least 2 (task: classes)"
        )
    if asked == "auto":
        return "classes" if whole else "regression"
    return asked


def class_names(targets: "NDArray[Any]", classes: int | None, *, where: str) -> tuple[str, ...]:
    """0 to K - 1; without `classes`, each of them must occur.

    Raises:
        DataError: with the first label that is out of range.
    """
    labels, first = np.unique(targets, return_index=True)
    count = classes or len(labels)
    bad = np.flatnonzero((labels < 0) | (labels >= count))
    if len(bad):
        raise DataError(
            f"{where}: label {labels[bad[0]]} in row {first[bad[0]]} (rows count from 0), "
            f"expected 0 to {count - 1}: {count} classes without gaps (say data.classes)"
        )
    if count > MOST_CLASSES:
        raise DataError(f"{where}: {count} classes (task: regression)")
    return tuple(str(label) for label in range(count))


def flat_targets(targets: "NDArray[Any]") -> "NDArray[Any]":
    """(N,) of (N, 1), as Keras stores labels; anything else as it is."""
    return targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets


def stored_inputs(inputs: "NDArray[Any]", one: Shape) -> "NDArray[Any]":
    """(N, *shape): uint8 images as they are, all else float32."""
    table = inputs.reshape(-1, *one)
    return table if table.dtype == np.uint8 and len(one) == 3 else as_float(table)


def stored_targets(targets: "NDArray[Any]", task: Task, outputs: int) -> "NDArray[Any]":
    """(N,) int64 classes, else (N, K) float32."""
    if task == "classes":
        return targets.astype(np.int64).reshape(len(targets))
    return as_float(targets.reshape(len(targets), outputs))


def as_float(array: "NDArray[Any]") -> "NDArray[np.float32]":
    """As float32; what is too large for it becomes infinite, which the checks find."""
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)
