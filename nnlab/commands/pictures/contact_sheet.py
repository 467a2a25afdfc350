"""All pictures of a run on one sheet, each below its title and what it shows."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

from nnlab.core.wrap import visible_text

if TYPE_CHECKING:
    from PIL.Image import Image

Pictures = Mapping[str, Mapping[str, bytes]]
"""By title, then by moment: PNG files of one size."""
WIDTH = 2400
"""Pixels of a sheet at most; wider ones are made smaller."""
_GAP = 8
_LETTERS = 1 / 36
"""The height of letters, as a share of a picture's width."""


def contact_sheet(
    pictures: Pictures, moments: Sequence[str], abouts: Mapping[str, str] | None = None
) -> bytes:
    """The sheet as a PNG file: a row for each picture, its moments beside each other.

    Pictures that there is one of alone stand beside each other in the last rows.

    Args:
        pictures: at least one.
        moments: the columns, from left to right; a picture without one leaves its place white.
        abouts: title -> what it shows, in a sentence or a few.
    """
    from PIL import Image

    first = next(iter(next(iter(pictures.values())).values()))
    with Image.open(BytesIO(first)) as image:
        size = image.size
    share = min(1.0, (WIDTH / len(moments) - _GAP) / size[0])
    across, down = round(size[0] * share), round(size[1] * share)
    words = abouts or {}
    rows: list[Image.Image] = []
    alone: list[Image.Image] = []
    for title, by_moment in pictures.items():
        there = [moment for moment in moments if moment in by_moment]
        single = len(there) == 1 and len(moments) > 1
        places = there if single else moments
        shown = [_opened(by_moment[m], (across, down)) if m in by_moment else None for m in places]
        row = _titled(title, words.get(title, ""), shown, (across, down))
        (alone if single else rows).append(row)
    count = len(moments)
    rows += [_beside(alone[at : at + count]) for at in range(0, len(alone), count)]
    sheet = Image.new(
        "RGB", ((across + _GAP) * len(moments), sum(row.height for row in rows)), "white"
    )
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    content = BytesIO()
    sheet.save(content, "png")
    return content.getvalue()


def _opened(file: bytes, size: tuple[int, int]) -> "Image":
    from PIL import Image

    with Image.open(BytesIO(file)) as image:
        return image.convert("RGB").resize(size, Image.Resampling.LANCZOS)


def _titled(
    title: str, about: str, shown: "Sequence[Image | None]", size: tuple[int, int]
) -> "Image":
    """Pictures in a row below their words."""
    from PIL import Image, ImageDraw, ImageFont

    across, down = size
    letters = max(8, round(across * _LETTERS))
    bold, plain = ImageFont.load_default(round(1.4 * letters)), ImageFont.load_default(letters)
    width = (across + _GAP) * len(shown)
    lines = _broken(about.replace("*", ""), plain, width - 2 * _GAP)
    head = round(1.4 * letters * 1.5) + round(1.4 * letters) * len(lines) + _GAP
    row = Image.new("RGB", (width, head + down + _GAP), "white")
    ink = ImageDraw.Draw(row)
    ink.text((_GAP, _GAP), visible_text(title), fill="#1c1b19", font=bold)
    for number, line in enumerate(lines):
        place = (_GAP, round(1.4 * letters * (1.5 + number)) + _GAP // 2)
        ink.text(place, line, fill="#66625b", font=plain)
    for column, image in enumerate(shown):
        if image is not None:
            row.paste(image, (column * (across + _GAP), head))
    return row


def _broken(text: str, font: Any, width: int) -> list[str]:
    """Lines of at most so many pixels."""
    lines: list[str] = []
    for word in visible_text(text).split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _beside(images: "Sequence[Image]") -> "Image":
    """Side by side, their pictures at one height: the words above them may differ in lines."""
    from PIL import Image

    height = max(image.height for image in images)
    whole = Image.new("RGB", (sum(image.width for image in images), height), "white")
    left = 0
    for image in images:
        whole.paste(image, (left, height - image.height))
        left += image.width
    return whole
