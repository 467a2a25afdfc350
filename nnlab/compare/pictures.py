"""The pictures of `nnlab compare`: the score, loss and scores of training and validation."""

from pathlib import Path

from nnlab.compare.comparing import Compared
from nnlab.curves import COLUMNS, draw


def keys_of(found: Compared) -> list[str]:
    """What the panels show: the score first, then loss and scores; each with both splits."""
    first = found.score.tag
    if found.score.higher_is_better is not None:
        first = first.rpartition("/")[0]
    keys = [tag.rpartition("/")[0] for tag in found.tags if tag != found.score.tag]
    return list(dict.fromkeys([first, *keys]))


def draw_png(found: Compared, file: Path) -> None:
    """Writes at most three panels.

    Raises:
        ResourceError: it cannot be written.
    """
    title = " / ".join(variant.label for variant in found.variants)
    title = title if len(title) <= 100 else f"{len(found.sides)} runs"
    draw(found.measured, keys_of(found)[:COLUMNS], file, title=title, axis=found.axis)
