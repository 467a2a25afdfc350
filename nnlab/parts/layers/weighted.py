"""Layers with weights: linear and conv, each with its norm, activation and dropout behind it."""

from abc import abstractmethod
from collections.abc import Mapping
from math import prod
from typing import Annotated, Literal, Self, final

from pydantic import Field, NonNegativeInt, PositiveInt

from nnlab.core.contracts import Plan, Seen, Shape, TokenShape
from nnlab.core.errors import MistakeError, Path
from nnlab.core.kinds import Forms
from nnlab.core.lazy import nn
from nnlab.parts.activations import Activation
from nnlab.parts.activations.textbook import IdentityConfig
from nnlab.parts.initializers import BiasInitializer, Initializer
from nnlab.parts.initializers.family import InitializerConfig, fan_in_and_out
from nnlab.parts.initializers.scaled import HeNormalConfig, LecunNormalConfig, XavierNormalConfig
from nnlab.parts.layers.family import (
    Defaults,
    Fill,
    LayerConfig,
    needs_image,
    window_places,
)
from nnlab.parts.norms import Norm, NormConfig

AutoInit = Annotated[Literal["auto"] | Initializer, Forms()]
Pair = Annotated[PositiveInt | tuple[PositiveInt, PositiveInt], Forms()]
Padding = Annotated[
    Literal["same", "valid"] | NonNegativeInt | tuple[NonNegativeInt, NonNegativeInt], Forms()
]
Probability = Annotated[float, Field(ge=0.0, lt=1.0)]

AUTO_INITS = {
    "xavier_normal": XavierNormalConfig(),
    "he_normal": HeNormalConfig(),
    "lecun_normal": LecunNormalConfig(),
}


def settled_init(init: InitializerConfig | str, activation: Activation) -> InitializerConfig:
    """`auto` follows the activation: Xavier for sigmoid and tanh, He for the ReLU family."""
    if isinstance(init, InitializerConfig):
        return init
    return AUTO_INITS[activation.auto_init]


class WeightedConfig(LayerConfig, frozen=True):
    """A layer with weights. Order: weights, norm, activation, dropout."""

    bias: bool = True
    """Whether each unit learns one."""
    norm: Norm | None = None
    """Behind the weights; null: what is said above the list."""
    activation: Activation | None = None
    """Behind weights and norm; null: what is said above the list."""
    init: AutoInit | None = None
    """Of the weights; auto: by the activation; null: what is said above the list."""
    bias_init: BiasInitializer | None = None
    """Of the biases; null: what is said above the list."""
    dropout: Probability | None = None
    """A share of what goes out that is 0 in training; null: what is said above the list."""

    def settled(self, defaults: Defaults) -> Self:
        activation = self.activation or defaults.activation
        dropout = defaults.dropout if self.dropout is None else self.dropout
        return self.model_copy(
            update={
                "norm": self.norm or defaults.norm,
                "activation": activation,
                "init": settled_init(self.init or defaults.init, activation),
                "bias_init": self.bias_init or defaults.bias_init,
                "dropout": dropout,
            }
        )

    @abstractmethod
    def weight(self, inputs: Shape) -> Shape:
        """The shape of the weight, (units, fan_in) or (channels, channels in, height, width)."""

    def fans(self, inputs: Shape) -> tuple[int, int]:
        """Fan-in and fan-out of a unit. Default: as torch counts them from the weight's shape."""
        return fan_in_and_out(self.weight(inputs))

    @abstractmethod
    def output(self, inputs: Shape, path: Path) -> Shape:
        """The shape of one example that goes out.

        Raises:
            MistakeError: if inputs of this shape cannot come in.
        """

    @abstractmethod
    def core(self, inputs: Shape) -> "nn.Module":
        """The module with the weights."""

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        output = self.output(inputs, path)
        norm, activation = self._normed_by, self.activation or IdentityConfig()
        if norm and (why := norm.misfit(output)):
            raise MistakeError((*path, "norm"), why)
        weight = self.weight(inputs)
        self._check_inits(weight, path)
        parameters = {f"{name}.weight": weight}
        if self.bias:
            parameters[f"{name}.bias"] = (units_of(output),)
        buffers: dict[str, Shape] = {}
        if norm:
            parameters |= {f"{name}_norm.{k}": v for k, v in norm.parameters(output).items()}
            buffers = {f"{name}_norm.{k}": v for k, v in norm.buffers(output).items()}
        parameters |= activation.parameters_behind(name, units_of(output))
        words = (activation.kind, f"{norm.kind} norm" if norm else "")
        init = self.init.kind if isinstance(self.init, InitializerConfig) else ""
        # A norm subtracts what a bias before it would add: there it goes without saying.
        without = "" if self.bias or norm else "no bias"
        return Plan(
            name=name,
            kind=self.kind,
            path=path,
            inputs=inputs,
            output=output,
            parameters=parameters,
            buffers=buffers,
            flops=2 * prod(weight) * prod(output) // units_of(output),
            note=", ".join(word for word in (*words, init, without) if word and word != "identity"),
        )

    @property
    def _normed_by(self) -> NormConfig | None:
        """The norm behind the weights; None where there is none, however that is said."""
        return None if self.norm is None or self.norm.kind == "none" else self.norm

    def _check_inits(self, weight: Shape, path: Path) -> None:
        if isinstance(self.init, InitializerConfig) and (why := self.init.misfit(weight)):
            raise MistakeError((*path, "init"), why)
        if self.bias and self.bias_init and (why := self.bias_init.misfit(weight[:1])):
            raise MistakeError((*path, "bias_init"), why)

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        modules: dict[str, nn.Module] = {"": self.core(inputs)}
        if norm := self._normed_by:
            modules["_norm"] = norm.build(self.output(inputs, ()))
        if self.activation is not None and self.activation.kind != "identity":
            modules["_activation"] = self.activation.build_for(units_of(self.output(inputs, ())))
        if self.dropout:
            from nnlab.parts.modules import RowDropout

            modules["_dropout"] = RowDropout(self.dropout)
        return modules

    def seen(self, name: str) -> tuple[Seen, ...]:
        before = f"{name}_norm" if self._normed_by else name
        activation = self.activation or IdentityConfig()
        after = None if activation.kind == "identity" else f"{name}_activation"
        return (Seen(name, before, after, activation.bounds),)

    def fills(self, inputs: Shape) -> Mapping[str, Fill]:
        fan_in, fan_out = self.fans(inputs)
        activation = self.activation or IdentityConfig()
        init = settled_init(self.init or "auto", activation)
        fills = {"weight": Fill(init, fan_in, fan_out, activation.gain)}
        if self.bias:
            bias_init = self.bias_init
            assert bias_init is not None, "settled() comes before fills()"
            fills["bias"] = Fill(bias_init, fan_in, fan_out, 1.0)
        return fills


def units_of(shape: Shape) -> int:
    """How many units a shape has: of a sequence (time, units) the last axis, else the first."""
    return shape[-1] if len(shape) == 2 else shape[0]


def check_sequence_activation(activation: Activation, path: Path) -> None:
    """Refuses what looks for its units on the first axis, where a sequence has its steps.

    Raises:
        MistakeError: at this path.
    """
    if activation.parameters(2) > 1:
        text = f"{activation.kind} learns a slope for each unit of a flat layer"
    elif activation.kind == "softmax":
        # torch's would be over the steps: each would see all others, those behind it too.
        text = "softmax is over the units of a flat layer or the channels of an image"
    else:
        return
    raise MistakeError(path, f"{text} (use relu or leaky_relu)")


@final
class LinearConfig(WeightedConfig, frozen=True):
    """W x + b: every unit sees every input."""

    kind: Literal["linear"] = "linear"
    units: PositiveInt
    """How many outputs."""

    @classmethod
    def example(cls) -> Self:
        return cls(units=16)

    @property
    def stem(self) -> str:
        return "hidden"

    def weight(self, inputs: Shape) -> Shape:
        return (self.units, inputs[-1])

    def output(self, inputs: Shape, path: Path) -> Shape:
        if isinstance(inputs, TokenShape):
            text = "(linear): needs numbers, gets tokens (put embedding before)"
            raise MistakeError(path, text)
        if len(inputs) == 2:
            self._check_sequence(path)
            return (inputs[0], self.units)
        if len(inputs) != 1:
            raise MistakeError(
                path, f"(linear): needs a flat input, gets {inputs} (put flatten before)"
            )
        return (self.units,)

    def _check_sequence(self, path: Path) -> None:
        """What stands behind a layer at every step must see its units on the last axis."""
        norm, activation = self.norm, self.activation
        if norm is not None and norm.kind != "none":
            text = f"{norm.kind} norm of a sequence (use the layer layer_norm)"
            raise MistakeError((*path, "norm"), text)
        if activation is not None:
            check_sequence_activation(activation, (*path, "activation"))

    def core(self, inputs: Shape) -> "nn.Module":
        return nn.Linear(inputs[-1], self.units, bias=self.bias)


@final
class ConvConfig(WeightedConfig, frozen=True):
    """A small window of shared weights slides over the image. LeCun et al. 1998."""

    kind: Literal["conv"] = "conv"
    channels: PositiveInt
    """How many filters, each an output channel."""
    kernel: Pair = 3
    """Pixels on a side of the window, or (height, width)."""
    stride: Pair = 1
    """Pixels from one window to the next."""
    padding: Padding = 0
    """Pixels around the image; same: as many as keep its size; valid: none."""
    padding_mode: Literal["zeros", "circular", "reflect", "replicate"] = "zeros"
    """What stands around the image: zeros, or its other side, its mirror image, its edge."""
    dilation: Pair = 1
    """Pixels from one weight of the window to the next; 1: side by side."""
    groups: PositiveInt = 1
    """Of channels that see each other alone; as many as input channels is a depthwise one."""

    @classmethod
    def example(cls) -> Self:
        return cls(channels=8)

    def weight(self, inputs: Shape) -> Shape:
        return (self.channels, inputs[0] // self.groups, *both_sides(self.kernel))

    def _paddings(self) -> tuple[int, int]:
        """Pixels on one side; `same` is refused for even kernels: they need one more there."""
        if self.padding == "same":
            kernel, dilation = both_sides(self.kernel), both_sides(self.dilation)
            return dilation[0] * (kernel[0] - 1) // 2, dilation[1] * (kernel[1] - 1) // 2
        return (0, 0) if self.padding == "valid" else both_sides(self.padding)

    def output(self, inputs: Shape, path: Path) -> Shape:
        needs_image("conv", inputs, path)
        kernel, stride, dilation = (
            both_sides(self.kernel),
            both_sides(self.stride),
            both_sides(self.dilation),
        )
        if inputs[0] % self.groups or self.channels % self.groups:
            text = f"{self.groups} groups do not divide {inputs[0]} and {self.channels} channels"
            raise MistakeError((*path, "groups"), text)
        if self.padding == "same" and (stride != (1, 1) or not (kernel[0] % 2 and kernel[1] % 2)):
            text = "same needs stride 1 and an odd kernel (give the padding as a number)"
            raise MistakeError((*path, "padding"), text)
        padding = self._paddings()
        self._check_mode(inputs, padding, path)
        sizes = [
            window_places(inputs[1 + a], kernel[a], stride[a], padding[a], dilation[a])
            for a in (0, 1)
        ]
        if min(sizes) < 1:
            text = f"a window of {kernel} does not fit into {inputs} with this padding"
            raise MistakeError((*path, "kernel"), text)
        return (self.channels, *sizes)

    def _check_mode(self, inputs: Shape, padding: tuple[int, int], path: Path) -> None:
        """Refuses to mirror or to repeat more of an image than there is."""
        spare = {"reflect": 1, "circular": 0}.get(self.padding_mode)
        if spare is not None and any(padding[a] > inputs[1 + a] - spare for a in (0, 1)):
            text = f"{self.padding_mode} cannot pad {inputs} by {padding} (use zeros or replicate)"
            raise MistakeError((*path, "padding_mode"), text)

    def core(self, inputs: Shape) -> "nn.Module":
        conv = nn.Conv2d
        if self.padding_mode != "zeros":
            from nnlab.parts.layers.modules import PaddedConv

            conv = PaddedConv
        return conv(
            inputs[0],
            self.channels,
            both_sides(self.kernel),
            stride=both_sides(self.stride),
            padding=self._paddings(),
            dilation=both_sides(self.dilation),
            groups=self.groups,
            bias=self.bias,
            padding_mode=self.padding_mode,
        )


def both_sides(value: int | tuple[int, int]) -> tuple[int, int]:
    """(height, width); one number stands for both."""
    return (value, value) if isinstance(value, int) else value


KINDS = (ConvConfig, LinearConfig)
