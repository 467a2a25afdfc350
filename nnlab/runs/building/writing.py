"""How a network writes: each token is drawn from what it says of the next one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nnlab.training.evaluate import Forward


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a token is drawn from the probabilities of all.

    Attributes:
        temperature: logits are divided by it: below 1 the likely becomes likelier; 0 takes the
            likeliest.
        top_k: only so many of the likeliest; 0 for all.
        top_p: only as many of the likeliest as have this share together. Holtzman et al. 2019,
            arXiv:1904.09751 (nucleus).
        seed: of the draws.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0


def token_shares(logits: Tensor, sampling: Sampling) -> Tensor:
    """The probabilities (K,) that a token is drawn by, of its logits (K,).

    Args:
        logits: float64, so that a softmax keeps small probabilities apart.
        sampling: with a temperature above 0.
    """
    logits = logits / sampling.temperature
    if sampling.top_k:
        least = logits.topk(min(sampling.top_k, len(logits))).values[-1]
        logits = logits.masked_fill(logits < least, -torch.inf)
    shares = logits.softmax(0)
    if sampling.top_p < 1.0:
        ordered, places = shares.sort(descending=True)
        # One is kept if those before it have not reached the share yet: the first always.
        dropped = ordered.cumsum(0) - ordered >= sampling.top_p
        shares = shares.index_fill(0, places[dropped], 0.0)
        shares = shares / shares.sum()
    return shares


def written_tokens(
    forward: Forward,
    begin: Sequence[int],
    *,
    window: int,
    sampling: Sampling,
    device: torch.device,
) -> Iterator[int]:
    """Tokens that follow others, one after the other, without end.

    Args:
        forward: asks a network that tells the next token at every step of (1, T) tokens.
        begin: what it goes on with, at least one token.
        window: so many of the last tokens are seen, as in training.
        sampling: how each is drawn.
        device: where the network is.
    """
    generator = torch.Generator().manual_seed(sampling.seed)
    seen = list(begin)
    while True:
        inputs = torch.tensor([seen[-window:]], device=device)
        with torch.no_grad():
            logits = forward(inputs)[-1].double().cpu()
        if sampling.temperature == 0.0:
            token = int(logits.argmax())
        else:
            shares = token_shares(logits, sampling)
            token = int(torch.multinomial(shares, 1, generator=generator))
        seen.append(token)
        yield token
