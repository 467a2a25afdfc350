"""What has to fit together in a config though each section is right by itself."""

from collections.abc import Iterator

from nnlab.base import Mistake
from nnlab.config import RunConfig
from nnlab.contracts import DataShape
from nnlab.parts.losses import LossConfig


def misfits(config: RunConfig, loss: LossConfig, shape: DataShape) -> Iterator[Mistake]:
    """Augmentations that these examples or the loss cannot take; balanced draws without classes."""
    for position, augment in enumerate(config.data.augment):
        path = ("data", "augment", position)
        if text := augment.misfit(shape.inputs):
            yield Mistake(path, text)
        if augment.mixes and shape.task == "classes" and not loss.distributions:
            text = f"{augment.kind} makes targets that are shares of several classes"
            yield Mistake(path, f"{text}, which {loss.kind} cannot take (try cross_entropy)")
    if config.train.sampling == "balanced" and shape.task != "classes":
        yield Mistake(("train", "sampling"), "balanced needs classes, the targets are real numbers")
