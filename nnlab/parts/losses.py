"""Losses: from a network's outputs and a batch to one loss per example; the step takes the mean.

To add one: write a class here and name it in `Loss` at the foot of the file. In the formulas
z are the outputs, y the targets, K the number of outputs.
"""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, final

from pydantic import PositiveFloat

from nnlab.base import Kind, lazy
from nnlab.choices import Menu
from nnlab.contracts import Batch, DataShape, LossFn, Task

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.nn import functional as F
else:
    torch = lazy("torch")
    F = lazy("torch.nn.functional")

Link = Literal["softmax", "sigmoid", "identity"]
"""The output activation that makes the gradient of a loss prediction minus target."""


class LossConfig(Kind, frozen=True):
    """The family of losses.

    Attributes:
        link: the canonical link, what `model.output.activation: auto` takes.
        link_inside: whether the loss computes that link itself, so that the network ends in logits.
        links: the output activations that may be written; None for any.
        tasks: the tasks it can be trained on.
        distributions: whether class targets may be shares of the classes, (N, K), as mixup makes.
        formula: one line: formula, reduction, targets, link.
    """

    link: ClassVar[Link]
    link_inside: ClassVar[bool] = False
    links: ClassVar[tuple[str, ...] | None] = None
    tasks: ClassVar[tuple[Task, ...]] = ("classes", "regression")
    distributions: ClassVar[bool] = True
    formula: ClassVar[str]
    one_for_two: ClassVar[bool] = False
    """Whether two classes share one output, which is high for the second class."""

    def outputs(self, shape: DataShape) -> int:
        """How many outputs the network needs."""
        return 1 if self.one_for_two and shape.outputs == 2 else shape.outputs

    def probabilities(self, outputs: "Tensor") -> "Tensor | None":
        """The class probabilities that raw (N, K) outputs stand for, or None if they are none.

        Returns:
            (N, K), at least float32; two columns for the one logit of two classes. Those of
            one-against-all logits (bce on K > 2 classes) do not sum to 1.
        """
        if not self.link_inside:
            return None
        logits = _wide(outputs)
        if self.link == "softmax":
            return logits.softmax(dim=1)
        if logits.shape[1] == 1:
            # 1 - sigmoid(z) would lose small probabilities.
            logits = torch.cat([-logits, logits], dim=1)
        return logits.sigmoid()

    @abstractmethod
    def build(self, shape: DataShape) -> LossFn:
        """The function from (N, K) outputs and their batch to (N,) losses, at least float32."""


def _wide(outputs: "Tensor") -> "Tensor":
    """At least float32: sums over classes and logarithms need it."""
    return outputs if outputs.dtype == torch.float64 else outputs.float()


def _columns(batch: Batch, outputs: "Tensor", shape: DataShape) -> "Tensor":
    """(N, K) targets in the outputs' dtype: as given, or one-hot, or the second class's column."""
    if shape.task == "regression":
        return batch.targets.to(outputs.dtype)
    # Not F.one_hot: on a CPU it reads the largest label back.
    first = shape.outputs - outputs.shape[1]
    if batch.targets.ndim == 2:
        return batch.targets[:, first:].to(outputs.dtype)
    classes = torch.arange(first, shape.outputs, device=outputs.device)
    return (batch.targets[:, None] == classes).to(outputs.dtype)


@final
class CrossEntropyConfig(LossConfig, frozen=True):
    """-log softmax(z)[y], the surprise at the right class.

    Maximum likelihood for one class out of K. Bridle 1990, doi:10.1007/978-3-642-76153-9_28.
    """

    kind: Literal["cross_entropy"] = "cross_entropy"
    link: ClassVar[Link] = "softmax"
    link_inside: ClassVar[bool] = True
    links: ClassVar[tuple[str, ...] | None] = ("softmax",)
    tasks: ClassVar[tuple[Task, ...]] = ("classes",)
    formula: ClassVar[str] = (
        "-log softmax(z)[y]; mean over examples; targets: class numbers; link: softmax"
    )

    def build(self, shape: DataShape) -> LossFn:
        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z, y = _wide(outputs), batch.targets
            return F.cross_entropy(z, y.to(z.dtype) if y.ndim == 2 else y, reduction="none")

        return loss


@final
class BceConfig(LossConfig, frozen=True):
    """-y log p - (1 - y) log(1 - p) with p = sigmoid(z): binary cross-entropy.

    One logit for two classes; for more, one logit against all others for each class, summed.
    Cox 1958, doi:10.1111/j.2517-6161.1958.tb00292.x.
    """

    kind: Literal["bce"] = "bce"
    link: ClassVar[Link] = "sigmoid"
    link_inside: ClassVar[bool] = True
    links: ClassVar[tuple[str, ...] | None] = ("sigmoid",)
    tasks: ClassVar[tuple[Task, ...]] = ("classes",)
    one_for_two: ClassVar[bool] = True
    formula: ClassVar[str] = (
        "-y log p - (1 - y) log(1 - p), p = sigmoid(z); sum over outputs, mean over examples; "
        "targets: 0 or 1 for each output (two classes: one output); link: sigmoid"
    )

    def build(self, shape: DataShape) -> LossFn:
        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z = _wide(outputs)
            y = _columns(batch, z, shape)
            return F.binary_cross_entropy_with_logits(z, y, reduction="none").sum(dim=1)

        return loss


@final
class QuadraticConfig(LossConfig, frozen=True):
    """Half the squared distance to the target: 1/2 sum (z - y)^2 over the outputs.

    Maximum likelihood for Gaussian noise with a linear output. Rumelhart, Hinton & Williams 1986,
    doi:10.1038/323533a0.
    """

    kind: Literal["quadratic"] = "quadratic"
    link: ClassVar[Link] = "identity"
    formula: ClassVar[str] = (
        "1/2 (z - y)^2; sum over outputs, mean over examples; "
        "targets: numbers, or classes as one-hot; link: identity (any may be written)"
    )

    def build(self, shape: DataShape) -> LossFn:
        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z = _wide(outputs)
            return 0.5 * (z - _columns(batch, z, shape)).square().sum(dim=1)

        return loss


@final
class MseConfig(LossConfig, frozen=True):
    """Mean squared error: (z - y)^2, mean over the outputs. Gauss 1809, "Theoria motus"."""

    kind: Literal["mse"] = "mse"
    link: ClassVar[Link] = "identity"
    formula: ClassVar[str] = (
        "(z - y)^2; mean over outputs and examples; "
        "targets: numbers, or classes as one-hot; link: identity (any may be written)"
    )

    def build(self, shape: DataShape) -> LossFn:
        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z = _wide(outputs)
            return (z - _columns(batch, z, shape)).square().mean(dim=1)

        return loss


@final
class MaeConfig(LossConfig, frozen=True):
    """Mean absolute error: |z - y|, mean over the outputs; fits the median. Laplace 1774."""

    kind: Literal["mae"] = "mae"
    link: ClassVar[Link] = "identity"
    formula: ClassVar[str] = (
        "|z - y|; mean over outputs and examples; "
        "targets: numbers, or classes as one-hot; link: identity (any may be written)"
    )

    def build(self, shape: DataShape) -> LossFn:
        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z = _wide(outputs)
            return (z - _columns(batch, z, shape)).abs().mean(dim=1)

        return loss


@final
class HuberConfig(LossConfig, frozen=True):
    """(z - y)^2 / 2 near the target, delta * (|z - y| - delta / 2) beyond delta; mean over outputs.

    Outliers pull with at most delta. Huber 1964, doi:10.1214/aoms/1177703732.
    """

    kind: Literal["huber"] = "huber"
    delta: PositiveFloat = 1.0
    link: ClassVar[Link] = "identity"
    formula: ClassVar[str] = (
        "e^2 / 2 for |e| <= delta, else delta (|e| - delta / 2), e = z - y; mean over outputs and "
        "examples; targets: numbers, or classes as one-hot; link: identity (any may be written)"
    )

    def build(self, shape: DataShape) -> LossFn:
        delta = self.delta

        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z = _wide(outputs)
            y = _columns(batch, z, shape)
            return F.huber_loss(z, y, reduction="none", delta=delta).mean(dim=1)

        return loss


@final
class HingeConfig(LossConfig, frozen=True):
    """max(0, margin - t z) with t = 1 for the right class, else -1: wants a margin, not more.

    One output for two classes; for more, one against all others for each class, summed.
    Cortes & Vapnik 1995, doi:10.1007/BF00994018.
    """

    kind: Literal["hinge"] = "hinge"
    margin: PositiveFloat = 1.0
    link: ClassVar[Link] = "identity"
    links: ClassVar[tuple[str, ...] | None] = ("identity", "tanh")
    distributions: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = ("classes",)
    one_for_two: ClassVar[bool] = True
    formula: ClassVar[str] = (
        "max(0, margin - t z); sum over outputs, mean over examples; "
        "targets: t = +1 or -1 for each output (two classes: one output); link: identity"
    )

    def build(self, shape: DataShape) -> LossFn:
        margin = self.margin

        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z = _wide(outputs)
            t = 2.0 * _columns(batch, z, shape) - 1.0
            return (margin - t * z).relu().sum(dim=1)

        return loss


@final
class KlConfig(LossConfig, frozen=True):
    """Sum of y log(y / softmax(z)): what it costs to take the prediction for the distribution y.

    On classes it equals cross_entropy. Kullback & Leibler 1951, doi:10.1214/aoms/1177729694.
    """

    kind: Literal["kl"] = "kl"
    link: ClassVar[Link] = "softmax"
    link_inside: ClassVar[bool] = True
    links: ClassVar[tuple[str, ...] | None] = ("softmax",)
    formula: ClassVar[str] = (
        "y log(y / softmax(z)); sum over outputs, mean over examples; "
        "targets: distributions, or classes as one-hot; link: softmax"
    )

    def build(self, shape: DataShape) -> LossFn:
        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z = _wide(outputs)
            y = _columns(batch, z, shape)
            # kl_div counts 0 log 0 as 0.
            return F.kl_div(z.log_softmax(dim=1), y, reduction="none").sum(dim=1)

        return loss


Loss = Annotated[
    BceConfig
    | CrossEntropyConfig
    | HingeConfig
    | HuberConfig
    | KlConfig
    | MaeConfig
    | MseConfig
    | QuadraticConfig,
    Menu(),
]
