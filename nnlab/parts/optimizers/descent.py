"""Gradient descent and its relatives that move by the gradient itself, or by its sign."""

from typing import Annotated, Any, ClassVar, Literal, Self, final

from pydantic import Field, NonNegativeFloat, PositiveFloat, field_validator, model_validator
from pydantic_core import PydanticCustomError

from nnlab.core.contracts import Shape
from nnlab.core.lazy import torch
from nnlab.parts.optimizers.family import (
    At,
    BetaFraction,
    DecayingConfig,
    GroupedConfig,
    Updated,
    given,
    numel_of,
    scalars_of,
)


@final
class SgdConfig(DecayingConfig, frozen=True):
    """w - lr * v, with v = momentum * v + g; without momentum plain gradient descent.

    Robbins & Monro 1951, doi:10.1214/aoms/1177729586; momentum: Polyak 1964; nesterov (the
    gradient is taken a step ahead): Sutskever et al. 2013, "On the importance of initialization and
    momentum". The first v is g; dampening multiplies later g by 1 - dampening. Weight decay is
    added to g.
    """

    tuned: ClassVar[tuple[str, ...]] = ("momentum", "dampening")
    kind: Literal["sgd"] = "sgd"
    lr: PositiveFloat = 0.01
    momentum: BetaFraction = 0.0
    nesterov: bool = False
    dampening: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    fused_on: ClassVar[tuple[str, ...]] = ("cpu", "cuda", "mps")

    @model_validator(mode="after")
    def _nesterov_fits(self) -> Self:
        if self.nesterov and self.momentum == 0.0:
            raise PydanticCustomError("value", "nesterov needs momentum > 0")
        if self.nesterov and self.dampening != 0.0:
            raise PydanticCustomError("value", "nesterov needs dampening 0")
        return self

    def edge(self, lr: float) -> float | None:
        """Cohen et al. 2021, arXiv:2103.00065, section 2 and appendix B."""
        if self.momentum >= 1.0:
            return None
        ahead = 1.0 + 2.0 * self.momentum if self.nesterov else 1.0
        return 2.0 * (1.0 + self.momentum) / (ahead * (1.0 - self.dampening) * lr)

    def _slots(self, name: str, shape: Shape) -> int:
        return numel_of(shape) * (self.momentum > 0.0)

    def _torch(
        self, groups: list[dict[str, Any]], *, lr: "float | torch.Tensor", how: dict[str, bool]
    ) -> "torch.optim.Optimizer":
        return torch.optim.SGD(
            groups,
            lr,
            momentum=self.momentum,
            dampening=self.dampening,
            nesterov=self.nesterov,
            **how,
        )

    def updated(self, at: At) -> Updated:
        state, lr = at.state, at.lr
        w, g = self._decayed(at)
        if not given(self.momentum):
            return w - lr * g, {}
        momentum, new = scalars_of(g, self.momentum, 1 - self.dampening)
        v = momentum * state["momentum_buffer"] + new * g
        return w - lr * (g + momentum * v if self.nesterov else v), {"momentum_buffer": v}


@final
class AsgdConfig(DecayingConfig, frozen=True):
    """Gradient descent whose rate falls slowly, and that keeps the average of its weights.

    w = (1 - lambd * eta) w - eta * g, with eta = lr / (1 + lambd * lr * t)^alpha. Polyak &
    Juditsky 1992, doi:10.1137/0330046. From update t0 on the average of all later w is kept beside
    them, in the checkpoint (`ax`); readings are those of w. The rate of a schedule comes one update
    late, as in torch. Weight decay is added to g.
    """

    kind: Literal["asgd"] = "asgd"
    lr: PositiveFloat = 0.01
    lambd: NonNegativeFloat = 1e-4
    alpha: NonNegativeFloat = 0.75
    t0: NonNegativeFloat = 1e6
    capturable_on: ClassVar[tuple[str, ...]] = ("cuda",)
    on_host: ClassVar[tuple[str, ...]] = ()

    def _slots(self, name: str, shape: Shape) -> int:
        return numel_of(shape)

    def _torch(
        self, groups: list[dict[str, Any]], *, lr: "float | torch.Tensor", how: dict[str, bool]
    ) -> "torch.optim.Optimizer":
        return torch.optim.ASGD(groups, lr, lambd=self.lambd, alpha=self.alpha, t0=self.t0, **how)

    def updated(self, at: At) -> Updated:
        state, lr = at.state, at.lr
        w, g = self._decayed(at)
        t, eta, mu = state["step"] + 1, state["eta"].double(), state["mu"].double()
        w = (1 - self.lambd * eta) * w - eta * g
        mean = torch.where(mu == 1, w, state["ax"] + (w - state["ax"]) * mu)
        # In the precision of the count, and in this order, as torch computes it.
        longer = (1 + (self.lambd * lr).to(t.dtype) * t) ** self.alpha
        eta = lr.to(t.dtype) * longer.reciprocal()
        mu = 1 / (t.double() - self.t0).clamp(min=1)
        return w, {"step": t, "ax": mean, "eta": eta, "mu": mu}


@final
class RpropConfig(GroupedConfig, frozen=True):
    """Each weight has a step of its own, against the sign of g; for batch_size: full.

    The step grows by etas[1] while the sign stays and shrinks by etas[0] where it changes; there
    the weight stays for one update. Riedmiller & Braun 1993, doi:10.1109/ICNN.1993.298623. `lr` is
    the first step of all weights; later the steps find themselves, between the two `step_sizes`.
    """

    kind: Literal["rprop"] = "rprop"
    lr: PositiveFloat = 0.01
    etas: tuple[Annotated[float, Field(gt=0.0, lt=1.0)], Annotated[float, Field(gt=1.0)]] = (
        0.5,
        1.2,
    )
    step_sizes: tuple[PositiveFloat, PositiveFloat] = (1e-6, 50.0)
    follows_lr: ClassVar[bool] = False

    @field_validator("step_sizes")
    @classmethod
    def _in_order(cls, sizes: tuple[float, float]) -> tuple[float, float]:
        if sizes[0] > sizes[1]:
            raise PydanticCustomError("value", "needs the smaller number first")
        return sizes

    def _decay_of(self, name: str, shape: Shape) -> float | None:
        return None

    def _slots(self, name: str, shape: Shape) -> int:
        return 2 * numel_of(shape)

    def _torch(
        self, groups: list[dict[str, Any]], *, lr: "float | torch.Tensor", how: dict[str, bool]
    ) -> "torch.optim.Optimizer":
        return torch.optim.Rprop(groups, lr, etas=self.etas, step_sizes=self.step_sizes, **how)

    def updated(self, at: At) -> Updated:
        w, g, state = at.w, at.g, at.state
        shrink, grow = self.etas
        same = (g * state["prev"]).sign()
        size = state["step_size"]
        size = torch.where(same > 0, grow * size, torch.where(same < 0, shrink * size, size))
        size = size.clamp(*self.step_sizes)
        g = torch.where(same < 0, torch.zeros_like(g), g)
        new = {"step": state["step"] + 1, "prev": g, "step_size": size}
        return w - g.sign() * size, new


KINDS = (SgdConfig, AsgdConfig, RpropConfig)
