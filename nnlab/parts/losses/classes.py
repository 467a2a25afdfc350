"""Losses of class probabilities: the network ends in logits, softmax or sigmoid is inside."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self, final

from pydantic import Field, NonNegativeFloat

from nnlab.core.contracts import Batch, DataShape, LossFn, Task
from nnlab.core.errors import DataError, Mistake
from nnlab.core.kinds import Forms
from nnlab.core.lazy import F, Tensor, np, torch
from nnlab.parts.constants import Constant
from nnlab.parts.losses.family import (
    Link,
    LossConfig,
    at_least_float32,
    log_softmax,
    numpy_sigmoid_of_logits,
    numpy_softplus_of_logits,
    target_columns,
)

if TYPE_CHECKING:
    from nnlab.parts.losses.family import Floats, Targets

ClassWeights = Annotated[
    Literal["none", "balanced"] | tuple[NonNegativeFloat, ...],
    Forms(),
]
"""A factor for each class, in the order of the classes."""


PosWeight = Annotated[
    Literal["none", "balanced"] | NonNegativeFloat | tuple[NonNegativeFloat, ...],
    Forms(),
]
"""A factor for the 1 of each output."""


_OFF_ONE = 1e-3
"""Shares that people write with three digits come so near to the sum 1."""


def _numbers(weights: ClassWeights) -> "tuple[float, ...] | None":
    assert weights != "balanced", "fitted() makes numbers of it"
    return None if isinstance(weights, str) else weights


def _pos_numbers(weights: PosWeight, outputs: int) -> "tuple[float, ...] | None":
    assert weights != "balanced", "fitted() makes numbers of it"
    if isinstance(weights, float | int):
        return (float(weights),) * outputs
    return None if isinstance(weights, str) else weights


def _weighted(columns: "Floats", weights: ClassWeights) -> "Floats":
    factors = _numbers(weights)
    return columns if factors is None else columns * np.array(factors)


def _smoothed_cross_entropy(
    z: "Tensor", y: "Tensor", weights: "Tensor | None", smoothing: "Tensor"
) -> "Tensor":
    """F.cross_entropy with label smoothing by a tensor (), operation by operation the same bits.

    Args:
        z: (N, K) logits.
        y: (N,) classes or (N, K) distributions.
        weights: (K,) a factor for each class.
        smoothing: eps, ().
    """
    logs, share = z.log_softmax(dim=1), smoothing / z.shape[1]
    if y.ndim == 2:
        found = logs * (y * (1 - smoothing) + share)
        return -(found if weights is None else found * weights).sum(dim=1)
    own = F.nll_loss(logs, y, weight=weights, reduction="none")
    every = -(logs if weights is None else logs * weights).sum(dim=1)
    return (1 - smoothing) * own + every * share


class ClassLossConfig(LossConfig, frozen=True):
    """A loss of one class out of K, with a factor for each class."""

    class_weights: ClassWeights = "none"
    """A list in the order of the classes, or balanced: N / (K * training examples of the class)."""
    link: ClassVar[Link] = "softmax"
    link_inside: ClassVar[bool] = True
    links: ClassVar[tuple[str, ...] | None] = ("softmax",)
    tasks: ClassVar[tuple[Task, ...]] = ("classes",)

    def mistake(self, shape: DataShape) -> Mistake | None:
        weights = self.class_weights
        if isinstance(weights, str):
            return None
        if not any(weights):
            text = "0 for every class leaves nothing to learn (one above 0)"
            return Mistake(("loss", "class_weights"), text)
        if len(weights) == shape.outputs:
            return None
        text = f"{len(weights)} numbers for {shape.outputs} classes (one for each, in their order)"
        return Mistake(("loss", "class_weights"), text)

    def fitted(self, targets: "Targets", shape: DataShape) -> Self:
        if self.class_weights != "balanced":
            return self
        # A class without an example counts as if it had one.
        counts = np.maximum(np.bincount(targets.astype(np.int64), minlength=shape.outputs), 1)
        factors = len(targets) / (shape.outputs * counts)
        return self.model_copy(update={"class_weights": tuple(factors.tolist())})


@final
class CrossEntropyConfig(ClassLossConfig, frozen=True):
    """-log softmax(z)[y], the surprise at the right class.

    Maximum likelihood for one class out of K. Bridle 1990, doi:10.1007/978-3-642-76153-9_28.

    Weights multiply each example's loss, and the mean is the plain one over examples, as in Keras
    and scikit-learn (PyTorch's `mean` divides by the sum of the batch's weights). Balanced weights
    are those of scikit-learn: their mean over the training split is 1.
    """

    tuned: ClassVar[tuple[str, ...]] = ("label_smoothing",)
    kind: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """eps: the target is (1 - eps) one-hot + eps / K. Szegedy et al. 2016, arXiv:1512.00567, 7."""
    formula: ClassVar[str] = (
        "-log softmax(z)[y]; smoothed and weighted: "
        "-sum of w[k] ((1 - eps) 1[k = y] + eps / K) log softmax(z)[k]; "
        "mean over examples; targets: class numbers; link: softmax"
    )

    def build(self, shape: DataShape) -> LossFn:
        smoothing, factors = self.label_smoothing, _numbers(self.class_weights)
        weights = None if factors is None else Constant(factors)

        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z, y = at_least_float32(outputs), batch.targets
            y, w = y if y.ndim == 1 else y.to(z.dtype), weights and weights.like(z)
            if isinstance(smoothing, torch.Tensor):
                return _smoothed_cross_entropy(z, y, w, smoothing)
            return F.cross_entropy(z, y, weight=w, label_smoothing=smoothing, reduction="none")

        return loss

    def value(self, outputs: "Floats", targets: "Floats") -> "Floats":
        return -(self._smoothed(targets) * log_softmax(outputs)).sum(axis=1)

    def gradient(self, outputs: "Floats", targets: "Floats") -> "Floats":
        y = self._smoothed(targets)
        return np.exp(log_softmax(outputs)) * y.sum(axis=1, keepdims=True) - y

    def _smoothed(self, targets: "Floats") -> "Floats":
        eps = self.label_smoothing
        return _weighted((1 - eps) * targets + eps / targets.shape[1], self.class_weights)


@final
class BceConfig(LossConfig, frozen=True):
    """-w y log p - (1 - y) log(1 - p) with p = sigmoid(z): binary cross-entropy.

    One logit for two classes; for more, one logit against all others for each class, summed; one
    logit for each label. Cox 1958, doi:10.1111/j.2517-6161.1958.tb00292.x.

    w is `pos_weight`, 1 if none is given, as in torch.nn.BCEWithLogitsLoss: above 1 a rare label
    that is missed costs more than one that is not there. Probabilities grow with it.
    """

    kind: Literal["bce"] = "bce"
    pos_weight: PosWeight = "none"
    """w of each output: a list in the order of the labels, one number for all, or balanced:
    training examples without the label / those with it."""
    link: ClassVar[Link] = "sigmoid"
    link_inside: ClassVar[bool] = True
    links: ClassVar[tuple[str, ...] | None] = ("sigmoid",)
    tasks: ClassVar[tuple[Task, ...]] = ("classes", "labels")
    one_for_two: ClassVar[bool] = True
    formula: ClassVar[str] = (
        "-w y log p - (1 - y) log(1 - p), p = sigmoid(z); sum over outputs, mean over examples; "
        "targets: 0 or 1 for each output (two classes: one output); link: sigmoid"
    )

    def mistake(self, shape: DataShape) -> Mistake | None:
        given, outputs = self.pos_weight, self.outputs(shape)
        if not isinstance(given, tuple) or len(given) == outputs:
            return None
        if outputs == 1:
            text = f"{len(given)} numbers for one output, that of class {shape.classes[-1]!r}"
            return Mistake(("loss", "pos_weight"), f"{text} (one number, or balanced)")
        text = f"{len(given)} numbers for {outputs} outputs (one for each, in their order)"
        return Mistake(("loss", "pos_weight"), text)

    def fitted(self, targets: "Targets", shape: DataShape) -> Self:
        outputs = self.outputs(shape)
        if isinstance(self.pos_weight, float | int):
            return self.model_copy(update={"pos_weight": (self.pos_weight,) * outputs})
        if self.pos_weight != "balanced":
            return self
        columns = self.columns(targets, shape)
        # A label without an example counts as if it had one, and so does one without a 0.
        ones = columns.sum(axis=0)
        factors = np.maximum(len(columns) - ones, 1) / np.maximum(ones, 1)
        return self.model_copy(update={"pos_weight": tuple(factors.tolist())})

    def build(self, shape: DataShape) -> LossFn:
        factors = _pos_numbers(self.pos_weight, self.outputs(shape))
        weights = None if factors is None else Constant(factors)

        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z = at_least_float32(outputs)
            y = target_columns(batch, z, shape)
            return F.binary_cross_entropy_with_logits(
                z, y, pos_weight=None if weights is None else weights.like(z), reduction="none"
            ).sum(dim=1)

        return loss

    def value(self, outputs: "Floats", targets: "Floats") -> "Floats":
        # -log p = softplus(-z), -log(1 - p) = softplus(z) = softplus(-z) + z.
        losses = numpy_softplus_of_logits(outputs) - targets * outputs
        more = self._more(outputs)
        if more is not None:
            losses = losses + more * targets * numpy_softplus_of_logits(-outputs)
        return losses.sum(axis=1)

    def gradient(self, outputs: "Floats", targets: "Floats") -> "Floats":
        slope, more = numpy_sigmoid_of_logits(outputs) - targets, self._more(outputs)
        if more is None:
            return slope
        return slope - more * targets * numpy_sigmoid_of_logits(-outputs)

    def _more(self, outputs: "Floats") -> "Floats | None":
        """What w is above 1 for each output; None without weights."""
        factors = _pos_numbers(self.pos_weight, outputs.shape[1])
        return None if factors is None else np.array(factors) - 1.0


@final
class FocalConfig(ClassLossConfig, frozen=True):
    """-(1 - p)^gamma log p of the right class's p: examples that are easy count little.

    gamma 0 is cross_entropy. Lin et al. 2017, arXiv:1708.02002, eq. 4; with class_weights eq. 5,
    where they are alpha. The paper has p of a sigmoid: for two classes softmax is that. The mean
    over examples is the plain one, as with cross_entropy.
    """

    kind: Literal["focal"] = "focal"
    gamma: NonNegativeFloat = 2.0
    formula: ClassVar[str] = (
        "-(1 - p)^gamma log p, p = softmax(z)[y]; mean over examples; targets: class numbers; "
        "link: softmax"
    )

    def build(self, shape: DataShape) -> LossFn:
        gamma, factors = self.gamma, _numbers(self.class_weights)
        weights = None if factors is None else Constant(factors)

        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z = at_least_float32(outputs)
            y = target_columns(batch, z, shape)
            y = y if weights is None else y * weights.like(z)
            logs = z.log_softmax(dim=1)
            # 1 - p is 0 for a sure p, where its power of an exponent below 1 has no derivative.
            rest = (-torch.expm1(logs)).clamp(min=torch.finfo(z.dtype).tiny)
            return -(y * rest.pow(gamma) * logs).sum(dim=1)

        return loss

    def value(self, outputs: "Floats", targets: "Floats") -> "Floats":
        logs = log_softmax(outputs)
        y = _weighted(targets, self.class_weights)
        return -(y * (-np.expm1(logs)) ** self.gamma * logs).sum(axis=1)

    def gradient(self, outputs: "Floats", targets: "Floats") -> "Floats":
        logs = log_softmax(outputs)
        p = np.exp(logs)
        rest = np.maximum(-np.expm1(logs), np.finfo(np.float64).tiny)
        # p times the derivative by p, then softmax's dp_k/dz_j = p_k (1[j = k] - p_j).
        slope = self.gamma * p * rest ** (self.gamma - 1) * logs - rest**self.gamma
        slope = _weighted(targets, self.class_weights) * slope
        return slope - p * slope.sum(axis=1, keepdims=True)


@final
class KlConfig(LossConfig, frozen=True):
    """Sum of y log(y / softmax(z)): what it costs to take the prediction for the distribution y.

    Real targets are K columns at least 0, each row with the sum 1. On classes it equals
    cross_entropy. Kullback & Leibler 1951, doi:10.1214/aoms/1177729694.
    """

    kind: Literal["kl"] = "kl"
    link: ClassVar[Link] = "softmax"
    link_inside: ClassVar[bool] = True
    links: ClassVar[tuple[str, ...] | None] = ("softmax",)
    any_unit: ClassVar[bool] = False
    looks_at_targets: ClassVar[bool] = True
    formula: ClassVar[str] = (
        "y log(y / softmax(z)); sum over outputs, mean over examples; "
        "targets: distributions, or classes as one-hot; link: softmax"
    )

    def mistake(self, shape: DataShape) -> Mistake | None:
        if shape.task != "regression" or shape.outputs > 1:
            return None
        text = "kl needs a distribution as target, two columns or more, and there is one number"
        return Mistake(("loss",), f"{text} (loss: mse)")

    def fitted(self, targets: "Targets", shape: DataShape) -> Self:
        if shape.task != "regression":
            return self
        if (least := float(targets.min())) < 0:
            text = f"kl needs distributions as targets, at least 0, got {least:g}"
            raise DataError(f"data: {text} (loss: mse)")
        sums = targets.sum(axis=1, dtype=np.float64)
        if (off := np.abs(sums - 1.0)).max() > _OFF_ONE:
            text = f"kl needs distributions as targets, with the sum 1, got {sums[off.argmax()]:g}"
            raise DataError(f"data: {text} (loss: mse)")
        return self

    def predictions(self, outputs: "Tensor") -> "Tensor":
        return at_least_float32(outputs).softmax(dim=1)

    def build(self, shape: DataShape) -> LossFn:
        def loss(outputs: "Tensor", batch: Batch) -> "Tensor":
            z = at_least_float32(outputs)
            y = target_columns(batch, z, shape)
            # kl_div counts 0 log 0 as 0.
            return F.kl_div(z.log_softmax(dim=1), y, reduction="none").sum(dim=1)

        return loss

    def value(self, outputs: "Floats", targets: "Floats") -> "Floats":
        logs = np.log(np.where(targets > 0, targets, 1.0))
        return (targets * (logs - log_softmax(outputs))).sum(axis=1)

    def gradient(self, outputs: "Floats", targets: "Floats") -> "Floats":
        p = np.exp(log_softmax(outputs))
        return p * targets.sum(axis=1, keepdims=True) - targets


KINDS = (CrossEntropyConfig, BceConfig, KlConfig, FocalConfig)
