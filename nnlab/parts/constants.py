"""A few numbers of a config beside the tensors of a step."""

from collections.abc import Sequence
from typing import final

from nnlab.core.lazy import Tensor, torch


@final
class Constant:
    """Numbers as a tensor, made once for each device and dtype that asks.

    Args:
        values: K numbers.
    """

    def __init__(self, values: Sequence[float]) -> None:
        self._values = tuple(values)
        self._made: dict[tuple[torch.device, torch.dtype], Tensor] = {}

    def like(self, tensor: "Tensor") -> "Tensor":
        """(K,) on the device and in the dtype of a tensor."""
        key = (tensor.device, tensor.dtype)
        if key not in self._made:
            # Fills are kernels; a copy from the host would wait for the device.
            self._made[key] = torch.stack([tensor.new_full((), v) for v in self._values])
        return self._made[key]
