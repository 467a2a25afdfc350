"""`point`: the network of a surface: a place that moves downhill."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Self, final

from nnlab.base import MistakeError, Path
from nnlab.contracts import DataShape, Plan, Shape
from nnlab.models.family import ModelConfig
from nnlab.parts.layers.family import LayerConfig, Placed

if TYPE_CHECKING:
    from torch import nn


@final
class PointConfig(ModelConfig, frozen=True):
    """Two numbers, x and y, that descend on a surface (`data: surface`)."""

    kind: Literal["point"] = "point"

    def hidden_layers(self, inputs: Shape) -> tuple[Placed, ...]:
        return ()

    def whole(self, data: DataShape) -> tuple[Placed, ...]:
        if not data.start:
            text = "a point needs a surface to stand on (write data: surface)"
            raise MistakeError(("model",), text)
        return (Placed("point", _PointLayerConfig(start=data.start), ("model",)),)


@final
class _PointLayerConfig(LayerConfig, frozen=True):
    """The point as a layer."""

    kind: Literal["point"] = "point"
    start: tuple[float, ...]

    @classmethod
    def example(cls) -> Self:
        return cls(start=(0.0, 0.0))

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        size = (len(self.start),)
        where = ", ".join(f"{coordinate:g}" for coordinate in self.start)
        return Plan(
            name=name,
            kind=self.kind,
            path=path,
            inputs=inputs,
            output=size,
            parameters={f"{name}.position": size},
            note=f"begins at ({where})",
        )

    def build(self, inputs: Shape) -> "Mapping[str, nn.Module]":
        from nnlab.parts.units import Point

        return {"": Point(self.start)}


KINDS = (PointConfig,)
