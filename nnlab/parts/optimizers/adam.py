"""Adam and its descendants: running means of the gradient and of its square."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, final

from pydantic import Field, NonNegativeFloat, PositiveFloat

from nnlab.core.contracts import Shape
from nnlab.core.lazy import torch
from nnlab.parts.optimizers.family import (
    At,
    BetaFraction,
    DecayingConfig,
    Updated,
    numel_of,
    scalar_once,
    scalars_of,
)


def adam_edge(beta: float, lr: float) -> float:
    """38 / lr for beta = 0.9: of the preconditioned Hessian. Cohen et al. 2022, arXiv:2207.14484.

    Adam's first moment is momentum with an average, whose edge is that of heavy ball.
    """
    return 2.0 * (1.0 + beta) / ((1.0 - beta) * lr)


def adam_scales(
    state: "Mapping[str, torch.Tensor]", beta: float, eps: float
) -> "torch.Tensor | None":
    """sqrt(v / (1 - beta^t)) + eps; None before the first update."""
    if "exp_avg_sq" not in state:
        return None
    corrected = state["exp_avg_sq"] / (1.0 - beta ** float(state["step"]))
    return corrected.sqrt() + eps


def adam_formula(
    w: "torch.Tensor", g: "torch.Tensor", at: At, betas: tuple[float, float], eps: float
) -> Updated:
    """The formula, once the weight decay has fallen on w or g."""
    t, m, v = adam_moments(g, at.state, betas)
    new = {"step": t, "exp_avg": m, "exp_avg_sq": v}
    if "max_exp_avg_sq" in at.state:
        v = new["max_exp_avg_sq"] = torch.maximum(at.state["max_exp_avg_sq"], v)
    b1, b2 = betas
    n = t.double()
    # The corrections are single numbers: the tensors are divided once, not three times.
    root = (1 - b2**n).sqrt()
    rate, floor = scalar_once(at.lr * root / (1 - b1**n), root * eps)
    return w - rate * (m / (v.sqrt() + floor)), new


def adam_moments(
    g: "torch.Tensor", state: "Mapping[str, torch.Tensor]", betas: tuple[float, float]
) -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor]":
    """The count of this update, and the running means of g and g^2."""
    m, v = state["exp_avg"], state["exp_avg_sq"]
    b1, new1, b2, new2 = scalars_of(g, betas[0], 1 - betas[0], betas[1], 1 - betas[1])
    return state["step"] + 1, b1 * m + new1 * g, b2 * v + new2 * g * g


class _TwoMomentsConfig(DecayingConfig, frozen=True):
    """Adam's step; Adam and AdamW differ in nothing but what the weight decay falls on."""

    tuned: ClassVar[tuple[str, ...]] = ("betas", "eps")
    lr: PositiveFloat = 1e-3
    betas: tuple[BetaFraction, BetaFraction] = (0.9, 0.999)
    """What the running means of g and of its square keep at each update."""
    eps: NonNegativeFloat = 1e-8
    """Is added to what is divided by."""
    amsgrad: bool = False
    """Whether v never falls. Reddi et al. 2018, arXiv:1904.09237."""
    fused_on: ClassVar[tuple[str, ...]] = ("cpu", "cuda", "mps")

    @abstractmethod
    def _class(self) -> "type[torch.optim.Adam]":
        """Torch's own optimizer."""

    def edge(self, lr: float) -> float | None:
        return None if self.amsgrad else adam_edge(self.betas[0], lr)

    def scales(self, state: "Mapping[str, torch.Tensor]") -> "torch.Tensor | None":
        return None if self.amsgrad else adam_scales(state, self.betas[1], self.eps)

    def _slots(self, name: str, shape: Shape) -> int:
        return numel_of(shape) * (3 if self.amsgrad else 2)

    def _torch(
        self, groups: list[dict[str, Any]], *, lr: "float | torch.Tensor", how: dict[str, bool]
    ) -> "torch.optim.Optimizer":
        return self._class()(
            groups, lr, betas=self.betas, eps=self.eps, amsgrad=self.amsgrad, **how
        )

    def updated(self, at: At) -> Updated:
        w, g = self._decayed(at)
        return adam_formula(w, g, at, self.betas, self.eps)


@final
class AdamConfig(_TwoMomentsConfig, frozen=True):
    """w - lr * m / (sqrt(v) + eps), with m and v the running means of g and g^2, bias-corrected.

    m = b1 m + (1 - b1) g, divided by 1 - b1^t; v = b2 v + (1 - b2) g^2, divided by 1 - b2^t.
    Kingma & Ba 2014, arXiv:1412.6980; amsgrad (v never falls): Reddi et al. 2018, arXiv:1904.09237.
    Weight decay is added to g.
    """

    kind: Literal["adam"] = "adam"

    def _class(self) -> "type[torch.optim.Adam]":
        return torch.optim.Adam


@final
class AdamwConfig(_TwoMomentsConfig, frozen=True):
    """Adam with weight decay apart from the gradient: w - lr * weight_decay * w, then Adam's step.

    Loshchilov & Hutter 2017, arXiv:1711.05101; the decay is multiplied by lr, as in torch.
    """

    decoupled: ClassVar[bool] = True
    kind: Literal["adamw"] = "adamw"
    weight_decay: NonNegativeFloat = 0.01

    def _class(self) -> "type[torch.optim.Adam]":
        return torch.optim.AdamW


@final
class AdamaxConfig(DecayingConfig, frozen=True):
    """Adam with the largest |g| in place of the mean of g^2: w - lr / (1 - b1^t) * m / u.

    u = max(b2 * u, |g| + eps). Kingma & Ba 2014, arXiv:1412.6980, section 7.1. Weight decay is
    added to g.
    """

    tuned: ClassVar[tuple[str, ...]] = ("betas", "eps")
    kind: Literal["adamax"] = "adamax"
    lr: PositiveFloat = 2e-3
    betas: tuple[BetaFraction, BetaFraction] = (0.9, 0.999)
    """What the running means of g and of its square keep at each update."""
    eps: NonNegativeFloat = 1e-8
    """Is added to what is divided by."""

    def _slots(self, name: str, shape: Shape) -> int:
        return 2 * numel_of(shape)

    def _torch(
        self, groups: list[dict[str, Any]], *, lr: "float | torch.Tensor", how: dict[str, bool]
    ) -> "torch.optim.Optimizer":
        return torch.optim.Adamax(groups, lr, betas=self.betas, eps=self.eps, **how)

    def updated(self, at: At) -> Updated:
        state, lr = at.state, at.lr
        w, g = self._decayed(at)
        (b1, b2), t = self.betas, state["step"] + 1
        first, new, second, eps = scalars_of(g, b1, 1 - b1, b2, self.eps)
        m = first * state["exp_avg"] + new * g
        u = torch.maximum(second * state["exp_inf"], g.abs() + eps)
        (rate,) = scalar_once(lr / (1 - b1 ** t.double()))
        return w - rate * (m / u), {"step": t, "exp_avg": m, "exp_inf": u}


@final
class NadamConfig(DecayingConfig, frozen=True):
    """Adam with Nesterov's momentum: m is taken a step ahead.

    The momentum warms up: mu_t = b1 * (1 - 0.96^(t * momentum_decay) / 2), and m is corrected by
    the product of all mu. Dozat 2016, "Incorporating Nesterov Momentum into Adam". Weight decay is
    added to g, or with decoupled_weight_decay as in adamw.
    """

    tuned: ClassVar[tuple[str, ...]] = ("betas", "eps")
    kind: Literal["nadam"] = "nadam"
    lr: PositiveFloat = 2e-3
    betas: tuple[BetaFraction, BetaFraction] = (0.9, 0.999)
    """What the running means of g and of its square keep at each update."""
    eps: NonNegativeFloat = 1e-8
    """Is added to what is divided by."""
    momentum_decay: NonNegativeFloat = 4e-3
    decoupled_weight_decay: bool = False
    on_host: ClassVar[tuple[str, ...]] = ("step", "mu_product")

    def _slots(self, name: str, shape: Shape) -> int:
        return 2 * numel_of(shape)

    def _torch(
        self, groups: list[dict[str, Any]], *, lr: "float | torch.Tensor", how: dict[str, bool]
    ) -> "torch.optim.Optimizer":
        return torch.optim.NAdam(
            groups,
            lr,
            betas=self.betas,
            eps=self.eps,
            momentum_decay=self.momentum_decay,
            decoupled_weight_decay=self.decoupled_weight_decay,
            **how,
        )

    def updated(self, at: At) -> Updated:
        state, lr = at.state, at.lr
        w, g = self._decayed(at, decoupled=self.decoupled_weight_decay)
        t, m, v = adam_moments(g, state, self.betas)
        (b1, b2), n = self.betas, t.double()
        mu = b1 * (1 - 0.5 * 0.96 ** (n * self.momentum_decay))
        ahead = b1 * (1 - 0.5 * 0.96 ** ((n + 1) * self.momentum_decay))
        product = state["mu_product"] * mu.to(state["mu_product"].dtype)
        so_far = product.double()
        now, then = (1 - mu) / (1 - so_far), ahead / (1 - so_far * ahead)
        now, then, correction = scalar_once(lr * now, lr * then, 1 - b2**n)
        (eps,) = scalars_of(g, self.eps)
        w = w - (now * g + then * m) / ((v / correction).sqrt() + eps)
        return w, {"step": t, "exp_avg": m, "exp_avg_sq": v, "mu_product": product}


@final
class RadamConfig(DecayingConfig, frozen=True):
    """Adam that waits until it knows the spread of g: at first plain momentum, without sqrt(v).

    Where the length rho_t of the running mean exceeds 5, the step is that of adam times a
    rectification r_t <= 1. Liu et al. 2019, arXiv:1908.03265, algorithm 2. Weight decay is added to
    g, or with decoupled_weight_decay as in adamw.
    """

    tuned: ClassVar[tuple[str, ...]] = ("betas", "eps")
    kind: Literal["radam"] = "radam"
    lr: PositiveFloat = 1e-3
    betas: tuple[BetaFraction, Annotated[float, Field(gt=0.0, lt=1.0)]] = (0.9, 0.999)
    """What the running means of g and of its square keep at each update."""
    eps: NonNegativeFloat = 1e-8
    """Is added to what is divided by."""
    decoupled_weight_decay: bool = False

    def _slots(self, name: str, shape: Shape) -> int:
        return 2 * numel_of(shape)

    def _torch(
        self, groups: list[dict[str, Any]], *, lr: "float | torch.Tensor", how: dict[str, bool]
    ) -> "torch.optim.Optimizer":
        return torch.optim.RAdam(
            groups,
            lr,
            betas=self.betas,
            eps=self.eps,
            decoupled_weight_decay=self.decoupled_weight_decay,
            **how,
        )

    def updated(self, at: At) -> Updated:
        state, lr = at.state, at.lr
        w, g = self._decayed(at, decoupled=self.decoupled_weight_decay)
        t, m, v = adam_moments(g, state, self.betas)
        (b1, b2), n = self.betas, t.double()
        longest = 2 / (1 - b2) - 1
        length = longest - 2 * n * b2**n / (1 - b2**n)
        # Below 5 the root is not of a positive number, and is not taken.
        rho = torch.where(length > 5, length, torch.full_like(length, 6.0))
        above = (rho - 4) * (rho - 2) * longest
        rectified = (above / ((longest - 4) * (longest - 2) * rho) * (1 - b2**n)).sqrt()
        length, rate, rectified = scalar_once(length, lr / (1 - b1**n), rectified)
        (eps,) = scalars_of(g, self.eps)
        scale = torch.where(length > 5, rectified / (v.sqrt() + eps), torch.ones_like(v))
        return w - rate * m * scale, {"step": t, "exp_avg": m, "exp_avg_sq": v}


KINDS = (AdamConfig, AdamwConfig, AdamaxConfig, NadamConfig, RadamConfig)
