"""Networks that are not ours: which layers they have, and what of them can be seen.

One forward pass shows the order in which modules are called.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import final

import torch
from torch import Tensor, nn

from nnlab.core.contracts import Plan, Seen, Shape
from nnlab.training.probes.labels import Layers, is_matrix
from nnlab.training.probes.no_trace import kept_generators, without_side_effects
from nnlab.training.probes.sight import NetworkCall, hooked

ACTIVATIONS = tuple(
    getattr(nn, name) for name in nn.modules.activation.__all__ if name != "MultiheadAttention"
)
"""torch's activation modules."""
NORMS = (
    nn.modules.batchnorm._NormBase,  # pyright: ignore[reportPrivateUsage]
    nn.GroupNorm,
    nn.LayerNorm,
    nn.RMSNorm,
)
"""torch's normalizing modules."""


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
def dissect_network(network: nn.Module, run: NetworkCall | None) -> Layers:
    """The layers of a network, in the order in which a pass calls them.

    Args:
        network: any module.
        run: a forward pass of it; None takes the order in which they are defined, and sees nothing
            between them.

    Returns:
        A plan for each module with a matrix; what follows it without one (a norm) belongs to it.
        What a probe sees is named after modules: 02_layer1.0.conv2.
    """
    trace = _Trace(network)
    if run is not None:
        with (
            hooked(dict(network.named_modules()), trace.told),
            without_side_effects(network),
            kept_generators(),
        ):
            run()
    plans = tuple(_plans(network, trace))
    numbers = {name.rpartition(".")[0]: n for n, p in enumerate(plans) for name in p.parameters}
    seen: dict[str, Seen] = {}
    axes: dict[str, int] = {}
    for entry in trace.entries:
        shown = entry.name or _root(network)
        label = f"{numbers.get(entry.under, 0):02d}_{shown}"
        if label in seen:
            continue  # the same activation, called twice behind one layer
        seen[label] = Seen(shown, entry.before, entry.after, entry.bounds)
        axes |= dict.fromkeys(filter(None, (entry.before, entry.after)), entry.axis)
    norms = {name for name, each in network.named_modules() if isinstance(each, NORMS)}
    scales = {
        full for plan in plans for full in plan.parameters if full.rpartition(".")[0] in norms
    }
    return Layers(plans, seen, axes, frozenset(scales))


def _root(network: nn.Module) -> str:
    return type(network).__name__.lower()


def own_parameters(network: nn.Module) -> dict[str, dict[str, Shape]]:
    """Module -> its own parameters, full name -> shape; a shared one is its first module's."""
    own: dict[str, dict[str, Shape]] = {name: {} for name, _ in network.named_modules()}
    for full, parameter in network.named_parameters():
        own[full.rpartition(".")[0]][full] = tuple(parameter.shape)
    return own


def _is_matrix(parameters: Mapping[str, Shape]) -> bool:
    return any(is_matrix(shape) for shape in parameters.values())


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
            axis = 1 if _convolves(module) else -1
            self._last = _Entry(name, name, tap, None, axis)
            if isinstance(module, nn.RNNBase) and not module.proj_size:
                # Its activation is inside it: what comes out is o * tanh(c), or tanh, or relu.
                flat = None if module.mode == "RNN_RELU" else (-1.0, 1.0)
                self._last = _Entry(name, name, None, tap, axis, flat)
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
            # A reshape or a norm in between: what comes out of it is still of that layer.
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
            flops=_flops(modules[head], own[head], inputs, output),
            buffers={
                f"{name}.{key}".removeprefix("."): tuple(buffer.shape)
                for name in group
                for key, buffer in modules[name].named_buffers(recurse=False)
            },
        )


def _convolves(module: nn.Module) -> bool:
    return any(p.ndim > 2 for p in module.parameters(recurse=False))


def _flops(module: nn.Module, own: Mapping[str, Shape], inputs: Shape, output: Shape) -> int:
    """Of maps and convolutions, which apply their matrices at each place of what they put out."""
    if not output or isinstance(module, nn.Embedding | nn.EmbeddingBag):
        return 0  # not called; rows are looked up
    spread = isinstance(module, nn.modules.conv._ConvTransposeNd)  # pyright: ignore[reportPrivateUsage]
    shape = inputs if spread else output
    places = prod(shape[1:] if _convolves(module) else shape[:-1])
    return sum(2 * prod(shape) * places for shape in own.values() if is_matrix(shape))


def _ordered(defined: Sequence[str], called: Iterable[str]) -> list[str]:
    """Modules as they are called; one that never is stands behind the one defined before it."""
    order = list(dict.fromkeys(called))
    before: str | None = None
    for name in defined:
        if name not in order:
            order.insert(0 if before is None else order.index(before) + 1, name)
        before = name
    return order
