"""Layers of LeNet-5 as it was in 1998: trainable subsampling, and a convolution by a table.

LeCun, Bottou, Bengio & Haffner 1998, "Gradient-based learning applied to document recognition",
doi:10.1109/5.726791, section II-B.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self, final

from pydantic import Field, NonNegativeInt

from nnlab.core.contracts import Plan, Seen, Shape
from nnlab.core.errors import MistakeError, Path
from nnlab.core.lazy import nn
from nnlab.parts.activations import Activation
from nnlab.parts.activations.textbook import IdentityConfig
from nnlab.parts.layers.family import (
    Defaults,
    LayerConfig,
    needs_image,
    window_places,
)
from nnlab.parts.layers.weighted import Pair, WeightedConfig, both_sides


@final
class SubsamplingConfig(LayerConfig, frozen=True):
    """activation(w * (sum of each window) + b): pooling that learns w and b for each channel.

    LeCun et al. 1998, layers S2 and S4. It begins as the mean; the stride is the kernel.
    """

    kind: Literal["subsampling"] = "subsampling"
    kernel: Pair = 2
    activation: Activation | None = None

    def settled(self, defaults: Defaults) -> Self:
        return self.model_copy(update={"activation": self.activation or defaults.activation})

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        needs_image(self.kind, inputs, path)
        kernel = both_sides(self.kernel)
        sizes = [window_places(inputs[1 + a], kernel[a], kernel[a], 0) for a in (0, 1)]
        if min(sizes) < 1:
            text = f"a window of {kernel} does not fit into {inputs}"
            raise MistakeError((*path, "kernel"), text)
        activation = self.activation or IdentityConfig()
        parameters = {f"{name}.weight": inputs[:1], f"{name}.bias": inputs[:1]}
        return Plan(
            name=name,
            kind=self.kind,
            path=path,
            inputs=inputs,
            output=(inputs[0], *sizes),
            parameters=parameters | activation.parameters_behind(name, inputs[0]),
            note="" if activation.kind == "identity" else activation.kind,
        )

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        from nnlab.parts.layers.modules import Subsampling

        modules: dict[str, nn.Module] = {"": Subsampling(inputs[0], both_sides(self.kernel))}
        if self.activation is not None and self.activation.kind != "identity":
            modules["_activation"] = self.activation.build_for(inputs[0])
        return modules

    def seen(self, name: str) -> tuple[Seen, ...]:
        activation = self.activation or IdentityConfig()
        after = None if activation.kind == "identity" else f"{name}_activation"
        return (Seen(name, name, after, activation.bounds),)


_Row = Annotated[tuple[NonNegativeInt, ...], Field(min_length=1, max_length=10**4)]


@final
class TableConvConfig(WeightedConfig, frozen=True):
    """A convolution whose maps see some of the maps before, by a table. LeCun et al. 1998, C3.

    It breaks the symmetry between maps and saves weights; stride 1, no padding.
    """

    kind: Literal["table_conv"] = "table_conv"
    table: Annotated[tuple[_Row, ...], Field(min_length=1, max_length=10**4)]
    """For each output channel, the input channels that it sees, counted from 0."""
    kernel: Pair = 3

    @classmethod
    def example(cls) -> Self:
        return cls(table=((0, 1), (1, 2), (0, 2)))

    @property
    def stem(self) -> str:
        return "conv"

    def weight(self, inputs: Shape) -> Shape:
        return (sum(map(len, self.table)), 1, *both_sides(self.kernel))

    def fans(self, inputs: Shape) -> tuple[int, int]:
        connections, _, *kernel = self.weight(inputs)
        area = kernel[0] * kernel[1]
        # The mean over the maps: what one row of the table sums.
        return -(-connections * area // len(self.table)), -(-connections * area // inputs[0])

    def output(self, inputs: Shape, path: Path) -> Shape:
        needs_image(self.kind, inputs, path)
        for index, row in enumerate(self.table):
            if len(set(row)) < len(row) or max(row) >= inputs[0]:
                text = f"needs different channels from 0 to {inputs[0] - 1}, got {list(row)}"
                raise MistakeError((*path, "table", index), text)
        kernel = both_sides(self.kernel)
        sizes = [window_places(inputs[1 + a], kernel[a], 1, 0) for a in (0, 1)]
        if min(sizes) < 1:
            text = f"a window of {kernel} does not fit into {inputs}"
            raise MistakeError((*path, "kernel"), text)
        return (len(self.table), *sizes)

    def core(self, inputs: Shape) -> "nn.Module":
        from nnlab.parts.layers.modules import TableConv

        return TableConv(self.table, both_sides(self.kernel), bias=self.bias)


KINDS = (SubsamplingConfig, TableConvConfig)
