"""Where the answers to a few rows come from, for the report: two methods, and whether they see."""

from copy import deepcopy
from dataclasses import replace
from math import isnan
from time import perf_counter

import numpy as np
import torch

from nnlab.commands.report.facts import ExplainedAnswers
from nnlab.commands.report.intervals import Floats
from nnlab.core.contracts import Split
from nnlab.runs.explaining.answers import explain_opened
from nnlab.runs.explaining.explainable import explainable_of, has_explanations
from nnlab.runs.explaining.gradients import input_gradient
from nnlab.runs.explaining.shown import answer_section, sight_of
from nnlab.runs.finished.reopen import Opened

_WORST, _BEST = 2, 1
"""So many rows of the greatest loss are explained, and of the least."""
_METHODS = ("integrated_gradients", "grad_cam", "attention_rollout")
_PASSES, _SECONDS = 200, 20.0
"""About so many passes are made; where they would take longer, none is."""


def explain_few(opened: Opened, split: Split, losses: Floats) -> ExplainedAnswers | None:
    """The rows that cost most and the one that costs least, explained.

    Args:
        opened: the run.
        split: whose rows.
        losses: (N,) of these.

    Returns:
        None where outputs have no gradient, or it would take long: `nnlab explain` takes its time.
    """
    if not has_explanations(opened.experiment, opened.network):
        return None
    cpu = torch.device("cpu")
    here = replace(opened, network=deepcopy(opened.network).to(cpu), device=cpu)
    order = np.argsort(-losses, kind="stable")
    rows = sorted({*order[:_WORST].tolist(), *order[-_BEST:].tolist()}, key=order.tolist().index)
    if _seconds(here, len(rows)) * _PASSES > _SECONDS:
        return None
    found = explain_opened(here, split=split, rows=rows, methods=_METHODS, thorough=False)
    alike = {name: ranks[-1].correlation for name, ranks in found.ranks.items() if ranks}
    return ExplainedAnswers(
        rows=found.rows.tolist(),
        answers=found.answers,
        alike_with_random_weights={k: None if isnan(v) else v for k, v in alike.items()},
        completeness_gap=found.integrated.miss,
        sight=[sight_of(found, name) for name in found.ranks],
        shown=[answer_section(found, place) for place in range(len(rows))],
    )


def _seconds(opened: Opened, count: int) -> float:
    """Of a pass there and back over so many rows."""
    experiment = opened.experiment
    network = explainable_of(experiment, opened.network)
    shape = experiment.shape
    dtype = torch.int64 if shape.tokens else next(opened.network.parameters()).dtype
    numbers = network.numbers(torch.zeros((count, *shape.inputs), dtype=dtype))
    columns = torch.zeros(count, dtype=torch.int64)
    took: list[float] = []
    for _ in range(2):  # the first one warms up
        began = perf_counter()
        input_gradient(network, numbers, columns)
        took.append(perf_counter() - began)
    return min(took)
