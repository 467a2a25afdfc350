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
from nnlab.training.probes.labels import Site
from nnlab.training.window import flat_places

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
        layers = design.layers
        self._sight = scene.sight
        shown = {
            each.parameter: each.key for each in layers.matrices if layers.legible(f"/{each.key}")
        }
        named = dict(scene.network.named_parameters())
        self._weights = {key: named[name] for name, key in shown.items()}
        each = prod(design.inputs) + sum(prod(plan.output) for plan in design.plans)
        self._batch: Batch | None = None
        self._rows = thin_rows(scene.probe, max(1, min(_ROWS, ELEMENTS // each)))

    def collect(self) -> dict[str, NDArray[np.float64]]:
        """Tag -> (k, 3) buckets, as TensorBoard takes them; one copy from the device."""
        network = self._scene.network
        # Gathered once: the rows stay the same for the whole run.
        if self._batch is None:
            self._batch = self._scene.source.gather(self._rows)
        batch = self._batch
        found = {f"weights/{key}": histograms.count_buckets(p) for key, p in self._weights.items()}
        activations: dict[str, Tensor] = {}

        def tap(place: Site, x: Tensor) -> None:
            if place.role == "activation" and self._sight.layers.legible(f"/{place.key}"):
                activations[f"activations/{place.key}"] = histograms.count_buckets(x)

        learned = {key: p for key, p in self._weights.items() if p.requires_grad}
        wanted = self._loss is not None and bool(learned)
        with (
            self._sight.still(),
            self._sight.open(tap),
            torch.set_grad_enabled(wanted),
        ):
            outputs = flat_places(network(batch.inputs))
            if self._loss is not None and wanted:
                mean = self._loss(outputs, batch).mean()
                # Unlike backward(), it leaves the parameters' own gradients alone.
                gradients = torch.autograd.grad(mean, [*learned.values()], allow_unused=True)
                found |= {
                    f"gradients/{key}": histograms.count_buckets(gradient)
                    for key, gradient in zip(learned, gradients, strict=True)
                    if gradient is not None  # pyright: ignore[reportUnnecessaryComparison]
                }
        return histograms.read_histograms({**found, **activations})
