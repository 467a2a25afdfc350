"""Two measures of the loss around the weights: its sharpness, and the noise of its gradient.

Both cost as much as many updates and are read where a config asks for them. They draw from
generators of their own and leave weights, buffers and gradients as they were.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import inf, nan
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from nnlab.training.probes.no_trace import without_side_effects

ITERATIONS = 20
"""Of Lanczos: the largest eigenvalue has converged long before the others."""
NOISE_BATCHES = 16

Objective = Callable[[Tensor], Tensor]
"""Rows (N,) to the objective on them, ()."""
Scales = Callable[[], "list[Tensor] | None"]
"""What the update divides each parameter's gradient by; None while nothing is known."""


@final
class Sharpness:
    """The largest eigenvalue of the Hessian of the objective, beside the edge of stability.

    Cohen et al. 2021, arXiv:2103.00065; preconditioned: Cohen et al. 2022, arXiv:2207.14484.

    Args:
        network: whose parameters that ask for a gradient are the variables.
        objective: of rows, as the network is now.
        rows: (N,) training rows, the same at each reading.
        edge: gives the value above which the optimizer is unstable on a quadratic function at the
            learning rate of this moment; None where none is known.
        scales: of a preconditioned optimizer, else None.
        seed: of the first vector.
    """

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        rows: Tensor,
        *,
        edge: Callable[[], float | None],
        scales: Scales | None,
        seed: int,
    ) -> None:
        self._network = network
        self._objective = objective
        self._rows = rows
        self._edge = edge
        self._scales = scales
        self._seed = seed

    def __call__(self) -> dict[str, float]:
        """sharpness/hessian, /preconditioned where the optimizer is, /edge where one is known."""
        parameters = [p for p in self._network.parameters() if p.requires_grad]
        # The fused kernels of attention have a first derivative alone.
        explicit = sdpa_kernel(SDPBackend.MATH)
        with without_side_effects(self._network), torch.enable_grad(), explicit:
            loss = self._objective(self._rows)
            # A parameter that the loss does not hang on (a head that is not called, a bias behind a
            # loss that is linear in it) has derivatives of 0, which torch takes for a mistake.
            gradients = torch.autograd.grad(
                loss, parameters, create_graph=True, materialize_grads=True
            )
            flat = torch.cat([g.flatten() for g in gradients])

            @torch.enable_grad()
            def times(vector: Tensor) -> Tensor:
                if not flat.requires_grad:
                    return torch.zeros_like(vector)
                products = torch.autograd.grad(
                    flat @ vector, parameters, retain_graph=True, materialize_grads=True
                )
                return torch.cat([p.flatten() for p in products])

            found = {"sharpness/hessian": self._largest(times, flat)}
            scales = self._scales() if self._scales is not None else None
            if scales is not None:
                root = torch.cat([s.flatten() for s in scales]).sqrt().to(flat.dtype)
                value = self._largest(lambda v: times(v / root) / root, flat)
                found["sharpness/preconditioned"] = value
        edge = self._edge()
        return found if edge is None else {**found, "sharpness/edge": edge}

    def _largest(self, times: Callable[[Tensor], Tensor], like: Tensor) -> float:
        # On the CPU, so that every device begins with the same vector.
        generator = torch.Generator().manual_seed(self._seed)
        start = torch.randn(like.numel(), generator=generator).to(like)
        return largest_eigenvalue(times, start)


@torch.no_grad()
def largest_eigenvalue(
    times: Callable[[Tensor], Tensor], start: Tensor, iterations: int = ITERATIONS
) -> float:
    """The largest eigenvalue of a symmetric matrix, from its products with vectors.

    Lanczos with full reorthogonalization: Golub & Van Loan 2013, "Matrix computations", 10.1.

    Args:
        times: v to A v, both (n,).
        start: (n,), not orthogonal to the eigenvector.
        iterations: products at most; fewer where they span the whole space.

    Returns:
        The eigenvalue, not its absolute value; nan if a product is not finite.
    """
    basis = [start / start.norm()]
    diagonal: list[float] = []
    beside: list[float] = []
    for _ in range(min(iterations, start.numel())):
        product = times(basis[-1])
        if not bool(product.isfinite().all()):
            return nan
        diagonal.append(float(product @ basis[-1]))
        known = torch.stack(basis)
        # Twice: once leaves what rounding brings back.
        for _ in range(2):
            product = product - known.T @ (known @ product)
        size = float(product.norm())
        # The space is spanned: what is left is rounding.
        if size <= 1e-6 * max(map(abs, diagonal)):
            break
        beside.append(size)
        basis.append(product / size)
    matrix = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
    for index, _ in enumerate(pairwise(diagonal)):
        matrix[index, index + 1] = matrix[index + 1, index] = beside[index]
    return float(torch.linalg.eigvalsh(matrix)[-1])


@final
class NoiseScale:
    """The batch size at which noise and signal of the gradient are equal.

    tr(S) / |G|^2 by two batch sizes: McCandlish et al. 2018, arXiv:1812.06162, appendix A.1.

    Args:
        network: whose parameters that ask for a gradient are the variables.
        objective: of rows, as the network is now.
        batches: M >= 2 batches of equally many training rows, the same at each reading.
    """

    def __init__(self, network: nn.Module, objective: Objective, batches: Sequence[Tensor]) -> None:
        self._network = network
        self._objective = objective
        self._batches = batches

    def __call__(self) -> dict[str, float]:
        """gradient_noise/scale in examples, and the two estimates that it is the ratio of."""
        parameters = [p for p in self._network.parameters() if p.requires_grad]
        squares: list[Tensor] = []
        total: Tensor | None = None
        with without_side_effects(self._network), torch.enable_grad():
            for rows in self._batches:
                found = torch.autograd.grad(
                    self._objective(rows), parameters, materialize_grads=True
                )
                flat = torch.cat([g.flatten() for g in found])
                squares.append(flat.square().sum())
                total = flat if total is None else total + flat
        assert total is not None
        count, size = len(self._batches), len(self._batches[0])
        small = float(torch.stack(squares).mean())
        return noise(small, float((total / count).square().sum()), size=size, count=count)


def noise(small: float, big: float, *, size: int, count: int) -> dict[str, float]:
    """Unbiased estimates of the gradient's noise from squared norms at two batch sizes.

    Args:
        small: mean of |g|^2 over batches of `size` examples.
        big: |g|^2 of the mean over `count` of them.
        size: examples in a batch.
        count: of batches.

    Returns:
        By the keys of readings: gradient_noise/signal is |G|^2, gradient_noise/variance tr(S) of
        one example, gradient_noise/scale their quotient in examples; infinite without a signal.
    """
    signal = (count * size * big - size * small) / (count * size - size)
    variance = (small - big) / (1 / size - 1 / (count * size))
    scale = variance / signal if signal > 0 else inf
    return {
        "gradient_noise/scale": scale,
        "gradient_noise/signal": signal,
        "gradient_noise/variance": variance,
    }
