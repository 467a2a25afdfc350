"""Observes what passes between the layers of a network, ours or anybody's: hooks for one pass.

Outside of such a pass a network runs as if there were no hooks. Which layers there are and what
they are called stands in `labels.py`.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, final

import torch
from torch import Tensor, nn

from nnlab.training.probes.labels import Layers, Site
from nnlab.training.probes.no_trace import foreign, kept_generators, without_side_effects

NetworkCall = Callable[[], Any]
"""A forward pass of the network."""
Tap = Callable[[Site, Tensor], None]
"""Gets where something was seen, and what comes out there: (N, units, ...)."""


@final
class Sight:
    """Lets probes look into a network.

    Args:
        network: any module.
        layers: which of its layers can be seen.
    """

    def __init__(self, network: nn.Module, layers: Layers) -> None:
        self.network = network
        self.layers = layers
        modules = dict(network.named_modules())
        # A layer of ours is named, and called once; dissect() also says which call, and which side.
        self._places = {n if "#" in n else f"{n}#0>": p for n, p in layers.places.items()}
        self._axes = {n if "#" in n else f"{n}#0>": axis for n, axis in layers.axes.items()}
        names = {name.rpartition("#")[0] for name in self._places}
        self._modules = {name: modules[name] for name in names}

    @contextmanager
    def open(self, tap: Tap, *, whole: bool = False) -> Generator[None]:
        """Inside, a pass of the network shows the tap what it meets.

        Modes, gradients and generators are the caller's matter.

        Args:
            tap: is called in the order of the pass.
            whole: hand on the very tensors of the pass, whatever axis their units are on: a
                gradient reaches them, but not the views that have the units first.
        """

        def told(_: nn.Module, name: str, x: Tensor | None) -> None:
            place = self._places.get(name)
            if place is None or x is None or not x.is_floating_point() or x.ndim < 2:
                return
            axis = self._axes.get(name, 1)
            tap(place, x if whole or axis == 1 or x.ndim == 2 else x.movedim(axis, 1))

        with hooked(self._modules, told):
            yield

    @torch.no_grad()
    def observe(self, run: NetworkCall, tap: Tap) -> Any:
        """What the run gives; buffers, modes and generators are as before.

        Args:
            run: a pass of the network.
            tap: sees what comes out of its layers, with the statistics of the batch.
        """
        with self.open(tap), self.still():
            return run()

    @contextmanager
    def still(self) -> Generator[None]:
        """Inside, a pass leaves no trace: it draws nothing that training would miss."""
        with without_side_effects(self.network):
            if foreign(self.network):
                with kept_generators():
                    yield
            else:
                yield


@contextmanager
def first_inputs(module: nn.Module, kept: list[Tensor]) -> Generator[None]:
    """Inside, what comes into a module is put into a list, at each call."""

    def told(_: nn.Module, name: str, x: Tensor | None) -> None:
        if name.endswith("<") and x is not None:
            kept.append(x)

    with hooked({"": module}, told):
        yield


@contextmanager
def trailed(network: nn.Module, tap: Callable[[str, Tensor], None]) -> Generator[None]:
    """Inside, a pass tells the name and the output of every module inside a network, in order."""

    def told(_: nn.Module, name: str, x: Tensor | None) -> None:
        if name.endswith(">") and x is not None:
            tap(name.rpartition("#")[0], x)

    with hooked({name: each for name, each in network.named_modules() if name}, told):
        yield


@contextmanager
def hooked(
    modules: Mapping[str, nn.Module], told: Callable[[nn.Module, str, Tensor | None], None]
) -> Generator[None]:
    """Tells `name#0<` with what comes into the first call of a module, `name#0>` what comes out.

    What comes in is told before the call: a module that works in place overwrites it.
    """
    names = {module: name for name, module in modules.items()}
    calls = dict.fromkeys(names, 0)

    def before(module: nn.Module, args: tuple[Any, ...]) -> None:
        told(module, f"{names[module]}#{calls[module]}<", _tensor(args))

    def after(module: nn.Module, _: Any, output: Any) -> None:
        number, calls[module] = calls[module], calls[module] + 1
        told(module, f"{names[module]}#{number}>", _tensor(output))

    handles: list[Any] = []
    try:
        # Within `try`: where one hook cannot be put, those before it are taken off again.
        for module in names:
            handles.append(module.register_forward_pre_hook(before))
            handles.append(module.register_forward_hook(after))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _tensor(value: Any) -> Tensor | None:
    """A tensor, or the first thing of a tuple if that is one (recurrent nets, attention)."""
    if isinstance(value, tuple | list) and value:
        value = value[0]
    return value if isinstance(value, Tensor) else None
