"""Image files: finding them by class, reading them one by one or all at once."""

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from nnlab.core.errors import DataError
from nnlab.core.lazy import NDArray, np

SUFFIXES = frozenset(
    (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
_MOST_PIXELS = 80_000_000


@dataclass(slots=True)
class FolderReader:
    """Reads single images; goes to worker processes as it is.

    Attributes:
        files: the N files.
        shape: (N, C, H, W).
        workers: processes that read while the network trains.
    """

    files: tuple[Path, ...]
    shape: tuple[int, ...]
    workers: int = 0

    def read(self, row: int) -> "NDArray[np.uint8]":
        """One image, (C, H, W)."""
        return read_image(self.files[row], self.shape[1:])

    def read_all(self) -> "NDArray[np.uint8]":
        """All of them, (N, C, H, W)."""
        from concurrent.futures import ThreadPoolExecutor

        images = np.empty(self.shape, np.uint8)
        # Pillow decodes without holding the interpreter: threads are enough.
        with ThreadPoolExecutor() as pool:
            for row, image in enumerate(pool.map(self.read, range(len(self.files)))):
                images[row] = image
        return images

    def digest(self) -> str:
        """SHA-256 over names and sizes: the content would take as long as an epoch."""
        found = sha256()
        for file in self.files:
            found.update(f"{file.parent.name}/{file.name} {file.stat().st_size}\n".encode())
        return found.hexdigest()


def read_image(path: Path, shape: tuple[int, ...]) -> "NDArray[np.uint8]":
    """An image file, upright, in color or gray, resized to (C, H, W) with bilinear weights.

    Raises:
        DataError: it is damaged, truncated, or too large.
    """
    from PIL import Image, ImageOps

    channels, height, width = shape
    try:
        with Image.open(path) as image:
            # The size stands in the header; nothing has been unpacked yet.
            if image.width * image.height > _MOST_PIXELS:
                raise DataError(
                    f"{path}: {image.width} x {image.height} pixels, at most {_MOST_PIXELS} are "
                    "read (make it smaller)"
                )
            upright = ImageOps.exif_transpose(image).convert("L" if channels == 1 else "RGB")
            resized = upright.resize((width, height), Image.Resampling.BILINEAR)
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        Image.DecompressionBombWarning,
        Image.DecompressionBombError,
    ) as error:
        raise DataError(f"{path}: cannot be read as an image: {error}") from error
    return np.asarray(resized, np.uint8).reshape(height, width, channels).transpose(2, 0, 1)


def class_folders(folder: Path) -> tuple[str, ...]:
    """The names of the classes: the folders in a folder, sorted.

    Raises:
        DataError: there are fewer than two.
    """
    try:
        names = sorted(
            entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name[0] != "."
        )
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror}") from error
    if len(names) < 2:
        raise DataError(f"{folder}: has {len(names)} folders, needs one for each class")
    return tuple(names)


def image_files(folder: Path, classes: tuple[str, ...]) -> list[tuple[Path, int]]:
    """The images of each class, sorted, with the number of the class.

    Links to folders are not followed.

    Raises:
        DataError: a class is unknown or has no images.
    """
    found: list[tuple[Path, int]] = []
    for name in class_folders(folder):
        if name not in classes:
            raise DataError(f"{folder / name}: is not one of the classes {', '.join(classes)}")
        files = sorted(
            Path(parent) / file
            for parent, _, files in os.walk(folder / name)
            for file in files
            if Path(file).suffix.lower() in SUFFIXES and file[0] != "."
        )
        if not files:
            raise DataError(f"{folder / name}: holds no images ({', '.join(sorted(SUFFIXES))})")
        found += [(file, classes.index(name)) for file in files]
    return found
