"""Chooses rows of a split, explains the answers to them, and tests each method."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnlab.core.contracts import Examples, Split
from nnlab.core.errors import CheckpointError, ConfigError
from nnlab.core.seeds import seed_for
from nnlab.core.text import short_path
from nnlab.models.network import build_network
from nnlab.runs.building.build import place_network, source_of
from nnlab.runs.explaining.gradients import Integrated, integrated_gradients
from nnlab.runs.explaining.maximize import Sought, maximize_outputs
from nnlab.runs.explaining.methods import METHODS, Question, last_convolution
from nnlab.runs.explaining.sanity import Rank, randomized_ranks
from nnlab.runs.finished.outputs import split_answers
from nnlab.runs.finished.reopen import Opened, open_run
from nnlab.runs.folder import looks
from nnlab.runs.folder.find import is_comparison

CHOSEN = 6
SOUGHT = 12
"""Of so many outputs it is shown what they look for."""


@final
class ByColumn(nn.Module):
    """A network with one output for each class: the one logit of two classes becomes both."""

    def __init__(self, network: nn.Module, *, pair: bool) -> None:
        super().__init__()
        self.network = network
        self._pair = pair

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, *shape) to (N, K)."""
        outputs = self.network(inputs)
        return torch.cat([-outputs, outputs], dim=1) if self._pair else outputs


@dataclass(frozen=True, slots=True)
class Explained:
    """The answers to N rows of a split, and where they come from.

    Attributes:
        opened: the run.
        split: whose rows.
        numbers: (N,) rows within the split.
        rows: (N,) rows of the whole table.
        answers: N names of what is explained.
        actual: N names of the targets, empty for numbers.
        question: what the methods were asked.
        attributions: method -> (N, *shape) or (N, H, W) of an image.
        integrated: with the gap of its sum.
        ranks: method -> from the output on, how alike it is with random weights.
        sought: what each output looks for.
        outputs: names of these outputs.
    """

    opened: Opened
    split: Split
    numbers: NDArray[np.int64]
    rows: NDArray[np.int64]
    answers: tuple[str, ...]
    actual: tuple[str, ...]
    question: Question
    attributions: Mapping[str, Tensor]
    integrated: Integrated
    ranks: Mapping[str, Sequence[Rank]]
    sought: Sought
    outputs: tuple[str, ...]

    @property
    def gap(self) -> float:
        """How far the parts of integrated gradients are from their sum, as a share, at most."""
        size = self.integrated.difference.abs().clamp(min=1e-6)
        return float((self.integrated.gap.abs() / size).max())

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "run": str(self.opened.run),
            "split": self.split,
            "rows": self.numbers.tolist(),
            "answers": list(self.answers),
            "actual": list(self.actual),
            "attributions": {name: a.tolist() for name, a in self.attributions.items()},
            "completeness_gap": self.gap,
            "sought": dict(zip(self.outputs, self.sought.inputs.tolist(), strict=True)),
            "alike_with_random_weights": {
                name: {rank.layer: rank.correlation for rank in ranks}
                for name, ranks in self.ranks.items()
            },
        }


def explain_run(run: Path, *, split: Split, rows: Sequence[int], answer: str) -> Explained:
    """Explains answers of the best network of a run.

    Args:
        run: the run's folder.
        split: whose rows.
        rows: which of the split, from 0; none chooses three of the greatest loss and three others.
        answer: the class that is explained; empty for what the network answers.

    Raises:
        ConfigError: there is no such split, row or class; or the run predicts nothing.
        CheckpointError: a comparison, or a run without a sound checkpoint.
        DataError: the data are gone, or are others.
    """
    if is_comparison(run):
        text = "is a comparison of several runs, one is explained at a time"
        raise CheckpointError(f"{short_path(run)}: {text} (nnlab runs lists them)")
    opened = open_run(run, split=split, device=torch.device("cpu"))
    config = opened.experiment.config
    if config.own_scores is not None or not config.rule.optimized:
        raise ConfigError(
            f"{opened.name}: has no outputs with a gradient, nothing can be explained"
        )
    shape = opened.experiment.shape
    if shape.places or shape.tokens or len(shape.inputs) == 2:
        text = "learns from sequences; answers about images and rows of tables can be explained"
        raise ConfigError(f"{opened.name}: {text}")
    if split == "test":
        looks.count_look(run, opened.examples, command="explain")
    numbers = _chosen(opened, split, rows)
    table = opened.examples.rows[split][numbers]
    network, pair = opened.network, _is_pair(opened)
    inputs = _scaled(opened, table)
    with torch.no_grad():
        outputs = ByColumn(network, pair=pair)(inputs)
    columns = _columns(opened, outputs, answer)
    question = Question(
        inputs, columns, torch.zeros_like(inputs[:1]), last_convolution(network, inputs)
    )
    return _answered(opened, split, numbers, table, question, pair=pair)


def _answered(
    opened: Opened,
    split: Split,
    numbers: NDArray[np.int64],
    table: NDArray[np.int64],
    question: Question,
    *,
    pair: bool,
) -> Explained:
    experiment = opened.experiment
    whole = ByColumn(opened.network, pair=pair)
    layer = question.layer and f"network.{question.layer}"
    asked = Question(question.inputs, question.columns, question.baseline, layer)
    fresh = build_network(experiment.design, seed=seed_for(0, "explain"))
    drawn = ByColumn(place_network(fresh, experiment, opened.device).eval(), pair=pair)
    layers = [f"network.{name}" for name in _with_parameters(opened.network)]
    fitting = {
        name: method for name, method in METHODS.items() if layer or not method.needs_convolution
    }
    ranks = {
        name: [
            Rank(rank.layer.removeprefix("network."), rank.correlation)
            for rank in randomized_ranks(
                whole, drawn, layers, lambda net, method=method: method.attribute(net, asked)
            )
        ]
        for name, method in fitting.items()
    }
    return Explained(
        opened=opened,
        split=split,
        numbers=numbers,
        rows=table,
        answers=_names(experiment.shape.classes, question.columns, experiment.shape.outputs),
        actual=_actual(opened.examples, table),
        question=question,
        attributions={name: method.attribute(whole, asked) for name, method in fitting.items()},
        integrated=integrated_gradients(
            whole, asked.inputs, asked.columns, baseline=asked.baseline
        ),
        ranks=ranks,
        **_sought(whole, asked, experiment.shape.classes, experiment.shape.outputs),
    )


def _sought(
    network: nn.Module, asked: Question, classes: Sequence[str], outputs: int
) -> dict[str, Any]:
    """What the first outputs look for, no farther from the baseline than the median row."""
    columns = torch.arange(min(outputs, SOUGHT))
    radius = float((asked.inputs - asked.baseline).flatten(1).norm(dim=1).median())
    found = maximize_outputs(network, columns, baseline=asked.baseline, radius=radius)
    return {"sought": found, "outputs": _names(classes, columns, outputs)}


def _chosen(opened: Opened, split: Split, rows: Sequence[int]) -> NDArray[np.int64]:
    """The rows that were asked for, or three of the greatest loss and three drawn from the rest."""
    count = len(opened.examples.rows[split])
    if rows:
        if (greatest := max(rows)) >= count:
            raise ConfigError(f"--row {greatest}: {split} has rows 0 to {count - 1}")
        return np.array(rows)
    order = np.argsort(-split_answers(opened, split).losses.numpy(), kind="stable")
    worst, rest = order[: CHOSEN // 2], order[CHOSEN // 2 :]
    drawn = np.random.default_rng(0).permutation(rest)[: CHOSEN - len(worst)]
    return np.concatenate([worst, drawn])


def _columns(opened: Opened, outputs: Tensor, answer: str) -> Tensor:
    """Which output of each row is explained."""
    classes = opened.experiment.shape.classes
    if not answer:
        return outputs.argmax(dim=1)
    if answer not in classes:
        known = ", ".join(classes[:8]) or "none, these are numbers"
        raise ConfigError(f"--class {answer}: is no class of {opened.name} (classes are {known})")
    return torch.full((len(outputs),), classes.index(answer))


def _is_pair(opened: Opened) -> bool:
    shape = opened.experiment.shape
    return shape.task == "classes" and opened.experiment.loss.outputs(shape) < shape.outputs


def _scaled(opened: Opened, table: NDArray[np.int64]) -> Tensor:
    dtype = next(opened.network.parameters()).dtype
    source = source_of(opened.examples, device=opened.device, dtype=dtype)
    rows = torch.from_numpy(table)
    source.announce([rows])
    return source.gather(rows).inputs


def _with_parameters(network: nn.Module) -> list[str]:
    """The layers that can be made random, from input to output."""
    return [
        name for name, layer in network.named_children() if any(True for _ in layer.parameters())
    ]


def _names(classes: Sequence[str], columns: Tensor, outputs: int) -> tuple[str, ...]:
    if classes:
        return tuple(classes[int(column)] for column in columns)
    return tuple(f"output {int(column) + 1}" if outputs > 1 else "the output" for column in columns)


def _actual(examples: Examples, table: NDArray[np.int64]) -> tuple[str, ...]:
    if examples.shape.task != "classes":
        return ()
    return tuple(examples.shape.classes[int(number)] for number in examples.targets[table])
