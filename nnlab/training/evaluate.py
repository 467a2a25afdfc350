"""The loss and the scores of a split, in evaluation mode."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from nnlab.core.contracts import LossFn, Score, StoredScore
from nnlab.training.probes.no_trace import kept_modes
from nnlab.training.sources import RowSource
from nnlab.training.window import Window

_NONE: Mapping[str, StoredScore] = {}


@torch.no_grad()
def evaluate_split(
    network: nn.Module,
    *,
    loss: LossFn,
    scores: Mapping[str, Score],
    source: RowSource,
    batches: Sequence[Tensor],
    stored: Mapping[str, StoredScore] = _NONE,
    autocast: torch.dtype | None = None,
) -> dict[str, float]:
    """Means over all examples. Every module is put back into the mode that it was in.

    Args:
        network: (N, *shape) to (N, K).
        loss: one loss for each example.
        scores: by their key.
        source: gives the batch of any rows.
        batches: the rows (N,) of each batch, on the device.
        stored: scores of all outputs, which are kept for them alone, by their key.
        autocast: the lower precision of the forward pass.
    """
    device = batches[0].device
    window = Window(scores, device)
    kept: list[tuple[Tensor, Tensor]] = []
    with kept_modes(network):
        network.eval()
        source.announce(batches)
        for rows in batches:
            batch = source.gather(rows)
            with matmul_precision(device, autocast):
                outputs = network(batch.inputs)
            window.add(loss(outputs, batch), outputs, batch)
            if stored:
                kept.append((outputs, batch.targets))
    values = window.close(window.sums.tolist())
    if stored:
        outputs, targets = (torch.cat(part).cpu() for part in zip(*kept, strict=True))
        values |= {key: score.value(outputs, targets) for key, score in stored.items()}
    return values


def matmul_precision(
    device: torch.device, dtype: torch.dtype | None
) -> AbstractContextManager[Any]:
    """Inside, matrix products are computed in this precision; None leaves all as it is."""
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype=dtype)
