"""`inline`: a few rows, written in the config itself.

To add another kind of made data, see `synthetic.py`.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Self, final

from pydantic import Field, PositiveInt

from nnlab.core.contracts import Split, Task
from nnlab.core.errors import ConfigError
from nnlab.core.kinds import Config, Forms
from nnlab.core.lazy import np
from nnlab.parts.datasets.family import DataConfig, Form, Place, Table, TableSource
from nnlab.parts.datasets.split_sizes import Count, Fraction, LastRows

_MOST_NUMBERS = 10_000
"""More belong in a file: a config is read by people, and may have 1 MB."""

_Rows = Annotated[tuple[tuple[float, ...], ...], Field(min_length=1)]
_Target = Annotated[int | float | str | tuple[float, ...], Forms()]
Targets = Annotated[tuple[_Target, ...], Field(min_length=1)]


class InlineRows(Config, frozen=True):
    """Rows of a split of its own."""

    inputs: _Rows
    targets: Targets


SplitRows = Annotated[
    Count | Fraction | LastRows | InlineRows | Literal["auto", "same", "none"], Forms()
]


class _Part(NamedTuple):
    """Rows as written, and where."""

    path: str
    inputs: Sequence[Sequence[float]]
    targets: Sequence[Any]


@final
class InlineConfig(DataConfig, frozen=True):
    """Rows written here: `inputs: [[0, 1], [1, 0]]` and as many `targets`.

    Targets are one class a row (whole numbers or words: [0, 1] or [no, yes]), one number a row
    ([0.5, 1.5]), or a list of numbers a row ([[0.01, 0.99]]). At most 10,000 numbers.
    """

    kind: Literal["inline"] = "inline"
    inputs: _Rows
    """One list for each example, all of the same length."""
    targets: Targets
    shape: Annotated[tuple[PositiveInt, ...], Field(min_length=1, max_length=3)] | None = None
    """Of one example, for rows that are images: [1, 5, 5]; null leaves them flat."""
    validation: SplitRows = "auto"  # pyright: ignore[reportIncompatibleVariableOverride]
    """same: the rows of train; {inputs: ..., targets: ...}: rows of its own; a count or a fraction
    is drawn; auto is same, or none where test is written."""
    test: SplitRows = "auto"  # pyright: ignore[reportIncompatibleVariableOverride]
    """same: the rows of train; {inputs: ..., targets: ...}: rows of its own; a count or a fraction
    is drawn; auto is same, or none where validation is written."""

    @classmethod
    def example(cls) -> Self:
        return cls(inputs=((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)), targets=(0, 1, 1, 0))

    def form(self, place: Place) -> Form:
        return "points"

    def settled(self, place: Place) -> dict[str, object]:
        return {"validation": self.split_size("validation"), "test": self.split_size("test")}

    def split_size(self, split: Literal["validation", "test"]) -> object:
        size, other = self.validation, self.test
        if split == "test":
            size, other = other, size
        if size == "auto":
            return "same" if other in ("auto", "same", "none") else "none"
        return size

    def _parts(self) -> Iterator[_Part]:
        """The rows to train on, then those of each split that has its own."""
        yield _Part("data", self.inputs, self.targets)
        for split in ("validation", "test"):
            size = self.split_size(split)
            if isinstance(size, InlineRows):
                yield _Part(f"data.{split}", size.inputs, size.targets)

    def source(self, place: Place) -> TableSource:
        parts = list(self._parts())
        wrong = [line for part in parts for line in _ragged(part, parts[0])]
        width = len(self.inputs[0])
        if self.shape is not None and np.prod(self.shape) != width:
            found = f"{'x'.join(map(str, self.shape))} are not the {width} numbers of a row"
            wrong.append(f"data.shape: {found} (give {width} numbers another shape)")
        if wrong:
            raise ConfigError(wrong)
        every = [target for part in parts for target in part.targets]
        classes = _classes(every)
        first = self.targets[0]
        given: dict[Split, int] = {}
        for split in ("validation", "test"):
            size = self.split_size(split)
            if isinstance(size, InlineRows):
                given[split] = len(size.inputs)
        task: Task = "classes" if classes else "regression"
        return TableSource(
            inputs=self.shape or (width,),
            task=task,
            outputs=len(classes) or (len(first) if isinstance(first, tuple) else 1),
            classes=tuple(str(name) for name in classes),
            pool=len(self.inputs),
            given=given,
        )

    def at_hand(self, place: Place) -> Table | None:
        return self.read(place)

    def read(self, place: Place) -> Table:
        source, parts = self.source(place), list(self._parts())
        every = [target for part in parts for target in part.targets]
        # What is too large for float32 becomes infinite, and is refused as such.
        with np.errstate(over="ignore"):
            inputs = np.array([row for part in parts for row in part.inputs], np.float32)
            if classes := _classes(every):
                targets: Any = np.array([classes.index(target) for target in every], np.int64)
            else:
                targets = np.array(every, np.float32).reshape(len(every), -1)
        given, start = {}, len(self.inputs)
        for split, count in source.given.items():
            given[split] = np.arange(start, start + count)
            start += count
        return Table(source, inputs.reshape(-1, *source.inputs), targets, given=given)


def _classes(targets: Sequence[Any]) -> list[Any]:
    """The classes in order: whole numbers by value, words by the alphabet; [] for regression."""
    named = all(isinstance(target, int | str) for target in targets)
    return sorted(set(targets)) if named else []


def _what(target: object) -> str:
    """What a target is, in the words of an error."""
    if isinstance(target, tuple):
        return f"a list of {len(target)}"
    return "a word" if isinstance(target, str) else "a number"


def _ragged(part: _Part, first: _Part) -> Iterator[str]:
    """What does not fit together, each line at its place."""
    rows, width = part.inputs, len(first.inputs[0])
    if len(part.targets) != len(rows):
        text = f"{len(part.targets)} targets for {len(rows)} inputs"
        yield f"{part.path}.targets: {text} (each row of inputs needs one)"
    numbers = sum(map(len, rows)) + len(part.targets)
    if numbers > _MOST_NUMBERS:
        text = f"{numbers:,} numbers are more than the limit of {_MOST_NUMBERS:,}"
        yield f"{part.path}.inputs: {text} (write them to a file: data: {{kind: csv, path: ...}})"
    if not width:
        yield f"{part.path}.inputs.0: needs at least one number, got an empty list"
    for index, row in enumerate(rows):
        if len(row) != width:
            text = f"has {len(row)} numbers, the first row has {width}"
            yield f"{part.path}.inputs.{index}: {text} (all rows are equally long)"
    wanted = _what(first.targets[0])
    for index, target in enumerate(part.targets):
        if (found := _what(target)) != wanted:
            text = f"is {found}, the first target is {wanted}"
            yield f"{part.path}.targets.{index}: {text} (all targets are of one form)"
    if first.targets[0] == ():
        yield f"{part.path}.targets.0: needs at least one number, got an empty list"


KINDS = (InlineConfig,)
