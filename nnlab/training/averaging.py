"""A second network whose weights are an average over those of the trained one."""

from copy import deepcopy
from typing import final

import torch
from torch import Tensor, nn

from nnlab.core.contracts import AverageFn


@final
class Averaged:
    """Follows a network: it is what is evaluated and saved as the model.

    The average is kept in the parameters' own precision, whatever the forward pass computes in. An
    fp16 update that is skipped for its overflow counts like any other: its weights are taken again.

    Args:
        network: what is trained, on its device.
        newest: the share of the newest weights after so many updates.
    """

    def __init__(self, network: nn.Module, newest: AverageFn) -> None:
        self.network = deepcopy(network).requires_grad_(False)
        self._newest = newest
        pairs = [
            *zip(self.network.parameters(), network.parameters(), strict=True),
            *zip(self.network.buffers(), network.buffers(), strict=True),
        ]
        self._numbers = [pair for pair in pairs if pair[0].is_floating_point()]
        # Such as the number of batches that a batch norm has seen.
        self._counts = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self, count: int) -> None:
        """Takes the weights in that `count` updates have made."""
        share = self._newest(count)
        if share == 0.0:
            return
        averages, newest = _apart(self._numbers)
        if share == 1.0:
            # A copy, not lerp by 1, which keeps a NaN or an infinity that the average held.
            torch._foreach_copy_(averages, newest)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
        else:
            torch._foreach_lerp_(averages, newest, share)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
        for average, value in self._counts:
            average.copy_(value)


def _apart(pairs: list[tuple[Tensor, Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]
