"""Probes: what happens inside a network around one update.

They see gradients before it, weights before and after it, and pre-activations and activations on
examples that stay the same for the whole run. `nnlab.training.probes.readings` defines every
number. Nothing here draws, changes the network, or waits for the device: `tensor` is read back with
the window.
"""

from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from typing import final

import torch
from torch import Tensor, nn

from nnlab.core.contracts import Seen
from nnlab.training.probes.anatomy import Tap
from nnlab.training.probes.gradients import gradient_agreement
from nnlab.training.probes.gradients import tensor_norms as norms_of
from nnlab.training.probes.readings import SATURATED

QUANTILES = (0.05, 0.5, 0.95)
DORMANT = 0.025
"""A unit whose mean activity is this share of its layer's mean. Sokar et al. 2023, section 2."""
MOST_ELEMENTS = 2**11
"""A quantile is taken over about this many numbers of a layer, at equal distances."""

Entropy = Callable[[Tensor], Tensor]
"""(N, K) outputs to (N,): the entropy of what they say about the classes, in nats."""


@final
class Probes:
    """Looks into a network.

    Args:
        network: its weights are the first ones.
        seen: its layers, from input to output.
        labels: parameter or layer name -> its key in readings ("00_hidden1.weight").
        forward: a pass of the probe set that leaves no trace: shows a tap what it meets, gives the
            outputs; None where there is no probe set.
        entropy: of the outputs; None where they are no probabilities.
        batches: gradients of up to so many batches of a window are compared.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        seen: Sequence[Seen],
        labels: Mapping[str, str],
        forward: Callable[[Tap], Tensor] | None,
        entropy: Entropy | None = None,
        batches: int = 4,
    ) -> None:
        self.network = network
        self.batches = batches
        self._seen = {s.after: s for s in seen if s.after} | {s.before: s for s in seen if s.before}
        self._labels = labels
        self._forward = forward
        self._entropy = entropy
        # Biases and the parameters of norms have few numbers: what moves a network are matrices.
        named = dict(network.named_parameters())
        self._weights = {n: p for n, p in named.items() if p.ndim >= 2 and p.requires_grad}
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
        chosen = [[each[place].float() for place in self._places] for each in gradients]
        self._before = [p.detach().clone() for p in self._weights.values()]
        # The first is the batch of the next update, the only one where there are no others.
        sizes = chosen[0][0].new_tensor([sqrt(p.numel()) for p in self._weights.values()])
        self._found = self._by_weight("grad_rms", norms_of(chosen[0]) / sizes)
        if len(chosen) > 1:
            self._found |= self._by_weight("grad_agreement", gradient_agreement(chosen))

    @torch.no_grad()
    def after(self, *, updated: bool) -> dict[str, Tensor]:
        """All readings by key, () each, on the device; forgets what `before` kept.

        Args:
            updated: whether there was an update in between.
        """
        found, self._found = self._found, {}
        before, self._before = self._before, None
        if before is not None:
            found |= self._of_weights(before if updated else None)
        return found if self._forward is None else found | self._of_activations(self._forward)

    def _by_weight(self, name: str, values: Tensor) -> dict[str, Tensor]:
        keys = (f"{name}/{self._labels[weight]}" for weight in self._weights)
        return dict(zip(keys, values.unbind(), strict=True))

    def _of_weights(self, before: list[Tensor] | None) -> dict[str, Tensor]:
        now = [p.detach() for p in self._weights.values()]
        norms = norms_of(now)
        tiny = torch.finfo(norms.dtype).tiny
        found = self._by_weight("weight_norm", norms)
        moved = norms_of([a - b for a, b in zip(now, self._first, strict=True)])
        found |= self._by_weight("distance", moved / norms_of(self._first).clamp(min=tiny))
        apart = norms_of([w - w.mean(0) for w in now])
        found |= self._by_weight("unit_spread", apart / norms.clamp(min=tiny))
        if before is None:
            return found
        steps = norms_of([a - b for a, b in zip(now, before, strict=True)])
        norms_before = norms_of(before).clamp(min=tiny)
        found |= self._by_weight("update_ratio", steps / norms_before)
        return found | self._by_weight(
            "update_angle", weight_angles(before, now, norms_before, norms)
        )

    def _of_activations(self, forward: Callable[[Tap], Tensor]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        units: list[tuple[Tensor, Tensor]] = []

        def tap(name: str, x: Tensor) -> None:
            layer = self._seen.get(name)
            if layer is None:
                return
            label = self._labels[layer.layer]
            role = "activation" if name == layer.after else "preactivation"
            found.update((f"{key}/{label}", v) for key, v in spread_of_values(role, x).items())
            if name == layer.after:
                shares = asleep(x)
                units.append(shares[:2])
                found[f"dead_units/{label}"] = shares[0] / shares[1]
                found[f"dormant_units/{label}"] = shares[2]
                if layer.bounds is not None:
                    found[f"saturated/{label}"] = saturated(x, layer.bounds)

        outputs = forward(tap)
        if units:
            dead, all_units = (torch.stack(part).sum() for part in zip(*units, strict=True))
            found["dead_units/total"] = dead / all_units
        if self._entropy is not None:
            found["entropy/output"] = self._entropy(outputs).mean()
        return found


def weight_angles(
    before: Sequence[Tensor], after: Sequence[Tensor], norms: Tensor, norms_after: Tensor
) -> Tensor:
    """Degrees between each tensor before and after, (P,).

    2 atan2(|u - v|, |u + v|) of the unit vectors: the arccosine of a product near 1 would lose all
    small angles. Kahan 2006, "How futile are mindless assessments of roundoff", section 12.
    """
    tiny = torch.finfo(norms.dtype).tiny
    ones = [b / n for b, n in zip(before, norms, strict=True)]
    others = [a / n for a, n in zip(after, norms_after.clamp(min=tiny), strict=True)]
    apart = norms_of([u - v for u, v in zip(ones, others, strict=True)])
    together = norms_of([u + v for u, v in zip(ones, others, strict=True)])
    return torch.rad2deg(2.0 * torch.atan2(apart, together))


def spread_of_values(role: str, x: Tensor) -> dict[str, Tensor]:
    """Mean, deviation and quantiles over examples and units of (N, ...)."""
    x = x.float()
    flat = x.flatten()
    few = flat[:: max(1, flat.numel() // MOST_ELEMENTS)].sort().values
    # The nearest of the sorted numbers: torch.quantile costs as much as all else here together.
    quantiles = [few[round(q * (len(few) - 1))] for q in QUANTILES]
    names = (f"{role}_q{round(100 * q):02d}" for q in QUANTILES)
    deviation, mean = torch.std_mean(flat, correction=0)
    return {
        f"{role}_mean": mean,
        f"{role}_std": deviation,
        **dict(zip(names, quantiles, strict=True)),
    }


def asleep(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Units of (N, units, ...) that do nothing.

    Returns:
        How many are exactly 0 on every example and place, how many units there are, and the share
        of dormant ones.
    """
    activity = x.float().abs().transpose(0, 1).flatten(1).mean(1)
    dead = (activity == 0).sum()
    mean = activity.mean()
    # Where all are silent none is more so than the others: all count.
    dormant = (activity <= DORMANT * mean).float().mean()
    return dead, torch.full_like(dead, len(activity)), dormant


def saturated(x: Tensor, bounds: tuple[float, float]) -> Tensor:
    """The share of activations next to one of the bounds."""
    low, high = bounds
    margin = SATURATED * (high - low)
    return ((x <= low + margin) | (x >= high - margin)).float().mean()
