"""What a run measures: the loss, the scores, and what a prediction without inputs reaches."""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from nnlab.core.contracts import (
    Batch,
    DataShape,
    Examples,
    ExampleScore,
    LossFn,
    Score,
    Split,
    StoredScore,
)
from nnlab.core.errors import DataError
from nnlab.experiment.experiment import Experiment
from nnlab.parts.constants import Constant
from nnlab.parts.scores.family import (
    NetworkScoreConfig,
    ScoreConfig,
    StoredScoreConfig,
    SumScoreConfig,
    sum_dtype,
)

_Seen = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Raw outputs and targets to those that a score compares."""


def loss_of(
    experiment: Experiment,
    examples: Examples,
    network: nn.Module,
    numbers: Mapping[str, Tensor] | None = None,
) -> LossFn:
    """What is read as loss, with what follows from the training targets.

    Args:
        experiment: settled.
        examples: whose training targets count.
        network: that a rule's own loss looks at.
        numbers: as `tuned_numbers` gives them, to be put in the place of the loss's own; None for
            a loss that is not recorded.
    """
    targets = examples.answers("train")
    fitted = experiment.loss.fitted(targets, experiment.shape)
    tuned = fitted.tuned_by(numbers or {})
    return experiment.config.rule.loss_of(network, tuned, experiment.shape)


def scores_of(experiment: Experiment, examples: Examples) -> dict[str, Score]:
    """The scores that add up, by their key."""
    found: dict[str, Score] = {}
    mean = _means(examples)
    for score in experiment.scores:
        if isinstance(score, SumScoreConfig):
            built, seen = score.build(experiment.shape, mean), _seen(score, experiment, examples)
            found[score.key] = built if seen is None else _seen_through(built, seen)
    return found


def _seen_through(score: Score, seen: _Seen) -> Score:
    wrapped = isinstance(score, ExampleScore)
    return _SeenExampleScore(score, seen) if wrapped else _SeenScore(score, seen)


def stored_scores_of(experiment: Experiment, examples: Examples) -> dict[str, StoredScore]:
    """The scores that need all outputs of a split, by their key."""
    found: dict[str, StoredScore] = {}
    for score in experiment.scores:
        if isinstance(score, StoredScoreConfig):
            built, seen = score.build(experiment.shape), _seen(score, experiment, examples)
            found[score.key] = built if seen is None else _SeenStoredScore(built, seen)
    return found


def network_scores_of(
    experiment: Experiment, network: Callable[[Tensor], Tensor], loss: LossFn
) -> dict[str, Score]:
    """The scores that show the network inputs of their own, by their key.

    Args:
        experiment: settled.
        network: (N, *shape) scaled inputs to (N, K) raw outputs.
        loss: of raw outputs.
    """
    found: dict[str, Score] = {}
    for score in experiment.scores:
        if isinstance(score, NetworkScoreConfig):
            seen = _probabilities(experiment) if score.reads == "probabilities" else None
            asked = network if seen is None else _chained(network, seen)
            found[score.key] = score.build(experiment.shape, asked, loss)
    return found


def _chained(
    first: Callable[[Tensor], Tensor], second: Callable[[Tensor], Tensor]
) -> Callable[[Tensor], Tensor]:
    return lambda inputs: second(first(inputs))


def _means(examples: Examples) -> Sequence[float]:
    """Of each target column in training, in its own unit; none of classes and labels."""
    if examples.shape.task != "regression":
        return ()
    return examples.answers("train").mean(axis=0, dtype=np.float64).tolist()


def _seen(score: ScoreConfig, experiment: Experiment, examples: Examples) -> _Seen | None:
    """What the score looks at; None for raw outputs."""
    if experiment.shape.task == "regression":
        return own_unit(experiment, examples)
    if score.reads == "outputs" or experiment.shape.task == "labels":
        return None
    probabilities = _probabilities(experiment)
    if probabilities is None:
        return None
    return lambda outputs, targets: (probabilities(outputs), targets)


def _probabilities(experiment: Experiment) -> Callable[[Tensor], Tensor] | None:
    """Raw outputs to class probabilities; None if they are none."""
    return experiment.loss.probabilities_behind(experiment.output_activation.kind)


def own_unit(experiment: Experiment, examples: Examples) -> _Seen:
    """Predictions and targets as the data have them, whatever the network learns."""
    predictions, scale = experiment.loss.predictions, examples.target_scale
    if scale is None:
        return lambda outputs, targets: (predictions(outputs), targets)
    mean, deviation = Constant(scale.mean), Constant(scale.deviation)

    def seen(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        dtype = sum_dtype(outputs)
        outputs, targets = predictions(outputs).to(dtype), targets.to(dtype)
        shift, factor = mean.like(targets), deviation.like(targets)
        return outputs * factor + shift, targets * factor + shift

    return seen


class _SeenScore:
    """A score of what outputs stand for."""

    def __init__(self, score: Score, seen: _Seen) -> None:
        self.width = score.width
        self._score = score
        self._seen = seen

    def sums(self, outputs: Tensor, batch: Batch) -> Tensor:
        outputs, targets = self._seen(outputs, batch.targets)
        return self._score.sums(outputs, batch._replace(targets=targets))

    def value(self, sums: Sequence[float], examples: int) -> float:
        return self._score.value(sums, examples)


@final
class _SeenExampleScore(_SeenScore):
    """One whose sums are sums over single examples."""

    def __init__(self, score: ExampleScore, seen: _Seen) -> None:
        super().__init__(score, seen)
        self._of_examples = score

    def terms(self, outputs: Tensor, batch: Batch) -> Tensor:
        outputs, targets = self._seen(outputs, batch.targets)
        return self._of_examples.terms(outputs, batch._replace(targets=targets))


@final
class _SeenStoredScore:
    """A score of stored outputs, all of them at once, in the unit of the targets."""

    def __init__(self, score: StoredScore, seen: _Seen) -> None:
        self._score = score
        self._seen = seen

    def value(self, outputs: Tensor, targets: Tensor) -> float:
        # In float64 a softmax keeps examples apart that float32 would call equally sure.
        return self._score.value(*self._seen(outputs.double(), targets))


def blind_baseline(
    experiment: Experiment, examples: Examples, split: Split | None = None
) -> dict[str, float]:
    """What a prediction reaches that never looks at the inputs: majority class, or the mean.

    Where a score judges probabilities, they are the classes' shares of the training split. Measured
    on the validation split, else on the training split, or on the one that is given; what is not
    defined is left out.
    """
    split = split or ("validation" if "validation" in examples.rows else "train")
    targets = torch.from_numpy(examples.answers(split))
    if not len(targets):
        raise DataError(f"data: the {split} split is empty")
    shape, mean = experiment.shape, _means(examples)
    targets = targets.double() if shape.task == "regression" else targets
    found: dict[str, float] = {}
    for score in experiment.scores:
        guess = torch.from_numpy(_guess(examples, shape, shares=score.reads == "probabilities"))
        # A view: the guess is not repeated in memory.
        outputs = guess.expand(len(targets), -1)
        if isinstance(score, StoredScoreConfig):
            found[score.key] = score.build(shape).value(outputs, targets)
        elif isinstance(score, SumScoreConfig):
            built = score.build(shape, mean)
            batch = Batch(outputs, targets, torch.arange(len(targets)))
            found[score.key] = built.value(built.sums(outputs, batch).tolist(), len(targets))
    return {key: value for key, value in found.items() if isfinite(value)}


def _guess(examples: Examples, shape: DataShape, *, shares: bool) -> "np.ndarray":
    """(K,) outputs that are best for every example at once."""
    train = examples.answers("train")
    if shape.task == "regression":
        return train.mean(axis=0, dtype=np.float64)
    if shape.task == "labels":
        return train.mean(axis=0, dtype=np.float64) - 0.5
    counts = np.bincount(train, minlength=shape.outputs)
    if shares:
        return counts / len(train)
    return (np.arange(shape.outputs) == counts.argmax()).astype(np.float64)
