"""Layers that stand alone in a stack: pooling, flatten, norms, dropout, activation."""

from abc import abstractmethod
from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Annotated, Literal, final

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from nnlab.base import MistakeError, Path, lazy
from nnlab.contracts import Plan, Shape
from nnlab.parts.activations import Activation
from nnlab.parts.activations.common import ReluConfig
from nnlab.parts.layers.dense import Pair, Probability, pair
from nnlab.parts.layers.family import LayerConfig, activation_parameters, needs_image, window
from nnlab.parts.norms import BatchConfig, GroupConfig, LayerwiseConfig, NormConfig

if TYPE_CHECKING:
    from torch import nn
else:
    nn = lazy("torch.nn")


class PoolConfig(LayerConfig, frozen=True):
    """A window slides over each channel; stride null is the kernel's size."""

    kernel: Pair = 2
    stride: Pair | None = None
    padding: NonNegativeInt = 0

    @property
    def stem(self) -> str:
        return "pool"

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        needs_image(self.kind, inputs, path)
        kernel = pair(self.kernel)
        stride = kernel if self.stride is None else pair(self.stride)
        if self.padding > min(kernel) // 2:
            text = f"must be at most half of the kernel, {min(kernel) // 2}, got {self.padding}"
            raise MistakeError((*path, "padding"), text)
        sizes = [window(inputs[1 + a], kernel[a], stride[a], self.padding) for a in (0, 1)]
        if min(sizes) < 1:
            text = f"a window of {kernel} does not fit into {inputs}"
            raise MistakeError((*path, "kernel"), text)
        return Plan(name, self.kind, path, inputs, (inputs[0], *sizes), note=f"window {kernel}")


@final
class MaxPoolConfig(PoolConfig, frozen=True):
    """The largest value in each window."""

    kind: Literal["max_pool"] = "max_pool"

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        stride = None if self.stride is None else pair(self.stride)
        return {"": nn.MaxPool2d(pair(self.kernel), stride, self.padding)}


@final
class AvgPoolConfig(PoolConfig, frozen=True):
    """The mean of each window."""

    kind: Literal["avg_pool"] = "avg_pool"

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        stride = None if self.stride is None else pair(self.stride)
        return {"": nn.AvgPool2d(pair(self.kernel), stride, self.padding)}


@final
class GlobalPoolConfig(LayerConfig, frozen=True):
    """The mean of each channel over the whole image. Lin et al. 2013, arXiv:1312.4400."""

    kind: Literal["global_pool"] = "global_pool"

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        needs_image(self.kind, inputs, path)
        return Plan(name, self.kind, path, inputs, inputs[:1])

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        from nnlab.parts.modules import GlobalPool

        return {"": GlobalPool()}


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
    """Sets a share p of the units to 0 in training. Srivastava et al. 2014."""

    kind: Literal["dropout"] = "dropout"
    p: Probability = 0.5

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        return Plan(name, self.kind, path, inputs, inputs, note=f"p = {self.p}")

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        return {"": nn.Dropout(self.p)}


@final
class ActivationLayerConfig(LayerConfig, frozen=True):
    """An activation by itself, where it does not follow a linear or conv layer at once."""

    kind: Literal["activation"] = "activation"
    function: Activation = Field(default_factory=ReluConfig)

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        weights = activation_parameters(self.function, "", inputs[0])
        parameters = {f"{name}.weight": shape for shape in weights.values()}
        note = self.function.kind
        return Plan(name, self.kind, path, inputs, inputs, parameters=parameters, note=note)

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        return {"": self.function.build_for(inputs[0])}


class NormLayerConfig(LayerConfig, frozen=True):
    """A normalization by itself."""

    @property
    def stem(self) -> str:
        return "norm"

    @property
    @abstractmethod
    def norm(self) -> NormConfig:
        """The same, as `norm:` of a linear or conv layer would say it."""

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        if why := self.norm.misfit(inputs):
            raise MistakeError(path, f"({self.kind}): {why}")
        parameters = {f"{name}.{k}": v for k, v in self.norm.parameters(inputs).items()}
        buffers = {f"{name}.{k}": v for k, v in self.norm.buffers(inputs).items()}
        return Plan(name, self.kind, path, inputs, inputs, parameters, buffers)

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        return {"": self.norm.build(inputs)}


@final
class BatchNormConfig(NormLayerConfig, frozen=True):
    """Batch normalization as a layer. Ioffe & Szegedy 2015, arXiv:1502.03167."""

    kind: Literal["batch_norm"] = "batch_norm"
    eps: PositiveFloat = 1e-5
    momentum: Annotated[float, Field(gt=0.0, le=1.0)] = 0.1

    @property
    def norm(self) -> NormConfig:
        return BatchConfig(eps=self.eps, momentum=self.momentum)


@final
class LayerNormConfig(NormLayerConfig, frozen=True):
    """Layer normalization as a layer. Ba et al. 2016, arXiv:1607.06450."""

    kind: Literal["layer_norm"] = "layer_norm"
    eps: PositiveFloat = 1e-5

    @property
    def norm(self) -> NormConfig:
        return LayerwiseConfig(eps=self.eps)


@final
class GroupNormConfig(NormLayerConfig, frozen=True):
    """Group normalization as a layer. Wu & He 2018, arXiv:1803.08494."""

    kind: Literal["group_norm"] = "group_norm"
    groups: PositiveInt = 8
    eps: PositiveFloat = 1e-5

    @property
    def norm(self) -> NormConfig:
        return GroupConfig(groups=self.groups, eps=self.eps)
