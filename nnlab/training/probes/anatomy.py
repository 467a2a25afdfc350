"""Networks that are not ours: which layers they have, and a way to look between them.

One forward pass shows the order in which modules are called. Hooks are there for such a pass alone
and are removed afterwards, so that training runs as if nobody had looked.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple, final

import torch
from torch import Tensor, nn

from nnlab.core.contracts import Plan, Seen, Shape
from nnlab.training.probes.no_trace import kept_generators, without_side_effects

NetworkCall = Callable[[], Any]
"""A forward pass of the network."""
Tap = Callable[[str, Tensor], None]
"""Gets a name and what came into or out of a module, (N, units, ...), while a probe looks."""

ACTIVATIONS = tuple(
    getattr(nn, name) for name in nn.modules.activation.__all__ if name != "MultiheadAttention"
)
"""torch's activation modules."""


class Anatomy(NamedTuple):
    """What a network consists of, by depth.

    Attributes:
        plans: a layer for each module with a weight of two axes or more; what follows it without
            one (a norm) belongs to it.
        seen: what a probe sees, each under its key in readings: 02_layer1.0.conv2.
        axes: of the units in what is tapped, by the tap's name.
    """

    plans: tuple[Plan, ...]
    seen: tuple[Seen, ...]
    axes: Mapping[str, int]


def unwrap_network(network: nn.Module) -> nn.Module:
    """The network itself, without what torch.compile and DataParallel put around it."""
    while True:
        if isinstance(network, nn.DataParallel | nn.parallel.DistributedDataParallel):
            network = network.get_submodule("module")
        elif type(network).__name__ == "OptimizedModule":  # its class is slow to import
            network = network.get_submodule("_orig_mod")
        else:
            return network


def bounds_of(activation: nn.Module) -> tuple[float, float] | None:
    """Where it flattens out on both sides; a rectifier's zero is no such bound."""
    if isinstance(activation, nn.Hardtanh) and not isinstance(activation, nn.ReLU6):
        return float(activation.min_val), float(activation.max_val)
    if isinstance(activation, nn.Tanh | nn.Softsign):
        return -1.0, 1.0
    return (0.0, 1.0) if isinstance(activation, nn.Sigmoid | nn.Hardsigmoid) else None


@torch.no_grad()
def tap_forward(network: nn.Module, anatomy: Anatomy, run: NetworkCall, tap: Tap) -> Any:
    """A forward pass that is tapped wherever `anatomy.seen` says.

    Returns:
        What the run gave. Buffers, modes and generators are as before.
    """
    modules = dict(network.named_modules())
    chosen = {name: modules[name] for name in {tap.rpartition("#")[0] for tap in anatomy.axes}}

    def told(_: nn.Module, name: str, x: Tensor | None) -> None:
        axis = anatomy.axes.get(name)
        if axis is not None and x is not None and x.is_floating_point() and x.ndim > 1:
            tap(name, x.movedim(axis, 1) if x.ndim > 2 else x)

    with _hooked(chosen, told), without_side_effects(network), kept_generators():
        return run()


@torch.no_grad()
def dissect_network(network: nn.Module, run: NetworkCall | None) -> Anatomy:
    """The layers of a network, in the order in which a pass calls them.

    Args:
        network: any module.
        run: a forward pass of it; None takes the order in which they are defined, and sees nothing
            between them.
    """
    trace = _Trace(network)
    if run is not None:
        hooked = _hooked(dict(network.named_modules()), trace.told)
        with hooked, without_side_effects(network), kept_generators():
            run()
    plans = tuple(_plans(network, trace))
    numbers = {name.rpartition(".")[0]: n for n, p in enumerate(plans) for name in p.parameters}
    seen: list[Seen] = []
    axes: dict[str, int] = {}
    for entry in trace.entries:
        shown = entry.name or _root(network)
        label = f"{numbers.get(entry.under, 0):02d}_{shown}"
        if label in (each.layer for each in seen):
            continue  # the same activation, called twice behind one layer
        seen.append(Seen(label, entry.before, entry.after, entry.bounds))
        axes |= dict.fromkeys(filter(None, (entry.before, entry.after)), entry.axis)
    return Anatomy(plans, tuple(seen), axes)


@contextmanager
def _hooked(
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


def _root(network: nn.Module) -> str:
    return type(network).__name__.lower()


def own_parameters(network: nn.Module) -> dict[str, dict[str, Shape]]:
    """Module -> its own parameters, full name -> shape; a shared one is its first module's."""
    own: dict[str, dict[str, Shape]] = {name: {} for name, _ in network.named_modules()}
    for full, parameter in network.named_parameters():
        own[full.rpartition(".")[0]][full] = tuple(parameter.shape)
    return own


def _is_matrix(parameters: Mapping[str, Shape]) -> bool:
    return any(len(shape) >= 2 for shape in parameters.values())


@dataclass(slots=True)
class _Entry:
    """Something to see: a layer with its activation, or an activation alone.

    Attributes:
        name: of the module.
        under: the layer whose number it has.
        before: the tap of the pre-activation.
        after: the tap of the activation.
        axis: of the units.
    """

    name: str
    under: str
    before: str | None
    after: str | None
    axis: int
    bounds: tuple[float, float] | None = None


@final
class _Trace:
    """Follows a pass: who is called when, and whose output comes into which activation.

    Attributes:
        called: modules in the order of their first calls.
        shapes: of an example that comes into and out of them.
        entries: what there is to see.
    """

    def __init__(self, network: nn.Module) -> None:
        self.called: list[str] = []
        self.shapes: dict[str, tuple[Shape, Shape]] = {}
        self.entries: list[_Entry] = []
        self._matrices = {n for n, own in own_parameters(network).items() if _is_matrix(own)}
        self._from: dict[int, _Entry] = {}
        self._held: list[Tensor] = []
        self._last: _Entry | None = None

    def told(self, module: nn.Module, tap: str, x: Tensor | None) -> None:
        name = tap.rpartition("#")[0]
        shape = () if x is None else tuple(x.shape[1:])
        if tap.endswith("<"):
            if name not in self.shapes:
                self.called.append(name)
                self.shapes[name] = (shape, ())
            self._entering = None if x is None else self._from.get(id(x))
            return
        if not self.shapes[name][1]:
            self.shapes[name] = (self.shapes[name][0], shape)
        leaf = not any(True for _ in module.children())
        if x is not None and (leaf or isinstance(module, nn.MultiheadAttention)):
            self._leaf(module, name, tap, x)

    def _leaf(self, module: nn.Module, name: str, tap: str, y: Tensor) -> None:
        """A module has put out y; what came in is still `_entering`: it has called no other."""
        entering = self._entering
        self._held.append(y)  # so that no other tensor gets its id
        if name in self._matrices and tap.endswith("#0>"):
            convolves = any(p.ndim > 2 for p in module.parameters(recurse=False))
            axis = 1 if convolves else -1
            self._last = _Entry(name, name, tap, None, axis)
            self.entries.append(self._last)
            self._from[id(y)] = self._last
        elif isinstance(module, ACTIVATIONS):
            self._from.pop(id(y), None)  # in place
            into = tap[:-1] + "<"
            if entering is not None and entering.after is None:
                entering.before, entering.after = into, tap
                entering.bounds = bounds_of(module)
            elif self._last is not None:
                last = self._last
                alone = _Entry(name, last.under, into, tap, last.axis, bounds_of(module))
                self.entries.append(alone)
        elif entering is not None:
            self._from[id(y)] = entering
            if any(True for _ in module.parameters()) and entering.after is None:
                entering.before = tap  # a norm: what comes out of it is the pre-activation


def _plans(network: nn.Module, trace: _Trace) -> Iterator[Plan]:
    own, modules = own_parameters(network), dict(network.named_modules())
    groups: list[list[str]] = [[]]
    for name in _ordered(list(own), trace.called):
        if _is_matrix(own[name]) and any(_is_matrix(own[other]) for other in groups[-1]):
            groups.append([])
        groups[-1].append(name)
    for group in groups:
        head = next((name for name in group if _is_matrix(own[name])), group[0])
        inputs, output = trace.shapes.get(head, ((), ()))
        yield Plan(
            name=head or _root(network),
            kind=type(modules[head]).__name__,
            path=("model",),
            inputs=inputs,
            output=output,
            parameters={full: shape for name in group for full, shape in own[name].items()},
            flops=sum(_flops(shape, output) for shape in own[head].values()),
            buffers={
                f"{name}.{key}".removeprefix("."): tuple(buffer.shape)
                for name in group
                for key, buffer in modules[name].named_buffers(recurse=False)
            },
        )


def _flops(weight: Shape, output: Shape) -> int:
    """Of a linear map or a convolution, which applies its weight (units, ...) at each place."""
    if len(weight) < 2:
        return 0
    return 2 * prod(weight) * (prod(output) // weight[0])


def _ordered(defined: Sequence[str], called: Iterable[str]) -> list[str]:
    """Modules as they are called; one that never is stands behind the one defined before it."""
    order = list(dict.fromkeys(called))
    before: str | None = None
    for name in defined:
        if name not in order:
            order.insert(0 if before is None else order.index(before) + 1, name)
        before = name
    return order
