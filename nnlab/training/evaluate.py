"""The loss and the scores of a split, in evaluation mode."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from nnlab.contracts import LossFn, Score
from nnlab.training.sources import Source
from nnlab.training.window import Window


@torch.no_grad()
def evaluate(
    network: nn.Module,
    *,
    loss: LossFn,
    scores: Mapping[str, Score],
    source: Source,
    batches: Sequence[Tensor],
    autocast: torch.dtype | None = None,
) -> dict[str, float]:
    """Means over all examples. The network is put back into the mode that it was in.

    Args:
        network: (N, *shape) to (N, K).
        loss: one loss for each example.
        scores: by their key.
        source: gives the batch of any rows.
        batches: the rows (N,) of each batch, on the device.
        autocast: the lower precision of the forward pass.
    """
    device = batches[0].device
    window = Window(scores, device)
    training = network.training
    network.eval()
    try:
        source.announce(batches)
        for rows in batches:
            batch = source.gather(rows)
            with _lower(device, autocast):
                outputs = network(batch.inputs)
            window.add(loss(outputs, batch), outputs, batch)
    finally:
        network.train(training)
    return window.means(window.sums.tolist(), penalized=False)


def _lower(device: torch.device, dtype: torch.dtype | None) -> AbstractContextManager[Any]:
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype=dtype)
