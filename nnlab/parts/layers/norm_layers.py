"""Normalizations by themselves, where they do not follow a linear or conv layer at once."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Literal, final

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from nnlab.core.contracts import Plan, Shape
from nnlab.core.errors import MistakeError, Path
from nnlab.core.lazy import nn
from nnlab.parts.layers.family import LayerConfig, needs_image
from nnlab.parts.norms import BatchConfig, GroupConfig, LayerwiseConfig, NormConfig, RmsConfig


class NormLayerConfig(LayerConfig, frozen=True):
    """A normalization by itself."""

    @property
    def stem(self) -> str:
        return "norm"

    @property
    @abstractmethod
    def norm(self) -> NormConfig:
        """This normalization as `norm:` of a linear or conv layer would say it."""

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
    """Is added below the root, so that nothing is divided by 0."""
    momentum: Annotated[float, Field(gt=0.0, le=1.0)] = 0.1
    """The batch's share of the running statistics, as in torch."""

    @property
    def norm(self) -> NormConfig:
        return BatchConfig(eps=self.eps, momentum=self.momentum)


@final
class LayerNormConfig(NormLayerConfig, frozen=True):
    """Layer normalization as a layer. Ba et al. 2016, arXiv:1607.06450."""

    kind: Literal["layer_norm"] = "layer_norm"
    eps: PositiveFloat = 1e-5
    """Is added below the root, so that nothing is divided by 0."""

    @property
    def norm(self) -> NormConfig:
        return LayerwiseConfig(eps=self.eps)


@final
class GroupNormConfig(NormLayerConfig, frozen=True):
    """Group normalization as a layer. Wu & He 2018, arXiv:1803.08494."""

    kind: Literal["group_norm"] = "group_norm"
    groups: PositiveInt = 8
    """Of channels; they divide them."""
    eps: PositiveFloat = 1e-5
    """Is added below the root, so that nothing is divided by 0."""

    @property
    def norm(self) -> NormConfig:
        return GroupConfig(groups=self.groups, eps=self.eps)


@final
class RmsNormConfig(NormLayerConfig, frozen=True):
    """Root mean square normalization as a layer. Zhang & Sennrich 2019, arXiv:1910.07467."""

    kind: Literal["rms_norm"] = "rms_norm"
    eps: PositiveFloat = 1e-5
    """Is added below the root, so that nothing is divided by 0."""

    @property
    def norm(self) -> NormConfig:
        return RmsConfig(eps=self.eps)


@final
class LocalResponseNormConfig(LayerConfig, frozen=True):
    """x / (k + alpha / size * sum of x^2 over `size` channels around)^beta: bright ones inhibit.

    Krizhevsky, Sutskever & Hinton 2012, section 3.3 (their alpha is alpha / size here, as in torch;
    torch's k is 1). Later networks do without: Simonyan & Zisserman 2014, arXiv:1409.1556.
    """

    kind: Literal["local_response_norm"] = "local_response_norm"
    size: Annotated[int, Field(ge=1, le=10_000)] = 5
    alpha: NonNegativeFloat = 5e-4
    beta: PositiveFloat = 0.75
    k: PositiveFloat = 2.0

    @property
    def stem(self) -> str:
        return "norm"

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        needs_image(self.kind, inputs, path)
        return Plan(name, self.kind, path, inputs, inputs, note=f"over {self.size} channels")

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        from nnlab.parts.layers.modules import LocalResponseNorm

        return {"": LocalResponseNorm(self.size, alpha=self.alpha, beta=self.beta, k=self.k)}


KINDS = (BatchNormConfig, GroupNormConfig, LayerNormConfig, LocalResponseNormConfig, RmsNormConfig)
