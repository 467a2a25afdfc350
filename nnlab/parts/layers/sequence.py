"""Layers between sequences and single vectors: embedding, last, mean_time."""

from collections.abc import Mapping
from math import prod
from typing import Literal, Self, final

from pydantic import Field, PositiveInt

from nnlab.core.contracts import Plan, Seen, Shape, TokenShape
from nnlab.core.errors import MistakeError, Path
from nnlab.core.lazy import nn
from nnlab.parts.initializers import BiasInitializer, Initializer
from nnlab.parts.initializers.plain import NormalConfig, ZerosConfig
from nnlab.parts.layers.family import Fill, LayerConfig


@final
class EmbeddingConfig(LayerConfig, frozen=True):
    """A learned vector for each token: (time,) numbers of tokens to (time, units).

    As a product with one-hot tokens, without the zeros. Bengio et al. 2003, JMLR 3.
    """

    kind: Literal["embedding"] = "embedding"
    units: PositiveInt = 32
    init: Initializer = Field(default_factory=lambda: NormalConfig(std=1.0))
    """N(0, 1) as in torch, so that what follows sees inputs of size 1."""

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        if not isinstance(inputs, TokenShape):
            text = f"(embedding): needs tokens, gets {inputs}"
            raise MistakeError(path, f"{text} (numbers need none: remove it)")
        weight = (inputs.tokens, self.units)
        if why := self.init.misfit(weight):
            raise MistakeError((*path, "init"), why)
        return Plan(
            name=name,
            kind=self.kind,
            path=path,
            inputs=inputs,
            output=(*inputs, self.units),
            parameters={f"{name}.weight": weight},
            note=f"{inputs.tokens} tokens",
        )

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        assert isinstance(inputs, TokenShape)
        return {"": nn.Embedding(inputs.tokens, self.units)}

    def fills(self, inputs: Shape) -> Mapping[str, Fill]:
        assert isinstance(inputs, TokenShape)
        return {"weight": Fill(self.init, inputs.tokens, self.units, 1.0)}


def _needs_sequence(kind: str, inputs: Shape, path: Path) -> None:
    if len(inputs) != 2:
        raise MistakeError(path, f"({kind}): needs a sequence (time, features), gets {inputs}")


@final
class MaskingConfig(LayerConfig, frozen=True):
    """Knows where each sequence ends: (time, features), with NaN behind the last step.

    First in a network. NaN becomes 0 for the layers that follow; `last` takes the last step that is
    there, `mean_time` the mean over those. As Masking in Keras.
    """

    kind: Literal["masking"] = "masking"

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        _needs_sequence(self.kind, inputs, path)
        return Plan(name, self.kind, path, inputs, inputs)

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        from nnlab.parts.modules import Masking

        return {"": Masking()}


@final
class LastConfig(LayerConfig, frozen=True):
    """What stands at the last step: (time, units) to (units,)."""

    kind: Literal["last"] = "last"

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        _needs_sequence(self.kind, inputs, path)
        return Plan(name, self.kind, path, inputs, inputs[1:])

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        from nnlab.parts.modules import LastStep

        return {"": LastStep()}


@final
class MeanTimeConfig(LayerConfig, frozen=True):
    """The mean over all steps: (time, units) to (units,)."""

    kind: Literal["mean_time"] = "mean_time"

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        _needs_sequence(self.kind, inputs, path)
        return Plan(name, self.kind, path, inputs, inputs[1:], flops=prod(inputs))

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        from nnlab.parts.modules import MeanOverTime

        return {"": MeanOverTime()}


@final
class TiedConfig(LayerConfig, frozen=True):
    """The output layer with the weights of the embedding; on no menu: `output.tie` makes it."""

    kind: Literal["tied"] = "tied"
    units: PositiveInt
    bias: bool = False
    bias_init: BiasInitializer = ZerosConfig()

    @classmethod
    def example(cls) -> Self:
        return cls(units=4)

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        return Plan(
            name=name,
            kind=self.kind,
            path=path,
            inputs=inputs,
            output=(*inputs[:-1], self.units),
            parameters={f"{name}.bias": (self.units,)} if self.bias else {},
            flops=2 * prod(inputs) * self.units,
            note="weights of the embedding",
        )

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        from nnlab.parts.modules import TiedOutput

        return {"": TiedOutput(self.units, bias=self.bias)}

    def seen(self, name: str) -> tuple[Seen, ...]:
        return (Seen(name, name, None, None),)

    def fills(self, inputs: Shape) -> Mapping[str, Fill]:
        if not self.bias:
            return {}
        return {"bias": Fill(self.bias_init, inputs[-1], self.units, 1.0)}


KINDS = (EmbeddingConfig, LastConfig, MaskingConfig, MeanTimeConfig)
