"""The four equations of backpropagation, written out in NumPy. Nielsen 2015, chapter 2.

    BP1   delta[L] = dC/da[L] * f'(z[L])
    BP2   delta[l] = (W[l+1]^T delta[l+1]) * f'(z[l])
    BP3   dC/dW[l] = delta[l] a[l-1]^T
    BP4   dC/db[l] = delta[l]

with z[l] = W[l] a[l-1] + b[l] and a[l] = f(z[l]), for one example; * is element by element. Where f
is no function of single units (softmax), * f' is the product with its Jacobian.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nnlab.core.errors import MistakeError
from nnlab.core.lazy import Floats, np
from nnlab.parts.activations.family import ActivationConfig
from nnlab.parts.layers.family import LayerConfig, Placed
from nnlab.parts.layers.plain import ActivationLayerConfig, DropoutConfig, FlattenConfig
from nnlab.parts.layers.weighted import LinearConfig
from nnlab.parts.losses.family import LossConfig


@dataclass(frozen=True, slots=True)
class Dense:
    """A layer as the equations know it.

    Attributes:
        name: of the layer: hidden1.
        activation: f.
        weight: W, (units, inputs); None for an activation that stands alone.
        bias: b, (units,); None without.
    """

    name: str
    activation: ActivationConfig
    weight: "Floats | None"
    bias: "Floats | None"


@dataclass(frozen=True, slots=True)
class Pass:
    """Everything that one layer computes on the way there and back.

    Attributes:
        layer: its weights and activation.
        inputs: a[l-1], (inputs,).
        z: weighted inputs, (units,).
        a: activations, (units,).
        delta: dC/dz, (units,).
    """

    layer: Dense
    inputs: "Floats"
    z: "Floats"
    a: "Floats"
    delta: "Floats"

    @property
    def weight_gradient(self) -> "Floats | None":
        """BP3, (units, inputs)."""
        return None if self.layer.weight is None else np.outer(self.delta, self.inputs)

    @property
    def bias_gradient(self) -> "Floats | None":
        """BP4, (units,)."""
        return None if self.layer.bias is None else self.delta


def dense_layers(placed: Sequence[Placed], parameters: Mapping[str, "Floats"]) -> tuple[Dense, ...]:
    """The layers of a network, which must be fully connected ones.

    Args:
        placed: the layers of a design.
        parameters: by name: hidden1.weight.

    Raises:
        MistakeError: a layer is something else; the reason is `_refusal`.
    """
    layers: list[Dense] = []
    for one in placed:
        layer, name = one.config, one.name
        reason = _refusal(layer)
        if reason:
            raise MistakeError(one.path, f"({layer.kind}): {reason}")
        if isinstance(layer, LinearConfig):
            assert layer.activation is not None
            weight, bias = parameters[f"{name}.weight"], parameters.get(f"{name}.bias")
            layers.append(Dense(name, layer.activation, weight, bias))
        elif isinstance(layer, ActivationLayerConfig):
            layers.append(Dense(name, layer.function, None, None))
    return tuple(layers)


def _refusal(layer: LayerConfig) -> str:
    """Why the four equations do not hold for a layer; empty where they do."""
    if isinstance(layer, FlattenConfig):
        return ""
    if not isinstance(layer, LinearConfig | ActivationLayerConfig | DropoutConfig):
        return (
            "is not written out: the four equations are those of fully connected layers "
            "(backprop takes linear layers and activations: model: {kind: mlp, hidden: [16]})"
        )
    dropout = layer.p if isinstance(layer, DropoutConfig) else 0.0
    function = layer.function if isinstance(layer, ActivationLayerConfig) else None
    if isinstance(layer, LinearConfig):
        norm, dropout, function = layer.norm, layer.dropout, layer.activation
        if norm is not None and norm.kind != "none":
            return (
                f"norm {norm.kind} is not written out: it divides by a deviation that depends on "
                "the weights, which the four equations leave out (norm: none)"
            )
    if dropout:
        return (
            f"dropout {dropout:g} is not written out: its mask is drawn anew in each step, so that "
            "one example has no one gradient (dropout: 0)"
        )
    if function is not None and function.parameters(1):
        return (
            f"{function.kind} is not written out: it learns weights of its own, which the four "
            "equations leave out (leaky_relu has a fixed slope)"
        )
    return ""


def forward(layers: Sequence[Dense], x: "Floats") -> "list[tuple[Floats, Floats]]":
    """Z and a of each layer, for one example x (inputs,)."""
    found: list[tuple[Floats, Floats]] = []
    a = x
    for layer in layers:
        z = a if layer.weight is None else layer.weight @ a
        if layer.bias is not None:
            z = z + layer.bias
        a = layer.activation.value(z[None])[0]
        found.append((z, a))
    return found


def example_loss(layers: Sequence[Dense], loss: LossConfig, x: "Floats", y: "Floats") -> float:
    """The loss of one example x (inputs,) with target columns y (outputs,)."""
    _, a = forward(layers, x)[-1]
    return float(loss.value(a[None], y[None])[0])


def backward(
    layers: Sequence[Dense], loss: LossConfig, x: "Floats", y: "Floats"
) -> tuple[Pass, ...]:
    """Both passes for one example, layer by layer."""
    states = forward(layers, x)
    grad = loss.gradient(states[-1][1][None], y[None])[0]  # dC/da[L]
    found: list[Pass] = []
    for number in reversed(range(len(layers))):
        layer, (z, a) = layers[number], states[number]
        delta = layer.activation.backward(z[None], grad[None])[0]  # BP1, BP2
        found.append(Pass(layer, states[number - 1][1] if number else x, z, a, delta))
        grad = delta if layer.weight is None else layer.weight.T @ delta
    return tuple(reversed(found))
