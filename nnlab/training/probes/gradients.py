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


def clip_gradients(gradients: Sequence[Tensor], limit: Tensor) -> Tensor:
    """Shortens the whole gradient to at most `limit`, as torch.nn.utils.clip_grad_norm_ does.

    torch's reads a limit that is a tensor back to the host.

    Args:
        gradients: changed in place.
        limit: (), in their precision.

    Returns:
        () the L2 norm of all of them together, before.
    """
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in gradients]))
    # 1e-6 as in torch, so that a gradient of 0 stays 0.
    factor = (limit / (norm + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor)
    return norm
