"""Integrated gradients by a few points: cheap enough for a look between two updates."""

import torch
from torch import Tensor

from nnlab.core.contracts import Task
from nnlab.display.pictures.family import Parts
from nnlab.runs.explaining.explainable import Explainable
from nnlab.runs.explaining.methods import Question, integrate
from nnlab.training.probes.no_trace import kept_modes

_POINTS = 8
"""Of the quadrature; `nnlab explain` takes 64, and says how nearly the parts add up."""


def answer_parts(network: Explainable, task: Task, inputs: Tensor) -> Parts:
    """What the network says of a few examples, and how much of it comes from where.

    The parts are those of integrated gradients from 0 after scaling, of tokens from embeddings of
    0. Nothing of the network changes: modes, buffers and gradients stay as they are.

    Args:
        network: what is trained.
        task: of regressions the first output is looked at, else the greatest.
        inputs: (N, *shape), scaled.
    """
    with kept_modes(network), torch.no_grad():
        network.eval()
        numbers = network.numbers(inputs)
        outputs = network(numbers)
        first = outputs.new_zeros(len(outputs), dtype=torch.int64)
        columns = first if task == "regression" else outputs.argmax(dim=1)
        asked = Question(inputs, columns, torch.zeros_like(numbers[:1]), None)
        found = integrate(network, asked, steps=_POINTS).attribution
    if asked.images:
        return Parts(columns, found.sum(dim=1))
    return Parts(columns, found.sum(dim=2) if asked.sequences else found)
