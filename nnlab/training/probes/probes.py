"""Probes: what happens inside a network around one update.

They see gradients before it, weights before and after it, and pre-activations and activations on
examples that stay the same for the whole run. `nnlab.training.probes.readings` defines every
number. Nothing here draws, changes the network, or waits for the device: `tensor` is read back with
the window.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import final

import torch
from torch import Tensor

from nnlab.training.probes.labels import Site
from nnlab.training.probes.measured import Gradients, Matrices, Units
from nnlab.training.probes.readings import READINGS
from nnlab.training.probes.sight import NetworkCall, Sight

Entropy = Callable[[Tensor], Tensor]
"""(N, K) outputs to (N,): the entropy of what they say about the classes, in nats."""


@final
class Probes:
    """Looks into a network.

    Args:
        sight: of the network, whose weights are the first ones.
        run: a pass of the probe set, gives the outputs; None where there is no probe set.
        entropy: of the outputs; None where they are no probabilities.
        time: what else is measured of recurrent layers and attention, by key; None where there are
            none.
        batches: gradients of up to so many batches of a window are compared.
    """

    def __init__(
        self,
        sight: Sight,
        *,
        run: NetworkCall | None,
        entropy: Entropy | None = None,
        time: "Callable[[], dict[str, Tensor]] | None" = None,
        batches: int = 4,
    ) -> None:
        self.batches = batches
        self._sight = sight
        self._labels = {each.parameter: each.key for each in sight.layers.matrices}
        self._run = run
        self._entropy = entropy
        self._time = time
        named = dict(sight.network.named_parameters())
        self._weights = {n: p for n, p in named.items() if n in self._labels and p.requires_grad}
        # Gradients come of all parameters, in the order of the network.
        self._places = [list(named).index(name) for name in self._weights]
        self._first = [p.detach().clone() for p in self._weights.values()]
        self._before: list[Tensor] | None = None
        self._found: dict[str, Tensor] = {}

    @torch.no_grad()
    def before(self, gradients: Sequence[Sequence[Tensor]]) -> None:
        """Keeps what the next update starts from.

        Args:
            gradients: of M batches at these weights, as `network.parameters()` has them.
        """
        if not self._weights:
            return
        self._before = [p.detach().clone() for p in self._weights.values()]
        chosen = [[each[place].float() for place in self._places] for each in gradients]
        seen = Gradients(chosen)
        self._found = self._by_weight(
            {n: d.from_gradients(seen) for n, d in READINGS.items() if d.from_gradients}
        )

    @torch.no_grad()
    def after(self, *, updated: bool) -> dict[str, Tensor]:
        """All readings by key, () each, on the device; forgets what `before` kept.

        Args:
            updated: whether there was an update in between.
        """
        found, self._found = self._found, {}
        before, self._before = self._before, None
        if before is not None:
            now = [p.detach() for p in self._weights.values()]
            seen = Matrices(now, self._first, before if updated else None)
            found |= self._by_weight(
                {n: d.from_weights(seen) for n, d in READINGS.items() if d.from_weights}
            )
        if self._time is not None:
            found |= self._time()
        return found if self._run is None else found | self._of_activations(self._run)

    def _by_weight(self, values: Mapping[str, Tensor | None]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for name, each in values.items():
            if each is not None:
                keys = (f"{name}/{self._labels[weight]}" for weight in self._weights)
                found |= zip(keys, each.unbind(), strict=True)
        return found

    def _of_activations(self, run: NetworkCall) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        counts: dict[str, list[tuple[Tensor, Tensor]]] = {}

        def tap(place: Site, x: Tensor) -> None:
            units = Units(x, place.bounds)
            for name, reading in READINGS.items():
                if reading.from_units is None or not reading.fits(place):
                    continue
                value = reading.from_units(units)
                if isinstance(value, tuple):  # a count of all, so that layers can be added up
                    counts.setdefault(name, []).append(value)
                    value = value[0] / value[1]
                found[f"{name}/{place.key}"] = value

        outputs = self._sight.observe(run, tap)
        for name, each in counts.items():
            some, every = (torch.stack(part).sum() for part in zip(*each, strict=True))
            found[f"{name}/total"] = some / every
        if self._entropy is not None:
            found["entropy/output"] = self._entropy(outputs).mean()
        return found
