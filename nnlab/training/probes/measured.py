"""What the readings of a full probe are computed from, each part once for all that need it.

`readings.py` says of each reading which of these numbers it is.
"""

from collections.abc import Sequence
from functools import cached_property
from math import sqrt
from typing import final

import torch
from torch import Tensor

from nnlab.core.contracts import SATURATED
from nnlab.training.probes.gradients import gradient_agreement, tensor_norms

QUANTILES = (0.05, 0.5, 0.95)
DORMANT = 0.025
"""A unit whose mean activity is this share of its layer's mean. Sokar et al. 2023, section 2."""
MOST_ELEMENTS = 2**11
"""A quantile is taken over about this many numbers of a layer, at equal distances."""


@final
class Gradients:
    """Of the P matrices at the weights before the update.

    Args:
        each: of M batches, P tensors each; the first is the batch of the update.
    """

    def __init__(self, each: Sequence[Sequence[Tensor]]) -> None:
        self.each = each

    @property
    def rms(self) -> Tensor:
        """(P,) root mean square of a gradient's entries."""
        first = self.each[0]
        return tensor_norms(first) / first[0].new_tensor([sqrt(p.numel()) for p in first])

    @property
    def agreement(self) -> Tensor | None:
        """(P,) of the batches with each other; None where there is one alone."""
        return gradient_agreement(self.each) if len(self.each) > 1 else None


@final
class Matrices:
    """The P matrices around the update.

    Args:
        now: after it.
        first: as the run began.
        before: it; None where there was no update.
    """

    def __init__(
        self, now: Sequence[Tensor], first: Sequence[Tensor], before: Sequence[Tensor] | None
    ) -> None:
        self.now, self.first, self.before = now, first, before

    @cached_property
    def norms(self) -> Tensor:
        """(P,) lengths."""
        return tensor_norms(self.now)

    @property
    def distance(self) -> Tensor:
        """(P,) way from the first ones, of their length."""
        moved = tensor_norms([a - b for a, b in zip(self.now, self.first, strict=True)])
        # First weights of zeros have no length.
        return moved / tensor_norms(self.first).clamp(min=self._tiny)

    @property
    def spread(self) -> Tensor:
        """(P,) how much the rows differ from their mean, of the length."""
        return tensor_norms([w - w.mean(0) for w in self.now]) / self.norms.clamp(min=self._tiny)

    @property
    def update_ratio(self) -> Tensor | None:
        """(P,) length of the update over that of the weights."""
        if self.before is None:
            return None
        steps = tensor_norms([a - b for a, b in zip(self.now, self.before, strict=True)])
        return steps / self._lengths_before

    @property
    def update_angle(self) -> Tensor | None:
        """(P,) degrees that the update turned the weights by."""
        if self.before is None:
            return None
        return angles(self.before, self.now, self._lengths_before, self.norms)

    @property
    def _tiny(self) -> float:
        return torch.finfo(self.norms.dtype).tiny

    @cached_property
    def _lengths_before(self) -> Tensor:
        assert self.before is not None
        return tensor_norms(self.before).clamp(min=self._tiny)


@final
class Units:
    """What comes into or out of an activation, on the probe set.

    Args:
        x: (N, units, ...).
        bounds: where the activation flattens out on both sides.
    """

    def __init__(self, x: Tensor, bounds: tuple[float, float] | None) -> None:
        self.x, self.bounds = x, bounds

    @cached_property
    def spread(self) -> dict[str, Tensor]:
        """mean, std, q05, q50, q95, () each."""
        return spread(self.x)

    @property
    def dead(self) -> tuple[Tensor, Tensor]:
        """How many units are exactly 0 on every example and place, and how many there are."""
        return self._asleep[:2]

    @property
    def dormant(self) -> Tensor:
        """() share of dormant units."""
        return self._asleep[2]

    @property
    def saturated(self) -> Tensor:
        """() share next to one of the bounds."""
        assert self.bounds is not None
        return saturated(self.x, self.bounds)

    @cached_property
    def _asleep(self) -> tuple[Tensor, Tensor, Tensor]:
        return asleep(self.x)


def angles(
    before: Sequence[Tensor], after: Sequence[Tensor], lengths: Tensor, lengths_after: Tensor
) -> Tensor:
    """Degrees between each tensor before and after, (P,).

    2 atan2(|u - v|, |u + v|) of the unit vectors: the arccosine of a product near 1 would lose all
    small angles. Kahan 2006, "How futile are mindless assessments of roundoff", section 12.
    """
    tiny = torch.finfo(lengths.dtype).tiny
    ones = [b / n for b, n in zip(before, lengths, strict=True)]
    others = [a / n for a, n in zip(after, lengths_after.clamp(min=tiny), strict=True)]
    apart = tensor_norms([u - v for u, v in zip(ones, others, strict=True)])
    together = tensor_norms([u + v for u, v in zip(ones, others, strict=True)])
    return torch.rad2deg(2.0 * torch.atan2(apart, together))


def spread(x: Tensor) -> dict[str, Tensor]:
    """Mean, deviation and quantiles over examples and units of (N, ...)."""
    x = x.float()
    flat = x.flatten()
    few = flat[:: max(1, flat.numel() // MOST_ELEMENTS)].sort().values
    # The nearest of the sorted numbers: torch.quantile costs as much as all else here together.
    quantiles = [few[round(q * (len(few) - 1))] for q in QUANTILES]
    names = (f"q{round(100 * q):02d}" for q in QUANTILES)
    deviation, mean = torch.std_mean(flat, correction=0)
    return {
        "mean": mean,
        "std": deviation,
        **dict(zip(names, quantiles, strict=True)),
    }


def asleep(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Units of (N, units, ...) that do nothing.

    Returns:
        How many are exactly 0 on every example and place, how many units there are, and the share
        of dormant ones.
    """
    activity = x.float().abs().transpose(0, 1).flatten(1).mean(1)
    dead = (activity == 0).sum()
    mean = activity.mean()
    # Where all are silent none is more so than the others: all count.
    dormant = (activity <= DORMANT * mean).float().mean()
    return dead, torch.full_like(dead, len(activity)), dormant


def saturated(x: Tensor, bounds: tuple[float, float]) -> Tensor:
    """The share of activations next to one of the bounds."""
    low, high = bounds
    margin = SATURATED * (high - low)
    return ((x <= low + margin) | (x >= high - margin)).float().mean()
