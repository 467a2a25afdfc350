"""DataFrames that Python hands in, of pandas, polars, pyarrow and others: columns by their names.

narwhals, which scikit-learn needs as well, knows them all; none of them is imported here.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nnlab.core.errors import DataError
from nnlab.core.lazy import NDArray, np


class Framed(NamedTuple):
    """Frames of some splits as arrays with the same columns.

    Attributes:
        arrays: (N, F) by the frames' keys.
        columns: the F names.
    """

    arrays: "dict[str, NDArray[Any]]"
    columns: tuple[str, ...]


def is_frame(values: object) -> bool:
    """Whether something is a DataFrame."""
    from narwhals import dependencies

    return dependencies.is_into_dataframe(values)


def is_series(values: object) -> bool:
    """Whether something is one column of a DataFrame."""
    from narwhals import dependencies

    return dependencies.is_into_series(values)


def frames_as_arrays(frames: Mapping[str, object]) -> Framed:
    """Frames as arrays: numbers as they are, words one input for each, in sorted order.

    Args:
        frames: by split; all have the same columns, in any order.

    Raises:
        DataError: a column is only in one of them, misses values, or is neither numbers nor words.
    """
    every = {key: _frame(frame) for key, frame in frames.items()}
    first = next(iter(every.values()))
    names = [str(name) for name in first.columns]
    for key, frame in every.items():
        if odd := sorted({*map(str, frame.columns)} ^ set(names)):
            raise DataError(f"data[{key!r}]: X: {odd[0]!r} is a column of only one of the frames")
    parts: dict[str, list[NDArray[Any]]] = {key: [] for key in every}
    columns: list[str] = []
    for name in names:
        series = {key: frame[name] for key, frame in every.items()}
        categories = _categories(name, list(series.values()))
        columns += [name] if categories is None else [f"{name}={c}" for c in categories]
        for key, one in series.items():
            parts[key].append(_numbers(one) if categories is None else _marks(one, categories))
    arrays = {key: _joined(columns) for key, columns in parts.items()}
    return Framed(arrays, tuple(columns))


def column_as_array(values: Any) -> "NDArray[Any]":
    """Targets in a Series, or in a frame of one column or of several, as an array.

    Raises:
        DataError: it misses values.
    """
    if is_series(values):
        import narwhals as nw

        series = nw.from_native(values, series_only=True)
        _check_whole(series, "y")
        words = isinstance(series.dtype, _word_types())
        return np.array(series.to_list(), str) if words else _numbers(series)[:, 0]
    frame = _frame(values)
    found = [column_as_array(frame[name].to_native()) for name in frame.columns]
    return found[0] if len(found) == 1 else np.stack(found, axis=1)


def rows_of(values: object, columns: Sequence[str]) -> "NDArray[Any]":
    """The rows of a frame as a run's columns stand, found by name.

    Args:
        values: a DataFrame; columns that the run does not know are left out.
        columns: of the run: age, color=red, color=blue.

    Returns:
        (N, F) numbers; a category that the run does not know is refused.

    Raises:
        DataError: a column is missing, or a value does not fit.
    """
    frame = _frame(values)
    have = {str(name): name for name in frame.columns}
    found: list[NDArray[Any]] = []
    left = list(columns)
    while left:
        name = left[0]
        if name in have:
            series = frame[have[name]]
            if isinstance(series.dtype, _word_types()):
                raise DataError(f"inputs: column {name!r} holds words, this run knows numbers")
            found.append(_numbers(series))
            left = left[1:]
            continue
        ends = [place for place, sign in enumerate(name) if sign == "="]
        source = next((name[:end] for end in ends if name[:end] in have), None)
        if source is None:
            raise DataError(f"inputs: the frame has no column {name!r}")
        mine = [one for one in left if one.startswith(f"{source}=")]
        found.append(_marks(frame[have[source]], [one[len(source) + 1 :] for one in mine]))
        left = [one for one in left if one not in mine]
    return _joined(found)


def _frame(values: Any) -> Any:
    import narwhals as nw

    return nw.from_native(values, eager_only=True)


def _word_types() -> tuple[Any, ...]:
    import narwhals as nw

    return (nw.String, nw.Categorical, nw.Enum, nw.Object)


def _categories(name: str, series: Sequence[Any]) -> list[str] | None:
    """What the words of a column are; None where it holds numbers.

    Raises:
        DataError: it misses values, or holds neither.
    """
    import narwhals as nw

    kinds = [one.dtype for one in series]
    if all(kind.is_numeric() or isinstance(kind, nw.Boolean) for kind in kinds):
        for one in series:
            if one.is_null().any():
                _check_whole(one, f"column {name!r}")
        return None
    if not all(isinstance(kind, _word_types()) for kind in kinds):
        raise DataError(
            f"data: X: column {name!r} holds {kinds[0]}, neither numbers nor words (make a number "
            "of it, or leave it out)"
        )
    for one in series:
        _check_whole(one, f"column {name!r}")
    return sorted({str(value) for one in series for value in one.unique().to_list()})


def _check_whole(series: Any, where: str) -> None:
    missing = int(series.is_null().sum())
    if missing:
        raise DataError(
            f"data: {where} has no value in {missing} of {len(series)} rows (fill them, or leave "
            "the rows out; data: csv does both)"
        )


def _numbers(series: Any) -> "NDArray[Any]":
    """(N, 1) numbers as they are stored; NaN where one is missing."""
    array = np.asarray(series.to_numpy())
    return (array if array.dtype.kind in "buif" else array.astype(np.float64))[:, None]


def _marks(series: Any, categories: Sequence[str]) -> "NDArray[np.float32]":
    """(N, K) 0 and 1."""
    index = {category: place for place, category in enumerate(categories)}
    words = [str(word) for word in series.to_list()]
    strange = [word for word in words if word not in index]
    if strange:
        known = ", ".join(categories[:4])
        raise DataError(f"inputs: {series.name}: {strange[0]!r} is not one of {known}")
    found = np.zeros((len(words), len(categories)), np.float32)
    found[np.arange(len(words)), [index[word] for word in words]] = 1.0
    return found


def _joined(parts: "Sequence[NDArray[Any]]") -> "NDArray[Any]":
    """Columns side by side, in a type that holds the values of all; bytes would be pixels."""
    found = np.concatenate(parts, axis=1)
    return found.astype(np.float32) if found.dtype.kind == "b" else found
