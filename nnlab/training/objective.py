"""The regularization term of the objective, the bound on the weights, and their precision."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from nnlab.training.step import Constraint, Penalty


def penalty_term(
    parameters: Sequence[nn.Parameter], *, l2: float | Tensor, l1: float | Tensor
) -> Penalty | None:
    """l2 / 2 * sum of w^2 + l1 * sum of |w| over these parameters; None if both are 0.

    Args:
        parameters: at least one.
        l2: so that its gradient is l2 * w; as a 0-dim tensor a compiled step reads it anew.
        l1: so that its gradient is l1 * sign(w); as `l2`.
    """
    squared, absolute = (isinstance(each, Tensor) or each != 0 for each in (l2, l1))
    if not squared and not absolute:
        return None

    def term() -> Tensor:
        total = parameters[0].new_zeros(())
        for parameter in parameters:
            if squared:
                total = total + l2 / 2 * parameter.square().sum()
            if absolute:
                total = total + l1 * parameter.abs().sum()
        return total

    return term


def regularized_parameters(network: nn.Module, on: str) -> list[nn.Parameter]:
    """The parameters that a penalty falls on: weights (two axes or more), or all."""
    return [p for p in network.parameters() if on == "all" or p.ndim >= 2]


def max_norm(parameters: Sequence[nn.Parameter], limit: float) -> Constraint:
    """Scales the weights that come into a unit, w[unit], down to a norm of at most `limit`.

    Args:
        parameters: weights, the units on their first axis: (units, ...).
        limit: the largest L2 norm that is left; smaller ones keep their bits.
    """

    @torch.no_grad()
    def constrain() -> None:
        for weight in parameters:
            if not weight.requires_grad:
                continue  # frozen: its bytes stay
            norms = torch.linalg.vector_norm(weight.flatten(1), dim=1)
            # limit / limit is 1.0 exactly, so that shorter ones keep their bits.
            factors = limit / norms.clamp_min(limit)
            weight.mul_(factors.view(-1, *[1] * (weight.ndim - 1)))

    return constrain


def autocast_dtype(precision: str) -> torch.dtype | None:
    """The dtype of the forward pass, for bf16 and fp16."""
    return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)


def matmul_precision(
    device: torch.device, dtype: torch.dtype | None
) -> AbstractContextManager[Any]:
    """Inside, matrix products are computed in this precision; None leaves all as it is."""
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype=dtype)
