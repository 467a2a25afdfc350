"""Text that a network goes on with: each token is drawn from what it says of the next one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch
from torch import Tensor, nn

from nnlab.config.loading import place_for
from nnlab.core.contracts import Machine, Plan, flat_plans
from nnlab.core.errors import ConfigError
from nnlab.core.text import short_path
from nnlab.experiment.settle import settle
from nnlab.parts.datasets.sequences.text import TextLikeConfig
from nnlab.parts.datasets.sequences.tokens import Vocabulary
from nnlab.parts.layers.attention_modules import Memory, remembering
from nnlab.runs.building.build import place_network
from nnlab.runs.building.forward import forward_of
from nnlab.runs.finished.reopen import of_run, restore_network
from nnlab.training.evaluate import Forward

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


def generate_text(
    run: Path, prompt: str, length: int, sampling: Sampling, device: torch.device
) -> Iterator[str]:
    """Goes on with a prompt, piece by piece; the prompt itself is not among the pieces.

    The network sees the last `data.window` tokens, as in training.

    Raises:
        ConfigError: the run has not learned from a text, or not one with what the prompt holds.
        CheckpointError: the run cannot be read.
    """
    config = of_run(run)
    if not isinstance(config.data, TextLikeConfig):
        text = f"learned from {config.data.kind}, not from a text (data: text or shakespeare)"
        raise ConfigError(f"{short_path(run)}: {text}")
    experiment = settle(config, place_for(run), Machine.here(device.type))
    vocabulary = config.data.tokens_of(place_for(run))
    seen = _numbers_of(prompt or "\n", vocabulary)
    network = place_network(restore_network(run, experiment), experiment, device).eval()
    following = Following(
        forward_of(experiment, network, alone=True),
        network if _is_by_place(experiment.design.plans) else None,
        window=config.data.window,
        device=device,
    )
    generator = torch.Generator().manual_seed(sampling.seed)
    told: list[int] = []
    shown = ""
    for _ in range(length):
        logits = following(seen)
        if sampling.temperature == 0.0:
            token = int(logits.argmax())
        else:
            shares = token_shares(logits, sampling)
            token = int(torch.multinomial(shares, 1, generator=generator))
        seen.append(token)
        told.append(token)
        # The whole is put together anew: a byte alone may be half of a character.
        text = vocabulary.text_of(told)
        if text.startswith(shown) and not text.endswith("\ufffd"):
            yield text[len(shown) :]
            shown = text


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


def _is_by_place(plans: Sequence[Plan]) -> bool:
    """Whether nothing but attention and what adds positions looks beyond the place at hand."""
    return all(plan.kind in BY_PLACE for plan in flat_plans(plans))


def _numbers_of(prompt: str, vocabulary: Vocabulary) -> list[int]:
    """The tokens of a prompt.

    Raises:
        ConfigError: it holds a character that has no number.
    """
    try:
        found = vocabulary.numbers_of(prompt).tolist()
    except ValueError as error:
        text = f"{str(error)!r} is not in the text that the run learned from"
        raise ConfigError(f"--prompt: {text} (leave it out)") from None
    if not found:
        raise ConfigError("--prompt: holds no token (write a word)")
    return found
