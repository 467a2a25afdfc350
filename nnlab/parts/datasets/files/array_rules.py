"""What arrays of inputs and targets mean, whether they lie in a file or come from Python."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from nnlab.core.contracts import Shape, Task
from nnlab.core.errors import DataError
from nnlab.core.lazy import NDArray, np
from nnlab.parts.datasets.files import guesses
from nnlab.parts.datasets.precision import Narrowed, merged_values, narrowed
from nnlab.parts.datasets.tables import Form, Guess, TableSource

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


def most_classes(form: Form, rows: int, classes: int | None) -> int:
    """So many different whole numbers (N,) are taken for classes, where nothing says what they are.

    Of a table as many as of a csv file; of images and sequences, whose whole numbers are class
    numbers in nearly every data set, also more, as long as each stands twice on average.

    Args:
        form: of the inputs.
        rows: N.
        classes: what the config says; then they are classes.
    """
    if classes is not None:
        return rows
    return guesses.FEW if form == "table" else max(guesses.FEW, rows // 2)


def task_of(targets: "NDArray[Any]", asked: AskedTask, *, most: int, where: str) -> Task:
    """What targets (N,) or (N, K) are.

    Names and not too many different integers (N,) are classes, and so are rows of 0 with one 1
    (N, K), one-hot; everything else is a regression, unless said otherwise: floats are quantities,
    as their type says.

    Args:
        targets: as `plain_targets` gives them.
        asked: what the config says.
        most: as `most_classes` gives it.
        where: how to call them in errors.

    Raises:
        DataError: they cannot be what is asked for.
    """
    one_hot = guesses.is_one_hot(targets)
    named = targets.dtype.kind == "U"
    whole = targets.ndim == 1 and (named or targets.dtype.kind in "biu")
    if named and asked in ("regression", "labels"):
        raise DataError(f"{where} are names ({targets[0]!r}, ...), which are classes (task: auto)")
    if asked == "classes" and not (whole or one_hot):
        if targets.ndim == 2:
            raise DataError(
                f"{where} are {targets.dtype} {targets.shape}, classes are whole numbers or names "
                "(N,) or one-hot (N, K) (task: regression, or labels)"
            )
        if not np.isfinite(targets).all():
            row = int(np.flatnonzero(~np.isfinite(targets))[0])
            what = f"row {row} (rows count from 0) is {targets[row]}"
            raise DataError(f"{where}: {what}, which names no class (leave it out)")
    if asked == "labels" and targets.ndim == 1:
        raise DataError(
            f"{where} are {targets.shape}, labels are 0 and 1 (N, K), K at least 2 (task: classes)"
        )
    if asked == "auto":
        if whole and not named:
            return "classes" if len(np.unique(targets)) <= most else "regression"
        return "classes" if one_hot or named else "regression"
    return asked


class ClassNumbers(NamedTuple):
    """Targets as classes.

    Attributes:
        names: of the K classes, in their order.
        numbers: (N,) int64, 0 to K - 1.
    """

    names: tuple[str, ...]
    numbers: "NDArray[np.int64]"


def class_numbers(targets: "NDArray[Any]", classes: int | None, *, where: str) -> ClassNumbers:
    """Class numbers of names, of whole numbers (N,) or of one-hot rows (N, K).

    Labels 0 to K - 1 are the class numbers. Any others (1 to K, -1 and 1, names) are the classes as
    they occur, numbers by value and names by the alphabet, as in a csv file.

    Args:
        targets: as `task_of` takes them for classes.
        classes: how many there are, where some may not occur: 0 to K - 1, or 1 to K.
        where: how to call them in errors.

    Raises:
        DataError: there are more than may be, or `classes` does not go with them.
    """
    if targets.ndim == 2:
        columns = targets.shape[1]
        if classes not in (None, columns):
            raise DataError(f"{where}: data.classes says {classes}, one-hot has {columns} columns")
        return ClassNumbers(tuple(map(str, range(columns))), targets.argmax(axis=1))
    values = targets
    if targets.dtype.kind == "U" and (read := _numbers_of(targets)) is not None:
        order = guesses.written_names(targets.tolist())
        if order is not None:
            _check_count(len(order), classes, where)
            names = np.array(order)
            by_name = np.argsort(names)
            places = by_name[np.searchsorted(names, targets, sorter=by_name)]
            return ClassNumbers(order, places.astype(np.int64))
        values = read
    found, numbers = np.unique(values, return_inverse=True)
    numbers = numbers.reshape(-1).astype(np.int64)
    if max(len(found), classes or 0) > MOST_CLASSES:
        raise DataError(f"{where}: {max(len(found), classes or 0)} classes (task: regression)")
    if found.dtype.kind == "U":
        _check_named(found, numbers, where)
        _check_count(len(found), classes, where)
        return ClassNumbers(tuple(map(str, found)), numbers)
    labels = [int(value) if float(value).is_integer() else float(value) for value in found.tolist()]
    count = classes or len(labels)
    for first in (0, 1):
        if labels[0] >= first and labels[-1] < first + count and _all_int(labels):
            whole = values.astype(np.int64) - first
            return ClassNumbers(tuple(map(str, range(first, first + count))), whole)
    _check_count(len(labels), classes, where)
    return ClassNumbers(tuple(map(str, labels)), numbers)


def _all_int(labels: Sequence[float]) -> bool:
    return all(isinstance(label, int) for label in labels)


def _numbers_of(names: "NDArray[Any]") -> "NDArray[np.float64] | None":
    """Names that are all numbers, as numbers, so that 10 comes behind 9; else None."""
    try:
        values = names.astype(np.float64)
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def _check_named(found: "NDArray[Any]", numbers: "NDArray[np.int64]", where: str) -> None:
    empty = [place for place, name in enumerate(found.tolist()) if not name.strip()]
    if empty:
        row = int(np.flatnonzero(numbers == empty[0])[0])
        raise DataError(f"{where}: row {row} (rows count from 0) has an empty name (leave it out)")


def _check_count(found: int, classes: int | None, where: str) -> None:
    if classes not in (None, found):
        raise DataError(
            f"{where}: data.classes says {classes}, and there are {found} different labels, which "
            "are neither 0 to K - 1 nor 1 to K (remove data.classes: the labels are the classes)"
        )


def plain_targets(targets: "NDArray[Any]", *, where: str) -> "NDArray[Any]":
    """Targets as numbers or as words (dtype U), whatever type holds them.

    Raises:
        DataError: they are neither, or some of them are.
    """
    if targets.dtype.kind in "buifU":
        return targets
    if targets.dtype.kind == "S":
        return np.char.decode(targets, "utf-8", "backslashreplace")  # different bytes stay so
    cells = targets.reshape(-1).tolist()
    if targets.ndim == 1 and all(isinstance(cell, str) for cell in cells):
        return targets.astype(str)
    if all(isinstance(cell, bool | int | float) for cell in cells):
        return np.array(cells).reshape(targets.shape)
    raise DataError(f"{where}: {targets.dtype}, neither numbers nor class names (y.astype(str))")


def guess_of(targets: "NDArray[Any]", asked: AskedTask, *, most: int, where: str) -> Guess | None:
    """What `task: auto` took targets for, wherever they could be something else too.

    Args:
        targets: (N,) or (N, K), as `plain_targets` gives them.
        asked: what the config says.
        most: as `most_classes` gives it.
        where: how to call them in a sentence: "data: y".
    """
    if asked != "auto" or targets.dtype.kind == "U" or not len(targets):
        return None
    if guesses.is_one_hot(targets):
        text = f"one 1 in every row (one-hot), taken for {targets.shape[1]} classes"
        return _guess(where, text, "task: regression, if they are quantities")
    if targets.ndim == 2:
        marks = targets.shape[1] > 1 and guesses.are_marks(targets)
        way = "task: labels, if an example can have several"
        return _guess(where, "only 0 and 1, taken for numbers", way) if marks else None
    if targets.dtype.kind == "f":
        if not np.isfinite(targets).all():
            return None
        said, stored = f"{where}:", str(targets.dtype)
        _, way, remark = guesses.of_numbers(targets, said, most=0, stored=stored)
        return Guess(way, remark) if remark else None
    count, way = len(np.unique(targets)), "task: regression, if they are quantities"
    if count <= guesses.FEW and targets.min() in (0, 1) and targets.max() < count + 1:
        return Guess(way, "")  # 0 to K - 1 and 1 to K, of few: nobody writes quantities so
    _, way, remark = guesses.of_numbers(targets, f"{where}:", most=most, stored=str(targets.dtype))
    return Guess(way, remark) if remark else None


def remarks_of(source: TableSource, guess: Guess | None) -> tuple[str, ...]:
    """What a user should know of the targets, a line each.

    Args:
        source: what was read.
        guess: what `task: auto` took; None where it was said.
    """
    found = [guess.remark] if guess is not None and guess.remark else []
    if same := guesses.look_alike(source.classes):
        found.append(f"data: {same} are classes of their own")
    return tuple(found)


def _guess(where: str, text: str, way: str) -> Guess:
    return Guess(way, f"{where}: {text} ({way})")


def flat_targets(targets: "NDArray[Any]") -> "NDArray[Any]":
    """(N,) of (N, 1), as Keras stores labels; anything else as it is."""
    return targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets


def stored_inputs(inputs: "NDArray[Any]", one: Shape) -> Narrowed:
    """(N, *shape): uint8 images as they are, all else float32.

    Numbers far from 0 that float32 would merge become distances from a base, but in images.
    """
    table = inputs.reshape(-1, *one)
    if len(one) == 3:
        return Narrowed(table if table.dtype == np.uint8 else as_float(table), None, {})
    found = narrowed(table.reshape(len(table), -1))
    return found._replace(values=found.values.reshape(-1, *one))


def stored_targets(
    targets: "NDArray[Any]", task: Task, outputs: int
) -> "tuple[NDArray[Any], Mapping[int, tuple[int, int]]]":
    """(N,) int64 classes, else (N, K) float32, or as they are where that merges numbers; which."""
    if task == "classes":
        return targets.astype(np.int64).reshape(len(targets)), {}
    table = targets.reshape(len(targets), outputs)
    merged = merged_values(table) if task == "regression" else {}
    return (table.astype(np.float64) if merged else as_float(table)), merged


def as_float(array: "NDArray[Any]") -> "NDArray[np.float32]":
    """As float32; what is too large for it becomes infinite, which the checks find."""
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)
