"""Image files in folders, one folder for each class."""

from os import cpu_count
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, final

from pydantic import Field

from nnlab.core.contracts import Shape, Split
from nnlab.core.kinds import Forms
from nnlab.core.lazy import NDArray, np
from nnlab.parts.datasets.family import DataConfig
from nnlab.parts.datasets.files.image_files import FolderReader, class_folders, image_files
from nnlab.parts.datasets.tables import Form, Place, Table, TableSource

_FOLDERS: dict[Split, tuple[str, ...]] = {
    "validation": ("validation", "val", "valid"),
    "test": ("test",),
}
_FITS_BYTES = 2_000_000_000
_MOST_WORKERS = 16

Pixels = Annotated[int, Field(ge=1, le=4096)]


@final
class ImageFolderConfig(DataConfig, frozen=True):
    """Images of your own, in one folder for each class.

    `path` holds the class folders, or train/ and test/ (and val/) that hold them, which are then
    the `official` splits. All images are brought to one size. They are kept in memory if they need
    at most 2 GB, else read by workers.
    """

    splits_from: ClassVar[tuple[Literal["file", "column"], ...]] = ("file",)

    kind: Literal["image_folder"] = "image_folder"
    path: str
    image_size: Annotated[Pixels | tuple[Pixels, Pixels], Forms()] = 64
    channels: Literal["rgb", "gray"] = "rgb"
    in_memory: Literal["auto", "always", "never"] = "auto"
    workers: Annotated[Annotated[int, Field(ge=0, le=64)] | Literal["auto"], Forms()] = "auto"
    """Processes that read images which are not kept in memory. How many changes no result."""

    @classmethod
    def example(cls) -> Self:
        return cls(path="images")

    def form(self, place: Place) -> Form:
        return "images"

    def has_split(self, split: Split, place: Place) -> bool:
        return split in self._official(place)

    def settled(self, place: Place) -> dict[str, object]:
        files, _ = self._files(place)
        in_memory = "always" if self._fits(len(files)) else "never"
        return {
            "path": str(place.folder / self.path),
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

    def read(self, place: Place) -> Table:
        source = self.source(place)
        files, given = self._files(place)
        reader = FolderReader(
            tuple(path for path, _ in files),
            (len(files), *source.inputs),
            workers=self._workers(),
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

    def _files(self, place: Place) -> tuple[list[tuple[Path, int]], dict[Split, int]]:
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
        found = image_files(training, classes)
        given: dict[Split, int] = {}
        for split, folder in folders.items():
            mine = image_files(folder, classes)
            given[split] = len(mine)
            found += mine
        return found, given

    def _training(self, place: Place) -> Path:
        folder = place.folder / self.path
        inner = folder / "train"
        return inner if inner.is_dir() else folder

    def _official(self, place: Place) -> dict[Split, Path]:
        """The folders beside train/."""
        training = self._training(place)
        if training == place.folder / self.path:
            return {}
        return {
            split: training.with_name(name)
            for split, names in _FOLDERS.items()
            for name in names
            if training.with_name(name).is_dir()
        }

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


KINDS = (ImageFolderConfig,)
