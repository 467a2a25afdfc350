"""What a run looks at inside its network: which layers, on which examples, under which names."""

from collections.abc import Sequence
from functools import cache
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnlab.contracts import Examples, Seen, Split
from nnlab.experiment import Experiment
from nnlab.labels import labels, layer_labels
from nnlab.training.hooks import Tap, look
from nnlab.training.loop import BESIDE
from nnlab.training.probes import Entropy, Probes
from nnlab.training.sources import Source
from nnlab.training.still import still
from nnlab.training.streams import StreamedSource

EVALUATION_ELEMENTS = 2**22
"""An evaluation batch holds about this many numbers in its largest layer: 16 MB of float32."""
PROBE_ROWS = 256
"""So many validation examples show the activations of a run."""


def probes(
    experiment: Experiment,
    examples: Examples,
    network: nn.Module,
    source: Source,
    device: torch.device,
) -> Probes | None:
    """What looks into the network, on examples of the validation split if there is one."""
    if experiment.pace.closely is None:
        return None
    design, sizes = experiment.design, experiment.shape.sizes
    split: Split = "validation" if "validation" in sizes else "train"
    seen = seen_of(experiment) or ()
    named = labels(design.plans)
    layers = layer_labels([s.layer for s in seen], named)
    inputs = cache(lambda: source.gather(probe_rows(examples, split).to(device)).inputs)

    def forward(tap: Tap) -> Tensor:
        if design.anatomy is not None:
            return look(network, design.anatomy, lambda: network(inputs()), tap)
        with still(network):
            return network(inputs(), tap=tap)

    if design.anatomy is not None:
        layers = {each.layer: each.layer for each in seen}
    return Probes(
        network,
        seen=seen,
        labels=named | layers,
        forward=forward,
        entropy=_entropy(experiment),
        # Rows that are read one by one would have to be read once more.
        batches=1 if isinstance(source, StreamedSource) else BESIDE,
    )


def seen_of(experiment: Experiment) -> Sequence[Seen] | None:
    """The layers that close looks see, from input to output; None where there is no close look."""
    if experiment.pace.closely is None:
        return None
    design = experiment.design
    if design.anatomy is not None:
        return design.anatomy.seen
    return [s for placed in design.placed for s in placed.config.seen(placed.name)]


def probe_rows(examples: Examples, split: Split) -> Tensor:
    """Rows of a split at equal distances, as many as an evaluation batch has room for."""
    most = max(1, min(PROBE_ROWS, EVALUATION_ELEMENTS // prod(examples.shape.inputs)))
    return spread_rows(examples.rows[split], most)


def _entropy(experiment: Experiment) -> Entropy | None:
    """Of the class probabilities, in nats; None where outputs are no distribution."""
    if experiment.shape.task != "classes" or experiment.config.rule.own_loss is not None:
        return None
    activation = experiment.config.model.output.activation
    if isinstance(activation, str):
        return None
    shares = experiment.loss.probabilities_behind(activation.kind)
    if shares is None:
        return None

    def entropy(outputs: Tensor) -> Tensor:
        return torch.special.entr(shares(outputs)).sum(1)

    return entropy


def spread_rows(rows: NDArray[np.int64], most: int) -> Tensor:
    """At most so many of N rows, at equal distances."""
    count = min(most, len(rows))
    return torch.from_numpy(rows[np.arange(count) * len(rows) // count])
