"""Modules of our own that torch does not have; imported by the `build()` that needs one."""

from math import prod
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnlab.core.contracts import Noise, drawn_for
from nnlab.parts.row_random import kept_share, rows_kept, uniform_rows


@final
class StepActivation(nn.Module):
    """1 for x >= 0, else 0; the gradient is 0 everywhere."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same shape, 0 or 1."""
        # where, not a comparison's cast: the graph stays connected, with gradient 0.
        return torch.where(x >= 0, torch.ones_like(x), torch.zeros_like(x)) + 0.0 * x


@final
class GlobalPool(nn.Module):
    """The mean over height and width: (N, C, H, W) to (N, C).

    A mean, not AdaptiveAvgPool2d, whose gradient has no deterministic CUDA kernel.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C)."""
        return x.mean((2, 3))


@final
class FullRMSNorm(nn.RMSNorm):
    """torch's, which computes in the precision of its weight under autocast too.

    torch itself knows layer normalization as one that autocast keeps in float32, and this one not:
    of two precisions it takes a slower way, and warns.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(..., *shape) to the same shape."""
        return super().forward(x.to(self.weight.dtype))


@final
class ScaledTanh(nn.Module):
    """scale * tanh(slope * x). LeCun et al. 1998, appendix A."""

    def __init__(self, scale: float, slope: float) -> None:
        super().__init__()
        self._scale = scale
        self._slope = slope

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same shape, between -scale and scale."""
        return self._scale * torch.tanh(self._slope * x)


@final
class RowDropout(nn.Dropout):
    """Sets a share p of the units to 0 and divides the others by 1 - p; masks by row.

    p is rounded to a multiple of 2^-16, and the units are divided by what that leaves, so that the
    mean stays exactly what it was.
    """

    noise: Noise | None = None
    stream: int = 0

    def forward(self, input: Tensor) -> Tensor:
        """(N, ...) to the same."""
        if not self.training or self.p == 0.0:
            return input
        drawn = drawn_for(self, input)
        if drawn is None:
            return F.dropout(input, self.p, training=True)
        rows, seed = drawn
        kept = rows_kept(rows, seed, prod(input.shape[1:]), self.p).view(input.shape)
        return torch.where(kept, input / kept_share(self.p), torch.zeros_like(input))


@final
class RowRReLU(nn.RReLU):
    """x for x >= 0, else x times a slope between `lower` and `upper` that is drawn by row."""

    noise: Noise | None = None
    stream: int = 0

    def forward(self, input: Tensor) -> Tensor:
        """(N, ...) to the same."""
        drawn = drawn_for(self, input) if self.training else None
        if drawn is None:
            return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)
        rows, seed = drawn
        draws = uniform_rows(rows, seed, prod(input.shape[1:])).view(input.shape).to(input.dtype)
        slope = self.lower + (self.upper - self.lower) * draws
        return torch.where(input >= 0, input, input * slope)


@final
class TimeDropout(nn.Module):
    """Drops the same units at every step of a sequence. Gal & Ghahramani 2016, arXiv:1512.05287.

    Args:
        p: the share that is dropped, rounded to a multiple of 2^-16.
    """

    noise: Noise | None = None
    stream: int = 0

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) to the same."""
        if not self.training or self.p == 0.0:
            return x
        drawn = drawn_for(self, x)
        if drawn is None:
            mask = F.dropout(x.new_ones(len(x), 1, x.shape[2]), self.p, training=True)
            return x * mask
        kept = rows_kept(*drawn, x.shape[2], self.p)[:, None]
        return torch.where(kept, x / kept_share(self.p), torch.zeros_like(x))


@final
class TiedOutput(nn.Module):
    """E x + b with the embedding's own weights E. Press & Wolf 2016, arXiv:1608.05859.

    The weights are the embedding's: here they are no parameter, so that each is there once.
    """

    def __init__(self, units: int, *, bias: bool) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(units)) if bias else None
        # In a list, which hides a module from its parent: it is nobody's child here.
        self._embedding: list[nn.Module] = []

    def tie(self, embedding: nn.Module) -> None:
        """From now on its weights are those of this embedding."""
        self._embedding[:] = [embedding]

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) to (N, T, units)."""
        return F.linear(x, self._embedding[0].get_parameter("weight"), self.bias)


@final
class Masking(nn.Module):
    """Tells where sequences end: behind their last step stands NaN, of which it makes 0."""

    def __init__(self) -> None:
        super().__init__()
        self.ends = Ends()

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) to the same."""
        there = ~x.isnan().all(2)
        self.ends.there = there
        return torch.where(there.unsqueeze(2), x, 0.0)


class Ends:
    """Which steps (N, T) of the batch that a network sees are there; no tensor of a module."""

    there: Tensor | None = None


@final
class LastStep(nn.Module):
    """What stands at the last step of a sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.ends = Ends()

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) to (N, D)."""
        there = self.ends.there
        if there is None:
            return x[:, -1]
        places = (there.sum(1) - 1).view(-1, 1, 1).expand(-1, 1, x.shape[2])
        return x.gather(1, places).squeeze(1)


@final
class MeanOverTime(nn.Module):
    """The mean over the steps of a sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.ends = Ends()

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) to (N, D)."""
        there = self.ends.there
        if there is None:
            return x.mean(1)
        share = there.to(x.dtype) / there.sum(1, keepdim=True)
        return (x * share.unsqueeze(2)).sum(1)
