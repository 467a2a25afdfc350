"""Adaptive rates without a running mean of the gradient: each weight's own scale divides it."""

from typing import Annotated, Any, ClassVar, Literal, final

from pydantic import Field, NonNegativeFloat, PositiveFloat

from nnlab.core.contracts import Shape
from nnlab.core.lazy import torch
from nnlab.parts.optimizers.family import (
    At,
    BetaFraction,
    DecayingConfig,
    Updated,
    given,
    numel_of,
    scalars_of,
)


@final
class AdagradConfig(DecayingConfig, frozen=True):
    """w - lr * g / (sqrt(sum of all g^2 so far) + eps): rare features keep a large rate.

    Duchi, Hazan & Singer 2011, JMLR 12. lr_decay divides lr by 1 + (t - 1) * lr_decay; the sum
    starts at `initial_accumulator_value`. Weight decay is added to g.
    """

    kind: Literal["adagrad"] = "adagrad"
    lr: PositiveFloat = 0.01
    lr_decay: NonNegativeFloat = 0.0
    initial_accumulator_value: NonNegativeFloat = 0.0
    eps: NonNegativeFloat = 1e-10
    fused_on: ClassVar[tuple[str, ...]] = ("cpu", "cuda")

    def _slots(self, name: str, shape: Shape) -> int:
        return numel_of(shape)

    def _torch(
        self, groups: list[dict[str, Any]], *, lr: "float | torch.Tensor", how: dict[str, bool]
    ) -> "torch.optim.Optimizer":
        return torch.optim.Adagrad(
            groups,
            lr,
            lr_decay=self.lr_decay,
            initial_accumulator_value=self.initial_accumulator_value,
            eps=self.eps,
            **how,
        )

    def updated(self, at: At) -> Updated:
        state, lr = at.state, at.lr
        w, g = self._decayed(at)
        t, total = state["step"] + 1, state["sum"] + g * g
        rate = lr / (1 + (t.double() - 1) * self.lr_decay)
        return w - rate * g / (total.sqrt() + self.eps), {"step": t, "sum": total}


@final
class RmspropConfig(DecayingConfig, frozen=True):
    """w - lr * g / (sqrt(s) + eps), with s = alpha * s + (1 - alpha) * g^2, a running mean.

    Tieleman & Hinton 2012, Coursera lecture 6.5; centered (the mean of g is taken out of s):
    Graves 2013, arXiv:1308.0850. Weight decay is added to g.
    """

    tuned: ClassVar[tuple[str, ...]] = ("alpha", "eps", "momentum")
    kind: Literal["rmsprop"] = "rmsprop"
    lr: PositiveFloat = 0.01
    alpha: BetaFraction = 0.99
    eps: NonNegativeFloat = 1e-8
    momentum: BetaFraction = 0.0
    """Of the steps, as in sgd; 0: none."""
    centered: bool = False

    def _slots(self, name: str, shape: Shape) -> int:
        return numel_of(shape) * (1 + (self.momentum > 0.0) + self.centered)

    def _torch(
        self, groups: list[dict[str, Any]], *, lr: "float | torch.Tensor", how: dict[str, bool]
    ) -> "torch.optim.Optimizer":
        return torch.optim.RMSprop(
            groups,
            lr,
            alpha=self.alpha,
            eps=self.eps,
            momentum=self.momentum,
            centered=self.centered,
            **how,
        )

    def updated(self, at: At) -> Updated:
        state, lr = at.state, at.lr
        w, g = self._decayed(at)
        alpha, rest, eps = scalars_of(g, self.alpha, 1 - self.alpha, self.eps)
        mean = s = alpha * state["square_avg"] + rest * g * g
        new = {"step": state["step"] + 1, "square_avg": s}
        if self.centered:
            new["grad_avg"] = alpha * state["grad_avg"] + rest * g
            mean = s - new["grad_avg"].square()
        step = g / (mean.sqrt() + eps)
        if given(self.momentum):
            (momentum,) = scalars_of(g, self.momentum)
            step = new["momentum_buffer"] = momentum * state["momentum_buffer"] + step
        return w - lr * step, new


@final
class AdadeltaConfig(DecayingConfig, frozen=True):
    """w - lr * d, d = g * sqrt(u + eps) / sqrt(s + eps): the step has the unit of w, not of 1/g.

    s and u are the running means of g^2 and d^2. Zeiler 2012, arXiv:1212.5701, algorithm 1 (where
    lr is 1). Weight decay is added to g.
    """

    tuned: ClassVar[tuple[str, ...]] = ("rho", "eps")
    kind: Literal["adadelta"] = "adadelta"
    lr: PositiveFloat = 1.0
    rho: BetaFraction = 0.9
    """What both running means keep at each update."""
    eps: PositiveFloat = 1e-6

    def _slots(self, name: str, shape: Shape) -> int:
        return 2 * numel_of(shape)

    def _torch(
        self, groups: list[dict[str, Any]], *, lr: "float | torch.Tensor", how: dict[str, bool]
    ) -> "torch.optim.Optimizer":
        return torch.optim.Adadelta(groups, lr, rho=self.rho, eps=self.eps, **how)

    def updated(self, at: At) -> Updated:
        state, lr = at.state, at.lr
        w, g = self._decayed(at)
        rho, rest, eps = scalars_of(g, self.rho, 1 - self.rho, self.eps)
        s = rho * state["square_avg"] + rest * g * g
        d = (state["acc_delta"] + eps).sqrt() / (s + eps).sqrt() * g
        u = rho * state["acc_delta"] + rest * d * d
        return w - lr * d, {"step": state["step"] + 1, "square_avg": s, "acc_delta": u}


@final
class AdafactorConfig(DecayingConfig, frozen=True):
    """Adaptive rates in little memory: of g^2, the means of each row and column alone are kept.

    Shazeer & Stern 2018, arXiv:1804.04235, algorithm 4, in torch's form: the rate is
    max(rms(w), eps) * min(lr, 1/sqrt(t)), and an update larger than `d` in root mean square is cut
    to it; the means forget with 1 - t^beta2_decay. Weight decay is as in adamw.
    """

    decoupled: ClassVar[bool] = True
    kind: Literal["adafactor"] = "adafactor"
    lr: PositiveFloat = 0.01
    beta2_decay: Annotated[float, Field(lt=0.0)] = -0.8
    eps: PositiveFloat = 1e-3
    d: Annotated[float, Field(ge=1.0)] = 1.0
    fused_on: ClassVar[tuple[str, ...]] = ("cpu", "cuda", "mps")
    on_host: ClassVar[tuple[str, ...]] = ()

    def _slots(self, name: str, shape: Shape) -> int:
        if len(shape) < 2:
            return numel_of(shape)
        return numel_of(shape) // shape[-1] + numel_of(shape) // shape[-2]

    def _torch(
        self, groups: list[dict[str, Any]], *, lr: "float | torch.Tensor", how: dict[str, bool]
    ) -> "torch.optim.Optimizer":
        from nnlab.parts.optimizers.not_in_torch import Adafactor

        return Adafactor(groups, lr, beta2_decay=self.beta2_decay, eps=self.eps, d=self.d)

    def updated(self, at: At) -> Updated:
        from nnlab.parts.optimizers.not_in_torch import adafactor_formula

        step, new = adafactor_formula(*at[:4], beta2_decay=self.beta2_decay, eps=self.eps, d=self.d)
        return self._decayed(at)[0] - step, new


KINDS = (AdagradConfig, RmspropConfig, AdadeltaConfig, AdafactorConfig)
