"""`mcculloch_pitts`: the first artificial neuron, which computes and does not learn."""

from collections.abc import Mapping
from itertools import product
from math import prod
from typing import Annotated, ClassVar, Literal, Self, final

from pydantic import Field

from nnlab.core.contracts import TARGET_WORDS, DataShape, Examples, Plan, Shape
from nnlab.core.errors import DataError, MistakeError, Path
from nnlab.core.kinds import Forms
from nnlab.core.lazy import nn, np
from nnlab.models.family import ModelConfig, OutputConfig
from nnlab.models.stack import StackConfig
from nnlab.parts.activations import Activation
from nnlab.parts.activations.textbook import StepConfig
from nnlab.parts.layers.family import LayerConfig, Placed, name_layers
from nnlab.parts.layers.plain import FlattenConfig
from nnlab.parts.losses.family import LossConfig
from nnlab.parts.losses.zero_one import ZeroOneConfig

_Weights = Annotated[tuple[Literal[-1, 1], ...], Field(min_length=1, max_length=1000)]
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
    looks_at_inputs: ClassVar[bool] = True
    weights: _Weights
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
            classes = data.task == "classes"
            found = f"{data.outputs} classes" if classes else TARGET_WORDS[data.task]
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
    weights: _Weights
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


class StepOutputConfig(OutputConfig, frozen=True):
    """The output layer of a perceptron: a step, unless another activation is written."""

    activation: Annotated[Literal["auto"] | Activation, Forms()] = StepConfig()


@final
class PerceptronModelConfig(ModelConfig, frozen=True):
    """One linear unit with a step for each output: 1 if w . x + b >= 0, else 0.

    Rosenblatt 1958, doi:10.1037/h0042519. The step has gradient 0, so that no gradient method can
    train it: it needs a rule of its own, or a loss that takes any activation and stays as it is.
    """

    kind: Literal["perceptron"] = "perceptron"
    output: OutputConfig = StepOutputConfig()

    def expanded(self, inputs: Shape) -> StackConfig:
        fields = {name: getattr(self.output, name) for name in OutputConfig.model_fields}
        return StackConfig(layers=(FlattenConfig(),), output=OutputConfig(**fields))

    def hidden_layers(self, inputs: Shape) -> tuple[Placed, ...]:
        return name_layers((FlattenConfig(),), (("model",),)) if len(inputs) > 1 else ()


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
        from nnlab.parts.units import PointUnit

        return {"": PointUnit(self.start)}


KINDS = (McCullochPittsConfig, PerceptronModelConfig, PointConfig)
