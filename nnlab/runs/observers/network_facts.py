"""What the doctor sees of a network itself, at the end of its run: copies of units, its outputs."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnlab.core.contracts import Examples, Split, Windows
from nnlab.diagnosis.evidence.facts import ExampleRecord, Facts, Written
from nnlab.diagnosis.evidence.unit_copies import copies_by_layer
from nnlab.experiment.experiment import Experiment
from nnlab.runs.building.forward import batches_of, forward_of
from nnlab.runs.building.probing import probe_rows, spread_rows
from nnlab.runs.building.row_answers import row_answers
from nnlab.runs.building.writing import written_rows
from nnlab.training.sources import RowSource

_MOST_ROWS = 100_000
_ANSWERS = 1 << 16
"""So many places of windows say how the loss falls along them: luck is next to nothing then."""
_BEGINNINGS, _WRITTEN, _RUN = 8, 96, 6
"""So many windows are gone on with, by so many tokens each; a run of so many is hardly chance."""
_MOST_FLOPS = 1e10
_FEWEST, _SUM = 16, 1e-4
"""Rows that outputs are judged by, and how far from 1 they may sum up."""


def look_at_weights(facts: Facts, tensors: Mapping[str, Tensor]) -> None:
    """Counts the units of each hidden layer that are copies of others.

    Args:
        facts: takes what is found.
        tensors: parameters by their name, on any device.
    """
    weights = {
        layer.name: layer.weight.partition("_")[2]
        for layer in facts.hidden
        if len(layer.shape) in (2, 4) and layer.name == layer.module
    }
    wanted = {name for weight in weights.values() for name in (weight, _bias(weight))}
    arrays = {
        name: tensor.detach().float().cpu().numpy()
        for name, tensor in tensors.items()
        if name in wanted
    }
    facts.copies = copies_by_layer(arrays, weights)


def _bias(weight: str) -> str:
    return f"{weight.rpartition('.')[0]}.bias"


def look_at_outputs(
    facts: Facts, examples: Examples, network: nn.Module, source: RowSource
) -> None:
    """Says whether outputs are shares already, where the loss takes the softmax itself.

    The network is asked in evaluation mode, without gradients; nothing in it changes.

    Args:
        facts: takes what is found.
        examples: the data.
        network: of the run.
        source: of rows, where the network is.
    """
    loss = facts.experiment.loss
    places = facts.experiment.shape.places
    own = "loss" in facts.config.replaced
    if not loss.link_inside or loss.link != "softmax" or own or places:
        return
    split: Split = "validation" if "validation" in examples.rows else "train"
    rows = probe_rows(examples, split).numpy()
    device = next(network.parameters()).device
    forward = forward_of(facts.experiment, network)
    with forward.over(source, batches_of(facts.experiment, rows, device)) as found:
        outputs = torch.cat([answer.outputs.float() for answer in found])
    if len(outputs) < _FEWEST or outputs.shape[1] < 2:
        return
    shares = (outputs >= 0.0).all() & ((outputs.sum(1) - 1.0).abs() < _SUM).all()
    facts.outputs_are_shares = bool(shares)


def look_at_places(facts: Facts, examples: Examples, network: nn.Module, source: RowSource) -> None:
    """Asks for the loss at each place of windows over a series, where each place has an answer.

    The network is asked in evaluation mode, without gradients; nothing in it changes.

    Args:
        facts: takes what is found.
        examples: the data.
        network: of the run.
        source: of rows, where the network is.
    """
    experiment = facts.experiment
    if len(experiment.shape.places) != 1 or examples.windows is None:
        return
    split: Split = "validation" if "validation" in examples.rows else "train"
    most = max(1, _ANSWERS // experiment.shape.answers)
    rows = spread_rows(examples.rows[split], most).numpy()
    losses = row_answers(experiment, examples, network, source, rows)["losses"]
    facts.place_losses = losses.reshape(len(rows), -1)


def look_at_writing(facts: Facts, examples: Examples, network: nn.Module) -> None:
    """Lets the network go on with windows of a text, and counts the runs of tokens it writes.

    Nothing is written where that would take longer than a part of a second.

    Args:
        facts: takes what is found.
        examples: the data.
        network: of the run; it stays as it was.
    """
    experiment, windows = facts.experiment, examples.windows
    if not experiment.shape.tokens or not experiment.shape.places or windows is None:
        return
    if _WRITTEN * _BEGINNINGS * experiment.design.flops > _MOST_FLOPS:
        return
    rows = examples.rows["validation" if "validation" in examples.rows else "train"]
    # What goes on behind a window lies in the same split.
    rows = rows[rows * windows.stride + windows.length + _WRITTEN <= _end(windows, rows)]
    if len(rows) < _BEGINNINGS:
        return
    starts = spread_rows(rows, _BEGINNINGS).numpy() * windows.stride
    begin = windows.series[starts[:, None] + np.arange(windows.length)].astype(np.int64)
    behind = starts[:, None] + windows.length + np.arange(_WRITTEN)
    held = windows.series[behind].astype(np.int64)
    seed = experiment.config.seed_of("order")
    found = written_rows(experiment, network, torch.from_numpy(begin), _WRITTEN, seed=seed)
    facts.written = Written(
        _different_runs(found.numpy()), _different_runs(held), _RUN, found.numel()
    )


def _end(windows: Windows, rows: NDArray[np.int64]) -> int:
    """The step of the series behind the last one that the windows of a split see."""
    return int(rows[-1]) * windows.stride + windows.length


def _different_runs(tokens: NDArray[np.int64]) -> float:
    """How many runs of tokens there are in rows (N, L): e to the power of their entropy."""
    runs = np.lib.stride_tricks.sliding_window_view(tokens, _RUN, axis=1).reshape(-1, _RUN)
    counts = np.unique(runs, axis=0, return_counts=True)[1]
    shares = counts / counts.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def record_at(
    experiment: Experiment, examples: Examples, network: nn.Module, source: RowSource, step: int
) -> ExampleRecord | None:
    """What a network says of the training rows, where the run kept no record of them.

    Args:
        experiment: of the run.
        examples: its data.
        network: with the weights of one of its checkpoints.
        source: of rows, where the network is.
        step: of the checkpoint.

    Returns:
        A record of one moment; None where targets are no classes or there are too many rows.
    """
    rows = examples.rows["train"]
    shape = examples.shape
    if shape.task != "classes" or len(rows) > _MOST_ROWS or shape.places or shape.tokens:
        return None
    if experiment.config.own_loss is not None:
        return None
    found = row_answers(experiment, examples, network, source, rows)
    held = (
        row_answers(experiment, examples, network, source, examples.rows["validation"])["margins"]
        if "validation" in examples.rows
        else None
    )
    return ExampleRecord(
        rows=rows,
        labels=examples.targets[rows],
        steps=np.array([step], np.int64),
        losses=found["losses"][None],
        margins=found["margins"][None],
        predicted=found["predicted"][None],
        held=None if held is None else held[None],
        sure=found["sure"][None],
    )
