"""The regularization term of the objective."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nnlab.training.step import Penalty


def penalty(parameters: Sequence[nn.Parameter], *, l2: float, l1: float) -> Penalty | None:
    """l2 / 2 * sum of w^2 + l1 * sum of |w| over these parameters; None if both are 0.

    Args:
        parameters: at least one.
        l2: so that its gradient is l2 * w.
        l1: so that its gradient is l1 * sign(w).
    """
    if not l2 and not l1:
        return None

    def term() -> Tensor:
        total = parameters[0].new_zeros(())
        for parameter in parameters:
            if l2:
                total = total + l2 / 2 * parameter.square().sum()
            if l1:
                total = total + l1 * parameter.abs().sum()
        return total

    return term


def regularized(network: nn.Module, on: str) -> list[nn.Parameter]:
    """The parameters that a penalty falls on: weights (two axes or more), or all."""
    return [p for p in network.parameters() if on == "all" or p.ndim >= 2]


def autocast_dtype(precision: str) -> torch.dtype | None:
    """The dtype of the forward pass, for bf16 and fp16."""
    return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
