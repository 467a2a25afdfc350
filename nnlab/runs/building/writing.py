"""How a network writes: each token is drawn from what it says of the next one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from nnlab.core.contracts import Plan, flat_plans
from nnlab.experiment.experiment import Experiment
from nnlab.parts.layers.attention_modules import Memory, remembering
from nnlab.runs.building.forward import forward_of
from nnlab.training.evaluate import Forward, States

BY_PLACE = frozenset(
    ("activation", "attention", "dropout", "embedding", "layer_norm", "linear")
    + ("positions", "residual", "rms_norm", "swiglu", "tied")
)
"""Kinds of layers that see one place of a sequence at a time, but for attention, whose memory is
kept; where the next token is told, attention sees no later ones."""


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
    experiment: Experiment,
    network: nn.Module,
    begin: Sequence[int],
    *,
    window: int,
    sampling: Sampling,
    alone: bool = False,
) -> Iterator[int]:
    """Tokens that follow others, one after the other, without end.

    Args:
        experiment: settled; its network tells the next token at every step.
        network: on its device.
        begin: what it goes on with, at least one token.
        window: so many of the last tokens are seen, at most as many as in training; where the
            state was carried in training, it is carried here too, over all of them.
        sampling: how each is drawn.
        alone: as `forward_of` takes it.
    """
    device = next(network.parameters()).device
    tell: Following | Onward = Following(
        forward_of(experiment, network, alone=alone),
        network if _is_by_place(experiment.design.plans) else None,
        window=window,
        device=device,
    )
    if experiment.config.train.carry:
        tell = Onward(forward_of(experiment, network, alone=alone), device)
    # On the CPU, so that a seed writes the same text on every device.
    generator = torch.Generator().manual_seed(sampling.seed)
    seen = list(begin)
    while True:
        logits = tell(seen)
        if sampling.temperature == 0.0:
            token = int(logits.argmax())
        else:
            shares = token_shares(logits, sampling)
            token = int(torch.multinomial(shares, 1, generator=generator))
        seen.append(token)
        yield token


@torch.no_grad()
def written_rows(
    experiment: Experiment, network: nn.Module, begin: Tensor, length: int, *, seed: int
) -> Tensor:
    """(N, length) tokens that follow each of N windows, drawn at temperature 1, all in step.

    Args:
        experiment: settled; its network tells the next token at every step.
        network: on its device.
        begin: (N, T) tokens; at each step the last T are seen.
        length: how many follow.
        seed: of the draws.
    """
    device = next(network.parameters()).device
    forward, rows = forward_of(experiment, network), len(begin)
    generator, seen = torch.Generator().manual_seed(seed), begin.long().cpu()
    for _ in range(length):
        logits = forward(seen[:, -begin.shape[1] :].to(device)).unflatten(0, (rows, -1))[:, -1]
        shares = logits.double().softmax(1).cpu()
        seen = torch.cat((seen, torch.multinomial(shares, 1, generator=generator)), 1)
    return seen[:, begin.shape[1] :]


@final
class Following:
    """Tells the logits of the token behind a sequence.

    As long as a sequence fits into the window, a network of attention sees its newest tokens alone:
    keys and values of those before are kept. Beyond it every place moves, and all are seen anew.

    Args:
        forward: (1, T) tokens to (T, K) logits.
        network: that it asks, if it goes place by place but for attention; else None.
        window: so many tokens are seen at most.
        device: of the network.
    """

    def __init__(
        self, forward: Forward, network: nn.Module | None, *, window: int, device: torch.device
    ) -> None:
        self._forward, self._network = forward, network
        self._window, self._device = window, device
        self._memory = Memory()

    @torch.no_grad()
    def __call__(self, seen: Sequence[int]) -> Tensor:
        """(K,) in float64 on the CPU.

        Args:
            seen: at each call those of the call before, and one more.
        """
        memory = self._memory
        if len(seen) > self._window:
            memory.forget()
        new = torch.tensor([seen[-self._window :][memory.start :]], device=self._device)
        if self._network is None:
            return self._forward(new)[-1].double().cpu()
        with remembering(self._network, memory):
            logits = self._forward(new)[-1]
        memory.start += new.shape[1]
        return logits.double().cpu()


@final
class Onward:
    """Tells the logits of the token behind a sequence, of a network whose state is carried.

    It sees each token once; its state, which began at 0, stands for all that were before.

    Args:
        forward: (1, T) tokens to (T, K) logits.
        device: of the network.
    """

    def __init__(self, forward: Forward, device: torch.device) -> None:
        self._forward, self._device = forward, device
        self._states = States()
        self._count = 0

    @torch.no_grad()
    def __call__(self, seen: Sequence[int]) -> Tensor:
        """(K,) in float64 on the CPU.

        Args:
            seen: at each call those of the call before, and more.
        """
        new = torch.tensor([seen[self._count :]], device=self._device)
        self._count = len(seen)
        return self._forward(new, self._states)[-1].double().cpu()


def _is_by_place(plans: Sequence[Plan]) -> bool:
    """Whether nothing but attention and what adds positions looks beyond the place at hand."""
    return all(plan.kind in BY_PLACE for plan in flat_plans(plans))
