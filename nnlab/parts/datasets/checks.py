"""What must hold of data before the first step, and what is worth a word."""

from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any

from nnlab.core.contracts import DataShape, Examples, RowReader, Split
from nnlab.core.errors import DataError
from nnlab.core.lazy import NDArray, np

_SEVERAL = 3
"""From so many rows on, the same target in all of them is a mistake; worked examples have one."""
_TOO_SMALL = 1e-37
"""Below it float32 loses digits, and one over it is infinite."""
_CHUNK = 1 << 22
"""Elements looked at in one go, so that a check needs little memory of its own."""


def digest_of(
    inputs: "NDArray[Any] | RowReader",
    targets: "NDArray[Any]",
    base: "NDArray[np.float64] | None" = None,
) -> str:
    """SHA-256 over type, shape and content of the arrays, hex; of `base` where there is one."""
    found = sha256()
    for array in (inputs, targets, base):
        if isinstance(array, np.ndarray):
            found.update(f"{array.dtype.str}{array.shape}".encode())
            found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def check_table(
    inputs: "NDArray[Any] | RowReader", targets: "NDArray[Any]", shape: DataShape, *, gaps: bool
) -> None:
    """Shapes, types, labels in range, finite numbers.

    Args:
        inputs: (N, *shape).
        targets: (N,) or (N, K).
        shape: what the source said of itself.
        gaps: NaN in the inputs is a missing value and no mistake.
    """
    found = tuple(inputs.shape[1:])
    if found != shape.inputs:
        raise DataError(f"data: inputs have shape {found}, expected {shape.inputs}")
    if inputs.shape[0] != len(targets):
        raise DataError(f"data: {inputs.shape[0]} inputs, but {len(targets)} targets")
    for name, array in (("inputs", inputs), ("targets", targets)):
        if isinstance(array, np.ndarray) and array.dtype.kind not in "buif":
            raise DataError(f"data: {name} are {array.dtype}, not numbers")
    if shape.task == "classes":
        _check_labels(targets, shape)
    elif targets.shape[1:] != (shape.outputs,):
        raise DataError(
            f"data: targets have shape {tuple(targets.shape[1:])}, expected ({shape.outputs},)"
        )
    if shape.task == "labels":
        _check_marks(targets)
    if isinstance(inputs, np.ndarray):
        _check_finite("inputs", inputs, shape.columns, gaps=gaps)
    check_targets(targets)


def check_targets(targets: "NDArray[Any]") -> None:
    """Refuses targets that are not finite, which no loss can learn.

    Args:
        targets: (N,) or (N, K).
    """
    _check_finite("targets", targets, (), gaps=False)
    if targets.dtype.kind == "f" and 0 < (largest := float(np.abs(targets).max())) < _TOO_SMALL:
        raise DataError(
            f"data: no target is larger than {largest:.3g}, which is too small for float32 "
            "(multiply them by a power of ten)"
        )


def _check_labels(targets: "NDArray[Any]", shape: DataShape) -> None:
    classes = shape.classes
    if targets.shape[1:] != shape.places or targets.dtype.kind not in "iu":
        wanted = ", ".join(map(str, ("N", *shape.places))) + ("" if shape.places else ",")
        raise DataError(
            f"data: labels are {targets.dtype} of shape {targets.shape}, not whole numbers "
            f"({wanted})"
        )
    bad = np.argwhere((targets < 0) | (targets >= len(classes)))
    if len(bad):
        raise DataError(
            f"data: {_plural(len(bad), 'label')} out of range, first {targets[tuple(bad[0])]} in "
            f"row {bad[0][0]} (rows count from 0; {len(classes)} classes are 0 to "
            f"{len(classes) - 1})"
        )


def _check_marks(targets: "NDArray[Any]") -> None:
    bad = np.argwhere((targets != 0) & (targets != 1))
    if len(bad):
        row, column = bad[0]
        raise DataError(
            f"data: {targets[row, column]:g} in row {row}, label {column} (rows count from 0), "
            "expected 0 or 1 (task: regression)"
        )


def _check_finite(
    what: str, array: "NDArray[Any]", columns: tuple[str, ...], *, gaps: bool
) -> None:
    if array.dtype.kind != "f" or not array.size:
        return
    flat = array.reshape(len(array), -1)
    step = max(1, _CHUNK // max(1, flat.shape[1]))
    count, first = 0, None
    for start in range(0, len(flat), step):
        part = flat[start : start + step]
        bad = np.isinf(part) if gaps else ~np.isfinite(part)
        if bad.any():
            count += int(bad.sum())
            if first is None:
                row, column = np.argwhere(bad)[0]
                first = int(row) + start, int(column)
    if first is None:
        return
    row, column = first
    where = f"column {columns[column] if columns else column}" if flat.shape[1] > 1 else ""
    way = "leave such rows out, or fill them with a number"
    if np.isinf(flat[row, column]):
        way = "divide the column, if its numbers exceed 3.4e38, the largest of float32; or " + way
    raise DataError(
        f"data: {_plural(count, 'value')} of the {what} not finite, first {flat[row, column]} in "
        f"row {row}{', ' if where else ''}{where} (rows count from 0; {way})"
    )


def check_rows(
    rows: "Mapping[Split, NDArray[np.int64]]",
    targets: "NDArray[Any]",
    shape: DataShape,
    *,
    given: Collection[Split] = (),
) -> None:
    """No split is empty, sizes are as told, and there is more than one class to learn.

    Args:
        rows: of each split.
        targets: of the whole table.
        shape: what the source said of itself.
        given: splits that the source assigns itself: most of their classes must be in training.
    """
    for split, mine in rows.items():
        if not len(mine):
            raise DataError(f"data.{split}: the split is empty")
    found = {split: len(mine) for split, mine in rows.items()}
    assert found == dict(shape.sizes), (found, shape.sizes)
    if shape.task == "classes":
        present = np.unique(targets[rows["train"]])
        if len(present) < 2:
            raise DataError(
                f"data: all {len(rows['train'])} training rows are of class "
                f"{shape.classes[present[0]]!r}: there is nothing to learn"
            )
        _check_known({split: rows[split] for split in given}, targets, present, shape)
    elif shape.task == "regression":
        _check_varied(targets[rows["train"]])


def _check_varied(targets: "NDArray[Any]") -> None:
    """Refuses numbers to learn that are all the same."""
    if len(targets) >= _SEVERAL and targets.size and bool((targets == targets[:1]).all()):
        text = f"all {len(targets)} training rows have the same target"
        raise DataError(f"data: {text}, {targets.flat[0]:g}: there is nothing to learn")


def _check_known(
    rows: "Mapping[Split, NDArray[np.int64]]",
    targets: "NDArray[Any]",
    present: "NDArray[Any]",
    shape: DataShape,
) -> None:
    """Refuses a split whose examples are mostly of classes that no training row has."""
    for split, mine in rows.items():
        strange = ~np.isin(targets[mine], present)
        if 2 * int(strange.sum()) <= len(mine):
            continue
        names = [shape.classes[i] for i in np.unique(targets[mine][strange]).tolist()]
        known = [shape.classes[i] for i in present.tolist()]
        raise DataError(
            f"data.{split}: {int(strange.sum()):,} of {len(mine):,} examples are of classes that "
            f"no training example has: {_some([*map(repr, names)])}; training has "
            f"{_some([*map(repr, known)])} (write them alike in both; or draw {split} from the "
            f"training data: data.{split}: 0.2)"
        )


def data_notes(examples: Examples) -> tuple[str, ...]:
    """What a user should know, though it is no mistake: one line each."""
    return (
        *_shared_rows(examples),
        *_missing_classes(examples),
        *_constant_columns(examples),
        *examples.merged,
        *_label_noise(examples),
    )


def _shared_rows(examples: Examples) -> tuple[str, ...]:
    train = examples.rows["train"]
    same = [
        split
        for split, rows in examples.rows.items()
        if split != "train" and np.isin(train, rows).all()
    ]
    if not same:
        return ()
    return (f"{' and '.join(same)} use the rows of train: their scores say nothing about new data",)


def counts_of(examples: Examples, split: Split) -> "NDArray[np.int64]":
    """How many examples of a split have each class or label."""
    targets = examples.answers(split)
    if examples.shape.task == "labels":
        return targets.sum(axis=0).astype(np.int64)
    return np.bincount(targets, minlength=len(examples.shape.classes))


def _label_noise(examples: Examples) -> tuple[str, ...]:
    if examples.clean is None:
        return ()
    rows = examples.rows["train"]
    wrong = int((examples.targets[rows] != examples.clean[rows]).sum())
    return (f"label noise: {wrong:,} of {len(rows):,} training labels are wrong on purpose",)


def _missing_classes(examples: Examples) -> tuple[str, ...]:
    if examples.shape.task == "regression":
        return ()
    names, found = examples.shape.classes, list[str]()
    for split in examples.rows:
        present = counts_of(examples, split)
        missing = [name for name, count in zip(names, present, strict=True) if not count]
        if missing:
            found.append(f"{split} has no example of {_some(missing)}")
    return tuple(found)


def _constant_columns(examples: Examples) -> tuple[str, ...]:
    columns, inputs = examples.shape.columns, examples.inputs
    if not columns or not isinstance(inputs, np.ndarray):
        return ()
    train = inputs[examples.rows["train"]]
    constant = np.flatnonzero(train.min(axis=0) == train.max(axis=0))
    if not len(constant):
        return ()
    return (f"constant in train, so of no use: {_some([columns[i] for i in constant])}",)


def _some(names: list[str]) -> str:
    rest = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + rest


def _plural(count: int, noun: str) -> str:
    return (
        f"{count} {noun}{'s are' if count > 1 else ' is'}"
        if noun == "label"
        else (f"{count} {noun}{'s' if count > 1 else ''}")
    )
