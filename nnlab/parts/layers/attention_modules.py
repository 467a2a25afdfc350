"""Modules of attention: attention itself, positions, gated units, patches, the class token.

Shapes: N examples, T places, S places that are attended to, D features, H heads, E = D / H features
of a head.
"""

from collections.abc import Generator
from contextlib import contextmanager
from math import sqrt
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnlab.core.contracts import Noise, drawn_for
from nnlab.parts.row_random import kept_share, rows_kept

BASE = 10000.0
"""The longest wavelength of sinusoids and rotations is 2 pi times that."""


_WRITTEN_OUT = 128
"""Places up to which a compiled step keeps the weights: torch's kernel for a CPU keeps none and
computes them twice. At 64 places in 4 heads of 16 it takes twice as long, forward and back."""
_ROWS = 32
"""Places whose weights are computed at once where none sees those behind it: what lies behind the
last of them is left out."""


def wave_angles(places: Tensor, width: int) -> Tensor:
    """The angle p / 10000^(2 i / width) of place p in pair i: (T,) to (T, width / 2, rounded up).

    Vaswani et al. 2017, arXiv:1706.03762, section 3.5; Su et al. 2021, arXiv:2104.09864, eq. 15.
    """
    pairs = torch.arange(0, width, 2, device=places.device, dtype=places.dtype)
    return places[:, None] * BASE ** (-pairs / width)


def sinusoids(places: Tensor, width: int) -> Tensor:
    """The sine in even, the cosine in odd features of each place: (T,) to (T, width)."""
    angles = wave_angles(places, width)
    return torch.stack([angles.sin(), angles.cos()], 2).flatten(1)[:, :width]


def rotated(x: Tensor, places: Tensor) -> Tensor:
    """Each pair of features (2 i, 2 i + 1) turned by the angle of its place.

    Su et al. 2021, arXiv:2104.09864, eq. 34.

    Args:
        x: (N, H, T, E), E even.
        places: (T,).
    """
    angles = wave_angles(places, x.shape[-1])
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)


def places_of(x: Tensor, start: int, count: int) -> Tensor:
    """The numbers of `count` places from `start` on, (count,), precise enough for an angle."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    return torch.arange(start, start + count, device=x.device, dtype=dtype)


class Memory:
    """What a network has seen of a sequence that it goes on with: keys and values of all places.

    It belongs to who asks for it, not to the network. See `remembering`.
    """

    def __init__(self) -> None:
        self.start = 0
        """How many places have been seen."""
        self.kept: dict[nn.Module, tuple[Tensor, Tensor]] = {}
        """Of each layer of attention: keys and values, (N, H, start, E) both."""

    def forget(self) -> None:
        """Begins anew."""
        self.start = 0
        self.kept.clear()


@contextmanager
def remembering(network: nn.Module, memory: Memory) -> Generator[None]:
    """Inside, a network of causal attention sees new places alone: those before are remembered.

    A pass of places start .. start + n gives what a pass of the whole sequence gives for them.
    Who calls it adds n to `memory.start` afterwards.
    """
    layers = [m for m in network.modules() if isinstance(m, _PLACED)]
    for layer in layers:
        layer.memory = memory
    try:
        yield
    finally:
        for layer in layers:
            layer.memory = None


@final
class Attention(nn.Module):
    """softmax(q k' / sqrt(E) + bias) v of every head, mixed. Vaswani et al. 2017, eq. 1.

    Parameters are called, shaped and ordered as in torch.nn.MultiheadAttention.

    Args:
        width: D.
        heads: H.
        causal: whether a place sees itself and those before it alone.
        dropout: share of the weights that is set to 0 in training, by row.
        positions: rotary turns queries and keys by their place, alibi takes off the distance.
        bias: whether the maps have one.
    """

    noise: Noise | None = None
    stream: int = 0

    def __init__(
        self, width: int, heads: int, *, causal: bool, dropout: float, positions: str, bias: bool
    ) -> None:
        super().__init__()
        self.heads, self.causal, self.dropout, self.positions = heads, causal, dropout, positions
        self.in_proj_weight = nn.Parameter(torch.zeros(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width)) if bias else None
        self.out_proj = nn.Linear(width, width, bias=bias)
        self.kept: list[tuple[Tensor, Tensor]] | None = None
        """Where a probe asks for it, of each call from the beginning on: the logits and the
        weights, (N, H, T, S) both. The kernel that training uses shows neither."""
        self.memory: Memory | None = None
        self.unrolled = False
        """Whether products and softmax are written out, as a recorded step has them: its compiler
        makes one loop of what lies between two products."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) to the same."""
        q, k, v = self.heads_of(x, 0 if self.memory is None else self.memory.start)
        if self.memory is not None:
            if before := self.memory.kept.get(self):
                k, v = (torch.cat(pair, 2) for pair in zip(before, (k, v), strict=True))
            self.memory.kept[self] = (k, v)
        mixed = self.attended(q, k, v)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))

    def heads_of(self, x: Tensor, start: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        """(N, T, D) to queries, keys and values, (N, H, T, E) each; rotated where that is asked.

        Args:
            x: what comes in.
            start: the number of its first place.
        """
        parts = F.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, 2)
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in parts)
        if self.positions == "rotary":
            places = places_of(x, start, x.shape[1])
            return rotated(q, places), rotated(k, places), v
        return q, k, v

    def attended(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The values (N, H, T, E) that each place takes from the S it sees, the last T its own."""
        draws = self.training and self.dropout > 0.0
        if self.kept is None and not draws and self.unrolled and self._few(q, k):
            return self._by_rows(q, k, v)
        if self.kept is None and not draws:
            # The kernel's own mask counts from the first place: where keys were there before, as
            # when a text is gone on with, it would hide them.
            plain = self.positions != "alibi" and q.shape[2] == k.shape[2]
            bias = None if plain else self._bias(q, k)
            causal = plain and self.causal
            return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, is_causal=causal)
        logits = q @ k.transpose(2, 3) / sqrt(q.shape[3])
        bias = self._bias(q, k)
        if bias is not None:
            logits = logits + bias
        weights = logits.softmax(3)
        if self.kept is not None:
            self.kept.append((logits.detach(), weights.detach()))
        return (self._dropped(weights) if draws else weights) @ v

    def _few(self, q: Tensor, k: Tensor) -> bool:
        """Whether what a compiler makes of products and softmax is the faster way."""
        return q.device.type == "cpu" and q.shape[2] == k.shape[2] <= _WRITTEN_OUT

    def _by_rows(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """What torch's kernel gives, by products and softmax, a few places at a time."""
        q, bias, count = q / sqrt(q.shape[3]), self._bias(q, k), q.shape[2]
        rows, found = _ROWS if self.causal else count, list[Tensor]()
        for first in range(0, count, rows):
            last = min(first + rows, count)
            seen = last if self.causal else count
            logits = q[:, :, first:last] @ k[:, :, :seen].transpose(2, 3)
            if bias is not None:
                logits = logits + bias[..., first:last, :seen]
            found.append(logits.softmax(3) @ v[:, :, :seen])
        return found[0] if len(found) == 1 else torch.cat(found, 2)

    def _bias(self, q: Tensor, k: Tensor) -> Tensor | None:
        """What is added to the logits, (T, S) or (H, T, S); minus infinity where none may look."""
        if not self.causal and self.positions != "alibi":
            return None
        seen, count = k.shape[2], q.shape[2]
        keys = torch.arange(seen, device=q.device)
        ahead = keys - keys[seen - count :, None]
        bias = torch.zeros((), dtype=q.dtype, device=q.device)
        if self.positions == "alibi":
            # 2^(-8 h / H), h = 1 .. H. Press et al. 2021, arXiv:2108.12409, section 3.
            heads = torch.arange(1, self.heads + 1, device=q.device, dtype=q.dtype)
            slopes = torch.exp2(heads * (-8.0 / self.heads))
            bias = -ahead.abs() * slopes[:, None, None]
        return bias.masked_fill(ahead > 0, -torch.inf) if self.causal else bias

    def _dropped(self, weights: Tensor) -> Tensor:
        drawn = drawn_for(self, weights)
        if drawn is None:
            return F.dropout(weights, self.dropout, training=True)
        kept = rows_kept(*drawn, weights[0].numel(), self.dropout).view(weights.shape)
        return torch.where(kept, weights / kept_share(self.dropout), torch.zeros_like(weights))


@final
class LearnedPositions(nn.Module):
    """Adds a learned vector to each place; row t of `weight` (T, D) is that of place t."""

    def __init__(self, places: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(places, width))
        self.memory: Memory | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) to the same; T may be less than there are vectors."""
        start = 0 if self.memory is None else self.memory.start
        return x + self.weight[start : start + x.shape[1]]


@final
class SinusoidalPositions(nn.Module):
    """Adds sines and cosines of the place. Vaswani et al. 2017, section 3.5."""

    memory: Memory | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) to the same."""
        start = 0 if self.memory is None else self.memory.start
        return x + sinusoids(places_of(x, start, x.shape[1]), x.shape[2]).to(x.dtype)


_PLACED = (Attention, LearnedPositions, SinusoidalPositions)


@final
class SwiGlu(nn.Module):
    """W3 (silu(W1 x) * W2 x). Shazeer 2020, arXiv:2002.05202, eq. 6.

    Args:
        width: D.
        units: rows of W1 and of W2, which `in_proj` holds one below the other.
        bias: whether the maps have one.
    """

    def __init__(self, width: int, units: int, *, bias: bool) -> None:
        super().__init__()
        self.in_proj = nn.Linear(width, 2 * units, bias=bias)
        self.out_proj = nn.Linear(units, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, ..., D) to the same."""
        gate, value = self.in_proj(x).chunk(2, -1)
        return self.out_proj(F.silu(gate) * value)


@final
class Patches(nn.Module):
    """A linear map of every patch of an image, row by row. Dosovitskiy et al. 2020, eq. 1."""

    def __init__(self, channels: int, width: int, patch: tuple[int, int]) -> None:
        super().__init__()
        self._patch = patch
        self.weight = nn.Parameter(torch.zeros(width, channels, *patch))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, patches, D)."""
        # One product: a convolution whose windows do not overlap is no more than that.
        high, wide = self._patch
        parts = x.unflatten(3, (-1, wide)).unflatten(2, (-1, high))
        rows = parts.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        return F.linear(rows, self.weight.flatten(1), self.bias)


@final
class ClassToken(nn.Module):
    """Puts a learned vector before the first place. Dosovitskiy et al. 2020, eq. 1."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) to (N, 1 + T, D)."""
        # Not len(x): that is a number, and an exported network would take batches of one size.
        return torch.cat([self.weight.to(x.dtype).expand(x.shape[0], 1, -1), x], 1)


@final
class FirstStep(nn.Module):
    """What stands at the first place of a sequence."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) to (N, D)."""
        return x[:, 0]
