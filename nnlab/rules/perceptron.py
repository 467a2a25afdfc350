"""`perceptron`: Rosenblatt's rule, which learns from mistakes alone."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, final

from pydantic import PositiveFloat

from nnlab.core.contracts import TARGET_WORDS, DataShape
from nnlab.parts.initializers.family import InitializerConfig
from nnlab.parts.initializers.plain import ZerosConfig
from nnlab.parts.losses.family import LossConfig
from nnlab.parts.losses.zero_one import ZeroOneConfig
from nnlab.parts.optimizers.family import OptimizerConfig
from nnlab.rules.family import RuleConfig, without_gradient

if TYPE_CHECKING:
    from nnlab.training.step import Parts, Step


@final
class PerceptronConfig(RuleConfig, frozen=True):
    """w + lr (y - p) x after each example, p = 1 if w . x + b > 0, else 0: learns from mistakes.

    Rosenblatt 1958, doi:10.1037/h0042519. One unit for two classes; for more, one against all
    others for each. The examples of a batch are learned one after the other, so that batch_size
    changes no weight. From zero weights (`init: auto` here), rows that a line separates take at
    most (R / gamma)^2 mistakes: Novikoff 1962. It stops after an epoch without one.
    """

    kind: Literal["perceptron"] = "perceptron"
    lr: PositiveFloat = 1.0
    """From zero weights it scales the weights and changes no decision."""
    models: ClassVar[tuple[str, ...] | None] = ("linear",)
    needs_bias: ClassVar[bool] = True
    auto_init: ClassVar[InitializerConfig | None] = ZerosConfig()
    replaces: ClassVar[Mapping[str, str]] = {
        **without_gradient("perceptron"),
        "loss": "perceptron learns from mistakes, and their share is what is read as loss",
    }

    @property
    def own_loss(self) -> LossConfig:
        return ZeroOneConfig()

    def misfit(self, shape: DataShape) -> str:
        if shape.task == "classes":
            return ""
        return f"needs classes, the targets are {TARGET_WORDS[shape.task]}"

    def base_lr(self, optimizer: OptimizerConfig) -> float:
        return self.lr

    def build(self, parts: "Parts") -> "Step":
        from nnlab.rules.perceptron_step import PerceptronStep

        return PerceptronStep(parts)


KINDS = (PerceptronConfig,)
