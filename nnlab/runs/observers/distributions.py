"""How weights, gradients and activations are spread: the histograms of a run."""

from math import prod
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnlab.core.contracts import Batch, LossFn
from nnlab.display.pictures.family import Scene, thin_rows
from nnlab.training.probes import histograms
from nnlab.training.probes.labels import layer_labels, legible_layers, number_of, parameter_labels
from nnlab.training.probes.no_trace import without_side_effects

_ROWS = 32
"""So many examples of the probe set are enough for a histogram."""
ELEMENTS = 2**22
"""A backward pass keeps about so many numbers: 16 MB of float32."""


@final
class Distributions:
    """Counts what is inside a network, on the probe set; draws nothing and changes nothing.

    Args:
        scene: the network and its probe set.
        loss: whose gradient is counted; None where the rule follows none.
    """

    def __init__(self, scene: Scene, loss: LossFn | None) -> None:
        self._scene = scene
        self._loss = loss
        design = scene.experiment.design
        self._labels = parameter_labels(design.plans)
        seen = [s for placed in design.placed for s in placed.config.seen(placed.name)]
        names = layer_labels([s.layer for s in seen], self._labels)
        self._after = {s.after: names[s.layer] for s in seen if s.after}
        shown = legible_layers(design.plans)
        named = dict(scene.network.named_parameters())
        self._weights = {
            name: p
            for name, p in named.items()
            if p.ndim >= 2 and number_of(f"weights/{self._labels[name]}") in shown
        }
        self._after = {k: v for k, v in self._after.items() if number_of(f"/{v}") in shown}
        each = prod(design.inputs) + sum(prod(plan.output) for plan in design.plans)
        self._batch: Batch | None = None
        self._rows = thin_rows(scene.probe, max(1, min(_ROWS, ELEMENTS // each)))

    def collect(self) -> dict[str, NDArray[np.float64]]:
        """Tag -> (k, 3) buckets, as TensorBoard takes them; one copy from the device."""
        network = self._scene.network
        named = self._weights
        if self._batch is None:
            self._batch = self._scene.source.gather(self._rows)
        batch = self._batch
        found = {
            f"weights/{self._labels[n]}": histograms.count_buckets(p) for n, p in named.items()
        }
        activations: dict[str, Tensor] = {}

        def tap(name: str, x: Tensor) -> None:
            if name in self._after:
                activations[f"activations/{self._after[name]}"] = histograms.count_buckets(x)

        learned = {n: p for n, p in named.items() if p.requires_grad}
        wanted = self._loss is not None and bool(learned)
        with without_side_effects(network), torch.set_grad_enabled(wanted):
            outputs = network(batch.inputs, tap=tap)
            if self._loss is not None and wanted:
                mean = self._loss(outputs, batch).mean()
                # Unlike backward(), it leaves the parameters' own gradients alone.
                gradients = torch.autograd.grad(mean, [*learned.values()], allow_unused=True)
                found |= {
                    f"gradients/{self._labels[name]}": histograms.count_buckets(gradient)
                    for name, gradient in zip(learned, gradients, strict=True)
                    if gradient is not None  # pyright: ignore[reportUnnecessaryComparison]
                }
        return histograms.read_histograms({**found, **activations})
