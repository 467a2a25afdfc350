"""Backpropagation through time, written out in NumPy for plain recurrent layers. Werbos 1990.

    z[t] = W x[t] + b + U h[t-1] + c,   h[t] = tanh(z[t]),   h[0] = 0

    BT1   delta[t] = (dC/dh[t] + U^T delta[t+1]) * (1 - h[t]^2)
    BT2   dC/dW = sum over t of delta[t] x[t]^T
    BT3   dC/dU = sum over t of delta[t] h[t-1]^T
    BT4   dC/db = dC/dc = sum over t of delta[t]

dC/dh[t] is what comes from the layer behind: of the last one, at the last step alone.
doi:10.1109/5.58337, section IV.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nnlab.commands.backprop.equations import Dense, Pass, dense_layers
from nnlab.core.errors import MistakeError
from nnlab.core.lazy import Floats, np
from nnlab.parts.layers.family import Placed
from nnlab.parts.layers.recurrent import RecurrentConfig, RnnLayerConfig
from nnlab.parts.layers.sequence import EmbeddingConfig, LastConfig, MeanTimeConfig


@dataclass(frozen=True, slots=True)
class Steps:
    """A plain recurrent layer of H units over D numbers a step.

    Attributes:
        name: of the layer: rnn1.
        weight_ih: W, (H, D).
        weight_hh: U, (H, H).
        bias_ih: b, (H,).
        bias_hh: c, (H,).
    """

    name: str
    weight_ih: "Floats"
    weight_hh: "Floats"
    bias_ih: "Floats"
    bias_hh: "Floats"


@dataclass(frozen=True, slots=True)
class StepsPass:
    """Everything that a recurrent layer computes on the way there and back, of T steps.

    Attributes:
        layer: its weights.
        inputs: x, (T, D).
        z: (T, H).
        h: (T, H).
        above: dC/dh from the layer behind, (T, H).
        delta: dC/dz, (T, H).
    """

    layer: Steps
    inputs: "Floats"
    z: "Floats"
    h: "Floats"
    above: "Floats"
    delta: "Floats"

    @property
    def before(self) -> "Floats":
        """h[t-1] of each step, (T, H)."""
        return np.concatenate([np.zeros_like(self.h[:1]), self.h[:-1]])

    @property
    def gradients(self) -> "dict[str, Floats]":
        """BT2 to BT4, by the parameter's name."""
        bias = self.delta.sum(axis=0)
        return {
            "weight_ih": self.delta.T @ self.inputs,
            "weight_hh": self.delta.T @ self.before,
            "bias_ih": bias,
            "bias_hh": bias,
        }


def split_layers(
    placed: Sequence[Placed], parameters: Mapping[str, "Floats"]
) -> "tuple[tuple[Steps, ...], tuple[Dense, ...]]":
    """The recurrent layers of a network, and the fully connected ones behind their last step.

    Args:
        placed: the layers of a design.
        parameters: by name: rnn1.weight_ih.

    Raises:
        MistakeError: a layer is something else; the reason says what would do.
    """
    behind = next((n for n, one in enumerate(placed) if isinstance(one.config, LastConfig)), None)
    front = placed[:behind] if behind is not None else ()
    for one in placed if behind is None else front:
        if reason := _refusal(one):
            raise MistakeError(one.path, f"({one.config.kind}): {reason}")
    if behind is None:
        return (), dense_layers(placed, parameters)
    steps = tuple(
        Steps(one.name, *(parameters[f"{one.name}.{part}"] for part in _PARTS)) for one in front
    )
    return steps, dense_layers(placed[behind + 1 :], parameters)


_PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _refusal(one: Placed) -> str:
    """Why the recursion does not hold for a layer that sees a sequence; empty where it does."""
    layer = one.config
    if isinstance(layer, EmbeddingConfig):
        return "is not written out: tokens are no numbers (data: adding, sine or another series)"
    if isinstance(layer, MeanTimeConfig):
        return "is not written out: the recursion begins at the last step (model.last: last)"
    if isinstance(layer, RecurrentConfig):
        if not isinstance(layer, RnnLayerConfig):
            return "is not written out: the recursion is that of plain layers (model.kind: rnn)"
        if layer.bidirectional:
            return "is written out in one direction (bidirectional: false)"
        if layer.dropout:
            text = "its mask is drawn anew in each step, so that one example has no one gradient"
            return f"dropout {layer.dropout:g} is not written out: {text} (dropout: 0)"
    return ""


def steps_forward(layers: Sequence[Steps], x: "Floats") -> "list[tuple[Floats, Floats]]":
    """The states z and h of each layer, (T, H) each, for one sequence x (T, D)."""
    found: list[tuple[Floats, Floats]] = []
    for layer in layers:
        z = np.empty((len(x), len(layer.bias_ih)))
        h = np.zeros_like(z)
        before = np.zeros(z.shape[1])
        for t, step in enumerate(x):
            z[t] = layer.weight_ih @ step + layer.bias_ih + layer.weight_hh @ before + layer.bias_hh
            before = h[t] = np.tanh(z[t])
        found.append((z, h))
        x = h
    return found


def last_state(layers: Sequence[Steps], x: "Floats") -> "Floats":
    """What the layers behind see of a sequence x (T, D): its last state; without layers x, flat."""
    return steps_forward(layers, x)[-1][1][-1] if layers else x.reshape(-1)


def steps_backward(
    layers: Sequence[Steps], x: "Floats", behind: Sequence[Pass]
) -> tuple[StepsPass, ...]:
    """Both passes through the recurrent layers, for one sequence x (T, D).

    Args:
        layers: the first first.
        x: the sequence.
        behind: the passes of the fully connected layers, which see the last state.
    """
    if not layers:
        return ()
    states = steps_forward(layers, x)
    first = behind[0]
    above = np.zeros_like(states[-1][1])
    above[-1] = first.delta if first.layer.weight is None else first.layer.weight.T @ first.delta
    found: list[StepsPass] = []
    for number in reversed(range(len(layers))):
        layer, (z, h) = layers[number], states[number]
        delta = np.zeros_like(z)
        later = np.zeros(z.shape[1])
        for t in reversed(range(len(z))):
            later = delta[t] = (above[t] + layer.weight_hh.T @ later) * (1.0 - h[t] ** 2)  # BT1
        found.append(StepsPass(layer, states[number - 1][1] if number else x, z, h, above, delta))
        above = delta @ layer.weight_ih
    return tuple(reversed(found))
