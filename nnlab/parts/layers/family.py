"""What every layer says of itself: its plan before it is built, its modules, how they begin."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Self

from nnlab.core.contracts import Plan, Seen, Shape
from nnlab.core.errors import MistakeError, Path
from nnlab.core.kinds import Kind
from nnlab.core.lazy import Generator, Tensor, nn, torch
from nnlab.parts.activations.family import ActivationConfig
from nnlab.parts.initializers.family import InitializerConfig
from nnlab.parts.norms import NormConfig

_BARE = (
    *(
        "class_token",
        "embedding",
        "first",
        "flatten",
        "global_pool",
        "last",
        "masking",
        "mean_time",
    ),
    *("patches", "positions"),
)
"""Layers whose name has no number where they come once."""


@dataclass(frozen=True, slots=True, eq=False)
class Defaults:
    """What a stack says above its list for the layers that do not say it themselves."""

    norm: NormConfig
    activation: ActivationConfig
    init: InitializerConfig | str
    bias_init: InitializerConfig
    dropout: float


class Fill(NamedTuple):
    """How a parameter begins."""

    init: "InitializerConfig"
    fan_in: int
    fan_out: int
    gain: float

    def begin(self, parameter: "Tensor", generator: "Generator") -> None:
        """Draws the first values of a parameter in place."""
        with torch.no_grad():
            self.init.fill(
                parameter,
                fan_in=self.fan_in,
                fan_out=self.fan_out,
                gain=self.gain,
                generator=generator,
            )


class LayerConfig(Kind, frozen=True):
    """The family of layers.

    A layer may be several modules (linear, norm, activation, dropout): each has the layer's name
    and a suffix, but the one with the weights: `hidden1`, `hidden1_norm`, `hidden1_activation`.
    """

    @property
    def stem(self) -> str:
        """What its name begins with; the number follows: hidden1, hidden2."""
        return self.name()

    @property
    def looks_ahead(self) -> str:
        """What keeps it from seeing later steps of a sequence, where it does. Default: it does not.

        An answer at every step could be read off the inputs behind it.
        """
        return ""

    def inside(self) -> "tuple[Placed, ...]":
        """The layers that it consists of, by their names within it. Default: none."""
        return ()

    def settled(self, defaults: Defaults) -> Self:
        """The layer with the stack's word wherever it has none of its own, and no `auto` left."""
        return self

    @abstractmethod
    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        """The layer for inputs of this shape, in plain Python.

        Raises:
            MistakeError: if it cannot take inputs of this shape.
        """

    @abstractmethod
    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        """Its modules by suffix, in the order of the computation."""

    def seen(self, name: str) -> tuple[Seen, ...]:
        """What a probe sees of it under this name. Default: nothing, it only moves numbers."""
        return ()

    def fills(self, inputs: Shape) -> Mapping[str, Fill]:
        """How the parameters of the unsuffixed module begin; others begin as torch makes them."""
        return {}


class _Same:
    """What a stack says as a key, by identity."""

    __slots__ = ("it",)

    def __init__(self, it: Any) -> None:
        self.it = it

    def __hash__(self) -> int:
        """By identity."""
        return id(self.it)

    def __eq__(self, other: object) -> bool:
        """By identity."""
        return isinstance(other, _Same) and self.it is other.it


def settled_by(layers: Iterable[LayerConfig], defaults: Defaults) -> tuple[LayerConfig, ...]:
    """Layers with a stack's word wherever they have none of their own.

    The variants of a comparison may be a hundred stacks that differ in a layer or two: the same
    layer under the same word is settled once.
    """
    said = (defaults.norm, defaults.activation, defaults.init, defaults.bias_init)
    word = _word(*map(_Same, said), defaults.dropout)
    return tuple([_settled(layer.settled, word) for layer in layers])


@lru_cache(maxsize=256)
def _word(
    norm: _Same, activation: _Same, init: _Same, bias_init: _Same, dropout: float
) -> Defaults:
    return Defaults(norm.it, activation.it, init.it, bias_init.it, dropout)


@lru_cache(maxsize=4096)
def _settled(settled: Callable[[Defaults], LayerConfig], word: Defaults) -> LayerConfig:
    # The methods of two layers are equal where these are one: to compare their fields, or in Python
    # whether they are the same, costs as much as to settle one.
    return settled(word)


def planned_once(layer: LayerConfig, inputs: Shape, name: str, path: Path) -> Plan:
    """As `LayerConfig.plan`, once for the same layer at the same place.

    Raises:
        MistakeError: if it cannot take inputs of this shape.
    """
    # Shapes of another class are equal as tuples.
    kind = type(inputs)
    tokens = 0 if kind is tuple else getattr(inputs, "tokens", 0)
    return _planned(layer.plan, inputs, kind, tokens, name, path)


@lru_cache(maxsize=4096)
def _planned(
    plan: Callable[[Shape, str, Path], Plan],
    inputs: Shape,
    _kind: type,
    _tokens: int,
    name: str,
    path: Path,
) -> Plan:
    return plan(inputs, name, path)


class Placed(NamedTuple):
    """A layer at its place in a network."""

    name: str
    config: LayerConfig
    path: Path
    own: tuple[str, ...] = ()
    """Keys that a shorthand says of this layer by its name, in model.layers."""


def name_layers(layers: tuple[LayerConfig, ...], paths: tuple[Path, ...]) -> tuple[Placed, ...]:
    """Names layers by depth: conv1, conv2, hidden1; one that comes once only keeps a bare name."""
    counts: dict[str, int] = {}
    placed: list[Placed] = []
    for layer, path in zip(layers, paths, strict=True):
        stem = layer.stem
        counts[stem] = counts.get(stem, 0) + 1
        bare = stem in _BARE and counts[stem] == 1
        name = stem if bare else f"{stem}{counts[stem]}"
        placed.append(Placed(name, layer, path))
    return tuple(placed)


def needs_image(kind: str, inputs: Shape, path: Path) -> None:
    """Refuses a flat input.

    Raises:
        MistakeError: unless inputs are (channels, height, width).
    """
    if len(inputs) != 3:
        raise MistakeError(path, f"({kind}): needs (channels, height, width), gets {inputs}")


def window_places(size: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """How many places a sliding window has along one axis; the formula of torch.nn.Conv2d."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
