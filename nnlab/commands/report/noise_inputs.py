"""How sure a network is of inputs that mean nothing; it should not be.

Hendrycks & Gimpel 2017, arXiv:1610.02136; Hein et al. 2019, arXiv:1812.05720.
"""

from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nnlab.commands.report.cases import Case, probabilities_of
from nnlab.commands.report.facts import Sureness
from nnlab.commands.report.intervals import Floats
from nnlab.core.contracts import Examples
from nnlab.core.seeds import seed_for
from nnlab.parts.datasets.lengths import without_padding
from nnlab.runs.finished.outputs import outputs_of

_EXAMPLES = 2000
"""At most so many inputs of each sort, and so many training rows for the moments."""
_ELEMENTS = 1 << 24
"""And of large images so many numbers: as float32 they need 64 MB."""
SURE = 0.9


def sureness_on_noise(case: Case) -> list[Sureness]:
    """On the real split and on sorts of noise; [] where there are no probabilities."""
    if case.probabilities is None:
        return []
    split = case.split
    found = [_told(f"{split} split", case.probabilities, case)]
    for name, inputs in noises(case.opened.examples, split).items():
        outputs = outputs_of(case.opened, torch.from_numpy(inputs))
        probabilities = probabilities_of(case.opened.experiment, outputs)
        assert probabilities is not None
        found.append(_told(name, probabilities, case))
    return found


def _told(name: str, p: Floats, case: Case) -> Sureness:
    if case.opened.experiment.shape.task == "labels":
        p = np.stack([p, 1 - p], axis=2)
    greatest = p.max(axis=-1)
    entropy = -(p * np.log(np.maximum(p, np.finfo(np.float64).tiny))).sum(axis=-1)
    return Sureness(
        inputs=name,
        examples=len(p),
        confidence=float(greatest.mean()),
        entropy=float(entropy.mean() / np.log(p.shape[-1])) if p.shape[-1] > 1 else 0.0,
        sure=float((greatest > SURE).mean()),
    )


def noises(examples: Examples, split: Any) -> dict[str, NDArray[Any]]:
    """Inputs (N, *shape) that mean nothing, scaled as the network gets them; tokens stay tokens."""
    draw = np.random.Generator(np.random.PCG64(seed_for(0, "nonsense")))
    known, real = _scaled(examples, "train"), _scaled(examples, split)
    shape = (len(real), *real.shape[1:])
    if tokens := examples.shape.tokens:
        random = draw.integers(0, tokens, shape)
        shuffled = draw.permuted(real.reshape(len(real), -1), axis=0).reshape(shape)
        return {"random tokens": random, "shuffled across examples": shuffled}
    # The pixels of an image share one range; the columns of a table have each their own.
    axes = None if real.ndim == 4 else 0
    low, high = known.min(axis=axes), known.max(axis=axes)
    shuffled = draw.permuted(real.reshape(len(real), -1), axis=0).reshape(shape)
    return {
        "uniform noise": draw.uniform(low, high, shape).astype(np.float32),
        "gaussian noise": draw.normal(known.mean(axis=0), known.std(axis=0), shape).astype(
            np.float32
        ),
        "shuffled across examples": shuffled,
    }


def _scaled(examples: Examples, split: Any) -> NDArray[Any]:
    """At most `_EXAMPLES` rows of a split at equal distances, as the network gets them."""
    examples = without_padding(examples)
    rows = examples.rows[split]
    count = min(len(rows), _EXAMPLES, max(1, _ELEMENTS // prod(examples.shape.inputs)))
    rows = rows[np.arange(count) * len(rows) // count]
    inputs = examples.inputs
    if isinstance(inputs, np.ndarray):
        stored = inputs[rows]
    else:
        stored = np.stack([inputs.read(int(row)) for row in rows])
    if examples.shape.tokens:
        return stored.astype(np.int64)
    return (stored.astype(np.float32) - examples.shift) * examples.factor
