"""The family of data sets: where they are, what they hold, and how one becomes `Examples`.

To add a data set: write a class with `form`, `source` and `read` and name it in `Data`
(`__init__.py`).
"""

from abc import abstractmethod
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from nnlab.core.contracts import DataShape, Examples, PaddedShape, RowReader, Split
from nnlab.core.errors import ConfigError, DataError
from nnlab.core.kinds import Kind
from nnlab.core.lazy import NDArray, np
from nnlab.parts.augments import Augment
from nnlab.parts.datasets import checks, scaling
from nnlab.parts.datasets import lengths as ends
from nnlab.parts.datasets.exclusion import excluded_rows, rows_without
from nnlab.parts.datasets.label_noise import Noise, add_label_noise, noise_of
from nnlab.parts.datasets.split_sizes import (
    FromColumn,
    FromFile,
    Limit,
    SplitSize,
    TestSize,
    split_sizes,
)
from nnlab.parts.datasets.splits import split_rows
from nnlab.parts.datasets.tables import Form, Guess, Place, Table, Tables, TableSource, left_merged
from nnlab.parts.datasets.views import View, viewed_source, viewed_table
from nnlab.parts.losses.family import LossConfig
from nnlab.parts.scores.family import ScoreConfig

_Scale = Literal["auto", "none", "unit", "channel", "feature", "center", "imagenet"]

_AUTO_SCALE: Mapping[Form, _Scale] = {
    "images": "unit",
    "table": "feature",
    "points": "none",
    "series": "feature",
    "tokens": "none",
}
_SCALES: Mapping[Form, tuple[_Scale, ...]] = {
    "images": ("none", "unit", "channel", "center", "imagenet"),
    "table": ("none", "unit", "feature", "center"),
    "points": ("none", "unit", "feature", "center"),
    "series": ("none", "feature"),
    "tokens": ("none",),
}


class DataConfig(Kind, frozen=True):
    """The family of data sets."""

    own_targets: ClassVar[tuple[str, ...]] = ()
    """What files of these data call the one target besides `target`, in small letters."""
    splits_from: ClassVar[tuple[Literal["file", "column"], ...]] = ()
    """From where else this kind can take a split: `{file: ...}`, `{column: ...}`."""
    costs_little: ClassVar[bool] = False
    """Whether rows are made, or lie in nnlab itself: check may look at them where that matters."""

    validation: SplitSize = 0.1
    """A count of rows, a fraction below 1, {last: n}, {file: ...}, {column: ...} or none."""
    test: TestSize = "auto"
    """As validation; official: the source's own; auto: that, else a fifth, of sequences a tenth."""
    split_seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Draws the splits; apart from `seed`: other first weights see the same rows."""
    scale: _Scale = "auto"
    """unit: 0..1; channel, feature: mean 0 and deviation 1 of each; center: mean 0 of each column
    or pixel, images brought to 0..1 first; imagenet: 0..1 less (0.485, 0.456, 0.406), over (0.229,
    0.224, 0.225), as torchvision's weights expect colours; auto: unit for images, feature for
    tables and series, else none."""
    scale_target: Literal["auto", "none", "standard"] = "auto"
    """standard: the network learns (y - mean) / deviation of numbers, by the training split; auto:
    standard, unless classes are learned, points on a plane, or something of the config is written
    in the targets' own unit: the output's activation or bias, the loss, `min_delta`."""
    view: View = "image"
    """How examples are shown: as they are, or as sequences: images row by row or pixel by pixel (Le
    et al. 2015, arXiv:1504.00941, section 4.2); time: columns are steps, the first one first."""
    lengths: ends.Lengths = "equal"
    """different: sequences (time, features) end at different steps; behind the last one stands NaN,
    or an empty cell where `view` is time. What is not there counts nowhere."""
    limit: Limit = None
    """Trains on so many rows, of each class its share, or on {first: n}; null: on all."""
    exclude: str | None = None
    """A file of training rows that are left out, a number a line: suspects.csv of nnlab doctor."""
    augment: tuple[Augment, ...] = ()
    """Small random changes of training rows, new in every epoch, one after the other."""
    label_noise: Noise = 0.0
    """A share of the training labels that is replaced by other classes: a number, or a mapping."""

    @property
    def called(self) -> str:
        """What a sentence calls the data. Default: the kind; files of one's own by their name."""
        return self.kind

    @property
    def own_loss(self) -> LossConfig | None:
        """What is minimized where the data say it themselves; `replaces` says so. Default: None."""
        return None

    @property
    def own_scores(self) -> tuple[ScoreConfig, ...] | None:
        """What is read beside that loss; `replaces` says so. Default: None, the config decides."""
        return None

    @abstractmethod
    def form(self, place: Place) -> Form:
        """What one example is: decides which scales there are."""

    @abstractmethod
    def source(self, place: Place) -> TableSource:
        """What the source holds, without loading arrays where that can be."""

    @abstractmethod
    def read(self, place: Place) -> Table:
        """The whole source."""

    def at_hand(self, place: Place) -> Table | None:
        """The table, where reading it costs little: then `check` refuses what training would.

        Its inputs may be left out. Default: None.
        """
        return None

    def has_split(self, split: Split, place: Place) -> bool:
        """Whether the source itself says which rows are in a split. Default: no."""
        return False

    def own_validation(self, place: Place) -> bool:
        """Whether the source's own validation split is taken where the config names none.

        Default: no.
        """
        return False

    def split_size(self, split: Literal["validation", "test"]) -> object:
        """What is asked for a split. Default: what is written."""
        return self.validation if split == "validation" else self.test

    def available(self, place: Place) -> bool:
        """Whether it can be read without a network. Default: yes."""
        return True

    def own_path(self, place: Place) -> Path | None:
        """Where the file or folder of the training rows lies. Default: there is none."""
        return None

    def files(self, place: Place) -> dict[Split, Path]:
        """The splits that are files of their own."""
        return {
            split: place.find(size.file)
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
            **{split: _absolute(size, place) for split, size in self._asked(place).items()},
            "scale": self._scale(place),
            "exclude": self.exclude and str(place.find(self.exclude)),
            **self.settled(place),
        }
        return self.model_copy(update=fields)

    def opened(self, place: Place, tables: Tables) -> Self:
        """This config with its source read, where that must be done to describe it.

        Default: itself, as most sources say what they hold without being read.

        Args:
            place: where the data lie.
            tables: what has been read for other configs; filled.

        Raises:
            ConfigError: as `describe`.
            DataError: as `describe`.
        """
        return self

    def describe(self, place: Place) -> DataShape:
        """What `load` will give: shapes, classes, sizes of the splits.

        Raises:
            ConfigError: the config contradicts itself or the source.
            DataError: the source is missing or damaged.
        """
        self._refuse(place)
        source = viewed_source(self.source(place), self.view)
        with _hinting(source.guess):
            shape = self._shape(source, place)
            if self.scale == "imagenet" and shape.inputs[0] != 3:
                text = f"imagenet is for three colours, these images have {shape.inputs[0]}"
                raise ConfigError(f"data.scale: {text} (unit, or channel)")
            if (table := self.at_hand(place)) is not None:
                if self.view == "time":
                    table = viewed_table(table, self.view, gaps=self._padded)
                if table.inputs.shape[1:] == shape.inputs:
                    gaps = table.gaps or self._padded
                    checks.check_table(table.inputs, table.targets, shape, gaps=gaps)
                else:  # inputs were left out, or are shown in another form
                    checks.check_targets(table.targets)
                rows, _ = self._checked_rows(table, shape, place)
                if table.gaps and self.view == "image" and isinstance(table.inputs, np.ndarray):
                    gaps = np.flatnonzero(np.isnan(table.inputs).any(axis=0))
                    names = [shape.columns[column] for column in gaps.tolist()]
                    scaling.missing_fill(table.inputs[:, gaps], rows["train"], names)
        return shape

    def load(self, place: Place) -> Examples:
        """The data, split, checked and with their scale.

        Raises:
            ConfigError: the config contradicts itself or the source.
            DataError: the source is missing, damaged or not fit to train on.
        """
        self._refuse(place)
        table = viewed_table(self.read(place), self.view, gaps=self._padded)
        return self._examples(table, place)

    @property
    def _padded(self) -> bool:
        return self.lengths == "different"

    def _examples(self, table: Table, place: Place) -> Examples:
        inputs, targets = table.inputs, table.targets
        with _hinting(table.source.guess):
            shape = self._shape(table.source, place)
            checks.check_table(inputs, targets, shape, gaps=table.gaps or self._padded)
            rows, drawn = self._checked_rows(table, shape, place)
        digest = table.digest or checks.digest_of(inputs, targets, table.base)
        fill = None
        if table.gaps and isinstance(inputs, np.ndarray):
            fill = scaling.missing_fill(inputs, rows["train"], shape.columns)
            inputs = np.where(np.isnan(inputs), fill, inputs)
        base = None if table.base is None else table.base.reshape(1, *shape.inputs)
        fitted = self._fitted(inputs, rows["train"], base, table.source.peak, place)
        target_scale = None
        if self.scale_target == "standard" and shape.task == "regression":
            target_scale = scaling.target_scale(targets, rows["train"])
        clean: NDArray[np.int64] | None = None
        if noise := noise_of(self.label_noise):
            clean = targets
            targets = add_label_noise(targets, drawn, noise, classes=shape.outputs)
        return Examples(
            inputs,
            targets,
            rows,
            shape,
            fitted.shift,
            fitted.factor,
            digest,
            target_scale,
            clean,
            fill,
            peak=None
            if isinstance(inputs, np.ndarray) and inputs.dtype != np.uint8
            else table.source.peak,
            base=base,
            merged=left_merged(table.merged, scaled=target_scale is not None),
            windows=table.windows,
        )

    def _fitted(
        self,
        inputs: "NDArray[Any] | RowReader",
        rows: "NDArray[np.int64]",
        base: "NDArray[np.float64] | None",
        peak: int,
        place: Place,
    ) -> scaling.FittedScale:
        """The scale, by the training rows."""
        over_time = self.form(place) == "series" or (self.view == "time" and base is None)
        if self._padded:
            assert isinstance(inputs, np.ndarray)
            if base is not None:
                text = "float32 cannot tell these numbers apart without a base for each step"
                raise DataError(f"data.lengths: {text} (take the same number off all of them)")
            ends.check_ends(inputs)
            inputs, rows, over_time = ends.only_steps(inputs, rows), np.zeros(1, np.int64), True
        return scaling.fit_scale(
            self._scale(place),
            inputs,
            rows,
            peak=peak,
            by_column=self.form(place) == "table" and self.view != "time",
            # One scale for all steps; where float32 needed a base of each, each has its own.
            over_time=over_time,
            base=base,
        )

    def _checked_rows(
        self, table: Table, shape: DataShape, place: Place
    ) -> "tuple[dict[Split, NDArray[np.int64]], NDArray[np.int64]]":
        """The rows of each split, and the training rows that were drawn before any are excluded."""
        rows = self._rows(table, place)
        drawn = rows["train"]  # of them labels are made wrong, whichever are left out
        if self.exclude:
            rows["train"] = rows_without(drawn, place.find(self.exclude))
        given: list[Split] = [split for split in table.given if split in rows]
        checks.check_rows(rows, table.targets, shape, given=given)
        return rows, drawn

    def _rows(self, table: Table, place: Place) -> "dict[Split, NDArray[np.int64]]":
        source, asked = table.source, self._asked(place)
        if source.blocks is not None:
            return {split: np.arange(b.start, b.stop) for split, b in source.blocks.items()}
        rows = split_rows(
            _drawn(asked),
            self.limit,
            count=len(table.targets),
            given=table.given,
            labels=table.targets if _one_class_each(source) else None,
            names=source.classes,
            split_seed=self.split_seed,
        )
        if "same" in asked.values():
            apart = [mine for split, mine in rows.items() if split != "train"]
            every = np.setdiff1d(np.arange(len(table.targets)), np.concatenate([[], *apart]))
            rows.update({split: every for split, size in asked.items() if size == "same"})
        return rows

    def _shape(self, source: TableSource, place: Place) -> DataShape:
        asked = self._asked(place)
        sizes, wrong = split_sizes(
            _drawn(asked),
            self.limit,
            pool=source.pool,
            given=source.given,
            classes=len(source.classes) if _one_class_each(source) else 0,
        )
        if source.blocks is not None:
            sizes = dict[Split, int]({s: len(block) for s, block in source.blocks.items()})
        if self.exclude:
            sizes["train"] -= len(excluded_rows(place.find(self.exclude)))
            if sizes["train"] < 1:
                wrong.append("data.exclude: leaves no training row")
        if noise_of(self.label_noise) is not None:
            if not _one_class_each(source):
                wrong.append("data.label_noise: needs a class for each example")
            elif "same" in asked.values():
                wrong.append(f"data.label_noise: all splits of {self.kind} are the same rows")
        if self._padded and len(source.inputs) != 2:
            text = f"different is for sequences (time, features), examples are {source.inputs}"
            wrong.append(f"data.lengths: {text} (remove it)")
        if wrong:
            raise ConfigError(wrong)
        drawn = (sizes[split] for split in sizes if split not in ("train", *source.given))
        every = source.pool - sum(drawn)
        sizes |= {split: every for split, size in asked.items() if size == "same"}
        return DataShape(
            inputs=PaddedShape(source.inputs) if self._padded else source.inputs,
            task=source.task,
            outputs=source.outputs,
            classes=source.classes,
            sizes=sizes,
            columns=source.columns,
            steps=source.steps,
            start=source.start,
            places=source.places,
            naive=source.naive,
        )

    def _asked(self, place: Place) -> dict[Split, object]:
        """The sizes as written, without auto; validation first, as the rows are told."""
        test = self.split_size("test")
        if test == "auto":
            test = "official" if self.has_split("test", place) else 0.2
        validation = self.split_size("validation")
        if "validation" not in self.model_fields_set and self.own_validation(place):
            validation = "official"
        return {"validation": validation, "test": test}

    def _scale(self, place: Place) -> _Scale:
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
        if not wrong:
            wrong += self._same_files(place)
        form, scale = self.form(place), self._scale(place)
        if self.view == "time" and form != "table":
            wrong.append(f"data.view: time is for the columns of a table, {self.kind} has none")
        elif self.view not in ("image", "time"):
            if form != "images":
                wrong.append(f"data.view: {self.view} is for images, {self.kind} has none")
            if scale not in ("none", "unit"):
                text = f"data.scale: {scale} is for images as they are"
                wrong.append(f"{text} (view: {self.view} can take none, unit)")
        wrong += self._length_mistakes(place, scale)
        if scale not in _SCALES[form]:
            what = "the columns of a table" if scale == "feature" else "images"
            wrong.append(
                f"data.scale: {scale} is for {what} ({self.kind} can take "
                f"{', '.join(_SCALES[form])})"
            )
        wrong += [
            f"data.augment.{position}: {augment.kind} needs images, {self.kind} has none"
            for position, augment in enumerate(self.augment)
            if augment.needs_images and (form != "images" or self.view != "image")
        ]
        if wrong:
            raise ConfigError(wrong)

    def _length_mistakes(self, place: Place, scale: str) -> list[str]:
        if not self._padded:
            return []
        if self.view != "time" and self.form(place) != "points":
            text = f"different is for sequences of numbers, {self.kind} has none here"
            return [f"data.lengths: {text} (view: time makes the columns of a table its steps)"]
        if scale not in ends.SCALES:
            text = f"{scale} looks at a step by itself, which some sequences do not have"
            return [f"data.scale: {text} ({', '.join(ends.SCALES)})"]
        return []

    def _same_files(self, place: Place) -> list[str]:
        """A file that is two splits: scores on it would say nothing."""
        own, found, wrong = self.own_path(place), dict[Path, str](), list[str]()
        if own is not None:
            found[_resolved(own)] = "the training rows"
        for split, path in self.files(place).items():
            other = found.setdefault(_resolved(path), split)
            if other != split:
                share = "data.test: 0.2" if split == "test" else "data.validation: 0.1"
                wrong.append(
                    f"data.{split}: {path} holds {other} too: scores on rows that were learned, or "
                    f"chosen by, say nothing (another file, or a part of the rows: {share})"
                )
        return wrong


def _resolved(path: Path) -> Path:
    """The file that a path means; the path itself where it can mean none, as is said at opening."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # links in a circle, a NUL
        return path


@contextmanager
def _hinting(guess: Guess | None) -> Generator[None]:
    """Adds to what is said of classes that they are a guess."""
    try:
        yield
    except (ConfigError, DataError) as error:
        if guess is None:
            raise
        lines = [
            f"{line} (the task is a guess; {guess.way})" if "class" in line else line
            for line in error.lines
        ]
        raise type(error)(lines) from None


def _one_class_each(source: TableSource) -> bool:
    """Whether every example has one class, by which rows can be drawn."""
    return source.task == "classes" and not source.places


def _drawn(asked: Mapping[Split, object]) -> dict[Split, object]:
    """The sizes of splits with rows of their own: `same` takes those that train is left with."""
    return {split: "none" if size == "same" else size for split, size in asked.items()}


def _absolute(size: object, place: Place) -> object:
    """`{file: ...}` with its path made absolute; every other size as it is."""
    return FromFile(file=str(place.find(size.file))) if isinstance(size, FromFile) else size
