"""Records the eager step as a graph: what it computes once, it computes whenever it is run."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from nnlab.core.contracts import Batch, Unrolling
from nnlab.training.compiled.gelus import share_exponentials
from nnlab.training.eager_step import EagerStep
from nnlab.training.probes.no_trace import kept_generators
from nnlab.training.sources import HeldSource

UpdateFn = Callable[
    [Tensor, Tensor, Mapping[str, Tensor], Tensor, float | Tensor, Sequence[Tensor]],
    tuple[Tensor, dict[str, Tensor]],
]
"""(w, g, state, lr (), weight decay () or 0, numbers () each) to the new w and what is new of its
state; the numbers are those of the optimizer that are not 0."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A step as a graph.

    Attributes:
        graph: changes its inputs in place and returns nothing.
        inputs: names of what it reads and changes, in the order of its arguments.
        tensors: those it was recorded on, in the same order.
    """

    graph: GraphModule
    inputs: tuple[str, ...]
    tensors: tuple[Tensor, ...]


@final
class Program:
    """What one call computes: the eager step with the optimizer written as a formula.

    Args:
        eager: the step; its optimizer has made at least one update, so that its state is there.
        updated: the optimizer's formula.
        numbers: of the optimizer, which the formula gets as tensors.
        gathers: whether the call begins at row numbers; at a batch otherwise.
    """

    def __init__(
        self, eager: EagerStep, updated: UpdateFn, *, numbers: Sequence[float], gathers: bool
    ) -> None:
        self._eager = eager
        self._updated = updated
        self._gathers = gathers
        # In one tensor for each group: every input of a call costs a part of a microsecond.
        self.numbers = [
            torch.tensor(
                [0.0, group.get("weight_decay", 0.0), *numbers],
                dtype=torch.float64,
                device=eager.device,
            )
            for group in eager.optimizer.param_groups
        ]
        """Of each group: learning rate, filled before a call, weight decay, the optimizer's own."""
        parameters = list(eager.network.parameters())
        self.norms = torch.zeros(len(parameters), device=eager.device)
        """(P,): the gradient norms of the last call, before clipping."""

    def fill_rates(self) -> None:
        """Takes the learning rates over from the optimizer's groups."""
        for numbers, group in zip(self.numbers, self._eager.optimizer.param_groups, strict=True):
            numbers[0] = group["lr"]

    def arguments(self, rows: Tensor) -> list[Tensor]:
        """What a call begins with."""
        if self._gathers:
            return [rows]
        batch = self._eager.batch(rows)
        return [batch.inputs, batch.targets, batch.rows]

    def held(self) -> dict[str, Tensor]:
        """What a call reads and changes beside its arguments, by name: each tensor once."""
        found = {f"group/{i}": numbers for i, numbers in enumerate(self.numbers)}
        found["norms"] = self.norms
        if self._gathers:
            assert isinstance(self._eager.source, HeldSource)
            held = self._eager.source.tensors()
            found |= {f"source/{name}": tensor for name, tensor in held.items()}
        found |= self._eager.tensors()
        # By name: what an optimizer loaded stands in another order than what it made itself.
        unique: dict[int, str] = {}
        for name in sorted(found):
            unique.setdefault(id(found[name]), name)
        return {name: found[name] for name in unique.values()}

    def __call__(self, *arguments: Tensor) -> None:
        """One update, as torch would do it operation by operation."""
        eager = self._eager
        batch = eager.batch(arguments[0]) if self._gathers else Batch(*arguments)
        with eager.window.at_once():
            eager.gradient(batch, eager.window)
        self._note_norms()
        eager.clip(recorded=True)
        with torch.no_grad():
            for numbers, group in zip(self.numbers, eager.optimizer.param_groups, strict=True):
                rate, decay, *own = numbers.unbind()
                # Whether there is a decay is part of the graph; how large it is, an input.
                falling = decay if group.get("weight_decay", 0.0) else 0.0
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        self._update(parameter, rate, falling, own)

    @torch.no_grad()
    def _note_norms(self) -> None:
        gradients = [p.grad for p in self._eager.network.parameters()]
        none = torch.zeros_like(self.norms[0])
        found = [none if g is None else torch.linalg.vector_norm(g) for g in gradients]
        self.norms.copy_(torch.stack([each.float() for each in found]))

    def _update(
        self, parameter: nn.Parameter, rate: Tensor, decay: float | Tensor, own: Sequence[Tensor]
    ) -> None:
        state = self._eager.optimizer.state[parameter]
        assert parameter.grad is not None
        new, changed = self._updated(parameter, parameter.grad, state, rate, decay, own)
        parameter.copy_(new)
        for key, value in changed.items():
            state[key].copy_(value)
        parameter.grad = None


def record_graph(program: Program, eager: EagerStep, rows: Tensor) -> Recording:
    """The graph of a program at a batch of this size; leaves all state as it was.

    Args:
        program: what is computed.
        eager: the step that it computes.
        rows: (N,) any rows, as many as a batch has.
    """
    from torch.fx.experimental.proxy_tensor import make_fx

    arguments, held = program.arguments(rows), program.held()
    count = len(arguments)

    def call(*tensors: Tensor) -> list[Tensor]:
        program(*tensors[:count])
        # What is recorded are the changes in place: the graph gives nothing back.
        return []

    tensors = (*arguments, *held.values())
    with keep_state(eager), unrolled(eager.network):
        graph = make_fx(call, decomposition_table={torch.ops.aten.addmm.default: _apart})(*tensors)
    share_exponentials(graph)
    return Recording(graph, tuple(f"argument/{i}" for i in range(count)) + tuple(held), tensors)


def _apart(bias: Tensor, x: Tensor, weight: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """A product and a sum in place of addmm: the compiler adds the bias in the loop that follows.

    torch copies the bias into the output first: a tenth of a step of 784-16-16-10.
    """
    return x @ weight + bias if beta == alpha == 1 else NotImplemented


@contextmanager
def unrolled(network: nn.Module) -> Generator[None]:
    """Inside, recurrent layers and attention are written out instead of calling one kernel.

    The compiler fuses what it sees, and torch's kernel of an LSTM on a CPU records and builds, but
    dies in its first call.
    """
    layers = [module for module in network.modules() if isinstance(module, Unrolling)]
    for layer in layers:
        layer.unrolled = True
    try:
        yield
    finally:
        for layer in layers:
            layer.unrolled = False


@contextmanager
def keep_state(eager: EagerStep) -> Generator[None]:
    """Puts the step's tensors and the random generators back as they were, at the end of `with`."""
    # Copies: what the step names are its own tensors, which it changes in place.
    before = {name: tensor.clone() for name, tensor in eager.state().items()}
    with kept_generators():
        try:
            yield
        finally:
            eager.load(before)


@contextmanager
def begun(eager: EagerStep, rows: Tensor) -> Generator[None]:
    """Inside, the optimizer's state is there, as behind an update; afterwards all is as before.

    Args:
        eager: the step.
        rows: (N,) of the update that makes the state, where none was made yet.
    """
    fresh = eager.count == 0
    try:
        with keep_state(eager):
            # An optimizer makes its state in its first update, and a graph can only change tensors
            # that are there. That update is taken back: it was nobody's.
            if fresh:
                eager.update(rows)
            yield
    finally:
        eager.optimizer.zero_grad(set_to_none=True)
        # The state that stood before is loaded again; where there was none, loading leaves what
        # the update made, and the first real update would go on from it.
        if fresh:
            eager.optimizer.state.clear()
