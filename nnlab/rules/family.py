"""What every learning rule says of itself: what it trains, what stands beside it, its step."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from nnlab.core.contracts import DataShape, LossFn
from nnlab.core.kinds import Kind
from nnlab.core.lazy import nn
from nnlab.parts.initializers.family import InitializerConfig
from nnlab.parts.losses.family import LossConfig
from nnlab.parts.optimizers.family import OptimizerConfig
from nnlab.parts.scores.family import ScoreConfig

if TYPE_CHECKING:
    from nnlab.training.step import Parts, Step


class RuleConfig(Kind, frozen=True):
    """The family of learning rules.

    Attributes:
        optimized: whether an optimizer applies the gradient of the loss.
        learns: whether anything changes at all.
        models: the only models that it trains; None for any.
        keeps_bias: whether the bias is left as it is, which must be 0 then.
        needs_bias: whether it learns a bias, which must be there then.
        auto_init: what `model.output.init: auto` takes; None follows the activation.
        scales: what `data.scale` must be, the first for auto; () for anything.
        remedy: what to try when the loss is not finite.
    """

    optimized: ClassVar[bool] = False
    learns: ClassVar[bool] = True
    models: ClassVar[tuple[str, ...] | None] = None
    keeps_bias: ClassVar[bool] = False
    needs_bias: ClassVar[bool] = False
    auto_init: ClassVar[InitializerConfig | None] = None
    scales: ClassVar[tuple[str, ...]] = ()
    remedy: ClassVar[str] = "a lower rule.lr"

    @property
    def own_loss(self) -> LossConfig | None:
        """What is read as loss where the rule says it; `replaces` says so. Default: None."""
        return None

    @property
    def own_scores(self) -> tuple[ScoreConfig, ...] | None:
        """What is read beside that loss; `replaces` says so. Default: None, the config decides."""
        return None

    def misfit(self, shape: DataShape) -> str:
        """Why the rule cannot learn from such data; empty if it can. Default: it can."""
        return ""

    @abstractmethod
    def base_lr(self, optimizer: OptimizerConfig) -> float:
        """The learning rate that a schedule multiplies."""

    def loss_of(self, network: "nn.Module", loss: LossConfig, shape: DataShape) -> LossFn:
        """The function that is read as loss. Default: the loss's own."""
        return loss.build(shape)

    @abstractmethod
    def build(self, parts: "Parts") -> "Step":
        """The step that trains; there is an optimizer where the rule is `optimized`."""


def without_gradient(rule: str) -> Mapping[str, str]:
    """The sections that a rule without a gradient has no use for, and why."""
    return {
        "optimizer": f"{rule} follows no gradient that an optimizer could apply",
        "schedule": f"a schedule moves the rate of an optimizer, and {rule} has none",
        "regularize": f"its terms are part of an objective, and {rule} follows none",
    }
