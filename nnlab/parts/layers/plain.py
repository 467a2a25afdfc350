"""Layers that stand alone in a stack: flatten, dropout, activation."""

from collections.abc import Mapping
from math import prod
from typing import Literal, final

from pydantic import Field

from nnlab.core.contracts import Plan, Seen, Shape
from nnlab.core.errors import Path
from nnlab.core.lazy import nn
from nnlab.parts.activations import Activation
from nnlab.parts.activations.textbook import ReluConfig
from nnlab.parts.layers.family import LayerConfig
from nnlab.parts.layers.weighted import Probability, check_sequence_activation, units_of


@final
class FlattenConfig(LayerConfig, frozen=True):
    """The image as one row of numbers."""

    kind: Literal["flatten"] = "flatten"

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        return Plan(name, self.kind, path, inputs, (prod(inputs),))

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        return {"": nn.Flatten()}


@final
class DropoutConfig(LayerConfig, frozen=True):
    """Sets a share p of the units to 0 in training, and divides the others by 1 - p.

    Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".
    """

    kind: Literal["dropout"] = "dropout"
    p: Probability = 0.5

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        return Plan(name, self.kind, path, inputs, inputs, note=f"p = {self.p}")

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        from nnlab.parts.modules import RowDropout

        return {"": RowDropout(self.p)}


@final
class ActivationLayerConfig(LayerConfig, frozen=True):
    """An activation by itself, where it does not follow a linear or conv layer at once."""

    kind: Literal["activation"] = "activation"
    function: Activation = Field(default_factory=ReluConfig)
    """Which activation it is."""

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        if len(inputs) == 2:
            check_sequence_activation(self.function, (*path, "function"))
        weights = self.function.parameters_behind("", units_of(inputs))
        parameters = {f"{name}.weight": shape for shape in weights.values()}
        note = self.function.kind
        return Plan(name, self.kind, path, inputs, inputs, parameters=parameters, note=note)

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        return {"": self.function.build_for(units_of(inputs))}

    def seen(self, name: str) -> tuple[Seen, ...]:
        return (Seen(name, None, name, self.function.bounds),)


KINDS = (ActivationLayerConfig, DropoutConfig, FlattenConfig)
