"""The family of augmentations, and how several follow each other.

What an augmentation draws comes from `draws`: a hash of the step's seed and the example's row. So
an example changes alike in whatever batch it stands. Only what mixes examples looks at the others.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from nnlab.core.contracts import AugmentFn, Batch, DataShape, Shape
from nnlab.core.kinds import Kind
from nnlab.core.lazy import Tensor

# Odd and without a pattern, so that the seeds of one run's augmentations are far apart.
_SEED_STRIDE = 0x9E3779B97F4A7C15

AugmentProbability = Annotated[float, Field(ge=0.0, le=1.0)]


class AugmentConfig(Kind, frozen=True):
    """The family of augmentations.

    Attributes:
        needs_images: whether inputs must be (channels, height, width).
        mixes: whether class targets become shares of the classes, (N, K).
    """

    needs_images: ClassVar[bool] = True
    mixes: ClassVar[bool] = False

    def misfit(self, inputs: Shape) -> str:
        """Why it cannot change examples of this shape. Default: it can, the empty word."""
        return ""

    @abstractmethod
    def build(self, shape: DataShape) -> AugmentFn:
        """The function of a batch and a seed."""


InputsFn = Callable[["Tensor", "Tensor", int], "Tensor"]
"""(inputs (N, *shape) scaled, rows (N,) int64, seed) to inputs of the same form."""


def on_inputs(change: InputsFn) -> AugmentFn:
    """The augmentation that leaves the targets alone."""

    def augment(batch: Batch, seed: int) -> Batch:
        return batch._replace(inputs=change(batch.inputs, batch.rows, seed))

    return augment


def apply_augments(augments: Sequence[AugmentConfig], shape: DataShape) -> AugmentFn:
    """All augmentations in order, each with a seed of its own.

    With one seed for all, a shift to the left and a flip would always come together.
    """
    built = [augment.build(shape) for augment in augments]

    def apply(batch: Batch, seed: int) -> Batch:
        for position, augment in enumerate(built):
            batch = augment(batch, (seed + position * _SEED_STRIDE) % (1 << 63))
        return batch

    return apply
