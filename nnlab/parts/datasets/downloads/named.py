"""The family of data sets that are known by name: found under a root, else downloaded into one.

Downloads and their checks are torchvision's. It is imported only for them, for it brings torch.
"""

import sys
from abc import abstractmethod
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar

from nnlab.core.contracts import Examples, Shape, Split
from nnlab.core.errors import DataError
from nnlab.core.kinds import Forms
from nnlab.core.lazy import np
from nnlab.core.reach import has_bounds
from nnlab.parts.datasets.family import DataConfig, Form, Place, Table, TableSource
from nnlab.parts.datasets.split_sizes import LastRows

_TIMEOUT_SECONDS = 30.0
_NOWHERE = Place(Path(), Path(), Path())


class NamedConfig(DataConfig, frozen=True):
    """A well-known set of small images with a test split of its own."""

    image: ClassVar[Shape]
    classes: ClassVar[tuple[str, ...]]
    examples: ClassVar[tuple[int, int]]
    """How many there are to train and to test."""
    parts: ClassVar[tuple[str, ...]]
    """What must lie under the root."""
    archive: ClassVar[str] = ""
    """What may lie there instead, to be unpacked."""
    url: ClassVar[str]
    """Where a person gets them."""

    root: Annotated[str | None, Forms()] = None

    @abstractmethod
    def fetch(self, folder: Path) -> None:
        """Downloads all files into a folder; raises what torchvision does (`download_failures`)."""

    def form(self, place: Place) -> Form:
        return "images"

    def source(self, place: Place) -> TableSource:
        train, test = self.examples
        return TableSource(
            inputs=self.image,
            task="classes",
            outputs=len(self.classes),
            classes=self.classes,
            pool=train,
            given={"test": test},
        )

    def has_split(self, split: Split, place: Place) -> bool:
        return split == "test"

    def settled(self, place: Place) -> dict[str, object]:
        return {"root": None if self.root is None else str(place.find(self.root))}

    def available(self, place: Place) -> bool:
        return self.found(place) is not None or self._packed(place) is not None

    def has(self, path: Path) -> bool:
        """Whether one of `parts` is there. Default: under its own name."""
        return path.is_file()

    def roots(self, place: Place) -> tuple[Path, ...]:
        """Where the files may lie: the root, and the cache folder for a root that is read-only."""
        root = place.root if self.root is None else place.find(self.root)
        return root, place.cache / "data"

    def found(self, place: Place) -> Path | None:
        """The first root that has all the files."""
        for root in self.roots(place):
            if all(self.has(root / file) for file in self.parts):
                return root
        return None

    def download(self, place: Place) -> Path:
        """Puts all files under the first root that can be written, and says which.

        Raises:
            DataError: it failed; lists which files to put where.
        """
        from tempfile import TemporaryDirectory

        if has_bounds():
            raise DataError(self._missing(place, "guests download nothing"))
        why = "none of the folders can be written"
        for root in self.roots(place):
            try:
                root.mkdir(parents=True, exist_ok=True)
                staged = TemporaryDirectory(prefix=".download-", dir=root)
            except OSError:
                continue
            with staged as name:
                try:
                    if packed := self._packed(place):
                        (Path(name) / self.archive).symlink_to(packed.absolute())
                    with _as_a_guest():
                        self.fetch(Path(name))
                    _move(Path(name), root)
                except download_failures() as error:
                    why = in_a_line(error)
                else:
                    return root
            break
        raise DataError(self._missing(place, why))

    def stand_in(self) -> Examples:
        """Random images with labels in turn: 256 to train on, 64 each to validate and to test."""
        held = 0 if self.validation == "none" else 64
        known = 256 + held
        config = self.model_copy(
            update={
                "validation": LastRows(last=held) if held else "none",
                "test": "none" if self.test == "none" else "official",
                "limit": None,
            }
        )
        source = replace(self.source(_NOWHERE), pool=known, given={"test": 64})
        random = np.random.Generator(np.random.PCG64(0))
        table = Table(
            source,
            random.integers(0, 256, (known + 64, *self.image), dtype=np.uint8),
            np.arange(known + 64) % len(self.classes),
            given={"test": np.arange(known, known + 64)},
        )
        return config._examples(table, _NOWHERE)

    def _packed(self, place: Place) -> Path | None:
        candidates = [root / self.archive for root in self.roots(place) if self.archive]
        return next((path for path in candidates if path.is_file()), None)

    def _missing(self, place: Place, why: str) -> list[str]:
        root = self.roots(place)[0].absolute()
        files = [f"  {self.archive}"] if self.archive else [f"  {file}" for file in self.parts]
        return [
            f"data: {self.kind} is not in {root} and cannot be downloaded: {why}",
            f"put these files from {self.url} there, or name their folder in data.root or "
            "NNLAB_DATA:",
            *files,
        ]


def download_failures() -> tuple[type[Exception], ...]:
    """What may go wrong while torchvision downloads, unpacks or reads. Imported late: 30 ms."""
    import tarfile
    import zlib
    from http.client import HTTPException

    # OSError: the network, the disk, a wrong gzip header. RuntimeError: torchvision, for a wrong
    # hash or no mirror. ImportError: a torchvision that does not go with this torch.
    return (
        OSError,
        RuntimeError,
        ImportError,
        EOFError,
        ValueError,
        HTTPException,
        tarfile.TarError,
        zlib.error,
    )


def in_a_line(error: BaseException) -> str:
    """What an error says, short enough for a line, each of its lines once, no word cut."""
    from textwrap import shorten

    # torchvision: "Error downloading X:", then "Tried URL, got:" and the reason for each mirror.
    lines = [line.strip() for line in str(error).splitlines()]
    kept = [line for line in dict.fromkeys(lines) if line and not line.endswith("got:")]
    text = " ".join(kept or lines)
    return shorten(text, 300, placeholder=" ...") or type(error).__name__


@contextmanager
def _as_a_guest() -> Generator[None]:
    """Keeps stdout for results, and gives a silent network thirty seconds."""
    import socket

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT_SECONDS)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        socket.setdefaulttimeout(before)


def _move(staged: Path, root: Path) -> None:
    """Moves complete files into place, so that two processes never see half of one."""
    for path in sorted(staged.rglob("*")):
        if path.is_file() and not path.is_symlink():
            target = root / path.relative_to(staged)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
