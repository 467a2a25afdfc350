"""Image files for a prediction: brought to the form of the run's inputs, and said so."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from nnlab.commands.predict.expected_inputs import Piece, Wanted
from nnlab.core.errors import DataError
from nnlab.core.lazy import np
from nnlab.parts.datasets.files.image_files import read_image
from nnlab.parts.datasets.files.pixels import is_deep, is_transparent

_STRETCHED = 1.1
"""How much more one side changes than the other, before it is worth a word."""


def read_images(
    files: Sequence[Path], wanted: Wanted, rows: int, note: Callable[[str], None]
) -> Iterator[Piece]:
    """Images, one example each; resized with bilinear weights, as `image_folder` does.

    Args:
        files: the images.
        wanted: what the run takes.
        rows: in a piece.
        note: is told once of each way in which an image is changed.

    Raises:
        DataError: the run takes no images, or a file is none.
    """
    told: set[str] = set()
    for start in range(0, len(files), rows):
        some = files[start : start + rows]
        images = [_image(file, wanted) for file in some]
        for file in some:
            change = _change(file, wanted)
            if change and change not in told:
                told.add(change)
                note(f"{file}: {change}")
        yield Piece(tuple((file, 0) for file in some), np.stack(images), ())


def _image(file: Path, wanted: Wanted) -> "np.ndarray":
    if len(wanted.inputs) != 3 or wanted.inputs[0] not in (1, 3):
        raise DataError(f"{file}: is an image, this run takes {wanted.said}")
    if wanted.peak is None:
        why = "whose range an image file does not say (give them as npz)"
        raise DataError(f"{file}: is an image, this run takes numbers {why}")
    image = read_image(file, wanted.inputs, **wanted.pixels)
    if wanted.peak == 255:
        return image
    return np.rint(image.astype(np.float32) * (wanted.peak / 255)).astype(np.uint8)


def _change(file: Path, wanted: Wanted) -> str:
    """What is done to an image, in words; empty where it is taken as it is."""
    from PIL import Image, ImageOps

    with Image.open(file) as image:
        upright = ImageOps.exif_transpose(image)
        (width, height), mode = upright.size, image.mode
        deep, transparent = is_deep(image), is_transparent(image)
    channels, rows, columns = wanted.inputs
    color = "gray" if channels == 1 else "color (RGB)"
    words: list[str] = []
    if (width, height) != (columns, rows):
        words.append(f"{width} x {height} pixels become {columns} x {rows}")
        stretch = (width / columns) / (height / rows)
        if max(stretch, 1 / stretch) > _STRETCHED:
            words[0] += " (stretched)"
    if mode != ("L" if channels == 1 else "RGB"):
        words.append(f"{mode} becomes {color}")
    if deep:
        asked = wanted.pixels["pixel_range"]
        words.append("its 16 bits become 8" if asked == "by_mode" else f"{asked} becomes 0 to 255")
    if transparent:
        ground = wanted.pixels["ground"]
        words.append(f"it is transparent, laid on {ground}")
    if wanted.peak not in (None, 255):
        words.append(f"0 to 255 becomes 0 to {wanted.peak}")
    return "; ".join(words)
