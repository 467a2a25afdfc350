"""Layers of transformers: attention, positions, gated units, patches of images, the class token.

To add one: write a class, its formula in `attention_modules.py`, and name it at the foot of this
file.
"""

from collections.abc import Mapping
from math import prod
from typing import Annotated, Literal, Self, final

from pydantic import Field, PositiveInt

from nnlab.core.contracts import Plan, Seen, Shape, TokenShape
from nnlab.core.errors import MistakeError, Path
from nnlab.core.kinds import Forms
from nnlab.core.lazy import nn
from nnlab.parts.initializers import Initializer
from nnlab.parts.initializers.family import InitializerConfig, fan_in_and_out
from nnlab.parts.initializers.plain import NormalConfig, ZerosConfig
from nnlab.parts.initializers.scaled import XavierUniformConfig
from nnlab.parts.layers.family import Defaults, Fill, LayerConfig, needs_image
from nnlab.parts.layers.weighted import Pair, Probability, both_sides, units_of


def _needs_sequence(kind: str, inputs: Shape, path: Path) -> None:
    if len(inputs) == 2:
        return
    way = "images need patches before"
    if isinstance(inputs, TokenShape):
        way = "tokens need an embedding before"
    text = f"({kind}): needs a sequence (time, features), gets {inputs}"
    raise MistakeError(path, f"{text} ({way})")


def _check_inits(inits: Mapping[str, tuple[InitializerConfig, Shape]], path: Path) -> None:
    for field, (init, weight) in inits.items():
        if why := init.misfit(weight):
            raise MistakeError((*path, field), why)


def _maps(weights: Mapping[str, Shape], *, bias: bool) -> dict[str, Shape]:
    """The parameters of maps by their weights (out, in): a bias (out,) behind each, if any."""
    found: dict[str, Shape] = {}
    for name, shape in weights.items():
        found[name] = shape
        if bias:
            found[_bias_of(name)] = shape[:1]
    return found


def _with_zero_biases(fills: Mapping[str, Fill]) -> dict[str, Fill]:
    """How maps begin, their biases as zeros."""
    zero = {_bias_of(name): fill._replace(init=ZerosConfig()) for name, fill in fills.items()}
    return {**fills, **zero}


def _bias_of(weight: str) -> str:
    return f"{weight.removesuffix('weight')}bias"


@final
class AttentionConfig(LayerConfig, frozen=True):
    """Every place takes from all others what it asks for. Vaswani et al. 2017, arXiv:1706.03762.

    softmax(q k' / sqrt(e)) v in each head, with queries q, keys k and values v that are maps of
    what comes in, e features each; the heads together go through one more map. In a transformer it
    stands in a residual block: {kind: residual, layers: [layer_norm, attention]}.
    """

    kind: Literal["attention"] = "attention"
    heads: PositiveInt = 4
    """So many look at once, each with its part of the features."""
    causal: bool = False
    """true: a place sees itself and those before it alone, as telling a next token needs it."""
    positions: Literal["none", "rotary", "alibi"] = "none"
    """rotary: queries and keys turn with their place (Su et al. 2021, arXiv:2104.09864); alibi: far
    away counts less, by a slope of each head (Press et al. 2021, arXiv:2108.12409)."""
    dropout: Probability | None = None
    """A share of the weights of attention that is 0 in training."""
    bias: bool = True
    """Whether the maps have one."""
    init: Initializer = Field(default_factory=XavierUniformConfig)
    """Of the maps to queries, keys and values."""
    out_init: Initializer = Field(default_factory=XavierUniformConfig)
    """Of the map behind the heads."""

    @classmethod
    def example(cls) -> Self:
        return cls(heads=1)

    @property
    def looks_ahead(self) -> str:
        return "" if self.causal else "write causal: true"

    def settled(self, defaults: Defaults) -> Self:
        if self.dropout is not None:
            return self
        return self.model_copy(update={"dropout": defaults.dropout})

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        _needs_sequence(self.kind, inputs, path)
        time, width = inputs
        if width % self.heads:
            text = f"{self.heads} heads do not divide {width} features"
            raise MistakeError((*path, "heads"), text)
        if self.positions == "rotary" and (width // self.heads) % 2:
            text = f"rotary turns pairs, and {width // self.heads} features of a head are odd"
            raise MistakeError((*path, "positions"), f"{text} (choose other heads)")
        weight, out = (3 * width, width), (width, width)
        _check_inits({"init": (self.init, weight), "out_init": (self.out_init, out)}, path)
        places = "" if self.positions == "none" else self.positions
        heads = f"{self.heads} head" + ("s" if self.heads > 1 else "")
        words = (heads, "causal" if self.causal else "", places)
        return Plan(
            name=name,
            kind=self.kind,
            path=path,
            inputs=inputs,
            output=inputs,
            parameters=_maps(
                {f"{name}.in_proj_weight": weight, f"{name}.out_proj.weight": out}, bias=self.bias
            ),
            # Four maps of every place; of every pair of places the product, and what it brings.
            flops=8 * time * width * width + 4 * time * time * width,
            note=", ".join(word for word in words if word),
            heads=self.heads,
        )

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        from nnlab.parts.layers.attention_modules import Attention

        module = Attention(
            inputs[1],
            self.heads,
            causal=self.causal,
            dropout=self.dropout or 0.0,
            positions=self.positions,
            bias=self.bias,
        )
        return {"": module}

    def seen(self, name: str) -> tuple[Seen, ...]:
        return (Seen(name, name, None, None),)

    def fills(self, inputs: Shape) -> Mapping[str, Fill]:
        width = inputs[1]
        fills = {
            # Queries, keys and values are three maps: each has the fans of one.
            "in_proj_weight": Fill(self.init, width, width, 1.0),
            "out_proj.weight": Fill(self.out_init, width, width, 1.0),
        }
        return _with_zero_biases(fills) if self.bias else fills


@final
class PositionsConfig(LayerConfig, frozen=True):
    """Adds to each place of a sequence what tells where it stands: attention sees no order.

    Vaswani et al. 2017, arXiv:1706.03762, section 3.5. What attention itself can do in its stead is
    its field `positions`.
    """

    kind: Literal["positions"] = "positions"
    encoding: Literal["learned", "sinusoidal"] = "learned"
    """learned: a vector of each place; sinusoidal: sin and cos of p / 10000^(2 i / d)."""
    init: Initializer = Field(default_factory=lambda: NormalConfig(std=0.02))
    """Of the learned vectors."""

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        _needs_sequence(self.kind, inputs, path)
        parameters: dict[str, Shape] = {}
        if self.encoding == "learned":
            _check_inits({"init": (self.init, inputs)}, path)
            parameters = {f"{name}.weight": inputs}
        return Plan(name, self.kind, path, inputs, inputs, parameters, note=self.encoding)

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        from nnlab.parts.layers.attention_modules import LearnedPositions, SinusoidalPositions

        learned = self.encoding == "learned"
        return {"": LearnedPositions(*inputs) if learned else SinusoidalPositions()}

    def fills(self, inputs: Shape) -> Mapping[str, Fill]:
        time, width = inputs
        return {"weight": Fill(self.init, width, time, 1.0)} if self.encoding == "learned" else {}


@final
class SwigluConfig(LayerConfig, frozen=True):
    """W3 (silu(W1 x) * W2 x): a hidden layer with gates, and back to as many features as before.

    Shazeer 2020, arXiv:2002.05202, eq. 6.
    """

    kind: Literal["swiglu"] = "swiglu"
    units: Annotated[Literal["auto"] | PositiveInt, Forms()] = "auto"
    """Of the hidden layer; auto: 8/3 of the features, rounded up to a multiple of 8, which makes as
    many weights as a plain one of four times the features."""
    bias: bool = False
    """Whether the maps have one."""
    init: Initializer = Field(default_factory=XavierUniformConfig)
    """Of W1 and W2."""
    out_init: Initializer = Field(default_factory=XavierUniformConfig)
    """Of W3."""

    def _units(self, width: int) -> int:
        return self.units if isinstance(self.units, int) else -(-width // 3) * 8

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        if isinstance(inputs, TokenShape) or len(inputs) > 2:
            text = f"({self.kind}): needs (features,) or (time, features), gets {inputs}"
            raise MistakeError(path, f"{text} (tokens need an embedding before, images flatten)")
        width = units_of(inputs)
        units = self._units(width)
        weight, out = (2 * units, width), (width, units)
        _check_inits({"init": (self.init, weight), "out_init": (self.out_init, out)}, path)
        return Plan(
            name=name,
            kind=self.kind,
            path=path,
            inputs=inputs,
            output=inputs,
            parameters=_maps(
                {f"{name}.in_proj.weight": weight, f"{name}.out_proj.weight": out}, bias=self.bias
            ),
            flops=6 * prod(inputs) * units,
            note=f"{units} units",
        )

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        from nnlab.parts.layers.attention_modules import SwiGlu

        return {"": SwiGlu(inputs[-1], self._units(inputs[-1]), bias=self.bias)}

    def seen(self, name: str) -> tuple[Seen, ...]:
        return (Seen(name, name, None, None),)

    def fills(self, inputs: Shape) -> Mapping[str, Fill]:
        width, units = inputs[-1], self._units(inputs[-1])
        fills = {
            "in_proj.weight": Fill(self.init, width, units, 1.0),
            "out_proj.weight": Fill(self.out_init, units, width, 1.0),
        }
        return _with_zero_biases(fills) if self.bias else fills


@final
class PatchesConfig(LayerConfig, frozen=True):
    """An image as a sequence: each patch of it, mapped to so many units.

    Dosovitskiy et al. 2020, arXiv:2010.11929, eq. 1. Patches follow each other row by row.
    """

    kind: Literal["patches"] = "patches"
    patch: Pair = 4
    """Pixels on a side, or (height, width)."""
    units: PositiveInt = 64
    init: Initializer = Field(default_factory=XavierUniformConfig)

    @classmethod
    def example(cls) -> Self:
        return cls(patch=2)

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        needs_image(self.kind, inputs, path)
        channels, height, width = inputs
        high, wide = both_sides(self.patch)
        if height % high or width % wide:
            text = f"patches of {high}x{wide} do not cover images of {height}x{width}"
            sides = [n for n in range(2, min(height, width)) if height % n == width % n == 0]
            way = ", ".join(map(str, sides)) or "another size of images"
            raise MistakeError((*path, "patch"), f"{text} (choose {way})")
        weight = (self.units, channels, high, wide)
        _check_inits({"init": (self.init, weight)}, path)
        places = (height // high) * (width // wide)
        return Plan(
            name=name,
            kind=self.kind,
            path=path,
            inputs=inputs,
            output=(places, self.units),
            parameters={f"{name}.weight": weight, f"{name}.bias": (self.units,)},
            flops=2 * places * prod(weight),
            note=f"{high}x{wide}",
        )

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        from nnlab.parts.layers.attention_modules import Patches

        return {"": Patches(inputs[0], self.units, both_sides(self.patch))}

    def seen(self, name: str) -> tuple[Seen, ...]:
        return (Seen(name, name, None, None),)

    def fills(self, inputs: Shape) -> Mapping[str, Fill]:
        fans = fan_in_and_out((self.units, inputs[0], *both_sides(self.patch)))
        return {
            "weight": Fill(self.init, *fans, 1.0),
            "bias": Fill(ZerosConfig(), *fans, 1.0),
        }


@final
class ClassTokenConfig(LayerConfig, frozen=True):
    """A learned vector before the first place, which gathers what the sequence is: see `first`.

    Devlin et al. 2018, arXiv:1810.04805; Dosovitskiy et al. 2020, arXiv:2010.11929.
    """

    kind: Literal["class_token"] = "class_token"
    init: Initializer = ZerosConfig()

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        _needs_sequence(self.kind, inputs, path)
        time, width = inputs
        _check_inits({"init": (self.init, (width,))}, path)
        parameters = {f"{name}.weight": (width,)}
        return Plan(name, self.kind, path, inputs, (time + 1, width), parameters)

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        from nnlab.parts.layers.attention_modules import ClassToken

        return {"": ClassToken(inputs[1])}

    def fills(self, inputs: Shape) -> Mapping[str, Fill]:
        return {"weight": Fill(self.init, 1, inputs[1], 1.0)}


@final
class FirstConfig(LayerConfig, frozen=True):
    """What stands at the first place, where a class token is: (time, units) to (units,)."""

    kind: Literal["first"] = "first"

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        _needs_sequence(self.kind, inputs, path)
        return Plan(name, self.kind, path, inputs, inputs[1:])

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        from nnlab.parts.layers.attention_modules import FirstStep

        return {"": FirstStep()}


KINDS = (
    AttentionConfig,
    ClassTokenConfig,
    FirstConfig,
    PatchesConfig,
    PositionsConfig,
    SwigluConfig,
)
