"""L-BFGS, the one optimizer that looks at the loss more than once in an update."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, final

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from nnlab.core.contracts import Shape
from nnlab.core.errors import Mistake
from nnlab.core.lazy import spare_compiler
from nnlab.parts.optimizers.family import Named, OptimizerConfig, numel_of

if TYPE_CHECKING:
    import torch


@final
class LbfgsConfig(OptimizerConfig, frozen=True):
    """Quasi-Newton: the last history_size changes of w and g stand for the curvature.

    Nocedal 1980, doi:10.1090/S0025-5718-1980-0572855-7; Liu & Nocedal 1989,
    doi:10.1007/BF01589116. An update is up to max_iter iterations on all examples (batch_size:
    full); each evaluates loss and gradient, and with the strong Wolfe line search (Nocedal & Wright
    2006, algorithm 3.5) as often as that needs, 25 % more than max_iter in all. Weight decay is
    written as regularize.l2 here.
    """

    kind: Literal["lbfgs"] = "lbfgs"
    lr: PositiveFloat = 1.0
    """The first step that the line search tries, or the step itself without one."""
    max_iter: PositiveInt = 20
    history_size: PositiveInt = 100
    line_search: Literal["strong_wolfe", "none"] = "strong_wolfe"
    """How far an iteration goes: as far as is found to be good, or `lr`."""
    tolerance_grad: NonNegativeFloat = 1e-7
    """An update ends where no part of the gradient is larger."""
    tolerance_change: NonNegativeFloat = 1e-9
    """An update ends where neither the loss nor a weight changes more."""
    closure: ClassVar[bool] = True

    def build(self, parameters: Named, *, lr: "float | torch.Tensor") -> "torch.optim.Optimizer":
        from nnlab.parts.optimizers.not_in_torch import Lbfgs

        spare_compiler()
        return Lbfgs(
            [parameter for _, parameter in parameters],
            lr=float(lr),
            max_iter=self.max_iter,
            tolerance_grad=self.tolerance_grad,
            tolerance_change=self.tolerance_change,
            history_size=self.history_size,
            line_search_fn=None if self.line_search == "none" else self.line_search,
        )

    def mistakes(self, parameters: Mapping[str, Shape]) -> list[Mistake]:
        return []

    def state_size(self, parameters: Mapping[str, Shape]) -> int:
        # The direction, the last gradient, and two vectors of each iteration that is remembered.
        return (2 * self.history_size + 2) * sum(map(numel_of, parameters.values()))


KINDS = (LbfgsConfig,)
