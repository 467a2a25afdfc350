"""The ways around a residual block: identity, projection, or padding with zeros."""

from collections.abc import Mapping
from typing import Literal, Self, final

from pydantic import NonNegativeInt, PositiveInt

from nnlab.core.contracts import Plan, Shape
from nnlab.core.errors import MistakeError, Path
from nnlab.core.lazy import nn
from nnlab.parts.activations.textbook import IdentityConfig
from nnlab.parts.initializers.family import InitializerConfig
from nnlab.parts.initializers.plain import ZerosConfig
from nnlab.parts.layers.family import LayerConfig
from nnlab.parts.layers.weighted import ConvConfig, LinearConfig
from nnlab.parts.norms import Norm


def _stride(inputs: Shape, output: Shape) -> tuple[int, int]:
    return (-(-inputs[1] // output[1]), -(-inputs[2] // output[2]))


def projection_skip(
    inputs: Shape, output: Shape, path: Path, *, norm: Norm, init: InitializerConfig
) -> LayerConfig:
    """A 1 x 1 convolution (or a linear map) around the block.

    Raises:
        MistakeError: if none leads from inputs to output.
    """
    parts = {"bias": False, "norm": norm, "activation": IdentityConfig(), "dropout": 0.0}
    parts |= {"init": init}
    if len(output) == 1 and len(inputs) == 1:
        return LinearConfig(units=output[0], bias_init=ZerosConfig()).model_copy(update=parts)
    if len(output) != 3 or len(inputs) != 3:
        raise MistakeError(path, f"(residual): no projection leads from {inputs} to {output}")
    conv = ConvConfig(channels=output[0], kernel=1, stride=_stride(inputs, output))
    conv = conv.model_copy(update=parts)
    if conv.output(inputs, path) != output:
        raise MistakeError(path, f"(residual): no 1 x 1 stride leads from {inputs} to {output}")
    return conv


def padded_skip(inputs: Shape, output: Shape, path: Path) -> LayerConfig:
    """Every stride-th pixel, and zeros as the channels that are missing.

    Raises:
        MistakeError: if that does not lead from inputs to output.
    """
    image = len(inputs) == len(output) == 3
    if image or len(inputs) == len(output) == 1:
        skip = PadSkipConfig(
            stride=_stride(inputs, output) if image else (1, 1),
            channels=max(0, output[0] - inputs[0]),
        )
        if skip.plan(inputs, "", path).output == output:
            return skip
    text = f"(residual): no stride with channels of zeros leads from {inputs} to {output}"
    raise MistakeError(path, f"{text} (use skip: projection)")


@final
class PadSkipConfig(LayerConfig, frozen=True):
    """Every stride-th pixel, with channels of zeros behind; on no menu: a block makes it."""

    kind: Literal["pad"] = "pad"
    stride: tuple[PositiveInt, PositiveInt] = (1, 1)
    channels: NonNegativeInt

    @classmethod
    def example(cls) -> Self:
        return cls(channels=1)

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        sizes = [-(-size // step) for size, step in zip(inputs[1:], self.stride, strict=False)]
        return Plan(name, self.kind, path, inputs, (inputs[0] + self.channels, *sizes))

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        from nnlab.parts.layers.modules import PaddedSkip

        return {"": PaddedSkip(self.stride, self.channels)}
