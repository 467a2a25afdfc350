"""Norms of gradients, of all parameters at once and without a read-back."""

from collections.abc import Sequence

import torch
from torch import Tensor


def tensor_norms(tensors: Sequence[Tensor]) -> Tensor:
    """L2 norm of each of P tensors, (P,) on their device. Nothing waits for the GPU."""
    # The foreach kernel: a handful of launches for all P instead of P launches.
    # test_gradient_norms_equal_those_of_autograd pins it to the plain definition.
    return torch.stack(torch._foreach_norm(list(tensors)))  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage, reportArgumentType]


def gradient_agreement(gradients: Sequence[Sequence[Tensor]]) -> Tensor:
    """Norm of the mean gradient over the mean of the norms, for each parameter.

    Args:
        gradients: of M batches at the same weights, P tensors each.

    Returns:
        (P,): 1 where all batches say the same, near 1 / sqrt(M) where they are independent noise; 0
        for a parameter whose gradients are all 0.
    """
    sums = [torch.stack(each).sum(0) for each in zip(*gradients, strict=True)]
    total = torch.stack([tensor_norms(each) for each in gradients]).sum(0)
    return torch.where(
        total > 0, tensor_norms(sums) / total.clamp(min=torch.finfo(total.dtype).tiny), 0.0
    )
