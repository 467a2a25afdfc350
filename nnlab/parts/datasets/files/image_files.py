"""Image files: finding them by class, reading them one by one or all at once."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from nnlab.core.errors import DataError
from nnlab.core.files import refuse_irregular
from nnlab.core.lazy import NDArray, np
from nnlab.parts.datasets.files.pixels import Ground, PixelRange, Pixels, eight_bits, hush_pillow
from nnlab.parts.datasets.files.split_folders import Unread, folders_in, one_too_many

if TYPE_CHECKING:
    from PIL import Image

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
        pixel_range: black and white of grays with more than 8 bits.
        ground: what transparent images are laid on.
    """

    files: tuple[Path, ...]
    shape: tuple[int, ...]
    workers: int = 0
    pixel_range: PixelRange = "by_mode"
    ground: Ground = "white"

    def read(self, row: int) -> "NDArray[np.uint8]":
        """One image, (C, H, W)."""
        ways: Pixels = {"pixel_range": self.pixel_range, "ground": self.ground}
        return read_image(self.files[row], self.shape[1:], **ways)

    def read_all(self) -> "NDArray[np.uint8]":
        """All of them, (N, C, H, W).

        Raises:
            DataError: some cannot be read; all of them are named.
        """
        from concurrent.futures import ThreadPoolExecutor

        images = np.empty(self.shape, np.uint8)
        broken: list[tuple[Path, DataError]] = []
        # Pillow decodes without holding the interpreter: threads are enough.
        with ThreadPoolExecutor() as pool:
            for row, image in enumerate(pool.map(self._try, range(len(self.files)))):
                if isinstance(image, DataError):
                    broken.append((self.files[row], image))
                else:
                    images[row] = image
        if broken:
            raise DataError(all_broken(broken))
        return images

    def _try(self, row: int) -> "NDArray[np.uint8] | DataError":
        try:
            return self.read(row)
        except DataError as error:
            return error

    def digest(self) -> str:
        """SHA-256 over names and sizes: the content would take as long as an epoch."""
        found = sha256()
        for file in self.files:
            found.update(f"{file.parent.name}/{file.name} {file.stat().st_size}\n".encode())
        return found.hexdigest()


def all_broken(broken: "list[tuple[Path, DataError]]") -> str:
    """All images that cannot be read in one message, with the way to leave them out."""
    first = str(broken[0][1])
    if len(broken) == len({path.parent for path, _ in broken}) == 1 and "data." in first:
        return first
    names = [f"{path.parent.name}/{path.name}" for path, _ in broken]
    if "data.pixel_range" in first:
        return f"{first}; so for {len(broken)} images"
    more = "" if len(broken) == 1 else f"; {len(broken)} images cannot be read in all"
    return f"{first}{more} (leave them out: data.skip: {json.dumps(names, ensure_ascii=False)})"


def refuse_broken(files: "Sequence[Path]", pixels: Pixels) -> None:
    """Refuses images that cannot be read; those that can be are passed over.

    Args:
        files: some images.
        pixels: how they are read.

    Raises:
        DataError: it names all that cannot be.
    """
    broken: list[tuple[Path, DataError]] = []
    for path in files:
        try:
            read_image(path, (1, 8, 8), **pixels)
        except DataError as error:
            broken.append((path, error))
    if broken:
        raise DataError(all_broken(broken))


def read_image(
    path: Path,
    shape: tuple[int, ...],
    *,
    pixel_range: PixelRange = "by_mode",
    ground: Ground = "white",
) -> "NDArray[np.uint8]":
    """An image file, upright, in color or gray, resized to (C, H, W) with bilinear weights.

    Args:
        path: the file.
        shape: (C, H, W), C 1 or 3.
        pixel_range: black and white of grays with more than 8 bits; by_mode: all of 16 bits.
        ground: what a transparent image is laid on.

    Raises:
        DataError: it is damaged, truncated, too large, or of an unknown range.
    """
    from PIL import Image, ImageOps

    channels, height, width = shape
    hush_pillow()
    if path.exists() and not path.is_file():
        raise DataError(f"{path}: is no regular file")
    try:
        refuse_irregular(path)
        with Image.open(path) as image:
            # The size stands in the header; nothing has been unpacked yet.
            if image.width * image.height > _MOST_PIXELS:
                raise DataError(
                    f"{path}: {image.width} x {image.height} pixels, at most {_MOST_PIXELS} are "
                    "read (make it smaller)"
                )
            plain = eight_bits(path, image, pixel_range, ground)
            turned = ImageOps.exif_transpose(plain if plain is image else _with_exif(plain, image))
            upright = turned.convert("L" if channels == 1 else "RGB")
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


def _with_exif(plain: "Image.Image", image: "Image.Image") -> "Image.Image":
    """With the note that says which way is up."""
    plain.info["exif"] = image.getexif().tobytes()
    return plain


def class_folders(folder: Path) -> tuple[str, ...]:
    """The names of the classes: the folders in a folder, sorted.

    Raises:
        DataError: there are fewer than two.
    """
    names = [path.name for path in folders_in(folder)]
    if len(names) < 2:
        found = f"{len(names)} folder{'' if len(names) == 1 else 's'}"
        raise DataError(f"{folder}: has {found}, needs one for each class ({one_too_many(folder)})")
    return tuple(names)


def image_files(
    folder: Path,
    classes: tuple[str, ...],
    *,
    skip: Callable[[Path], bool] = lambda _: False,
    unread: Unread | None = None,
) -> list[tuple[Path, int]]:
    """The images of each class, sorted, with the number of the class.

    Links to folders are not followed.

    Args:
        folder: holds the class folders.
        classes: their names.
        skip: says which images are left out.
        unread: takes note of what is not read.

    Raises:
        DataError: a class is unknown or has no images.
    """
    found: list[tuple[Path, int]] = []
    for path in folders_in(folder):
        name = path.name
        if name not in classes:
            way = "move it away, or give train a folder of that name"
            raise DataError(f"{path}: is not one of the classes {', '.join(classes)} ({way})")
        files: list[Path] = []
        for parent, folders, inner in os.walk(path):
            mine = [file for file in inner if is_image(file)]
            if unread is not None:
                unread.look(parent, folders, [file for file in inner if not is_image(file)])
            files += [Path(parent) / file for file in mine]
        files = sorted(file for file in files if not skip(file))
        if not files:
            way = f"read are {', '.join(sorted(SUFFIXES))}; remove the folder, if it is no class"
            raise DataError(f"{path}: holds no images ({way})")
        found += [(file, classes.index(name)) for file in files]
    return found


def is_image(name: str) -> bool:
    """Whether a file is read as an image: by the end of its name."""
    return name[0] != "." and os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122
