"""`hebb`, `oja`, `sanger`: local rules without targets, which find what the inputs have in common.

In the formulas x is a centered input, w a unit's weights, y = w . x its output. An update takes the
mean over the batch; `train.batch_size: 1` is the rule as it was published.
"""

from abc import abstractmethod
from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, ClassVar, Literal, cast, final

from pydantic import PositiveFloat, PositiveInt

from nnlab.core.contracts import Batch, DataShape, LossFn, Score, Task
from nnlab.core.lazy import Tensor, nn, torch
from nnlab.parts.losses.family import LossConfig
from nnlab.parts.optimizers.family import OptimizerConfig
from nnlab.parts.scores.family import ScoreConfig, SumScoreConfig
from nnlab.rules.family import RuleConfig, without_gradient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nnlab.training.step import Parts, Step


class _HebbianConfig(RuleConfig, frozen=True):
    """What the three have in common.

    Attributes:
        lr: the step size. A mean over the batch stays stable below about 2 / (largest variance
            along any direction).
    """

    lr: PositiveFloat = 0.01
    bounded: ClassVar[bool] = True
    models: ClassVar[tuple[str, ...] | None] = ("linear",)
    keeps_bias: ClassVar[bool] = True
    scales: ClassVar[tuple[str, ...]] = ("center", "feature")
    replaces: ClassVar[Mapping[str, str]] = {
        **without_gradient("a Hebbian rule"),
        "loss": "a Hebbian rule has no targets; the error of reconstruction is read as loss",
        "scores": "a Hebbian rule has no targets; the explained variance is read as score",
    }

    @property
    @abstractmethod
    def count(self) -> int:
        """How many components are learned."""

    @property
    def own_loss(self) -> LossConfig:
        return ReconstructionConfig(components=self.count)

    @property
    def own_scores(self) -> tuple[ScoreConfig, ...]:
        return (ExplainedVarianceConfig(),)

    def misfit(self, shape: DataShape) -> str:
        if self.count <= (inputs := prod(shape.inputs)):
            return ""
        return f"finds no more than {inputs} components in {inputs} inputs, got {self.count}"

    def base_lr(self, optimizer: OptimizerConfig) -> float:
        return self.lr

    def loss_of(self, network: "nn.Module", loss: LossConfig, shape: DataShape) -> LossFn:
        return reconstruction(cast("Tensor", network.get_parameter("output.weight")))

    def build(self, parts: "Parts") -> "Step":
        from nnlab.rules.hebbian_step import HebbianStep

        return HebbianStep(parts, bounded=self.bounded)


@final
class HebbConfig(_HebbianConfig, frozen=True):
    """w + lr y x: what fires together wires together; the weights grow without bound.

    Hebb 1949, "The organization of behavior".
    """

    kind: Literal["hebb"] = "hebb"
    lr: PositiveFloat = 0.001
    bounded: ClassVar[bool] = False

    @property
    def count(self) -> int:
        return 1


@final
class OjaConfig(_HebbianConfig, frozen=True):
    """w + lr y (x - y w): finds the first principal component, its norm tends to 1.

    Oja 1982, doi:10.1007/BF00275687.
    """

    kind: Literal["oja"] = "oja"

    @property
    def count(self) -> int:
        return 1


@final
class SangerConfig(_HebbianConfig, frozen=True):
    """W + lr (y x' - LT(y y') W), LT: the lower triangle: finds the first principal components.

    The generalized Hebbian algorithm; with one component it is Oja's rule. Sanger 1989,
    doi:10.1016/0893-6080(89)90044-0.
    """

    kind: Literal["sanger"] = "sanger"
    components: PositiveInt = 2
    """How many, in the order of the variance that they explain."""

    @property
    def count(self) -> int:
        return self.components


@final
class ReconstructionConfig(LossConfig, frozen=True):
    """Squared distance between an input and what its components give back."""

    kind: Literal["reconstruction"] = "reconstruction"
    components: int = 1
    link: ClassVar[Literal["identity"]] = "identity"
    links: ClassVar[tuple[str, ...] | None] = ("identity",)
    tasks: ClassVar[tuple[Task, ...]] = ("classes", "regression")
    formula: ClassVar[str] = "|x - W' W x|^2; sum over inputs, mean over examples; no targets"

    def outputs(self, shape: DataShape) -> int:
        return self.components

    def build(self, shape: DataShape) -> LossFn:
        raise AssertionError("it needs the network's weights: the rule's loss_of has them")


def reconstruction(weight: "Tensor") -> LossFn:
    """The loss for weights (K, d): |x - W' y|^2 of outputs y (N, K)."""

    def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
        return (batch.inputs.flatten(1) - outputs @ weight.detach()).square().sum(dim=1)

    return loss


@final
class ExplainedVarianceConfig(SumScoreConfig, frozen=True):
    """The outputs' share of the inputs' variance: sum y^2 / sum x^2, for weights of length 1."""

    kind: Literal["explained_variance"] = "explained_variance"
    higher_is_better: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = ("classes", "regression")

    def build(self, shape: DataShape, mean: "Sequence[float]") -> Score:
        return _Share()


@final
class _Share:
    """Squares of the outputs over squares of the inputs."""

    width = 2

    def sums(self, outputs: "Tensor", batch: Batch) -> "Tensor":
        squares = [part.square().sum().view(1) for part in (batch.inputs, outputs)]
        return torch.cat([square.to(outputs.dtype) for square in squares])

    def value(self, sums: "Sequence[float]", examples: int) -> float:
        return sums[1] / sums[0] if sums[0] else 0.0


KINDS = (OjaConfig, SangerConfig, HebbConfig)
