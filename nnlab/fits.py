"""What has to fit together in a config though each section is right by itself."""

from collections.abc import Iterator

from nnlab.base import Mistake
from nnlab.config import RunConfig
from nnlab.contracts import DataShape


def misfits(config: RunConfig, shape: DataShape) -> Iterator[Mistake]:
    """Augmentations that these examples cannot take; balanced draws without classes."""
    for position, augment in enumerate(config.data.augment):
        path = ("data", "augment", position)
        if text := augment.misfit(shape.inputs):
            yield Mistake(path, text)
    if config.train.sampling == "balanced" and shape.task != "classes":
        yield Mistake(("train", "sampling"), "balanced needs classes, the targets are real numbers")
