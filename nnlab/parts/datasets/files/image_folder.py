"""Image files in folders, one folder for each class."""

from os import cpu_count
from pathlib import Path
from shlex import quote
from typing import Annotated, ClassVar, Literal, Self, final

from pydantic import Field, PrivateAttr

from nnlab.core.contracts import Shape, Split
from nnlab.core.errors import DataError
from nnlab.core.kinds import Forms
from nnlab.core.lazy import NDArray, np
from nnlab.parts.datasets.family import DataConfig
from nnlab.parts.datasets.files.image_files import (
    FolderReader,
    class_folders,
    image_files,
    is_image,
    refuse_broken,
)
from nnlab.parts.datasets.files.pixels import Ground, Looked, PixelRange, Pixels, look_at_some
from nnlab.parts.datasets.files.split_folders import SplitFolders, Unread, layout_of
from nnlab.parts.datasets.tables import Form, Place, Table, Tables, TableSource

_FITS_BYTES = 2_000_000_000
_MOST_WORKERS = 16

ImageSide = Annotated[int, Field(ge=1, le=4096)]


@final
class ImageFolderConfig(DataConfig, frozen=True):
    """Images of your own, in one folder for each class.

    `path` holds the class folders, or train/ and test/ (and val/) that hold them, which are then
    the `official` splits, by their usual names: Train, training_set, seg_test, valid, dev. All
    images are brought to one size and 8 bits. They are kept in memory if they need at most 2 GB,
    else read by workers.
    """

    splits_from: ClassVar[tuple[Literal["file", "column"], ...]] = ("file",)

    kind: Literal["image_folder"] = "image_folder"
    path: str
    image_size: Annotated[ImageSide | tuple[ImageSide, ImageSide], Forms()] = 64
    channels: Literal["rgb", "gray"] = "rgb"
    pixel_range: PixelRange = "by_mode"
    """Black and white of gray images with more than 8 bits, or white alone: 4095 of 12 bits.
    by_mode: 0 to 65535 of 16 bits; images of 32 bits and of floats are refused."""
    background: Ground = "white"
    """What transparent images are laid on: white, black, or [red, green, blue]."""
    skip: tuple[str, ...] = ()
    """Images that are left out, by the ends of their paths: [cat/7.jpg]; * stands for anything."""
    in_memory: Literal["auto", "always", "never"] = "auto"
    workers: Annotated[Annotated[int, Field(ge=0, le=64)] | Literal["auto"], Forms()] = "auto"
    """Processes that read images which are not kept in memory. How many changes no result."""

    _looked: Looked | None = PrivateAttr(None)

    @classmethod
    def example(cls) -> Self:
        return cls(path="images")

    @property
    def called(self) -> str:
        return Path(self.path).name

    def own_path(self, place: Place) -> Path | None:
        return place.find(self.path)

    def form(self, place: Place) -> Form:
        return "images"

    def has_split(self, split: Split, place: Place) -> bool:
        return split in self._official(place)

    def own_validation(self, place: Place) -> bool:
        return self.has_split("validation", place)

    def settled(self, place: Place) -> dict[str, object]:
        files, _ = self._files(place)
        in_memory = "always" if self._fits(len(files)) else "never"
        return {
            "path": str(self._root(place)),
            "in_memory": in_memory,
            "workers": self._workers(),
        }

    def source(self, place: Place) -> TableSource:
        files, given = self._files(place)
        classes = class_folders(self._training(place))
        return TableSource(
            inputs=self._image(),
            task="classes",
            outputs=len(classes),
            classes=classes,
            pool=len(files) - sum(given.values()),
            given=given,
        )

    def opened(self, place: Place, tables: Tables) -> Self:
        self._refuse(place)
        looked = look_at_some([path for path, _ in self._files(place)[0]], **self._pixels())
        # What training would refuse is refused before, as far as a sample shows it.
        refuse_broken(looked.broken, self._pixels())
        copy = self.model_copy()
        copy._looked = looked  # pyright: ignore[reportAttributeAccessIssue]
        return copy

    def read(self, place: Place) -> Table:
        source = self.source(place)
        files, given = self._files(place)
        reader = FolderReader(
            tuple(path for path, _ in files),
            (len(files), *source.inputs),
            workers=self._workers(),
            **self._pixels(),
        )
        targets = np.array([label for _, label in files], np.int64)
        rows: dict[Split, NDArray[np.int64]] = {}
        start = source.pool
        for split, count in given.items():
            rows[split] = np.arange(start, start + count)
            start += count
        if self._fits(len(files)):
            return Table(source, reader.read_all(), targets, given=rows)
        return Table(source, reader, targets, given=rows, digest=reader.digest())

    def remarks(self, place: Place) -> tuple[str, ...]:
        """Says what is not read, and what becomes of pixels that are not 8 bits and opaque."""
        unread = Unread()
        files, given = self._files(place, unread)
        layout = self._layout(place)
        found: list[str] = []
        for split, folder in layout.splits.items():
            if split != "train" and split not in given:
                way = f"data.{split}: official"
                found.append(f"data: {folder.name}/ beside train is not read ({way})")
        found += [_said_of_folder(path) for path in layout.unread]
        loose = sum(path.is_file() and is_image(path.name) for path in self._root(place).iterdir())
        if loose:
            found.append(f"data: {loose} images beside the class folders are not read")
        if unread.endings:
            count = sum(unread.endings.values())
            kinds = ", ".join(f"{n} {end}" for end, n in sorted(unread.endings.items()))
            files_are = "file is" if count == 1 else "files are"
            found.append(f"data: {count} {files_are} not read, of other kinds ({kinds})")
        if unread.links:
            links = "linked folder is" if len(unread.links) == 1 else "linked folders are"
            some = ", ".join(str(path) for path in unread.links[:3])
            found.append(f"data: {len(unread.links)} {links} not read ({some})")
        if self.skip:
            found.append(f"data: images left out by data.skip: {self._skipped(place)}")
        looked = self._looked or look_at_some([path for path, _ in files], **self._pixels())
        return (*found, *looked.remarks)

    def _files(
        self, place: Place, unread: Unread | None = None
    ) -> tuple[list[tuple[Path, int]], dict[Split, int]]:
        """All files with their classes: the pool, then the splits with a folder of their own."""
        training = self._training(place)
        classes = class_folders(training)
        official = self._official(place)
        folders = self.files(place)
        folders |= {
            split: official[split]
            for split, size in self._asked(place).items()
            if size == "official" and split in official
        }
        found = image_files(training, classes, skip=self._is_skipped, unread=unread)
        given: dict[Split, int] = {}
        for split, folder in folders.items():
            mine = image_files(folder, classes, skip=self._is_skipped, unread=unread)
            given[split] = len(mine)
            found += mine
        return found, given

    def _root(self, place: Place) -> Path:
        return place.find(self.path)

    def _layout(self, place: Place) -> SplitFolders:
        return layout_of(self._root(place))

    def _training(self, place: Place) -> Path:
        return self._layout(place).splits["train"]

    def _official(self, place: Place) -> dict[Split, Path]:
        """The folders beside train/."""
        splits = self._layout(place).splits
        return {split: path for split, path in splits.items() if split != "train"}

    def _is_skipped(self, path: Path) -> bool:
        return any(path.match(pattern) for pattern in self.skip)

    def _skipped(self, place: Place) -> int:
        """How many images `skip` leaves out.

        Raises:
            DataError: one of its names is that of no image.
        """
        folders = [self._training(place), *self._official(place).values()]
        folders += self.files(place).values()
        paths = [path for folder in folders for path in folder.rglob("*") if is_image(path.name)]
        for name in self.skip:
            if not any(path.match(name) for path in paths):
                raise DataError(f"data.skip: {name!r} is no image of {self._root(place)}")
        return sum(map(self._is_skipped, paths))

    def _pixels(self) -> Pixels:
        return {"pixel_range": self.pixel_range, "ground": self.background}

    def _image(self) -> Shape:
        size = self.image_size
        height, width = (size, size) if isinstance(size, int) else size
        return 1 if self.channels == "gray" else 3, height, width

    def _fits(self, count: int) -> bool:
        channels, height, width = self._image()
        if self.in_memory == "auto":
            return count * channels * height * width <= _FITS_BYTES
        return self.in_memory == "always"

    def _workers(self) -> int:
        return workers_beside(cpu_count() or 1) if self.workers == "auto" else self.workers


def workers_beside(cores: int) -> int:
    """One for each core but that of the step, 1 to 16; docs/data.md has what was measured."""
    return max(1, min(_MOST_WORKERS, cores - 1))


def _said_of_folder(path: Path) -> str:
    """That a folder beside train is not read, and what to do with it."""
    count = sum(is_image(entry.name) for entry in path.iterdir())
    if not count:
        return f"data: {path.name}/ beside train is not read"
    text = f"holds {count} images in no class folders: their classes are unknown, they are not read"
    return f"data: {path.name}/ {text} (nnlab predict RUN {quote(str(path))}/*)"


KINDS = (ImageFolderConfig,)
