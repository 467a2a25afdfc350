"""The sheet of all pictures of a run."""

from io import BytesIO

import numpy as np
from PIL import Image

from nnlab.commands.pictures.contact_sheet import contact_sheet
from nnlab.display.pictures.drawing import few_moments

MOMENTS = ("init", "best", "last")


def picture(color: str) -> bytes:
    content = BytesIO()
    Image.new("RGB", (84, 68), color).save(content, "png")
    return content.getvalue()


def colors(sheet: bytes) -> dict[str, list[tuple[int, int]]]:
    """Name -> (left, top) of each rectangle of that colour, in thirds of the sheet's width."""
    with Image.open(BytesIO(sheet)) as image:
        pixels = np.asarray(image.convert("RGB"))
    found: dict[str, list[tuple[int, int]]] = {}
    for name, value in {"red": (255, 0, 0), "blue": (0, 0, 255), "lime": (0, 255, 0)}.items():
        there = (pixels == value).all(axis=2)
        found[name] = [
            (third, int(rows[0]))
            for third, part in enumerate(np.array_split(there, 3, axis=1))
            if len(rows := np.flatnonzero(part.any(axis=1)))
        ]
    return found


def test_pictures_of_the_end_alone_stand_beside_each_other_below_their_words() -> None:
    sheet = contact_sheet(
        {
            "a": {moment: picture("red") for moment in MOMENTS},
            "b": {"last": picture("blue")},
            "c": {"last": picture("lime")},
        },
        MOMENTS,
        {"a": "What it shows.", "c": "What this one shows, in more words than the other has."},
    )
    found = colors(sheet)
    assert [third for third, _ in found["red"]] == [0, 1, 2]
    assert [third for third, _ in found["blue"]] == [0]
    assert [third for third, _ in found["lime"]] == [1]
    # The words above differ in height, the pictures do not; above each is room for a title.
    assert found["blue"][0][1] == found["lime"][0][1] > found["red"][0][1] + 68 > 68 + 8


def test_of_many_moments_a_few_are_drawn_from_the_first_to_the_last() -> None:
    assert few_moments(range(3)) == [0, 1, 2]
    assert few_moments(range(9)) == [0, 2, 4, 6, 8]
    assert few_moments(range(7))[::4] == [0, 6]
