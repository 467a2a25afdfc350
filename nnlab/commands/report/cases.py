"""One split as a network sees it: what was right, what it says, how sure it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnlab.commands.report.intervals import Floats
from nnlab.core.contracts import Batch, Split
from nnlab.core.errors import ConfigError, DivergedError
from nnlab.experiment.experiment import Experiment
from nnlab.parts.scores.family import classes_of, predicted_class
from nnlab.runs.building.scoring import own_unit
from nnlab.runs.finished.outputs import split_answers
from nnlab.runs.finished.reopen import Opened
from nnlab.training.sources import targets_of


@dataclass(frozen=True, slots=True)
class Case:
    """N examples of a split.

    Attributes:
        opened: the run.
        split: which.
        outputs: (N, K), as the output layer gives them.
        losses: (N,).
        batch: the targets as the network learns them, and the rows.
        probabilities: (N, K) of classes or labels; None where the loss gives outputs no such
            meaning, and of a regression.
    """

    opened: Opened
    split: Split
    outputs: Tensor
    losses: Floats
    batch: Batch
    probabilities: Floats | None

    @property
    def actual(self) -> NDArray[np.int64]:
        """(N,) class numbers, or (N, K) 0 and 1."""
        targets = self.batch.targets
        if self.opened.experiment.shape.task == "labels":
            return (targets > 0.5).long().numpy()
        return classes_of(targets).numpy()

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(N,) class numbers, or (N, K) 0 and 1, as the network says."""
        if self.opened.experiment.shape.task == "labels":
            return (self.outputs > 0).long().numpy()
        return predicted_class(self.outputs).numpy()

    @property
    def numbers(self) -> tuple[Floats, Floats]:
        """(N, K) predictions and targets of a regression, in the target's own unit."""
        seen = own_unit(self.opened.experiment, self.opened.examples)
        outputs, targets = seen(self.outputs, self.batch.targets)
        return outputs.double().numpy(), targets.double().numpy()

    @property
    def rows(self) -> NDArray[np.int64]:
        """(N,) row numbers of the table."""
        return self.batch.rows.numpy()


def refuse_own(opened: Opened) -> None:
    """Refuses runs that predict nothing: a surface to descend on, a Hebbian rule.

    Raises:
        ConfigError: it is one.
    """
    config = opened.experiment.config
    if config.own_scores is not None:
        what = config.data.kind if config.data.own_scores is not None else config.rule.kind
        text = f"{opened.name} predicts nothing that could be judged ({what})"
        raise ConfigError(f"--report: {text} (nnlab eval without --report)")


def case_of(opened: Opened, split: Split) -> Case:
    """What the best network says of a split.

    Raises:
        DivergedError: the loss is not finite.
    """
    found = split_answers(opened, split)
    losses = found.losses.numpy()
    if not np.isfinite(losses.mean()):
        raise DivergedError(f"{opened.name}: the {split} loss is not finite")
    rows = torch.from_numpy(opened.examples.rows[split])
    targets = targets_of(opened.examples, torch.float64).index_select(0, rows)
    batch = Batch(found.outputs, targets, rows)
    probabilities = probabilities_of(opened.experiment, found.outputs)
    return Case(opened, split, found.outputs, losses, batch, probabilities)


def probabilities_of(experiment: Experiment, outputs: Tensor) -> Floats | None:
    """(N, K): of classes they sum to 1, of labels each stands alone; None if there are none."""
    shape, loss = experiment.shape, experiment.loss
    if shape.task == "regression":
        return None
    activation = experiment.output_activation
    if shape.task == "labels":
        found = loss.probabilities(outputs)
        if found is None:
            return outputs.numpy() if activation.kind == "sigmoid" else None
        return found[:, -shape.outputs :].numpy()
    behind = loss.probabilities_behind(activation.kind)
    return None if behind is None else behind(outputs).numpy()


def orders_of(case: Case) -> Sequence[tuple[int, Floats, Any]]:
    """(class, (N,) what examples are ordered by, (N,) which are of it), of classes with an order.

    Two classes are one order, by the second; K classes and labels are each against the rest.
    """
    shape = case.opened.experiment.shape
    columns = case.outputs.numpy() if case.probabilities is None else case.probabilities
    if shape.task == "labels":
        marks = case.actual > 0
    else:
        marks = case.actual[:, None] == np.arange(shape.outputs)
        if shape.outputs == 2:
            last = columns[:, -1] - (columns[:, 0] if columns.shape[1] == 2 else 0.0)
            return [(1, last, marks[:, 1])] if 0 < marks[:, 1].sum() < len(marks) else []
    return [
        (k, columns[:, k], marks[:, k])
        for k in range(shape.outputs)
        if 0 < marks[:, k].sum() < len(marks)
    ]
