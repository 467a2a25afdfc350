"""The module of recurrent layers: torch's fused kernels, or the same formulas step by step.

Shapes: N examples, T steps, D features, H units, G gates of a unit.
"""

from collections.abc import Callable, Sequence
from typing import final

import torch
from torch import Tensor, nn

from nnlab.parts.gru import gru_pass
from nnlab.parts.modules import Ends

State = tuple[Tensor, ...]
"""(N, H) each: h, and for an LSTM its cell."""
StepFn = Callable[[Tensor, Tensor, State], State]
"""(N, G H) of the inputs, (N, G H) of the state h, the state before, to the state after."""


def rnn_step(inputs: Tensor, recurrent: Tensor, state: State) -> State:  # noqa: ARG001
    """H = tanh(a + r)."""
    return (torch.tanh(inputs + recurrent),)


def lstm_step(inputs: Tensor, recurrent: Tensor, state: State) -> State:
    """C = f c + i g, h = o tanh(c); gates in torch's order i, f, g, o."""
    i, f, g, o = (inputs + recurrent).chunk(4, 1)
    c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def gru_step(inputs: Tensor, recurrent: Tensor, state: State) -> State:
    """H = (1 - z) n + z h; gates in torch's order r, z, n."""
    (r, z, n), (hr, hz, hn) = inputs.chunk(3, 1), recurrent.chunk(3, 1)
    reset, update = torch.sigmoid(r + hr), torch.sigmoid(z + hz)
    new = torch.tanh(n + reset * hn)
    return ((1 - update) * new + update * state[0],)


STEPS: dict[str, StepFn] = {"rnn": rnn_step, "lstm": lstm_step, "gru": gru_step}
KERNELS: dict[str, Callable[..., Sequence[Tensor]]] = {
    "rnn": torch.rnn_tanh,
    "lstm": torch.lstm,
    "gru": torch.gru,
}
"""torch's kernels of a whole sequence; a kind without one goes step by step."""


def _written_out(x: Tensor) -> bool:
    """Whether a GRU's own pass is at least as fast as torch's, which is fused on a GPU alone.

    An exported graph has torch's: it can be trained on, which what is written in place cannot.
    """
    exported = torch.compiler.is_exporting()
    return x.device.type == "cpu" and not torch.is_autocast_enabled("cpu") and not exported


@final
class Recurrent(nn.Module):
    """A recurrent layer over a sequence that begins with a state of 0.

    Args:
        kind: rnn, lstm or gru.
        features: D.
        units: H.
        gates: G.
        bidirectional: reads the sequence from its end too, with weights of its own.
    """

    def __init__(
        self, kind: str, features: int, units: int, gates: int, *, bidirectional: bool
    ) -> None:
        super().__init__()
        self.kind, self.units = kind, units
        self.unrolled = False
        """Whether the steps are written out, as a recorded step needs it: torch's LSTM on a CPU
        records and builds, and dies in its first call."""
        self.kept: list[tuple[list[State], Tensor]] | None = None
        """Where a probe asks for it, of each call from the beginning on: the states, and what comes
        into the gates."""
        self.following: list[State] | None = None
        self.ends = Ends()
        self._ends = ("", "_reverse") if bidirectional else ("",)
        rows = gates * units
        for end in self._ends:
            self.register_parameter(f"weight_ih{end}", nn.Parameter(torch.empty(rows, features)))
            self.register_parameter(f"weight_hh{end}", nn.Parameter(torch.empty(rows, units)))
            self.register_parameter(f"bias_ih{end}", nn.Parameter(torch.zeros(rows)))
            self.register_parameter(f"bias_hh{end}", nn.Parameter(torch.zeros(rows)))

    def carry_state(self, batch: int) -> None:
        """From now on training begins with the state that it ended with, of so many examples.

        The states are buffers, so that a step records them; they are no part of the model.
        """
        assert len(self._ends) == 1, "a state that comes from the end cannot be carried on"
        like = self.get_parameter("weight_hh")
        for place in range(2 if self.kind == "lstm" else 1):
            state = like.new_zeros(batch, self.units)
            self.register_buffer(f"carried{place}", state, persistent=False)

    def steps_there(self) -> Tensor | None:
        """(N, T) which steps of the last batch were there; None where all of them were."""
        return self.ends.there

    def carried(self) -> Sequence[Tensor]:
        """The state (batch, H) each; none where it is not carried."""
        return tuple(self.buffers(recurse=False))

    def _first(self, x: Tensor) -> State:
        """The state that a pass of x (N, T, D) begins with."""
        carried = self.carried() if self.training and self.kept is None else ()
        if carried and len(carried[0]) == len(x):
            # Copies: the buffers are written while the backward pass still needs these.
            return tuple(state.clone() for state in carried)
        if self.following and not self.training:
            # Of fewer examples where the last batch is shorter.
            return tuple(state[: len(x)] for state in self.following[0])
        zeros = x.new_zeros(x.shape[0], self.units)
        return (zeros, zeros) if self.kind == "lstm" else (zeros,)

    def _leave(self, state: State) -> None:
        """Keeps the last state for the pass that follows; the gradient stops there."""
        if self.following is not None and not self.training:
            self.following[:] = [tuple(each.detach() for each in state)]
        carried = self.carried() if self.training and self.kept is None else ()
        if carried and len(carried[0]) == len(state[0]):
            with torch.no_grad():
                for buffer, each in zip(carried, state, strict=True):
                    buffer.copy_(each)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) to (N, T, H), or (N, T, 2 H) for both directions."""
        if self.unrolled or self.kept is not None or self.kind not in KERNELS:
            outputs, states = self.states(x)
            self._leave(states[0][-1])
            if self.kept is not None:
                self.kept.append((states[0], self._into_gates(x, states[0])))
            return outputs
        if self.kind == "gru" and _written_out(x):
            return self._by_hand(x)
        first = [s.expand(len(self._ends), -1, -1).contiguous() for s in self._first(x)]
        flags = (True, 1, 0.0, False, len(self._ends) == 2, True)
        weights = [weight for end in self._ends for weight in self._weights(end)]
        # torch's kernels take their weights in one dtype, also where autocast is on.
        state = first if len(first) > 1 else first[0]
        outputs, *last = KERNELS[self.kind](x, state, weights, *flags)
        self._leave(tuple(each[0] for each in last))
        return outputs

    def _by_hand(self, x: Tensor) -> Tensor:
        """What `forward` gives of a GRU, with its gradient written out."""
        (first,), outputs = self._first(x), list[Tensor]()
        for end in self._ends:
            w, u, b, c = self._weights(end)
            turned = x.flip(1) if end else x
            states = gru_pass(turned, first, (w, u, b, c))
            outputs.append(states.flip(1) if end else states)
        self._leave((outputs[0][:, -1],))
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs, 2)

    def states(self, x: Tensor) -> tuple[Tensor, list[list[State]]]:
        """What `forward` gives, step by step, and the states of each direction, first step first.

        Args:
            x: (N, T, D).
        """
        found = [self._unrolled(x, end, backwards=end != "") for end in self._ends]
        outputs = [torch.stack([state[0] for state in states], 1) for states in found]
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs, 2), found

    def _into_gates(self, x: Tensor, states: list[State]) -> Tensor:
        """(N, T, G H) what comes into the gates at every step, inputs and state together."""
        w, u, b, c = self._weights("")
        first = torch.zeros_like(states[0][0])
        before = torch.stack([first, *(state[0] for state in states[:-1])], 1)
        return x @ w.T + b + before @ u.T + c

    def _weights(self, end: str) -> Sequence[Tensor]:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        return [getattr(self, f"{name}{end}") for name in names]

    def _unrolled(self, x: Tensor, end: str, *, backwards: bool) -> list[State]:
        return self.resumed(x, self._first(x), end, backwards=backwards)

    def resumed(
        self, x: Tensor, state: State, end: str = "", *, backwards: bool = False
    ) -> list[State]:
        """The states behind each step of x (N, T, D) where the layer stands in a state before.

        Args:
            x: what comes in.
            state: (N, H) each; before the last step where it goes backwards.
            end: `_reverse` for the weights of the other direction.
            backwards: begins at the last step.
        """
        w, u, b, c = self._weights(end)
        step = STEPS[self.kind]
        # One product for the inputs of all steps.
        inputs = (x @ w.T + b).unbind(1)
        states: list[State] = []
        for each in reversed(inputs) if backwards else inputs:
            state = step(each, state[0] @ u.T + c, state)
            states.append(state)
        return states[::-1] if backwards else states
