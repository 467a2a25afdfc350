"""Muon, which treats a weight matrix as a matrix."""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Annotated, Any, ClassVar, Literal, final

from pydantic import Field, NonNegativeFloat, PositiveFloat

from nnlab.core.contracts import Shape
from nnlab.core.errors import Mistake
from nnlab.core.lazy import torch
from nnlab.parts.optimizers.adam import adam_formula
from nnlab.parts.optimizers.family import (
    At,
    BetaFraction,
    DecayingConfig,
    Updated,
    numel_of,
    scalars_of,
)


@final
class MuonConfig(DecayingConfig, frozen=True):
    """Momentum made orthogonal for the hidden layers' weight matrices, adamw for all the rest.

    m = momentum * m + (1 - momentum) * g; w - lr * c * U, where U is m (with nesterov a step ahead)
    with all its singular values near 1, by ns_steps Newton-Schulz iterations in bfloat16. Jordan et
    al. 2024, kellerjordan.github.io/posts/muon. Weights with two axes except the output layer's are
    trained so; biases, norms, convolutions and the output layer by adamw with betas and eps. One lr
    and weight_decay (as in adamw) fit both where adjust_lr is match_rms_adamw: c = 0.2 *
    sqrt(max(rows, columns)), Liu et al. 2025, arXiv:2502.16982; original: c = sqrt(max(1,
    rows/columns)).
    """

    decoupled: ClassVar[bool] = True
    tuned: ClassVar[tuple[str, ...]] = ("momentum", "betas", "eps")
    kind: Literal["muon"] = "muon"
    lr: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 0.1
    momentum: BetaFraction = 0.95
    nesterov: bool = True
    ns_steps: Annotated[int, Field(ge=1, lt=100)] = 5
    adjust_lr: Literal["match_rms_adamw", "original"] = "match_rms_adamw"
    betas: tuple[BetaFraction, BetaFraction] = (0.9, 0.999)
    """Of adamw, for all but the hidden layers' matrices."""
    eps: NonNegativeFloat = 1e-8
    fused_on: ClassVar[tuple[str, ...]] = ("cpu", "cuda", "mps")

    def _unfit(self, trained: Sequence[str], parameters: Mapping[str, Shape]) -> list[Mistake]:
        if any(_orthogonal(name, len(parameters[name])) for name in trained):
            return []
        text = "muon is for the matrices of hidden linear layers, there are none (use adamw)"
        return [Mistake((), text)]

    def _slots(self, name: str, shape: Shape) -> int:
        return numel_of(shape) * (1 if _orthogonal(name, len(shape)) else 2)

    def _torch(
        self, groups: list[dict[str, Any]], *, lr: "float | torch.Tensor", how: dict[str, bool]
    ) -> "torch.optim.Optimizer":
        from nnlab.parts.optimizers.not_in_torch import BetaPair

        hidden, others = _parted(groups)
        parts: list[torch.optim.Optimizer] = []
        if hidden:
            # torch's kernel wants the rate as a number.
            plain = [{**g, "lr": float(g["lr"])} if "lr" in g else g for g in hidden]
            muon = torch.optim.Muon(
                plain,
                float(lr),
                momentum=self.momentum,
                nesterov=self.nesterov,
                ns_steps=self.ns_steps,
                adjust_lr_fn=self.adjust_lr,
            )
            parts.append(muon)
        if others:
            parts.append(torch.optim.AdamW(others, lr, betas=self.betas, eps=self.eps, **how))
        return BetaPair(parts)

    def updated(self, at: At) -> Updated:
        state, lr = at.state, at.lr
        w, g = self._decayed(at)
        if "momentum_buffer" not in state:
            return adam_formula(w, g, at, self.betas, self.eps)
        momentum, rest = scalars_of(g, self.momentum, 1 - self.momentum)
        m = state["momentum_buffer"].lerp(g, rest)
        ahead = g.lerp(m, momentum) if self.nesterov else m
        rows, columns = w.shape
        length = sqrt(max(1, rows / columns))
        if self.adjust_lr == "match_rms_adamw":
            length = 0.2 * sqrt(max(rows, columns))
        step = _orthogonalized(ahead, self.ns_steps).to(w.dtype)
        return w - lr * length * step, {"momentum_buffer": m}


def _orthogonalized(matrix: "torch.Tensor", iterations: int) -> "torch.Tensor":
    """U V^T, nearly, of a matrix U S V^T, by Newton-Schulz iterations in bfloat16."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).to(torch.bfloat16)
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(iterations):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


def _orthogonal(name: str, ndim: int) -> bool:
    return ndim == 2 and not name.startswith("output.")


def _parted(groups: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The groups of the hidden layers' matrices, and those of the others."""
    parts: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for group in groups:
        for part, wanted in zip(parts, (True, False), strict=True):
            members = [(n, p) for n, p in group["params"] if _orthogonal(n, p.ndim) == wanted]
            if members:
                part.append({**group, "params": members})
    return parts


KINDS = (MuonConfig,)
