"""All pictures of a run on one sheet: a row for each, first, best and last beside each other."""

from collections.abc import Mapping, Sequence
from io import BytesIO

Pictures = Mapping[str, Mapping[str, bytes]]
"""By title, then by moment: PNG files of one size."""
WIDTH = 2400
"""Pixels of a sheet at most; wider ones are made smaller."""
_GAP = 8


def contact_sheet(pictures: Pictures, moments: Sequence[str]) -> bytes:
    """The sheet as a PNG file.

    Args:
        pictures: at least one.
        moments: the columns, from left to right; a picture without one leaves its place white.
    """
    from PIL import Image

    first = next(iter(next(iter(pictures.values())).values()))
    with Image.open(BytesIO(first)) as image:
        size = image.size
    share = min(1.0, (WIDTH / len(moments) - _GAP) / size[0])
    across, down = round(size[0] * share), round(size[1] * share)
    step_x, step_y = across + _GAP, down + _GAP
    sheet = Image.new("RGB", (step_x * len(moments), step_y * len(pictures)), "white")
    for row, files in enumerate(pictures.values()):
        for column, moment in enumerate(moments):
            if moment not in files:
                continue
            with Image.open(BytesIO(files[moment])) as image:
                small = image.convert("RGB").resize((across, down), Image.Resampling.LANCZOS)
            sheet.paste(small, (column * step_x, row * step_y))
    content = BytesIO()
    sheet.save(content, "png")
    return content.getvalue()
