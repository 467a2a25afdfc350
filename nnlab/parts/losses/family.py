"""What every loss says of itself, and what they share."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from nnlab.core.contracts import Batch, DataShape, LossFn, Task
from nnlab.core.errors import Mistake, MistakeError
from nnlab.core.kinds import Kind
from nnlab.core.lazy import Floats, NDArray, Tensor, np, torch

if TYPE_CHECKING:
    Targets = NDArray[np.int64] | NDArray[np.floating]

Link = Literal["softmax", "sigmoid", "identity"]
"""The output activation that makes the gradient of a loss prediction minus target."""


class LossConfig(Kind, frozen=True):
    """The family of losses.

    Targets are class numbers (N,), or (N, K): real numbers, 0 or 1 for each label, or distributions
    over classes. A loss of classes is linear in a distribution where it is not a distance: half a 3
    and half a 5 cost half of each.

    Attributes:
        link: the canonical link, what `model.output.activation: auto` takes.
        link_inside: whether the loss computes that link itself, so that the network ends in logits.
        links: the output activations that may be written; None for any.
        tasks: the tasks it can be trained on.
        tuned: fields that are numbers and that `build` may meet as 0-dim tensors where they are
            not 0: so that a compiled step is not built anew for another number.
        formula: one line: formula, reduction, targets, link.
    """

    link: ClassVar[Link]
    link_inside: ClassVar[bool] = False
    links: ClassVar[tuple[str, ...] | None] = None
    tasks: ClassVar[tuple[Task, ...]] = ("classes", "regression")
    tuned: ClassVar[tuple[str, ...]] = ()
    formula: ClassVar[str]
    one_for_two: ClassVar[bool] = False
    """Whether two classes share one output, which is high for the second class."""
    any_unit: ClassVar[bool] = True
    """Whether its targets may be shifted and scaled: `data.scale_target`."""
    in_target_unit: ClassVar[tuple[str, ...]] = ()
    """Fields that are lengths in the targets' unit."""
    shares: ClassVar[bool] = True
    """Whether class targets may be distributions, as mixup and cutmix make of them."""

    looks_at_targets: ClassVar[bool] = False
    """Whether `fitted` may refuse targets, so that they are worth a look before training."""

    def outputs(self, shape: DataShape) -> int:
        """How many outputs the network needs."""
        pair = self.one_for_two and shape.task != "labels" and shape.outputs == 2
        return 1 if pair else shape.outputs

    def mistake(self, shape: DataShape) -> Mistake | None:
        """What does not fit data of this shape. Default: nothing."""
        return None

    def fitted(self, targets: "Targets", shape: DataShape) -> Self:
        """With what follows from the training targets as numbers. Default: as it is.

        Args:
            targets: of the training split, as stored.
            shape: the data set.

        Raises:
            DataError: targets that the loss is not defined for.
        """
        return self

    def probabilities(self, outputs: "Tensor") -> "Tensor | None":
        """The class probabilities that raw (N, K) outputs stand for, or None if they are none.

        Returns:
            (N, K), at least float32; two columns for the one logit of two classes. Those of
            one-against-all logits (bce on K > 2 classes) do not sum to 1.
        """
        if not self.link_inside:
            return None
        logits = at_least_float32(outputs)
        if self.link == "softmax":
            return logits.softmax(dim=1)
        if logits.shape[1] == 1:
            # 1 - sigmoid(z) would lose small probabilities.
            logits = torch.cat([-logits, logits], dim=1)
        return logits.sigmoid()

    def probabilities_behind(self, activation: str) -> "Callable[[Tensor], Tensor] | None":
        """How raw outputs become probabilities that sum to 1; None if they are no probabilities.

        One-against-all probabilities are divided by their sum, as in scikit-learn.

        Args:
            activation: the kind of the output activation, as it is written.
        """
        if not self.link_inside and activation not in ("softmax", "sigmoid"):
            return None

        def shares(outputs: "Tensor") -> "Tensor":
            given = self.probabilities(outputs)
            given = at_least_float32(outputs) if given is None else given
            if activation == "softmax" or outputs.shape[1] == 1:
                return given
            least = torch.finfo(given.dtype).tiny
            return given / given.sum(dim=1, keepdim=True).clamp(min=least)

        return shares

    def predictions(self, outputs: "Tensor") -> "Tensor":
        """The real targets that raw outputs predict, (N, K). Default: the outputs themselves."""
        return outputs

    def tuned_by(self, numbers: "Mapping[str, Tensor]") -> Self:
        """This loss with 0-dim tensors in the place of what it is `tuned` by, for `build` alone.

        Args:
            numbers: by the field's name; others are left aside.
        """
        taken = {name: numbers[name] for name in self.tuned if name in numbers}
        return self.model_copy(update=taken) if taken else self

    @abstractmethod
    def build(self, shape: DataShape) -> LossFn:
        """The function from (N, K) outputs and their batch to (N,) losses, at least float32."""

    def value(self, outputs: "Floats", targets: "Floats") -> "Floats":
        """The formula in NumPy: (N,) losses. Every loss of the menu has one.

        Args:
            outputs: (N, K) as the built loss gets them: logits z where the link is inside the loss,
                else activations a.
            targets: (N, K) as `columns` gives them; real numbers as they are.

        Raises:
            MistakeError: a loss that a rule or the data bring along has none.
        """
        raise MistakeError(("loss",), f"({self.kind}): is not written out as a formula")

    def gradient(self, outputs: "Floats", targets: "Floats") -> "Floats":
        """The derivative of each example's loss by its outputs, (N, K); as `value`."""
        raise MistakeError(("loss",), f"({self.kind}): is not written out as a formula")

    def columns(self, targets: "Targets", shape: DataShape) -> "Floats":
        """Targets as `value` takes them: one-hot, the second of two classes, or as they are."""
        if targets.ndim == 1:
            targets = (targets[:, None] == np.arange(shape.outputs)).astype(np.float64)
        first = shape.outputs - self.outputs(shape)
        return targets[:, max(first, 0) :].astype(np.float64)


def at_least_float32(outputs: "Tensor") -> "Tensor":
    """At least float32: sums over classes and logarithms need it."""
    return outputs if outputs.dtype == torch.float64 else outputs.float()


def target_columns(batch: Batch, outputs: "Tensor", shape: DataShape) -> "Tensor":
    """(N, K) targets in the outputs' dtype: as given, or one-hot, or the second class's column."""
    first = shape.outputs - outputs.shape[1]
    if batch.targets.ndim == 2:
        columns = batch.targets[:, first:] if first > 0 else batch.targets
        return columns.to(outputs.dtype)
    # Not F.one_hot: on a CPU it reads the largest label back.
    classes = torch.arange(first, shape.outputs, device=outputs.device)
    return (batch.targets[:, None] == classes).to(outputs.dtype)


def log_softmax(outputs: "Floats") -> "Floats":
    """Logarithms of the softmax of each row, for logits of any size."""
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def numpy_softplus_of_logits(z: "Floats") -> "Floats":
    """log(1 + exp(z)), for z of any size; its derivative is `numpy_sigmoid_of_logits`."""
    return np.logaddexp(0.0, z)


def numpy_sigmoid_of_logits(z: "Floats") -> "Floats":
    """1 / (1 + exp(-z)), for z of any size."""
    return np.exp(-numpy_softplus_of_logits(-z))
