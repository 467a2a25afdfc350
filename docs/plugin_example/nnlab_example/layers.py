"""The layer `layer_scale`."""

from collections.abc import Mapping
from typing import Any, Literal, final

from pydantic import PositiveFloat

from nnlab.core.contracts import Plan, Seen, Shape
from nnlab.core.errors import MistakeError, Path
from nnlab.parts.layers.family import LayerConfig


@final
class LayerScaleConfig(LayerConfig, frozen=True):
    """Each unit times a learned number, small at first. Touvron et al. 2021, arXiv:2103.17239.

    At the end of a residual block it lets the block begin close to the identity.
    """

    kind: Literal["layer_scale"] = "layer_scale"
    start: PositiveFloat = 0.1

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        if len(inputs) != 1:
            text = f"(layer_scale): needs (units,), gets {inputs} (flatten first)"
            raise MistakeError(path, text)
        return Plan(
            name=name,
            kind=self.kind,
            path=path,
            inputs=inputs,
            output=inputs,
            parameters={f"{name}.weight": inputs},
            flops=inputs[0],
            note=f"from {self.start:g}",
        )

    def build(self, inputs: Shape) -> Mapping[str, Any]:
        from nnlab_example.modules import LayerScale

        return {"": LayerScale(inputs[0], start=self.start)}

    def seen(self, name: str) -> tuple[Seen, ...]:
        return (Seen(name, name, None, None),)
