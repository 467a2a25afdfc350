"""Text that a network goes on with: each token is drawn from what it says of the next one."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch

from nnlab.config.loading import place_for
from nnlab.core.contracts import Machine
from nnlab.core.errors import ConfigError
from nnlab.core.text import short_path
from nnlab.experiment.settle import settle
from nnlab.parts.datasets.sequences.text import TextLikeConfig
from nnlab.parts.datasets.sequences.tokens import Vocabulary, first_token
from nnlab.runs.building.build import place_network
from nnlab.runs.building.writing import Sampling, written_tokens
from nnlab.runs.finished.reopen import of_run, restore_network


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
    begin = _numbers_of(prompt, vocabulary) if prompt else [first_token(vocabulary)]
    # In evaluation mode from here on: what is drawn are the tokens alone.
    network = place_network(restore_network(run, experiment), experiment, device).eval()
    tokens = written_tokens(
        experiment,
        network,
        begin,
        window=config.data.window,
        sampling=sampling,
        alone=True,
    )
    told: list[int] = []
    shown = ""
    for token in islice(tokens, length):
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
