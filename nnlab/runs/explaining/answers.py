"""Chooses rows of a split, explains the answers to them, and tests each method."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from nnlab.runs.building.forward import batches_of, forward_of
from nnlab.runs.building.scoring import loss_of
from nnlab.runs.explaining.explainable import Explainable, explainable_of, has_explanations
from nnlab.runs.explaining.gradients import Integrated
from nnlab.runs.explaining.maximize import Sought, maximize_outputs
from nnlab.runs.explaining.methods import (
    METHODS,
    Method,
    Question,
    integrate_closely,
    integrate_roughly,
    last_convolution,
    parts_of,
)
from nnlab.runs.explaining.rollout import can_roll_out
from nnlab.runs.explaining.sanity import Rank, randomized_ranks
from nnlab.runs.finished.reopen import Opened, open_run
from nnlab.runs.folder import looks
from nnlab.runs.folder.find import is_comparison

CHOSEN = 6
SOUGHT = 12
"""Of so many outputs it is shown what they look for."""


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
        attributions: method -> as METHODS have it.
        integrated: with the gap of its sum.
        ranks: method -> from the output on, how alike it is with random weights.
        sought: what each output looks for; None of tokens, between which there is nothing, and
            where nobody asked.
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
    sought: Sought | None
    outputs: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "run": str(self.opened.run),
            "split": self.split,
            "rows": self.rows.tolist(),
            "answers": list(self.answers),
            "actual": list(self.actual),
            "attributions": {name: a.tolist() for name, a in self.attributions.items()},
            "completeness_gap": self.integrated.miss,
            "sought": {}
            if self.sought is None
            else dict(zip(self.outputs, self.sought.inputs.tolist(), strict=True)),
            "alike_with_random_weights": {
                name: {rank.layer: rank.correlation for rank in ranks}
                for name, ranks in self.ranks.items()
            },
        }


def explain_run(
    run: Path, *, rows: Sequence[int], answer: str, split: Split | None = None
) -> Explained:
    """Explains answers of the best network of a run.

    Args:
        run: the run's folder.
        rows: which, counted from 0 in the whole table, as reports do; none chooses three of the
            split, of the greatest loss, and three others.
        answer: the class that is explained; empty for what the network answers.
        split: whose rows; None for that of the rows, without rows for validation.

    Raises:
        ConfigError: there is no such split, row or class; or the run predicts nothing.
        CheckpointError: a comparison, or a run without a sound checkpoint.
        DataError: the data are gone, or are others.
    """
    if is_comparison(run):
        text = "is a comparison of several runs, one is explained at a time"
        raise CheckpointError(f"{short_path(run)}: {text} (nnlab runs lists them)")
    first = split or ("train" if rows else "validation")
    opened = open_run(run, split=first, device=torch.device("cpu"))
    if rows:
        first, rows = _within_split(opened.examples, rows, split)
    found = explain_opened(opened, split=first, rows=rows, answer=answer)
    if first == "test":
        looks.count_look(run, opened.examples, command="explain")
    return found


def _within_split(
    examples: Examples, rows: Sequence[int], asked: Split | None
) -> tuple[Split, list[int]]:
    """The split that rows of the whole table are in, and their numbers within it.

    Raises:
        ConfigError: one is in none, or they are in several, or in another than asked for.
    """
    homes: dict[int, Split] = {}
    for split, mine in examples.rows.items():
        homes |= dict.fromkeys(set(rows) & set(mine.tolist()), split)
    if missing := [row for row in rows if row not in homes]:
        most = max(int(mine.max()) for mine in examples.rows.values())
        text = "is in no split of the run" if missing[0] <= most else f"the last row is {most}"
        raise ConfigError(f"--row {missing[0]}: {text} (rows count from 0 in the whole table)")
    split = asked or homes[rows[0]]
    if other := [row for row in rows if homes[row] != split]:
        told = f"is a row of {homes[other[0]]}, not of {split}"
        way = f"--split {homes[other[0]]}" if asked else "rows of one split at a time"
        raise ConfigError(f"--row {other[0]}: {told} ({way})")
    places = {row: place for place, row in enumerate(examples.rows[split].tolist())}
    return split, [places[row] for row in rows]


def explain_opened(
    opened: Opened,
    *,
    split: Split,
    rows: Sequence[int],
    answer: str = "",
    methods: Collection[str] = METHODS,
    thorough: bool = True,
) -> Explained:
    """As `explain_run`, of a run that is open on the CPU.

    Args:
        opened: the run.
        split: whose rows.
        rows: which, counted from 0 within the split; none chooses some.
        answer: the class that is explained; empty for what the network answers.
        methods: which, as far as the network has what they need.
        thorough: whether weights are made random layer by layer, else all of them at once, and
            whether it is shown what the outputs look for.

    Raises:
        ConfigError: there is no such class, or nothing can be explained.
    """
    if not has_explanations(opened.experiment, opened.network):
        text = "has no outputs with a gradient, nothing can be explained"
        raise ConfigError(f"{opened.name}: {text}")
    network = explainable_of(opened.experiment, opened.network)
    numbers = _chosen(opened, split, rows)
    inputs = _scaled(opened, opened.examples.rows[split][numbers])
    asked = _question(opened, network, inputs, answer)
    fitting = {
        name: method
        for name, method in METHODS.items()
        if name in methods and asked.answered_by(method)
    }
    return _explained(opened, network, asked, fitting, split, numbers, thorough=thorough)


def _explained(
    opened: Opened,
    network: Explainable,
    asked: Question,
    methods: Mapping[str, Method],
    split: Split,
    numbers: NDArray[np.int64],
    *,
    thorough: bool,
) -> Explained:
    """The answers of the methods, and how far they may be believed."""
    shape, table = opened.experiment.shape, opened.examples.rows[split][numbers]
    outputs = torch.arange(min(shape.outputs, SOUGHT))
    sought = thorough and not asked.tokens
    integrated = integrate_closely(network, asked)
    # The parts that were looked at closely stand in for those of fewer points.
    closely = {"integrated_gradients": parts_of(integrated, asked)}
    return Explained(
        opened=opened,
        split=split,
        numbers=numbers,
        rows=table,
        answers=_names(shape.classes, asked.columns, shape.outputs),
        actual=_actual(opened.examples, table),
        question=asked,
        attributions={
            name: closely[name] if name in closely else method.attribute(network, asked)
            for name, method in methods.items()
        },
        integrated=integrated,
        ranks=_ranks(opened, network, asked, methods, by_layer=thorough),
        sought=_sought(network, asked, outputs) if sought else None,
        outputs=_names(shape.classes, outputs, shape.outputs),
    )


def _question(opened: Opened, network: Explainable, inputs: Tensor, answer: str) -> Question:
    """What the methods are asked about scaled inputs (N, *shape)."""
    with torch.no_grad():
        outputs = network(network.numbers(inputs))
    return Question(
        inputs,
        _columns(opened, outputs, answer),
        torch.zeros_like(network.numbers(inputs[:1])),
        last_convolution(network, inputs) if inputs.ndim == 4 else None,
        can_roll_out(network, inputs),
    )


def _ranks(
    opened: Opened,
    network: Explainable,
    asked: Question,
    methods: Mapping[str, Method],
    *,
    by_layer: bool,
) -> dict[str, list[Rank]]:
    """How alike each method's attributions are with random weights, from the output on."""
    experiment = opened.experiment
    fresh = build_network(experiment.design, seed=seed_for(0, "explain"))
    drawn = explainable_of(experiment, place_network(fresh, experiment, opened.device).eval())
    layers = [f"network.{name}" for name in _with_parameters(opened.network)]
    attribute = {name: method.attribute for name, method in methods.items()}
    if "integrated_gradients" in attribute:
        attribute["integrated_gradients"] = integrate_roughly
    return {
        name: [
            Rank(rank.layer.removeprefix("network."), rank.correlation)
            for rank in randomized_ranks(
                network,
                drawn,
                layers,
                lambda net, way=way: way(net, asked),
                by_layer=by_layer,
            )
        ]
        for name, way in attribute.items()
    }


def _sought(network: nn.Module, asked: Question, outputs: Tensor) -> Sought:
    """What the first outputs look for, no farther from the baseline than the median row."""
    radius = float((asked.inputs - asked.baseline).flatten(1).norm(dim=1).median())
    return maximize_outputs(network, outputs, baseline=asked.baseline, radius=radius)


def _chosen(opened: Opened, split: Split, rows: Sequence[int]) -> NDArray[np.int64]:
    """The rows that were asked for, or three of the greatest loss and three drawn from the rest."""
    if rows:
        return np.array(rows)
    order = np.argsort(-_losses(opened, split), kind="stable")
    worst, rest = order[: CHOSEN // 2], order[CHOSEN // 2 :]
    drawn = np.random.default_rng(0).permutation(rest)[: CHOSEN - len(worst)]
    return np.concatenate([worst, drawn])


def _losses(opened: Opened, split: Split) -> NDArray[np.float64]:
    """(N,) the loss of each row of a split; where it has an answer at each place, of the last."""
    experiment, examples = opened.experiment, opened.examples
    loss = loss_of(experiment, examples, opened.network)
    dtype = next(opened.network.parameters()).dtype
    source = source_of(examples, device=opened.device, dtype=dtype)
    batches = batches_of(experiment, examples.rows[split], opened.device)
    with forward_of(experiment, opened.network, alone=True).over(source, batches) as found:
        parts = [loss(said, batch).view(len(batch.rows), -1)[:, -1] for batch, said in found]
    return torch.cat(parts).double().cpu().numpy()


def _columns(opened: Opened, outputs: Tensor, answer: str) -> Tensor:
    """Which output of each row is explained."""
    shape = opened.experiment.shape
    if not answer:
        first = torch.zeros(len(outputs), dtype=torch.int64)
        return first if shape.task == "regression" else outputs.argmax(dim=1)
    names = _names(shape.classes, torch.arange(shape.outputs), shape.outputs)
    if answer not in names:
        known = ", ".join(names[:8])
        raise ConfigError(f"--class {answer}: is no class of {opened.name} (classes are {known})")
    return torch.full((len(outputs),), names.index(answer))


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
    targets = examples.targets[table].reshape(len(table), -1)[:, -1]
    return tuple(examples.shape.classes[int(number)] for number in targets)
