"""A GRU's pass over a sequence on a CPU, with its gradient written out.

torch has no fused GRU for a CPU: autograd keeps some thirty operations for each step, and adds up
the gradient of the weights step by step. Here a step is six operations forward and ten backward,
all into memory that is there, and each gradient of a weight is one product over all steps.

Shapes: N examples, T steps, D features, H units; gates in torch's order r, z, n.
"""

from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor

_aten = torch.ops.aten


def gru_pass(x: Tensor, first: Tensor, weights: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    """The states (N, T, H) behind each step, as `torch.gru` gives them up to rounding.

    Args:
        x: (N, T, D).
        first: (N, H), the state before the first step.
        weights: W (3 H, D), U (3 H, H) and their biases b and c (3 H,).
    """
    apply: Callable[..., Tensor] = _GruPass.apply
    return apply(x, first, *weights)


@final
class _GruPass(torch.autograd.Function):
    """One node of the graph for all steps."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, first: Tensor, w: Tensor, u: Tensor, b: Tensor, c: Tensor
    ) -> Tensor:
        states, gates, candidates = _forward(x, first, w, u, b, c)
        ctx.save_for_backward(x, first, w, u, b, c, states, gates, candidates)
        return states[1:].transpose(0, 1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        *given, states, gates, candidates = ctx.saved_tensors
        if torch.is_grad_enabled():
            # A second derivative is asked for: what is written in place below has none.
            return _differentiable(given, ctx.needs_input_grad, grads[0])
        x, _, w, u, _, _ = given
        rows, news, first = _backward(grads[0], u, states, gates, candidates)
        flat = rows.flatten(0, 1)
        recurrent = flat.t() @ states[:-1].flatten(0, 1), flat.sum(0)
        # Into the inputs' side n's gradient comes as it is, into the state's r times.
        rows.chunk(3, 2)[2].copy_(news)
        inputs = flat.t() @ x.transpose(0, 1).flatten(0, 1), flat.sum(0)
        to_x = (flat @ w).view(*rows.shape[:2], -1).transpose(0, 1)
        seen = to_x if ctx.needs_input_grad[0] else None
        return seen, first, inputs[0], recurrent[0], inputs[1], recurrent[1]


def _forward(
    x: Tensor, first: Tensor, w: Tensor, u: Tensor, b: Tensor, c: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """States (T + 1, N, H) from the first on, r, z and n (T, N, 3 H), U h + c of n (T, N, H)."""
    (examples, steps, _), units = x.shape, u.shape[1]
    # Time first, so that what belongs to a step lies together.
    gates = torch.addmm(b, x.transpose(0, 1).flatten(0, 1), w.t()).view(steps, examples, -1)
    candidates = gates.new_empty(steps, examples, units)
    states = gates.new_empty(steps + 1, examples, units)
    states[0] = first
    recurrent, turned = gates.new_empty(examples, 3 * units), u.t()
    of_both, of_new = recurrent[:, : 2 * units], recurrent[:, 2 * units :]
    reset, update, new = (each.unbind(0) for each in gates.chunk(3, 2))
    both = gates[..., : 2 * units].unbind(0)
    before = states[0]
    for t, (candidate, after) in enumerate(
        zip(candidates.unbind(0), states[1:].unbind(0), strict=True)
    ):
        torch.addmm(c, before, turned, out=recurrent)
        both[t].add_(of_both).sigmoid_()
        candidate.copy_(of_new)
        new[t].addcmul_(reset[t], candidate).tanh_()
        before = torch.lerp(new[t], before, update[t], out=after)
    return states, gates, candidates


def _backward(
    grads: Tensor, u: Tensor, states: Tensor, gates: Tensor, candidates: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Of the gates' sums on the state's side (T, N, 3 H), of n's on the other, of the first state.

    With d of a state h' = (1 - z) n + z h: n's sum gets e = d (1 - z) (1 - n^2), z's d (h - n) z
    (1 - z), r's e (U h + c) r (1 - r); the state h gets d z, and U^T times r's, z's and r e.
    """
    rows, news = torch.empty_like(gates), torch.empty_like(candidates)
    to_reset, to_update, to_new = (each.unbind(0) for each in rows.chunk(3, 2))
    reset, update, new = (each.unbind(0) for each in gates.chunk(3, 2))
    own = grads.unbind(1)
    left = torch.empty_like(candidates[0])
    d = own[-1].clone(memory_format=torch.contiguous_format)
    for t in range(len(own) - 1, -1, -1):
        torch.sub(states[t], new[t], out=left).mul_(d)
        _aten.sigmoid_backward.grad_input(left, update[t], grad_input=to_update[t])
        torch.mul(d, update[t], out=left)
        d.sub_(left)
        e = news[t]
        _aten.tanh_backward.grad_input(d, new[t], grad_input=e)
        torch.mul(e, candidates[t], out=d)
        _aten.sigmoid_backward.grad_input(d, reset[t], grad_input=to_reset[t])
        torch.mul(e, reset[t], out=to_new[t])
        if t:
            left.add_(own[t - 1])
        torch.addmm(left, rows[t], u, out=d)
    return rows, news, d


def _differentiable(
    given: list[Tensor], needed: tuple[bool, ...], grad: Tensor
) -> tuple[Tensor | None, ...]:
    """The gradients that `needed` asks for, by autograd through torch's kernel, with a graph."""
    x, first, *weights = given
    states, _ = torch.gru(x, first.unsqueeze(0), weights, True, 1, 0.0, True, False, True)
    asked = [each for each, need in zip(given, needed, strict=True) if need]
    found = iter(torch.autograd.grad(states, asked, grad, create_graph=True))
    return tuple(next(found) if need else None for need in needed)
