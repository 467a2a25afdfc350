"""Floating-point operations, counted as torch carries them out."""

from math import prod
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class CountFlops(TorchDispatchMode):
    """Counts two for each multiply-add of a matrix product or a convolution.

    By the definition: every number of the result takes fan-in of them. torch.utils.flop_counter
    counts the same, but imports triton, which prints warnings when Python ends.
    """

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.addmm.default:
            self.total += 2 * result.numel() * args[1].shape[1]
        elif func is torch.ops.aten.mm.default:
            self.total += 2 * result.numel() * args[0].shape[1]
        elif func is torch.ops.aten.convolution.default:
            self.total += 2 * result.numel() * prod(args[1].shape[1:])
        return result
