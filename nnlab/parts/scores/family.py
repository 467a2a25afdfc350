"""What every score says of itself, and what scores share.

A score sees what the network's outputs stand for: class scores raw outputs, or probabilities where
`reads` says so; scores of numbers predictions and targets in the target's own unit.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal, final

from nnlab.core.contracts import Batch, DataShape, LossFn, Score, StoredScore, Task
from nnlab.core.kinds import Kind
from nnlab.core.lazy import Tensor, torch


class ScoreConfig(Kind, frozen=True):
    """The family of scores.

    Attributes:
        higher_is_better: whether training wants it to grow.
        tasks: the tasks it is defined for.
        reads: of classes, what it is computed from: raw outputs, probabilities that sum to 1, or
            probabilities if the loss has some, to order examples by (ranks).
    """

    higher_is_better: ClassVar[bool]
    tasks: ClassVar[tuple[Task, ...]]
    reads: ClassVar[Literal["outputs", "probabilities", "ranks"]] = "outputs"

    @property
    def key(self) -> str:
        """Its name in metrics.jsonl and in TensorBoard's tags."""
        return self.kind

    def mistake(self, shape: DataShape) -> str | None:
        """What does not fit data of this shape. Default: nothing."""
        return None


class SumScoreConfig(ScoreConfig, frozen=True):
    """Scores that are made of sums over examples: in training, too."""

    @abstractmethod
    def build(self, shape: DataShape, mean: Sequence[float]) -> Score:
        """The sums and the score that they make.

        Args:
            shape: the data set.
            mean: training mean of each target column; () for classes and labels.
        """


class StoredScoreConfig(ScoreConfig, frozen=True):
    """Scores of all examples at once: in evaluation only."""

    @abstractmethod
    def build(self, shape: DataShape) -> StoredScore:
        """The function of all outputs and targets."""


class NetworkScoreConfig(ScoreConfig, frozen=True):
    """Scores that show the network other inputs than the data's: in evaluation only."""

    takes_tokens: ClassVar[bool] = False
    """Whether what it shows are tokens; else numbers."""

    @abstractmethod
    def build(self, shape: DataShape, network: "Callable[[Tensor], Tensor]", loss: LossFn) -> Score:
        """The sums and the score that they make; they use of a batch what they need.

        Args:
            shape: the data set.
            network: (N, *shape) scaled inputs to (N, K) raw outputs, or to probabilities where
                `reads` says so; in evaluation mode.
            loss: of raw outputs.
        """


@final
class Sums:
    """Terms of each example, added up on the device in float64 where the device has it."""

    def __init__(
        self,
        width: int,
        terms: Callable[["Tensor", Batch], "Tensor"],
        value: Callable[[Sequence[float], int], float],
    ) -> None:
        self.width = width
        self._terms = terms
        self._value = value

    def terms(self, outputs: "Tensor", batch: Batch) -> "Tensor":
        """(N, width): what each example adds."""
        return self._terms(outputs, batch)

    def sums(self, outputs: "Tensor", batch: Batch) -> "Tensor":
        """(width,) sums over the batch of the (N, width) terms."""
        return self._terms(outputs, batch).sum(dim=0, dtype=sum_dtype(outputs))

    def value(self, sums: Sequence[float], examples: int) -> float:
        """The score of the added sums."""
        return self._value(sums, examples)


def sum_dtype(outputs: "Tensor") -> "torch.dtype":
    """The widest float that the device has."""
    return torch.float32 if outputs.device.type == "mps" else torch.float64


def first_mean(sums: Sequence[float], examples: int) -> float:
    """The mean of what a score sums, if that is one number."""
    return sums[0] / examples


def classes_of(targets: "Tensor") -> "Tensor":
    """(N,) class numbers; of distributions (mixup) the likeliest class."""
    return targets if targets.ndim == 1 else targets.argmax(dim=1)


def predicted_class(outputs: "Tensor") -> "Tensor":
    """(N,) classes: the greatest output, or the sign of the only one."""
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > 0).to(torch.int64)
    return outputs.argmax(dim=1)


def predicted_and_right(
    outputs: "Tensor", targets: "Tensor", shape: DataShape
) -> "tuple[Tensor, Tensor]":
    """Which classes or labels are predicted, and which are right: (N, K) booleans both."""
    if shape.task == "labels":
        return outputs > 0, targets > 0.5
    numbers = torch.arange(shape.outputs, device=outputs.device)
    return predicted_class(outputs)[:, None] == numbers, classes_of(targets)[:, None] == numbers
