"""`gradient`: backpropagation and an optimizer."""

from typing import TYPE_CHECKING, ClassVar, Literal, final

from nnlab.parts.optimizers.family import OptimizerConfig
from nnlab.rules.family import RuleConfig

if TYPE_CHECKING:
    from nnlab.training.step import Parts, Step


@final
class GradientConfig(RuleConfig, frozen=True):
    """Every parameter follows the gradient of the loss. Rumelhart, Hinton & Williams 1986."""

    kind: Literal["gradient"] = "gradient"
    optimized: ClassVar[bool] = True
    remedy: ClassVar[str] = "a lower optimizer.lr or train.clip_norm"

    def base_lr(self, optimizer: OptimizerConfig) -> float:
        return optimizer.lr

    def build(self, parts: "Parts") -> "Step":
        if parts.closure:
            from nnlab.training.closure_step import LbfgsStep

            return LbfgsStep(parts)
        from nnlab.training.eager_step import EagerStep

        return EagerStep(parts)


KINDS = (GradientConfig,)
