"""Arrays in npz files. Nothing in them is unpickled."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, Self, final

from pydantic import Field

from nnlab.core import files
from nnlab.core.contracts import Shape, Split
from nnlab.core.errors import ConfigError, DataError
from nnlab.core.kinds import Forms
from nnlab.core.lazy import NDArray, lazy, np
from nnlab.parts.datasets.family import DataConfig
from nnlab.parts.datasets.files import array_rules
from nnlab.parts.datasets.tables import Form, Place, Table, TableSource, merging, near_miss

if TYPE_CHECKING:
    import zipfile
    import zlib
else:
    zipfile = lazy("zipfile")
    zlib = lazy("zlib")

_MOST_CLASSES = array_rules.MOST_CLASSES
_MOST_BYTES = 16 << 30
_READ_AT_ONCE = 8 << 20
_LOOKED_THROUGH = 128 << 20
"""Inputs of so many bytes are read, or looked through for NaN, when they are described: it takes
a part of a second."""
_USUAL = (
    *(("x_train", "y_train"), ("train_x", "train_y"), ("xtrain", "ytrain")),
    *(("train_images", "train_labels"), ("train_data", "train_labels"), ("x", "y")),
    *(("images", "labels"), ("data", "labels"), ("data", "target"), ("features", "labels")),
)
"""What people call inputs and targets, without regard to capitals."""


class _Header(NamedTuple):
    """What an array is, without its content."""

    shape: Shape
    dtype: "np.dtype[Any]"


@final
class NpzConfig(DataConfig, frozen=True):
    """Arrays of your own in a file that numpy.savez has written.

    Inputs (N, C, H, W) or uint8 (N, H, W) are images, (N, F) or (N,) are a table, anything else
    stays as it is. Targets are whole numbers or names (N,) or one-hot (N, K) for
    classes, or numbers (N,) or (N, K). Labels that are not 0 to K - 1 are the classes as they are.
    `test_inputs` and `test_targets` name arrays that are the test split.
    """

    splits_from: ClassVar[tuple[Literal["file", "column"], ...]] = ("file",)

    kind: Literal["npz"] = "npz"
    path: str
    inputs: str = "inputs"
    targets: str = "targets"
    test_inputs: Annotated[str | None, Forms()] = None
    test_targets: Annotated[str | None, Forms()] = None
    task: array_rules.AskedTask = "auto"
    """labels: targets (N, K) of 0 and 1, of which an example can have several 1."""
    classes: Annotated[Annotated[int, Field(ge=2, le=array_rules.MOST_CLASSES)] | None, Forms()] = (
        None
    )

    @classmethod
    def example(cls) -> Self:
        return cls(path="arrays.npz")

    @property
    def called(self) -> str:
        return Path(self.path).name

    def own_path(self, place: Place) -> Path | None:
        return place.find(self.path)

    def has_split(self, split: Split, place: Place) -> bool:
        return split == "test" and self.test_inputs is not None

    def form(self, place: Place) -> Form:
        return array_rules.form_of(*_header(self._file(place), self.inputs))

    def settled(self, place: Place) -> dict[str, object]:
        task = self.source(place).task if self.task == "auto" else self.task
        return {"path": str(place.find(self.path)), "task": task}

    def source(self, place: Place) -> TableSource:
        path = self._file(place)
        header = _header(path, self.inputs)
        targets, given = self._targets(place)
        total = len(targets)
        rows = header.shape[0] + sum(
            _header(file, name).shape[0] for _, file, name, _ in self._others(place)
        )
        if rows != total:
            raise DataError(f"{path}: {rows} {self.inputs}, but {total} {self.targets}")
        shape = array_rules.example_shape(*header, where=f"{path}: {self.inputs}")
        most = array_rules.most_classes(self.form(place), total, self.classes)
        named = f"{self.path}: {self.targets}"
        task = array_rules.task_of(targets, self.task, most=most, where=named)
        classes = ()
        if task == "classes":
            classes = self._classes(targets).names
        if task == "labels":
            classes = tuple(str(label) for label in range(targets.shape[1]))
        return TableSource(
            inputs=shape,
            task=task,
            outputs=len(classes) or (targets.shape[1] if targets.ndim > 1 else 1),
            classes=classes,
            columns=array_rules.columns_of(shape),
            pool=total - sum(given.values()),
            given=given,
            guess=array_rules.guess_of(
                targets, self.task, most=most, where=f"data: {self.targets}"
            ),
        )

    def at_hand(self, place: Place) -> Table | None:
        arrays = [(self._file(place), self.inputs)]
        arrays += [(file, name) for _, file, name, _ in self._others(place)]
        headers = [_header(*one) for one in arrays]
        size = sum(int(np.prod(shape)) * dtype.itemsize for shape, dtype in headers)
        if size <= _READ_AT_ONCE:
            return self.read(place)
        floats = [
            one for one, header in zip(arrays, headers, strict=True) if header.dtype.kind == "f"
        ]
        if size <= _LOOKED_THROUGH and not all(np.isfinite(_array(*one)).all() for one in floats):
            return self.read(place)  # what is wrong with them is said from there
        source = self.source(place)
        targets, _ = self._targets(place)
        if source.task == "classes":
            targets = self._classes(targets).numbers
        targets, _ = array_rules.stored_targets(targets, source.task, source.outputs)
        return Table(source, np.zeros((len(targets), 0)), targets, given=_given_rows(source))

    def read(self, place: Place) -> Table:
        source = self.source(place)
        inputs = [_array(self._file(place), self.inputs)]
        inputs += [_array(file, name) for _, file, name, _ in self._others(place)]
        for array in inputs[1:]:
            if array.shape[1:] != inputs[0].shape[1:]:
                raise DataError(
                    f"{self._file(place)}: inputs have shape {inputs[0].shape[1:]} and "
                    f"{array.shape[1:]}"
                )
        stored = array_rules.stored_inputs(np.concatenate(inputs), source.inputs)
        targets, _ = self._targets(place)
        if source.task == "classes":
            targets = self._classes(targets).numbers
        targets, merged = array_rules.stored_targets(targets, source.task, source.outputs)
        return Table(
            source,
            stored.values,
            targets,
            given=_given_rows(source),
            base=stored.base,
            merged=merging(stored.merged, source.columns, merged, ()),
        )

    def remarks(self, place: Place) -> tuple[str, ...]:
        """Says what `task: auto` took, where the targets could be something else."""
        source = self.source(place)
        return array_rules.remarks_of(source, source.guess if self.task == "auto" else None)

    def _file(self, place: Place) -> Path:
        return place.find(self.path)

    def _others(self, place: Place) -> list[tuple[Split, Path, str, str]]:
        """Splits with arrays of their own: file, inputs, targets."""
        if (self.test_inputs is None) != (self.test_targets is None):
            raise ConfigError("data.test_inputs: goes together with test_targets, got one of them")
        found: list[tuple[Split, Path, str, str]] = [
            (split, file, self.inputs, self.targets) for split, file in self.files(place).items()
        ]
        if self.test_inputs is not None and self.test_targets is not None:
            if "test" in self.files(place):
                raise ConfigError("data.test: {file: ...} and test_inputs both name the test split")
            found.append(("test", self._file(place), self.test_inputs, self.test_targets))
        return found

    def _targets(self, place: Place) -> "tuple[NDArray[Any], dict[Split, int]]":
        """The targets of all rows as stored, and how many are of which given split."""
        found = [_array(self._file(place), self.targets, words=True)]
        given: dict[Split, int] = {}
        for split, file, _, name in self._others(place):
            found.append(_array(file, name, words=True))
            given[split] = len(found[-1])
        found = [array_rules.flat_targets(part) for part in found]
        if len({part.shape[1:] for part in found}) > 1 or found[0].ndim > 2:
            shapes = ", ".join(str(part.shape) for part in found)
            raise DataError(f"{self._file(place)}: targets have shape {shapes}, not (N,) or (N, K)")
        if len({part.dtype.kind == "U" for part in found}) > 1:
            raise DataError(
                f"{self._file(place)}: targets are names in one split, numbers in "
                "another (write the same in both)"
            )
        return np.concatenate(found), given

    def _classes(self, targets: "NDArray[Any]") -> array_rules.ClassNumbers:
        where = f"{self.path}: {self.targets}"
        return array_rules.class_numbers(targets, self.classes, where=where)


def _given_rows(source: TableSource) -> "dict[Split, NDArray[np.int64]]":
    """The rows of splits with arrays of their own, which follow those of the pool."""
    rows: dict[Split, NDArray[np.int64]] = {}
    start = source.pool
    for split, count in source.given.items():
        rows[split] = np.arange(start, start + count)
        start += count
    return rows


def broken_archives() -> tuple[type[Exception], ...]:
    """What zipfile and NumPy raise for what is damaged, encrypted or packed as they do not know.

    Asked for only when something was raised: the modules are imported late.
    """
    from lzma import LZMAError
    from struct import error as struct_error

    # NotImplementedError is a RuntimeError; headers of arrays are read as Python literals.
    plain = (OSError, ValueError, EOFError, LookupError, RuntimeError, SyntaxError, OverflowError)
    return (*plain, zipfile.BadZipFile, zlib.error, LZMAError, struct_error)


def _header(path: Path, name: str, *, words: bool = False) -> _Header:
    """Shape and type of an array, read from its first bytes; `words` are fit for targets."""
    try:
        files.refuse_irregular(path)
        with zipfile.ZipFile(path) as archive, archive.open(_member(path, archive, name)) as file:
            version = np.lib.format.read_magic(file)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read(file)
    except broken_archives() as error:
        way = _way_in(path, name)
        what = error.strerror if isinstance(error, FileNotFoundError) else error
        raise DataError(f"{path}: cannot be read as npz: {what}{way}") from error
    if dtype.kind not in ("buifUS" if words else "buif"):
        way = f"save {_as_plain(name, dtype, words=words)}"
        kinds = "numbers nor names" if words else "numbers"
        said = "neither" if words else "not"
        raise DataError(f"{path}: {name} holds {dtype}, {said} {kinds} ({way})")
    if not shape or shape[0] == 0 or 0 in shape:
        raise DataError(f"{path}: {name} has shape {shape}, expected (N, ...) without a 0")
    if int(np.prod(shape)) * dtype.itemsize > _MOST_BYTES:
        raise DataError(f"{path}: {name} needs more than {_MOST_BYTES >> 30} GiB of memory")
    return _Header(shape, dtype)


def _as_plain(name: str, dtype: "np.dtype[Any]", *, words: bool) -> str:
    """What makes numbers, or names, of an array."""
    if dtype.kind == "V":
        return f"numpy.lib.recfunctions.structured_to_unstructured({name})"
    if dtype.kind == "c":
        return f"numpy.abs({name}), or its real and imaginary part side by side"
    return f"{name}.astype({'str' if words and dtype.kind not in 'mM' else 'float'})"


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> str:
    names = [entry.removesuffix(".npy") for entry in archive.namelist()]
    if name not in names:
        some = ", ".join(names[:8])
        raise DataError(f"{path}: has no array {name!r} (it has {some}{_likely(names)})")
    return f"{name}.npy"


def _way_in(path: Path, name: str) -> str:
    """What makes an npz file of what is none."""
    if path.suffix == ".npy":
        whole = repr(str(path.with_suffix(".npz")))
        return f" (one array alone: numpy.savez({whole}, {name}=numpy.load({str(path)!r}), ...))"
    return near_miss(path)


def _likely(names: Sequence[str]) -> str:
    """Which of the arrays are inputs and targets, by the names that are usual."""
    folded = {name.casefold(): name for name in names}
    for inputs, targets in _USUAL:
        if inputs in folded and targets in folded:
            said = {"inputs": inputs, "targets": targets}
            test = {"test_inputs": inputs, "test_targets": targets}
            for field, one in test.items() if "train" in inputs else ():
                if (other := one.replace("train", "test")) in folded:
                    said[field] = other
            return "; " + ", ".join(f"{field}: {folded[one]}" for field, one in said.items())
    return "; data.inputs, data.targets"


def _array(path: Path, name: str, *, words: bool = False) -> "NDArray[Any]":
    _header(path, name, words=words)
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = archive[name]
    except broken_archives() as error:
        raise DataError(f"{path}: {name} cannot be read: {error}") from error
    return array_rules.plain_targets(found, where=f"{path}: {name}") if words else found


KINDS = (NpzConfig,)
