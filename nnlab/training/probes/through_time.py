"""What a full probe sees of recurrent layers: the gradient through time, gates, the recurrence.

Training may use a kernel that shows no step; for a probe the steps are written out.
"""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from nnlab.core.contracts import SATURATED
from nnlab.training.probes.labels import GATES
from nnlab.training.probes.no_trace import without_side_effects


@runtime_checkable
class Recurrence(Protocol):
    """A layer that keeps what happens at each of its steps, where it is asked to."""

    kind: str
    kept: "list[Kept] | None"

    def steps_there(self) -> Tensor | None:
        """(N, T) of the batch seen last, where sequences end at different steps."""
        ...


Kept = tuple[Sequence[Sequence[Tensor]], Tensor]
"""Of one call: the state (N, H) each behind every step, and what comes into the gates of all steps,
(N, T, G H)."""


def probe_time(
    network: nn.Module, keys: Mapping[str, str], loss: Callable[[], Tensor]
) -> dict[str, Tensor]:
    """The readings of recurrent layers by key, () each, on the device.

    Args:
        network: what is trained; it is left as it was.
        keys: module name of each recurrent layer -> its key in readings.
        loss: a pass of the network on a few examples, and the mean loss of their last answers, ().
    """
    found: dict[str, Tensor] = {}
    with _kept(network, keys) as recurrent:
        value = loss()
        for name, layer in recurrent.items():
            kept, there = (layer.kept or [])[0], layer.steps_there()
            found |= _of_layer(layer.kind, kept, value, keys[name], there)
    with torch.no_grad():
        for name, layer in recurrent.items():
            if layer.kind == "rnn":
                weight = network.get_parameter(f"{name}.weight_hh")
                found[f"spectral_radius/{keys[name]}"] = _radius(weight)
    return found


def gradient_by_step(
    network: nn.Module, names: Sequence[str], loss: Callable[[], Tensor]
) -> dict[str, Tensor]:
    """The gradient of each recurrent layer's state, step by step: (T,) norms by module name.

    Args:
        network: what is trained; it is left as it was.
        names: of the recurrent layers.
        loss: as `probe_time` takes it.
    """
    with _kept(network, names) as recurrent:
        value = loss()
        states = {
            name: [state[-1] for state in (layer.kept or [])[0][0]]
            for name, layer in recurrent.items()
        }
        # All at once: a second call would go back through the same steps again.
        flat = [state for each in states.values() for state in each]
        found = iter(torch.autograd.grad(value, flat))
        return {
            name: torch.stack([next(found).norm() for _ in each]) for name, each in states.items()
        }


def gates_by_step(network: nn.Module, name: str, run: Callable[[], object]) -> dict[str, Tensor]:
    """How far each gate of a recurrent layer is open: (N, T, H) from 0 to 1, by the gate's name.

    Args:
        network: what is trained; it is left as it was.
        name: of the layer; one without gates has none.
        run: a pass of the network over N examples.
    """
    with _kept(network, (name,)) as recurrent, torch.no_grad():
        run()
        layer = recurrent[name]
        states, gates = (layer.kept or [])[0]
        shares = torch.sigmoid(gates).chunk(gates.shape[2] // states[0][0].shape[1], dim=2)
        return {gate: shares[place] for gate, place in GATES[layer.kind].items()}


@contextmanager
def _kept(network: nn.Module, names: Iterable[str]) -> Generator[dict[str, Recurrence]]:
    """Lets the recurrent layers keep what happens at each step, with gradients, inside a `with`."""
    layers = {name: network.get_submodule(name) for name in names}
    recurrent: dict[str, Recurrence] = {
        name: layer for name, layer in layers.items() if isinstance(layer, Recurrence)
    }
    with without_side_effects(network), torch.enable_grad(), ExitStack() as stack:
        for layer in recurrent.values():
            layer.kept = []
            stack.callback(setattr, layer, "kept", None)
        yield recurrent


def _of_layer(
    kind: str, kept: Kept, value: Tensor, key: str, there: Tensor | None
) -> dict[str, Tensor]:
    states, gates = kept
    # What is carried on: the last part, of an LSTM its cell, whatever of it the gates let out.
    if there is None:
        first, last = torch.autograd.grad(value, [states[0][-1], states[-1][-1]], retain_graph=True)
    else:
        every = torch.autograd.grad(value, [state[-1] for state in states], retain_graph=True)
        examples = torch.arange(len(there), device=there.device)
        # Of each example the last step that it has.
        first, last = every[0], torch.stack(every)[there.sum(1) - 1, examples]
    least = torch.finfo(value.dtype).tiny
    ratio = first.norm() / last.norm().clamp(min=least)
    told = {f"time_gradient/{key}": ratio}
    count = gates.shape[2] // states[0][0].shape[1]
    shares = torch.sigmoid(gates.detach()).chunk(count, dim=2)
    for gate, place in GATES[kind].items():
        share = shares[place] if there is None else shares[place][there]
        flat_out = (share < SATURATED) | (share > 1.0 - SATURATED)
        told[f"gate_saturated/{key}.{gate}"] = flat_out.float().mean()
    return {name: number.detach() for name, number in told.items()}


def _radius(weight: Tensor) -> Tensor:
    """() the largest absolute eigenvalue; on the CPU, where the small matrix costs least."""
    return torch.linalg.eigvals(weight.double().cpu()).abs().max().to(weight.device).float()
