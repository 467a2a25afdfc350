"""Optimizers: how a gradient becomes an update of the weights. All are torch.optim's own.

To add one: write a class here and name it in `Optimizer` at the foot of the file. In the formulas
w is a weight, g its gradient, t counts updates from 1.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, final

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator
from pydantic_core import PydanticCustomError

from nnlab.base import Kind, lazy
from nnlab.choices import Menu

if TYPE_CHECKING:
    import torch
    from torch.nn import Parameter
else:
    torch = lazy("torch")

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
"""A decay rate of a running mean: 0 forgets at once."""


class OptimizerConfig(Kind, frozen=True):
    """The family of optimizers.

    Attributes:
        lr: the base learning rate; a schedule multiplies it.
        weight_decay: pulls weights towards 0; each kind says how.
        decay: what it falls on: parameters with two axes or more, or biases and norms too.
        fused_on: the device types on which torch has all of an update in one kernel.
    """

    lr: PositiveFloat
    weight_decay: NonNegativeFloat = 0.0
    decay: Literal["weights", "all"] = "weights"
    fused_on: ClassVar[tuple[str, ...]] = ("cpu", "cuda", "mps")

    @property
    def lr_in_tensor(self) -> bool:
        """Whether the update reads a 0-dim tensor of the learning rate without a host read.

        Holds where torch has the fused kernel. After `build`, `group["lr"]` is the tensor there,
        and a float, to be set before an update, elsewhere.
        """
        return bool(self.fused_on)

    def build(
        self, parameters: Sequence[tuple[str, "Parameter"]], *, lr: "float | torch.Tensor"
    ) -> "torch.optim.Optimizer":
        """The optimizer, with one group of parameters that decay and one of those that do not.

        Args:
            parameters: names and parameters, at least one, on one device.
            lr: the learning rate; a 0-dim tensor can be changed in place between updates. Float64
                on the CPU gives the bits of a float; on CUDA, where the kernel reads it, float32.
        """
        fused = all(p.device.type in self.fused_on for _, p in parameters)
        how = {"fused": True} if fused else {"foreach": True}
        return self._torch(self._groups(parameters), lr=lr if fused else float(lr), how=how)

    def _groups(self, parameters: Sequence[tuple[str, "Parameter"]]) -> list[dict[str, Any]]:
        if not self.weight_decay:
            return [{"params": [p for _, p in parameters], "weight_decay": 0.0}]
        decays = [p for _, p in parameters if self.decay == "all" or p.ndim >= 2]
        others = [p for _, p in parameters if not (self.decay == "all" or p.ndim >= 2)]
        groups = ((decays, self.weight_decay), (others, 0.0))
        return [{"params": params, "weight_decay": rate} for params, rate in groups if params]

    @abstractmethod
    def _torch(
        self, groups: list[dict[str, Any]], *, lr: "float | torch.Tensor", how: dict[str, bool]
    ) -> "torch.optim.Optimizer":
        """The optimizer over these groups; `how` chooses its kernels."""


@final
class SgdConfig(OptimizerConfig, frozen=True):
    """w - lr * v, with v = momentum * v + g; without momentum plain gradient descent.

    Robbins & Monro 1951, doi:10.1214/aoms/1177729586; momentum: Polyak 1964; nesterov (the
    gradient is taken a step ahead): Sutskever et al. 2013, "On the importance of initialization and
    momentum". The first v is g; dampening multiplies later g by 1 - dampening. Weight decay is
    added to g.
    """

    kind: Literal["sgd"] = "sgd"
    lr: PositiveFloat = 0.01
    momentum: NonNegativeFloat = 0.0
    nesterov: bool = False
    dampening: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0

    @model_validator(mode="after")
    def _nesterov_fits(self) -> Self:
        if self.nesterov and self.momentum == 0.0:
            raise PydanticCustomError("value", "nesterov needs momentum > 0")
        if self.nesterov and self.dampening != 0.0:
            raise PydanticCustomError("value", "nesterov needs dampening 0")
        return self

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


@final
class AdagradConfig(OptimizerConfig, frozen=True):
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


@final
class RmspropConfig(OptimizerConfig, frozen=True):
    """w - lr * g / (sqrt(s) + eps), with s = alpha * s + (1 - alpha) * g^2, a running mean.

    Tieleman & Hinton 2012, Coursera lecture 6.5; centered (the mean of g is taken out of s):
    Graves 2013, arXiv:1308.0850. Weight decay is added to g.
    """

    kind: Literal["rmsprop"] = "rmsprop"
    lr: PositiveFloat = 0.01
    alpha: Fraction = 0.99
    eps: NonNegativeFloat = 1e-8
    momentum: NonNegativeFloat = 0.0
    centered: bool = False
    fused_on: ClassVar[tuple[str, ...]] = ()

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


@final
class AdamConfig(OptimizerConfig, frozen=True):
    """w - lr * m / (sqrt(v) + eps), with m and v the running means of g and g^2, bias-corrected.

    m = b1 m + (1 - b1) g, divided by 1 - b1^t; v = b2 v + (1 - b2) g^2, divided by 1 - b2^t.
    Kingma & Ba 2014, arXiv:1412.6980; amsgrad (v never falls): Reddi et al. 2018, arXiv:1904.09237.
    Weight decay is added to g.
    """

    kind: Literal["adam"] = "adam"
    lr: PositiveFloat = 1e-3
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    eps: NonNegativeFloat = 1e-8
    amsgrad: bool = False

    def _torch(
        self, groups: list[dict[str, Any]], *, lr: "float | torch.Tensor", how: dict[str, bool]
    ) -> "torch.optim.Optimizer":
        return torch.optim.Adam(
            groups, lr, betas=self.betas, eps=self.eps, amsgrad=self.amsgrad, **how
        )


@final
class AdamwConfig(OptimizerConfig, frozen=True):
    """Adam with weight decay apart from the gradient: w - lr * weight_decay * w, then Adam's step.

    Loshchilov & Hutter 2017, arXiv:1711.05101; the decay is multiplied by lr, as in torch.
    """

    kind: Literal["adamw"] = "adamw"
    lr: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 0.01
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    eps: NonNegativeFloat = 1e-8
    amsgrad: bool = False

    def _torch(
        self, groups: list[dict[str, Any]], *, lr: "float | torch.Tensor", how: dict[str, bool]
    ) -> "torch.optim.Optimizer":
        return torch.optim.AdamW(
            groups, lr, betas=self.betas, eps=self.eps, amsgrad=self.amsgrad, **how
        )


Optimizer = Annotated[
    AdagradConfig | AdamConfig | AdamwConfig | RmspropConfig | SgdConfig,
    Menu(),
]
