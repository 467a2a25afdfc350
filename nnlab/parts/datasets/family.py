"""The family of data sets: where they are, what they hold, and how one becomes `Examples`.

To add a data set: write a class with `form`, `source` and `read` and name it in `Data`
(`__init__.py`).
"""

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field

from nnlab.base import ConfigError, DataError, Kind, lazy
from nnlab.contracts import DataShape, Examples, Split
from nnlab.parts.augments import Augment
from nnlab.parts.datasets import checks, scaling
from nnlab.parts.datasets.sizes import (
    FromColumn,
    FromFile,
    Limit,
    SplitSize,
    TestSize,
    split_sizes,
)
from nnlab.parts.datasets.splits import split_rows
from nnlab.parts.datasets.tables import Form, Place, Source, Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = lazy("numpy")

Scale = Literal["auto", "none", "unit", "channel", "feature"]

_AUTO_SCALE: Mapping[Form, Scale] = {"images": "unit", "table": "feature", "points": "none"}
_SCALES: Mapping[Form, tuple[Scale, ...]] = {
    "images": ("none", "unit", "channel"),
    "table": ("none", "unit", "feature"),
    "points": ("none", "unit", "feature"),
}


class DataConfig(Kind, frozen=True):
    """The family of data sets."""

    splits_from: ClassVar[tuple[Literal["file", "column"], ...]] = ()
    """From where else this kind can take a split: `{file: ...}`, `{column: ...}`."""

    validation: SplitSize = 0.1
    test: TestSize = "auto"
    split_seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    scale: Scale = "auto"
    limit: Limit = None
    augment: tuple[Augment, ...] = ()

    @abstractmethod
    def form(self, place: Place) -> Form:
        """What one example is: decides which scales there are."""

    @abstractmethod
    def source(self, place: Place) -> Source:
        """What the source holds, without loading arrays where that can be."""

    @abstractmethod
    def read(self, place: Place) -> Table:
        """The whole source."""

    def has_split(self, split: Split, place: Place) -> bool:
        """Whether the source itself says which rows are in a split. Default: no."""
        return False

    def available(self, place: Place) -> bool:
        """Whether it can be read without a network. Default: yes."""
        return True

    def files(self, place: Place) -> dict[Split, Path]:
        """The splits that are files of their own."""
        return {
            split: place.folder / size.file
            for split, size in self._asked(place).items()
            if isinstance(size, FromFile)
        }

    def stand_in(self) -> Examples:
        """Random data of the same form, for a smoke run. Default: there are none."""
        raise DataError(f"data: random data can stand in for a named set only, not for {self.kind}")

    def remarks(self, place: Place) -> tuple[str, ...]:
        """What a user should know of what `auto` took, one line each. Default: nothing."""
        return ()

    def settled(self, place: Place) -> Mapping[str, object]:
        """The kind's own fields that `resolved` replaces: paths and auto. Default: none."""
        return {}

    def resolved(self, place: Place) -> Self:
        """This config with every auto replaced and absolute paths."""
        fields: dict[str, object] = {
            "validation": _absolute(self.validation, place),
            "test": _absolute(self._asked(place)["test"], place),
            "scale": self._scale(place),
            **self.settled(place),
        }
        return self.model_copy(update=fields)

    def describe(self, place: Place) -> DataShape:
        """What `load` will give: shapes, classes, sizes of the splits.

        Raises:
            ConfigError: the config contradicts itself or the source.
            DataError: the source is missing or damaged.
        """
        self._refuse(place)
        return self._shape(self.source(place), place)

    def load(self, place: Place) -> Examples:
        """The data, split, checked and with their scale.

        Raises:
            ConfigError: the config contradicts itself or the source.
            DataError: the source is missing, damaged or not fit to train on.
        """
        self._refuse(place)
        return self._examples(self.read(place), place)

    def _examples(self, table: Table, place: Place) -> Examples:
        shape = self._shape(table.source, place)
        inputs, targets = table.inputs, table.targets
        checks.check_table(inputs, targets, shape, gaps=table.gaps)
        digest = table.digest or checks.digest_of(inputs, targets)
        rows = self._rows(table, place)
        checks.check_rows(rows, targets, shape)
        if table.gaps and isinstance(inputs, np.ndarray):
            inputs = scaling.fill(inputs, rows["train"], shape.columns)
        fitted = scaling.fit(
            self._scale(place),
            inputs,
            rows["train"],
            peak=table.source.peak,
            by_column=self.form(place) == "table",
        )
        return Examples(inputs, targets, rows, shape, fitted.shift, fitted.factor, digest)

    def _rows(self, table: Table, place: Place) -> "dict[Split, NDArray[np.int64]]":
        source, asked = table.source, self._asked(place)
        rows = split_rows(
            dict.fromkeys(asked, "none") if source.shared else asked,
            self.limit,
            count=len(table.targets),
            given=table.given,
            labels=table.targets if source.task == "classes" else None,
            names=source.classes,
            split_seed=self.split_seed,
        )
        if source.shared:
            every = np.arange(len(table.targets))
            rows |= {split: every for split, size in asked.items() if size != "none"}
        return rows

    def _shape(self, source: Source, place: Place) -> DataShape:
        asked = self._asked(place)
        sizes, wrong = split_sizes(
            dict.fromkeys(asked, "none") if source.shared else asked,
            self.limit,
            pool=source.pool,
            given=source.given,
            classes=len(source.classes),
        )
        if wrong:
            raise ConfigError(wrong)
        if source.shared:
            sizes |= {split: source.pool for split, size in asked.items() if size != "none"}
        return DataShape(
            inputs=source.inputs,
            task=source.task,
            outputs=source.outputs,
            classes=source.classes,
            sizes=sizes,
            columns=source.columns,
        )

    def _asked(self, place: Place) -> dict[Split, object]:
        """The sizes as written, without auto; validation first, as the rows are told."""
        test = self.test
        if test == "auto":
            test = "official" if self.has_split("test", place) else 0.2
        return {"validation": self.validation, "test": test}

    def _scale(self, place: Place) -> Scale:
        return _AUTO_SCALE[self.form(place)] if self.scale == "auto" else self.scale

    def _refuse(self, place: Place) -> None:
        """What can be said against the config without looking at rows."""
        wrong: list[str] = []
        for split, size in self._asked(place).items():
            if isinstance(size, FromFile) and "file" not in self.splits_from:
                wrong.append(
                    f"data.{split}: {{file: ...}} is for csv, npz and image_folder only "
                    "(use a count or a fraction)"
                )
            elif isinstance(size, FromColumn) and "column" not in self.splits_from:
                wrong.append(
                    f"data.{split}: {{column: ...}} is for csv only (use a count or a fraction)"
                )
            elif size == "official" and not self.has_split(split, place):
                wrong.append(
                    f"data.{split}: {self.kind} has no {split} split of its own "
                    "(use a count or a fraction)"
                )
        form = self.form(place)
        if (scale := self._scale(place)) not in _SCALES[form]:
            what = "images" if scale == "channel" else "the columns of a table"
            wrong.append(
                f"data.scale: {scale} is for {what} ({self.kind} can take "
                f"{', '.join(_SCALES[form])})"
            )
        wrong += [
            f"data.augment.{position}: {augment.kind} needs images, {self.kind} has none"
            for position, augment in enumerate(self.augment)
            if augment.needs_images and form != "images"
        ]
        if wrong:
            raise ConfigError(wrong)


def _absolute(size: object, place: Place) -> object:
    """`{file: ...}` with its path made absolute; every other size as it is."""
    return FromFile(file=str(place.folder / size.file)) if isinstance(size, FromFile) else size
