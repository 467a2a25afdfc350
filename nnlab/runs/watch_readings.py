"""What `Watch` measures: means between two readings, gradients, and full probes of the layers."""

from collections.abc import Mapping
from functools import partial
from math import hypot
from time import perf_counter
from typing import Any, final

import torch
from torch import Tensor, nn

from nnlab.core.errors import ConfigError
from nnlab.training.probes.anatomy import dissect_network
from nnlab.training.probes.gradients import tensor_norms
from nnlab.training.probes.probes import Probes
from nnlab.training.probes.sight import Sight


@final
class WatchedReadings:
    """The numbers of one network, kept on its device until a reading is taken.

    Args:
        network: as it is trained.
        optimizer: says the learning rate.
        inputs: the probe set; None where activations are not looked at.

    Attributes:
        pending: the step whose reading waits for its update; None where none does.
        seen: the layers that full probes see.
        examples: that all updates before the last reading have seen, where they say so.
    """

    def __init__(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, inputs: object
    ) -> None:
        self.pending: int | None = None
        self.examples = 0
        self._network = network
        self._optimizer = optimizer
        self._named = dict(network.named_parameters())
        if not self._named:
            raise ConfigError(f"nnlab.Watch: {type(network).__name__} has no parameters")
        self._inputs = None if inputs is None else _each(inputs, _copy)
        layers = dissect_network(network, None if inputs is None else self._run)
        self._sight, self._labels = Sight(network, layers), layers.keys
        self.cards = layers.cards
        self.seen = tuple(layers.seen.values())
        self._probes: Probes | None = None
        self._norms: Tensor | None = None
        self._full = False
        self._rate = 0.0
        self._clear()

    def _clear(self) -> None:
        self._sum: Any = 0.0
        self._weight = self._examples = 0
        self._logged: dict[str, tuple[Any, int]] = {}
        self._began, self._probing = perf_counter(), 0.0

    def _run(self) -> Any:
        """A pass of the probe set, wherever the network is by now."""
        inputs = _to(self._inputs, next(iter(self._named.values())).device)
        if isinstance(inputs, Mapping):
            return self._network(**inputs)
        return self._network(*inputs) if isinstance(inputs, tuple) else self._network(inputs)

    def add(self, loss: Tensor | float, examples: int | None) -> None:
        """Adds the loss of an update; no tensor is read back."""
        weight = 1 if examples is None else examples
        if isinstance(loss, Tensor) and isinstance(self._sum, Tensor) and loss.ndim == 0:
            # In place and in the sum's own precision: one operation for each update.
            self._sum.add_(loss.detach(), alpha=weight)
        else:
            self._sum = self._sum + single_number(loss, "step") * weight
        self._weight += weight
        self._examples += examples or 0

    def log(self, key: str, value: Tensor | float) -> None:
        """Takes a number of the user's own into the next reading."""
        total, count = self._logged.get(key, (0.0, 0))
        self._logged[key] = (total + single_number(value, "log"), count + 1)

    def probe(self, step: int, *, full: bool) -> None:
        """Keeps what the next update starts from; its reading is pending then."""
        began = perf_counter()
        found = [torch.zeros_like(p) if p.grad is None else p.grad for p in self._named.values()]
        self._norms, self._full = tensor_norms(found).float(), full
        self._rate = float(self._optimizer.param_groups[0]["lr"])
        if full:
            self._prober().before([found])
        self.pending = step
        self._probing += perf_counter() - began

    def first(self, loss: Tensor | float, *, full: bool) -> dict[str, float]:
        """The reading before the first update."""
        if full:
            self._prober()  # these are the first weights, from which `distance` counts
        self.add(loss, None)
        self.probe(0, full=full)
        return self.take(updated=False)

    def _prober(self) -> Probes:
        if self._probes is None:
            run = None if self._inputs is None else self._run
            self._probes = Probes(self._sight, run=run)
        return self._probes

    def last(self, *, full: bool) -> dict[str, float]:
        """The reading behind the last update: of its gradient nothing is left."""
        self._norms, self._full = None, full
        self._rate = float(self._optimizer.param_groups[0]["lr"])
        return self.take(updated=False)

    @property
    def empty(self) -> bool:
        """Whether there was no update since the reading before."""
        return self._weight == 0

    def take(self, *, updated: bool = True, blind: bool = False) -> dict[str, float]:
        """The reading; begins a new window. One copy from the device brings all of it.

        Args:
            updated: whether the update has been made that `probe` came before.
            blind: leave the network alone, which may be in any state.
        """
        began = perf_counter()
        inside: dict[str, Tensor] = {}
        if self._full and not blind:
            inside = self._prober().after(updated=updated)
        own = {key: total / count for key, (total, count) in self._logged.items()}
        found = [] if self._norms is None else self._norms.unbind()
        device = next(iter(self._named.values())).device
        every = [self._sum / self._weight, *own.values(), *inside.values(), *found]
        dtype = torch.float32 if device.type == "mps" else torch.float64
        read = torch.stack([torch.as_tensor(x, dtype=dtype, device=device) for x in every]).tolist()
        names = ["loss", *own, *inside, *(f"grad_norm/{self._labels[n]}" for n in self._named)]
        values = dict(zip(names, read, strict=False))
        if found:
            values["grad_norm/total"] = hypot(*read[-len(found) :])
        values["learning_rate"] = self._rate
        self.examples += self._examples
        if self._examples and found:
            seconds = began - self._began - self._probing
            values["samples_per_second"] = self._examples / max(seconds, 1e-9)
        self.pending, self._norms, self._full = None, None, False
        self._clear()
        return values


def single_number(value: Tensor | float, where: str) -> Any:
    """A number, or a tensor of one, which stays where it is."""
    if not isinstance(value, Tensor):
        return float(value)
    if value.numel() != 1:
        shape = tuple(value.shape)
        raise ConfigError(f"watch.{where}: needs one number, got a tensor of shape {shape}")
    wide = torch.float32 if value.device.type == "mps" else torch.float64
    return value.detach().reshape(()).to(wide)


def _copy(x: Tensor) -> Tensor:
    return x.detach().clone()


def _to(inputs: object, device: torch.device) -> Any:
    return _each(inputs, partial(Tensor.to, device=device))


def _each(inputs: Any, act: Any) -> Any:
    """Does something with every tensor of model(x), model(*x) or model(**x)."""
    if isinstance(inputs, Mapping):
        return {key: _each(value, act) for key, value in inputs.items()}
    if isinstance(inputs, tuple | list):
        return tuple(_each(value, act) for value in inputs)
    return act(inputs) if isinstance(inputs, Tensor) else inputs
