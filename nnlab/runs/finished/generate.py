"""Text that a network goes on with: each token is drawn from what it says of the next one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nnlab.config.loading import place_for
from nnlab.core.contracts import Machine
from nnlab.core.errors import ConfigError
from nnlab.core.text import short_path
from nnlab.experiment.settle import settle
from nnlab.parts.datasets.sequences.text import TextLikeConfig
from nnlab.parts.datasets.sequences.tokens import Vocabulary
from nnlab.runs.building.build import place_network
from nnlab.runs.building.forward import forward_of
from nnlab.runs.finished.reopen import of_run, restore_network


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
    forward = forward_of(experiment, network, alone=True)
    generator = torch.Generator().manual_seed(sampling.seed)
    told: list[int] = []
    shown = ""
    for _ in range(length):
        inputs = torch.tensor([seen[-config.data.window :]], device=device)
        with torch.no_grad():
            logits = forward(inputs)[-1].double().cpu()
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
