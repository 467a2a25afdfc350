"""DataFrames that Python hands in, of pandas, polars, pyarrow and others: columns by their names.

narwhals, which scikit-learn needs as well, knows them all; none of them is imported here.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any, NamedTuple

from nnlab.core.errors import DataError
from nnlab.core.lazy import NDArray, np
from nnlab.parts.datasets.files.guesses import look_alike
from nnlab.parts.datasets.files.sheets.columns import FEW_WORDS, NO_VALUE
from nnlab.parts.datasets.files.sheets.doubtful import number_remark
from nnlab.parts.datasets.files.sheets.notation import (
    ISO,
    Likeness,
    Notation,
    date_forms,
    looks_like,
)


class Framed(NamedTuple):
    """Frames of some splits as arrays with the same columns.

    Attributes:
        arrays: (N, F) by the frames' keys; NaN where a number is missing.
        columns: the F names; words that are missing are a category, NO_VALUE, the last of theirs.
        gaps: by the frames' keys, then by the frame's column: (N,) where it has no value. Columns
            without any are left out.
        remarks: what was taken that a user may not expect, a line each.
    """

    arrays: "dict[str, NDArray[Any]]"
    columns: tuple[str, ...]
    gaps: "dict[str, dict[str, NDArray[np.bool_]]]"
    remarks: tuple[str, ...]


class FrameCells(NamedTuple):
    """One column of a frame.

    Attributes:
        values: (N,) numbers or words.
        gaps: (N,) where there is none: NaN or an empty word stands there.
    """

    values: "NDArray[Any]"
    gaps: "NDArray[np.bool_]"


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
        DataError: a column is only in one of them, or is neither numbers nor words.
    """
    every = {key: _by_name(_frame(frame)) for key, frame in frames.items()}
    names = [*next(iter(every.values()))]
    for key, frame in every.items():
        if odd := sorted({*frame} ^ set(names)):
            raise DataError(f"data[{key!r}]: X: {odd[0]!r} is a column of only one of the frames")
    parts: dict[str, list[NDArray[Any]]] = {key: [] for key in every}
    gaps: dict[str, dict[str, NDArray[np.bool_]]] = {key: {} for key in every}
    columns: list[str] = []
    remarks: list[str] = []
    for name in names:
        series = [frame[name] for frame in every.values()]
        cells = _read(series, name)
        if all(one.gaps.all() for one in cells):
            remarks.append(f"data: {name} has no value in any row: left out")
            continue
        categories = _categories(cells)
        remarks += _doubts(name, cells, categories, meant=_are_categories(series))
        columns += [name] if categories is None else [f"{name}={c}" for c in categories]
        missing = any(one.gaps.any() for one in cells)
        for key, one in zip(every, cells, strict=True):
            whole = one.values[:, None] if categories is None else _marks(one, categories, name)
            parts[key].append(whole)
            if missing:
                gaps[key][name] = one.gaps
    if not columns:
        raise DataError("data: X: no column has a value: there is nothing to learn from")
    arrays = {key: _joined(columns) for key, columns in parts.items()}
    return Framed(arrays, tuple(columns), gaps, tuple(remarks))


def _are_categories(series: Sequence[Any]) -> bool:
    """Whether a column's own type says that it holds categories."""
    import narwhals as nw

    return all(isinstance(one.dtype, nw.Categorical | nw.Enum) for one in series)


def _doubts(
    name: str, cells: Sequence[FrameCells], categories: list[str] | None, *, meant: bool
) -> tuple[str, ...]:
    """What is said of a column that may be meant otherwise, as of one in a csv file.

    Args:
        name: of the column.
        cells: of all frames.
        categories: what its words are; None for numbers.
        meant: the column's type says that it holds categories.

    Raises:
        DataError: many different words look like numbers or dates.
    """
    rows = sum(len(one.values) for one in cells)
    ways = f"X.drop(columns={name!r})"
    category = f"X[{name!r}].astype('category')"
    if categories is None:
        values = np.concatenate([one.values for one in cells]).astype(np.float64)
        said = number_remark(name, (), values, Notation(), f"{ways}, or {category}")
        return (f"data: {said}",) if said else ()
    if meant:
        return ()
    words = [word for word in categories if word != NO_VALUE]
    figures = [word for word in words if Notation().number(word) is not None]
    if len(figures) > FEW_WORDS and 2 * len(figures) > len(words):
        text = f"{len(figures)} of {len(words)} different words are numbers, such as {figures[0]!r}"
        way = f"X[{name!r}] = pandas.to_numeric(X[{name!r}], errors='coerce')"
        raise DataError(f"data: X: column {name!r}: {text} ({way}; or {category}, or {ways})")
    words = [word for word in words if Notation().number(word) is None]
    if like := looks_like(words, name, Notation(), delimiter=","):
        text = f"{len(words)} different words, such as {words[0]!r}, look like {like.what}"
        if len(words) > FEW_WORDS or 2 * len(words) > rows:
            other = category if 2 * len(words) <= rows else ways
            way = f"{_reads(like, words, name)}, or {other}"
            raise DataError(f"data: X: column {name!r}: {text} ({way})")
        return (f"data: {name}: {text}, taken for categories",)
    if len(words) > FEW_WORDS and 2 * len(words) >= rows:
        return (
            f"data: {name}: {len(words)} categories in {rows} rows, an input for each ({ways})",
        )
    if same := look_alike(words):
        return (f"data: {name}: {same} are categories of their own",)
    return ()


def _reads(like: Likeness, words: Sequence[str], name: str) -> str:
    """The line of pandas that makes numbers or dates of words."""
    column = f"X[{name!r}]"
    if like.what == "dates":
        forms = ["ISO8601" if form == ISO else form for form in date_forms(words)]
        ways = [f"format={form!r}" for form in forms] or ["errors='coerce'"]
        first = f"{column} = pandas.to_datetime({column}, {ways[0]})"
        return f"{first}, or with {ways[1]}" if len(ways) > 1 else first
    if like.what == "numbers with a decimal comma":
        return f"{column} = {column}.str.replace(',', '.').astype(float)"
    united = like.what.startswith("numbers with '")  # a unit or a currency
    if united and all(Notation().number(_without_unit(word)) is not None for word in words):
        return f"{column} = {column}.str.extract(r'({_PLAIN})', expand=False).astype(float)"
    return "make numbers of them"


_PLAIN = r"-?[0-9.]+"


def _without_unit(word: str) -> str:
    found = re.search(_PLAIN, word)
    return found[0] if found and not re.search(r"\d,\d", word) else ""


def column_as_array(values: Any) -> FrameCells:
    """Targets in a Series, or in a frame of one column or of several: (N,) or (N, K)."""
    if is_series(values):
        import narwhals as nw

        series = nw.from_native(values, series_only=True)
        (cells,) = _read([series], None)
        if series.dtype.is_integer() and cells.gaps.any():
            # Floats stand there for the sake of the gaps alone, and classes are whole numbers.
            return FrameCells(np.where(cells.gaps, 0, cells.values).astype(np.int64), cells.gaps)
        return cells
    found = [column_as_array(series.to_native()) for series in _by_name(_frame(values)).values()]
    if len(found) == 1:
        return found[0]
    gaps = np.logical_or.reduce([one.gaps for one in found])
    return FrameCells(np.stack([one.values for one in found], axis=1), gaps)


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
    have = _by_name(_frame(values))
    found: list[NDArray[Any]] = []
    left = list(columns)
    while left:
        name = left[0]
        if name in have:
            (cells,) = _read([have[name]], name)
            if cells.values.dtype.kind == "U":
                raise DataError(_no_numbers(cells, name))
            found.append(cells.values[:, None])
            left = left[1:]
            continue
        ends = [place for place, sign in enumerate(name) if sign == "="]
        source = next((name[:end] for end in ends if name[:end] in have), None)
        if source is None:
            raise DataError(f"inputs: the frame has no column {name!r}")
        mine = [one for one in left if one.startswith(f"{source}=")]
        (cells,) = _read([have[source]], source)
        found.append(_marks(cells, [one[len(source) + 1 :] for one in mine], source))
        left = [one for one in left if one not in mine]
    return _joined(found)


def _no_numbers(cells: FrameCells, name: str) -> str:
    """What is said of words where a run knows numbers, with what would read them."""
    words = [str(word) for word in np.unique(cells.values[~cells.gaps]).tolist()]
    like = looks_like(words, name, Notation(), delimiter=",")
    way = f" ({_reads(like, words, name)})" if like else ""
    return f"inputs: column {name!r} holds words, this run knows numbers{way}"


def _frame(values: Any) -> Any:
    import narwhals as nw

    try:
        return nw.from_native(values, eager_only=True)
    except nw.exceptions.DuplicateError as error:
        said = " ".join(str(error).split())
        raise DataError(f"data: X: {said} (give each column a name of its own)") from None


def _by_name(frame: Any) -> dict[str, Any]:
    """The columns by their names as text; pandas has numbers and pairs for names as well.

    Raises:
        DataError: two have the same name as text.
    """
    found: dict[str, Any] = {}
    for name in frame.columns:
        called = "_".join(map(str, name)) if isinstance(name, tuple) else str(name)  # pyright: ignore[reportUnknownArgumentType]
        if called in found:
            raise DataError(f"data: X: two columns are called {called!r} (rename one)")
        found[called] = frame.get_column(name)
    return found


def index_remark(inputs: Any, targets: Any) -> str:
    """What is said where pandas has the rows of X and y in different orders; else empty."""
    import narwhals as nw

    indices: list[Any] = []
    for values in (inputs, targets):
        if not (is_frame(values) or is_series(values)):
            return ""
        try:
            known: Any = nw.from_native(values, eager_only=True, allow_series=True)
        except nw.exceptions.DuplicateError:
            return ""  # reading says so
        indices.append(nw.maybe_get_index(known))
    first, second = indices
    if first is None or second is None or len(first) != len(second) or first.equals(second):
        return ""
    if not first.sort_values().equals(second.sort_values()):
        return ""
    text = "y has the index of X in another order, and rows go together by their place"
    return f"warning: data: {text} (y.loc[X.index], if they do by their index)"


def _word_types() -> tuple[Any, ...]:
    import narwhals as nw

    return (nw.String, nw.Categorical, nw.Enum, nw.Object)


def _read(series: Sequence[Any], name: str | None) -> list[FrameCells]:
    """A column of all frames: numbers in all of them, or words; of dates the days since 1970.

    Args:
        series: the column, of each frame.
        name: of the column; None of the targets.

    Raises:
        DataError: it holds neither.
    """
    import narwhals as nw

    kinds = [one.dtype for one in series]
    if all(isinstance(kind, nw.Datetime | nw.Date) for kind in kinds):
        return [_days(one) for one in series]
    if all(kind.is_numeric() or isinstance(kind, nw.Boolean) for kind in kinds):
        return [_numbers(one) for one in series]
    if not all(isinstance(kind, _word_types()) for kind in kinds):
        column, what = ("y", "y") if name is None else (f"X[{name!r}]", f"X: column {name!r}")
        way = _as_number(column, kinds[0])
        way += "" if name is None else f", or X.drop(columns={name!r})"
        text = f"{what} holds {kinds[0]}, neither numbers nor words"
        raise DataError(f"data: {text} ({way})")
    lists = [one.to_list() for one in series]
    if all(isinstance(kind, nw.Object) for kind in kinds) and all(map(_are_numbers, lists)):
        if all(type(value) is int for one in lists for value in one):
            return [_with_gaps(np.array(one)) for one in lists]
        return [_with_gaps(np.array([_number(v) for v in one], np.float64)) for one in lists]
    nulls = [one.is_null().to_list() for one in series]
    return [_words(*both) for both in zip(lists, nulls, strict=True)]


def _as_number(column: str, kind: Any) -> str:
    """What makes numbers of a column of another type."""
    import narwhals as nw

    if isinstance(kind, nw.Duration):
        return f"{column}.dt.total_seconds()"
    return f"numpy.asarray({column}, float), if it holds numbers"


def _days(series: Any) -> FrameCells:
    """Dates as days since 1970, as those of a csv file; a moment without a zone is one of UTC."""
    import narwhals as nw

    moments = series if isinstance(series.dtype, nw.Datetime) else series.cast(nw.Datetime("us"))
    microseconds = moments.dt.timestamp("us").cast(nw.Float64).to_numpy()
    days = np.asarray(microseconds, np.float64) / 86_400e6
    return _with_gaps(np.where(series.is_null().to_numpy(), np.nan, days))


def _numbers(series: Any) -> FrameCells:
    """Numbers as they are stored; as float64 with NaN where one is missing."""
    import narwhals as nw

    if series.is_null().any():
        return _with_gaps(np.asarray(series.cast(nw.Float64).to_numpy(), np.float64))
    array = np.asarray(series.to_numpy())
    return _with_gaps(array if array.dtype.kind in "buif" else array.astype(np.float64))


def _with_gaps(values: "NDArray[Any]") -> FrameCells:
    missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), np.bool_)
    return FrameCells(values, missing)


def _are_numbers(values: Sequence[object]) -> bool:
    """Whether Python objects are numbers, as far as they are there."""
    there = [value for value in values if not _is_nothing(value)]
    return bool(there) and all(isinstance(value, Real | Decimal | np.number) for value in there)


def _is_nothing(value: object) -> bool:
    return value is None or value != value or type(value).__name__ in ("NAType", "NaTType")


def _number(value: Any) -> float:
    return float("nan") if _is_nothing(value) else float(value)


def _words(values: Sequence[object], nulls: Sequence[bool]) -> FrameCells:
    """Words; what stands for none in a csv file does so here."""
    texts = ["" if null else str(value) for value, null in zip(values, nulls, strict=True)]
    gaps = Notation().gaps(texts)
    words = ["" if gap else text for text, gap in zip(texts, gaps.tolist(), strict=True)]
    return FrameCells(np.array(words, str), gaps)


def _categories(cells: Sequence[FrameCells]) -> list[str] | None:
    """What the words of a column are, NO_VALUE last where some miss; None for numbers."""
    if all(one.values.dtype.kind != "U" for one in cells):
        return None
    found = sorted({str(w) for one in cells for w in np.unique(one.values[~one.gaps]).tolist()})
    return [*found, NO_VALUE] if any(one.gaps.any() for one in cells) else found


def _marks(cells: FrameCells, categories: Sequence[str], name: str) -> "NDArray[np.float32]":
    """(N, K) 0 and 1."""
    index = {category: place for place, category in enumerate(categories)}
    pairs = zip(map(str, cells.values.tolist()), cells.gaps.tolist(), strict=True)
    words = [NO_VALUE if gap else word for word, gap in pairs]
    strange = [word for word in words if word not in index]
    if strange:
        known = ", ".join(categories[:4])
        if strange[0] == NO_VALUE:
            count = f"{len(strange)} of {len(words)} rows"
            raise DataError(f"inputs: {name} has no value in {count}, and no row did in training")
        raise DataError(f"inputs: {name}: {strange[0]!r} is not one of {known}")
    found = np.zeros((len(words), len(categories)), np.float32)
    found[np.arange(len(words)), [index[word] for word in words]] = 1.0
    return found


def _joined(parts: "Sequence[NDArray[Any]]") -> "NDArray[Any]":
    """Columns side by side, in a type that holds the values of all; bytes would be pixels."""
    found = np.concatenate(parts, axis=1)
    return found.astype(np.float32) if found.dtype.kind == "b" else found
