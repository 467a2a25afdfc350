"""Arrays of npz files for a prediction, read piece by piece. Nothing in them is unpickled."""

import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from nnlab.commands.predict.expected_inputs import Piece, TargetColumn, Wanted, class_named
from nnlab.core.errors import DataError
from nnlab.core.files import refuse_irregular
from nnlab.core.lazy import NDArray, np
from nnlab.parts.datasets.files.array_rules import plain_targets
from nnlab.parts.datasets.lengths import false_ends

_BROKEN = (
    *(OSError, ValueError, EOFError, LookupError, RuntimeError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error),
)


def read_arrays(
    path: Path, wanted: Wanted, rows: int, note: Callable[[str], None]
) -> Iterator[Piece]:
    """The examples of an npz file.

    Args:
        path: the file.
        wanted: what the run takes.
        rows: in a piece.
        note: is told of rows that get no answer.

    Raises:
        DataError: it cannot be read, an array has another shape, or no row can be answered.
    """
    names = _names(path)
    inputs = _chosen(path, names, wanted)
    target = next((name for name in wanted.target_arrays if name in names and name != inputs), None)
    targets = _parts(path, target, rows, words=True) if target else None
    start = 0
    left: list[int] = []
    for part in _parts(path, inputs, rows):
        shaped = _shaped(path, inputs, part, wanted)
        beside = next(targets, None) if targets else None
        if targets and (beside is None or len(beside) != len(part)):
            raise DataError(f"{path}: {inputs} and {target} have different lengths")
        found = () if beside is None else _targets(path, beside, wanted)
        kept = _whole(shaped, wanted)
        left += [start + row for row in range(len(part)) if row not in kept]
        if kept:
            places = tuple((path, start + row) for row in kept)
            yield Piece(places, shaped[list(kept)], tuple(found[row] for row in kept if found))
        start += len(part)
    if left:
        some = ", ".join(map(str, left[:5])) + (" ..." if len(left) > 5 else "")
        text = f"values of row {some} are not finite (rows count from 0)"
        if len(left) == start:
            raise DataError(f"{path}: {inputs}: {text}: no row can be answered")
        note(f"{path}: {inputs}: {text}: {len(left)} of {start} rows have no answer")


def _whole(rows: "NDArray[Any]", wanted: Wanted) -> Sequence[int]:
    """Rows of finite numbers; NaN is a missing value where the run fills those."""
    if rows.dtype.kind != "f":
        return range(len(rows))
    if wanted.ends:
        wrong = false_ends(rows)
        gone = np.asarray(np.isinf(rows).reshape(len(rows), -1).any(axis=1))
        return [row for row in range(len(rows)) if row not in wrong and not gone[row]]
    flat = rows.reshape(len(rows), -1)
    # Beyond float32 is as good as infinite: the network would answer NaN.
    small = ~(np.abs(flat.astype(np.float64)) > np.finfo(np.float32).max)
    fine = small if wanted.fills else small & np.isfinite(flat)
    return np.flatnonzero(fine.all(axis=1)).tolist()


def _names(path: Path) -> list[str]:
    try:
        refuse_irregular(path)
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except _BROKEN as error:
        raise DataError(f"{path}: cannot be read as npz: {error}") from error


def _chosen(path: Path, names: Sequence[str], wanted: Wanted) -> str:
    """The name of the inputs: a usual one, or the only one that is not that of the targets."""
    found = [name for name in wanted.arrays if name in names]
    others = [name for name in names if name not in wanted.target_arrays]
    if found or len(others) == 1:
        return (found or others)[0]
    raise DataError(
        f"{path}: has the arrays {', '.join(names) or 'none'}, and none is called "
        f"{' or '.join(dict.fromkeys(wanted.arrays))}"
    )


def _parts(path: Path, name: str, rows: int, *, words: bool = False) -> "Iterator[NDArray[Any]]":
    """An array in pieces of so many rows; only one is in memory at a time. Targets can be words."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
            version = np.lib.format.read_magic(file)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, by_column, dtype = read(file)
            if dtype.kind not in ("buifUS" if words else "buif"):
                raise DataError(f"{path}: {name} holds {dtype}, not numbers")
            if not shape or not shape[0]:
                raise DataError(
                    f"{path}: {name} has shape {shape}, expected (N, ...), N at least 1"
                )
            if by_column:  # the first row ends at the end of the file
                with np.load(path, allow_pickle=False) as whole:
                    array = whole[name]
                yield from (array[i : i + rows] for i in range(0, shape[0], rows))
                return
            size = int(np.prod(shape[1:])) * dtype.itemsize
            for start in range(0, shape[0], rows):
                count = min(rows, shape[0] - start)
                content = file.read(count * size)
                if len(content) != count * size:
                    raise DataError(f"{path}: {name} ends after {start} rows of {shape[0]}")
                yield np.frombuffer(content, dtype).reshape(count, *shape[1:])
    except _BROKEN as error:
        raise DataError(f"{path}: {name} cannot be read: {error}") from error


def _shaped(path: Path, name: str, part: "NDArray[Any]", wanted: Wanted) -> "NDArray[Any]":
    """The rows in the shape of the run's inputs, as its data set stores them."""
    found, shape = part.shape[1:], wanted.inputs
    gray = len(shape) == 3 and shape[0] == 1 and found == shape[1:]
    steps = wanted.columns and found == shape[:1] and shape[1:] == (1,)
    if found == shape or gray or steps or (not found and shape == (1,)):
        return part.reshape(len(part), *shape)
    hint = f" ({name}[None], if it is one example)" if part.shape == shape else ""
    expected = ", ".join(("N", *map(str, shape)))
    raise DataError(f"{path}: {name} has rows of shape {found}, expected ({expected}){hint}")


def _targets(path: Path, part: "NDArray[Any]", wanted: Wanted) -> tuple[TargetColumn, ...]:
    flat = plain_targets(part, where=f"{path}: targets are").reshape(len(part), -1)
    if wanted.task == "classes" and flat.shape[1] == wanted.outputs > 1:
        flat = _from_one_hot(path, flat, wanted)
    expected = 1 if wanted.task == "classes" else wanted.outputs
    if flat.shape[1] != expected:
        text = f"targets have shape {part.shape[1:]} for each row, expected {expected} number(s)"
        raise DataError(f"{path}: {text}")
    if wanted.task != "classes":
        return tuple(tuple(map(float, row)) for row in flat)
    names = [
        class_named(str(v), wanted.classes, None if isinstance(v, str) else float(v))
        for v in flat[:, 0].tolist()
    ]
    if None in names:
        bad = flat[names.index(None), 0]
        raise DataError(f"{path}: target {bad} is not one of the classes")
    return tuple(names)


def _from_one_hot(path: Path, flat: "NDArray[Any]", wanted: Wanted) -> "NDArray[Any]":
    """(N, 1) class names of rows of 0 with one 1."""
    bad = np.flatnonzero(((flat != 0).sum(axis=1) != 1) | (flat.max(axis=1) != 1))
    if len(bad):
        raise DataError(f"{path}: targets of row {bad[0]} are not one 1 among 0 (one-hot)")
    return np.array(wanted.classes)[flat.argmax(axis=1)][:, None]
