"""`mcculloch_pitts`: the first artificial neuron, which computes and does not learn."""

from collections.abc import Mapping
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self, final

from pydantic import Field

from nnlab.base import DataError, MistakeError, Path, lazy
from nnlab.contracts import DataShape, Examples, Plan, Shape
from nnlab.models.family import ModelConfig
from nnlab.parts.layers.family import LayerConfig, Placed
from nnlab.parts.layers.plain import FlattenConfig
from nnlab.parts.losses.family import LossConfig
from nnlab.parts.zero_one import ZeroOneConfig

if TYPE_CHECKING:
    import numpy as np
    from torch import nn
else:
    np = lazy("numpy")

Weights = Annotated[tuple[Literal[-1, 1], ...], Field(min_length=1, max_length=1000)]
_SHOWN = 4
"""Up to so many inputs have a truth table that one reads."""


@final
class McCullochPittsConfig(ModelConfig, frozen=True):
    """A unit that fires (1) if its inputs, 0 or 1, times weights of -1 or +1 reach a threshold.

    Nothing learns: it goes with `rule: none`. McCulloch & Pitts 1943, doi:10.1007/BF02478259.
    """

    kind: Literal["mcculloch_pitts"] = "mcculloch_pitts"
    replaces: ClassVar[Mapping[str, str]] = {
        "loss": "what is read of a unit that fires or not is the share of wrong answers"
    }
    learns: ClassVar[bool] = False
    weights: Weights
    """One for each input: 1 excites, -1 inhibits."""
    threshold: float
    """The least sum at which it fires."""

    @classmethod
    def example(cls) -> Self:
        return cls(weights=(1, 1), threshold=2.0)

    @property
    def own_loss(self) -> LossConfig:
        return ZeroOneConfig()

    def hidden_layers(self, inputs: Shape) -> tuple[Placed, ...]:
        return ()

    def whole(self, data: DataShape) -> tuple[Placed, ...]:
        if data.task != "classes" or data.outputs != 2:
            found = f"{data.outputs} classes" if data.task == "classes" else "real numbers"
            text = f"a unit that fires or not tells two classes apart, the targets are {found}"
            raise MistakeError(("model",), text)
        if len(self.weights) != (count := prod(data.inputs)):
            text = f"has {len(self.weights)} weights, the data {count} inputs"
            raise MistakeError(("model", "weights"), f"{text} (give one for each)")
        unit = _UnitConfig(weights=self.weights, threshold=self.threshold)
        flat = (Placed("flatten", FlattenConfig(), ("model",)),) if len(data.inputs) > 1 else ()
        return (*flat, Placed("unit", unit, ("model",)))

    def check(self, examples: Examples) -> None:
        if not isinstance(examples.inputs, np.ndarray):
            raise DataError("data: inputs are 0 or 1 for a McCulloch-Pitts unit, got image files")
        seen = (examples.inputs - examples.shift) * examples.factor
        odd = seen[(seen != 0.0) & (seen != 1.0)]
        if odd.size:
            text = f"inputs are 0 or 1 for a McCulloch-Pitts unit, got {odd.flat[0]:g}"
            raise DataError(f"data: {text} (take a gate, or model: linear)")

    def fires(self, inputs: tuple[int, ...]) -> bool:
        """Whether the sum reaches the threshold."""
        return sum(w * x for w, x in zip(self.weights, inputs, strict=True)) >= self.threshold

    def remarks(self, data: DataShape) -> tuple[str, ...]:
        if len(self.weights) > _SHOWN:
            return ()
        names = data.columns or tuple(f"x{i + 1}" for i in range(len(self.weights)))
        head = " ".join(f"{name:>3}" for name in names)
        return (
            f"{head} | out",
            *(
                " ".join(f"{bit:>3}" for bit in bits) + f" | {int(self.fires(bits)):>3}"
                for bits in product((0, 1), repeat=len(self.weights))
            ),
        )


@final
class _UnitConfig(LayerConfig, frozen=True):
    """The unit as a layer."""

    kind: Literal["mcculloch_pitts"] = "mcculloch_pitts"
    weights: Weights
    threshold: float

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        count = len(self.weights)
        return Plan(
            name=name,
            kind=self.kind,
            path=path,
            inputs=inputs,
            output=(1,),
            parameters={f"{name}.weight": (1, count), f"{name}.threshold": (1,)},
            flops=2 * count,
            note=f"fires at a sum of {self.threshold:g}",
        )

    def build(self, inputs: Shape) -> "Mapping[str, nn.Module]":
        from nnlab.parts.units import McCullochPitts

        return {"": McCullochPitts(self.weights, self.threshold)}


KINDS = (McCullochPittsConfig,)
