"""What the pixels of an image file mean: deep grays by their range, transparency over a ground."""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypedDict

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from nnlab.core.errors import DataError
from nnlab.core.files import refuse_irregular
from nnlab.core.kinds import Forms
from nnlab.core.lazy import NDArray, np

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

Byte = Annotated[int, Field(ge=0, le=255)]
Ground = Annotated[Literal["white", "black"] | tuple[Byte, Byte, Byte], Forms()]


def _ascending(ends: tuple[float, float]) -> tuple[float, float]:
    if not ends[0] < ends[1]:
        raise PydanticCustomError("value", "needs [black, white], black below white")
    return ends


PixelRange = Annotated[
    Literal["by_mode"]
    | Annotated[tuple[float, float], AfterValidator(_ascending)]
    | Annotated[float, Field(gt=0)],
    Forms(),
]


class Pixels(TypedDict):
    """How the pixels of a set's images are read."""

    pixel_range: "PixelRange"
    ground: "Ground"


_SIXTEEN_BITS = 65535.0
_HALF = ("PPM", "PNG")
"""Formats of which Pillow opens 16 bits as mode I, brought to 0 to 65535."""
_GROUNDS: dict[str, tuple[int, int, int]] = {"white": (255, 255, 255), "black": (0, 0, 0)}


def is_deep(image: "Image.Image") -> bool:
    """Whether a gray image has more than 8 bits a pixel: 16, 32, or floats."""
    return image.mode == "F" or image.mode.startswith("I")


def is_transparent(image: "Image.Image") -> bool:
    """Whether some pixel lets the ground through; decodes the image if it could."""
    if not image.has_transparency_data or is_deep(image):
        return False
    return image.convert("RGBA").getchannel("A").getextrema()[0] != 255


def eight_bits(
    path: "Path", image: "Image.Image", pixel_range: "PixelRange", ground: "Ground"
) -> "Image.Image":
    """An image whose pixels have 8 bits and are opaque; one that is so already stays as it is.

    Args:
        path: how to call it in errors.
        image: opened, perhaps not yet decoded.
        pixel_range: black and white of deep images, white alone, or by_mode: all of 16 bits.
        ground: what a transparent image lies on.

    Raises:
        DataError: the range of a deep image is unknown, or it holds values outside.
    """
    from PIL import Image

    if is_deep(image):
        return Image.fromarray(_stretched(path, image, pixel_range))
    if not is_transparent(image):
        return image
    over = image.convert("RGBA")
    color = _GROUNDS[ground] if isinstance(ground, str) else ground
    return Image.alpha_composite(Image.new("RGBA", over.size, (*color, 255)), over).convert("RGB")


def _stretched(
    path: "Path", image: "Image.Image", pixel_range: "PixelRange"
) -> "NDArray[np.uint8]":
    """(H, W): the range of a deep image brought to 0..255, rounded."""
    values: NDArray[Any] = np.asarray(image).astype(np.float64)
    bad = ~np.isfinite(values)
    if bad.any():
        raise DataError(f"{path}: {int(bad.sum())} pixels are not finite (leave it out: data.skip)")
    lowest, highest = float(values.min()), float(values.max())
    low, high = _ends(path, image, pixel_range, (lowest, highest))
    if lowest < low or highest > high:
        wide = f"[{min(low, lowest):.6g}, {max(high, highest):.6g}]"
        raise DataError(
            f"{path}: holds {lowest:.6g} to {highest:.6g}, outside the range {low:.6g} to "
            f"{high:.6g} (data.pixel_range: {wide})"
        )
    return np.rint((values - low) * (255.0 / (high - low))).astype(np.uint8)


def _ends(
    path: "Path", image: "Image.Image", asked: "PixelRange", seen: tuple[float, float]
) -> tuple[float, float]:
    """What is black and what is white in a deep image."""
    if isinstance(asked, tuple):
        return asked
    if isinstance(asked, float | int):
        return 0.0, float(asked)
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in _HALF):
        return 0.0, _SIXTEEN_BITS
    kind = "floats" if image.mode == "F" else "32 bits"
    low, high = min(0.0, seen[0]), seen[1] if seen[1] > min(0.0, seen[0]) else 1.0
    raise DataError(
        f"{path}: has {kind} a pixel (mode {image.mode}), and no range is known of them; it holds "
        f"{seen[0]:.6g} to {seen[1]:.6g} (say what is black and what white, for all images: "
        f"data.pixel_range: [{low:.6g}, {high:.6g}])"
    )


_LOOKED_AT = 64
_DARK = 4.0
"""From so many times darker than white on, the range of deep images is worth a word."""


class Looked(NamedTuple):
    """What a sample of images says of all.

    Attributes:
        remarks: what becomes of those that are not 8 bits and opaque, a line each.
        broken: those that could not be opened, decoded or brought to 8 bits.
    """

    remarks: tuple[str, ...]
    broken: "tuple[Path, ...]"


def hush_pillow() -> None:
    """Keeps to itself what Pillow warns of: damaged notes in files that it reads all the same."""
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def look_at_some(files: "Sequence[Path]", pixel_range: "PixelRange", ground: "Ground") -> Looked:
    """Opens a sample of images.

    Args:
        files: all images; at most 64 are opened, at equal distances.
        pixel_range: as for `eight_bits`.
        ground: as for `eight_bits`.
    """
    from PIL import Image

    hush_pillow()
    some = [files[i * len(files) // _LOOKED_AT] for i in range(_LOOKED_AT)]
    some = list(dict.fromkeys(some if len(files) > _LOOKED_AT else files))
    deep: list[float] = []
    transparent = frames = 0
    ends: set[float] = set()
    broken: list[Path] = []
    for path in some:
        try:
            refuse_irregular(path)
            with Image.open(path) as image:
                frames += getattr(image, "n_frames", 1) > 1
                if is_deep(image):
                    deep.append(float(np.asarray(image).max()))
                transparent += is_transparent(image)
                plain = eight_bits(path, image, pixel_range, ground)
                ends.update(map(float, np.ravel(plain.getextrema())))
        except (
            OSError,
            ValueError,
            SyntaxError,
            EOFError,
            DataError,
            Image.DecompressionBombWarning,
            Image.DecompressionBombError,
        ):
            broken.append(path)
    seen = _Seen(len(some), transparent, frames, tuple(deep), frozenset(ends))
    return Looked(_remarks_of(seen, pixel_range, ground), tuple(broken))


class _Seen(NamedTuple):
    """What a sample of images holds.

    Attributes:
        images: how many were looked at.
        transparent: how many let the ground through.
        frames: how many have several.
        deep: the largest value of each with more than 8 bits.
        ends: the darkest and brightest values of all, at 8 bits.
    """

    images: int
    transparent: int
    frames: int
    deep: tuple[float, ...]
    ends: frozenset[float]


def _remarks_of(seen: _Seen, pixel_range: "PixelRange", ground: "Ground") -> tuple[str, ...]:
    """What becomes of images that are not 8 bits and opaque; one line each."""
    of = f"of {seen.images} images looked at"
    found: list[str] = []
    if seen.transparent:
        color = ground if isinstance(ground, str) else list(ground)
        found.append(
            f"data: {seen.transparent} {of} are transparent, laid on {color} (data.background)"
        )
    if seen.frames:
        found.append(f"data: {seen.frames} {of} hold several frames, the first of each is read")
    if seen.deep and pixel_range == "by_mode" and 0 < max(seen.deep) <= _SIXTEEN_BITS / _DARK:
        white = (1 << int(max(seen.deep)).bit_length()) - 1
        most, count = max(seen.deep), len(seen.deep)
        text = f"no value above {most:g} in {count} {of} with 16 bits, white is 65535"
        found.append(f"data: {text} (data.pixel_range: {white}, if that is white)")
    if len(seen.ends) == 1 and seen.images > 1:
        text = f"every pixel {of} is {next(iter(seen.ends)):g}: the network can tell nothing apart"
        found.append(f"data: {text} (data.pixel_range, data.background)")
    return tuple(found)
