"""Augmentations that mix examples of a batch, targets and all: mixup, cutmix.

To add one: write a class here with `mixes` and name it in `KINDS` at the foot of the file.
"""

from math import sqrt
from random import Random
from typing import ClassVar, Literal, final

from pydantic import PositiveFloat

from nnlab.core.contracts import AugmentFn, Batch, DataShape
from nnlab.core.lazy import Tensor, torch
from nnlab.parts.augments.family import AugmentConfig, AugmentProbability
from nnlab.parts.row_random import uniform_rows


def _partners(batch: Batch, seed: int) -> "Tensor":
    """(N,) a random order of the batch: example i is mixed with example partners[i]."""
    return uniform_rows(batch.rows, seed, 1)[:, 0].argsort(stable=True)


def _mixed_targets(batch: Batch, partners: "Tensor", share: float, shape: DataShape) -> "Tensor":
    """(N, K): `share` of one's own target, the rest of the partner's."""
    targets = batch.targets
    if targets.ndim == 1:
        # Not F.one_hot: on a CPU it reads the largest label back.
        classes = torch.arange(shape.outputs, device=targets.device)
        targets = (targets[:, None] == classes).to(batch.inputs.dtype)
    return share * targets + (1.0 - share) * targets[partners]


@final
class MixupConfig(AugmentConfig, frozen=True):
    """Mixes each example with another of its batch: s * x + (1 - s) * x', and so the targets.

    s is from Beta(alpha, alpha), one for a step, as in the authors' code; classes become shares of
    classes. It takes place in a step with the given probability. Zhang et al. 2017,
    arXiv:1710.09412, equation 1.
    """

    kind: Literal["mixup"] = "mixup"
    needs_images: ClassVar[bool] = False
    mixes: ClassVar[bool] = True
    alpha: PositiveFloat = 0.2
    probability: AugmentProbability = 1.0

    def build(self, shape: DataShape) -> AugmentFn:
        alpha, probability = self.alpha, self.probability

        def mixup(batch: Batch, seed: int) -> Batch:
            # The step's own numbers are drawn on the host: nothing waits for the device.
            draws = Random(seed)
            share = draws.betavariate(alpha, alpha)
            share = share if draws.random() < probability else 1.0
            partners = _partners(batch, seed)
            inputs = share * batch.inputs + (1.0 - share) * batch.inputs[partners]
            return Batch(inputs, _mixed_targets(batch, partners, share, shape), batch.rows)

        return mixup


@final
class CutmixConfig(AugmentConfig, frozen=True):
    """Pastes a rectangle of another image of the batch; targets are mixed by the areas.

    The rectangle has the share 1 - s of the area, s from Beta(alpha, alpha), its centre anywhere;
    what lies outside is cut off and s follows. One rectangle for a step, as in the authors' code;
    it takes place in a step with the given probability. Yun et al. 2019, arXiv:1905.04899,
    equations 1 and 2.
    """

    kind: Literal["cutmix"] = "cutmix"
    mixes: ClassVar[bool] = True
    alpha: PositiveFloat = 1.0
    probability: AugmentProbability = 1.0

    def build(self, shape: DataShape) -> AugmentFn:
        alpha, probability = self.alpha, self.probability

        def cutmix(batch: Batch, seed: int) -> Batch:
            draws = Random(seed)
            share = draws.betavariate(alpha, alpha)
            height, width = batch.inputs.shape[2:]
            half = 0.5 * sqrt(1.0 - share)
            y = _span(draws, height, int(half * height))
            x = _span(draws, width, int(half * width))
            if draws.random() >= probability:
                y = x = slice(0, 0)
            share = 1.0 - (y.stop - y.start) * (x.stop - x.start) / (height * width)
            partners = _partners(batch, seed)
            inputs = batch.inputs.clone()
            inputs[:, :, y, x] = batch.inputs[:, :, y, x][partners]
            return Batch(inputs, _mixed_targets(batch, partners, share, shape), batch.rows)

        return cutmix


def _span(draws: Random, size: int, half: int) -> slice:
    """`half` pixels to both sides of a random one, as far as the image goes."""
    centre = draws.randrange(size)
    return slice(max(centre - half, 0), min(centre + half, size))


KINDS = (CutmixConfig, MixupConfig)
