"""Normalizations: `norm:` of a layer. Each also stands alone as a layer of a stack.

To add one: write a class here and name it in `Norm` at the foot of the file.
"""

from abc import abstractmethod
from collections.abc import Mapping
from math import prod
from typing import Annotated, Literal, final

from pydantic import Field, PositiveFloat, PositiveInt

from nnlab.core.contracts import Shape
from nnlab.core.kinds import Kind, Menu
from nnlab.core.lazy import nn


class NormConfig(Kind, frozen=True):
    """The family of normalizations; all keep the shape."""

    def misfit(self, shape: Shape) -> str | None:
        """Why it cannot stand behind this shape, or None."""
        return None

    def parameters(self, shape: Shape) -> Mapping[str, Shape]:
        """Names and shapes of what it learns."""
        return {"weight": shape[:1], "bias": shape[:1]}

    def buffers(self, shape: Shape) -> Mapping[str, Shape]:
        """Names and shapes of the statistics that it keeps."""
        return {}

    @abstractmethod
    def build(self, shape: Shape) -> "nn.Module":
        """The module for examples of this shape, (C,) or (C, H, W)."""


def _not_of_sequences(kind: str, shape: Shape) -> str | None:
    if len(shape) != 2:
        return None
    return f"{kind} normalization of a sequence {shape} (use layer_norm or rms_norm)"


def _normed(shape: Shape) -> Shape:
    """The axes that belong together: of a sequence the units of each step, else all."""
    return shape[-1:] if len(shape) == 2 else shape


@final
class NoNormConfig(NormConfig, frozen=True):
    """No normalization."""

    kind: Literal["none"] = "none"

    def parameters(self, shape: Shape) -> Mapping[str, Shape]:
        return {}

    def build(self, shape: Shape) -> "nn.Module":
        return nn.Identity()


@final
class BatchConfig(NormConfig, frozen=True):
    """Mean 0 and deviation 1 for each unit over the batch. Ioffe & Szegedy 2015, arXiv:1502.03167.

    Evaluation uses running statistics: r <- (1 - momentum) r + momentum * batch.
    """

    kind: Literal["batch"] = "batch"
    eps: PositiveFloat = 1e-5
    """Is added below the root, so that nothing is divided by 0."""
    momentum: Annotated[float, Field(gt=0.0, le=1.0)] = 0.1
    """The batch's share of the running statistics, as in torch."""

    def misfit(self, shape: Shape) -> str | None:
        return _not_of_sequences("batch", shape)

    def buffers(self, shape: Shape) -> Mapping[str, Shape]:
        return {"running_mean": shape[:1], "running_var": shape[:1], "num_batches_tracked": ()}

    def build(self, shape: Shape) -> "nn.Module":
        make = nn.BatchNorm1d if len(shape) == 1 else nn.BatchNorm2d
        return make(shape[0], eps=self.eps, momentum=self.momentum)


@final
class LayerwiseConfig(NormConfig, frozen=True):
    """Mean 0 and deviation 1 for each example over its units. Ba et al. 2016, arXiv:1607.06450."""

    kind: Literal["layer"] = "layer"
    eps: PositiveFloat = 1e-5
    """Is added below the root, so that nothing is divided by 0."""

    def misfit(self, shape: Shape) -> str | None:
        one = prod(_normed(shape)) == 1
        return "layer normalization of one number is always 0" if one else None

    def parameters(self, shape: Shape) -> Mapping[str, Shape]:
        return {"weight": _normed(shape), "bias": _normed(shape)}

    def build(self, shape: Shape) -> "nn.Module":
        return nn.LayerNorm(list(_normed(shape)), eps=self.eps)


@final
class GroupConfig(NormConfig, frozen=True):
    """Layer normalization within groups of channels. Wu & He 2018, arXiv:1803.08494."""

    kind: Literal["group"] = "group"
    groups: PositiveInt = 8
    """Of channels; they divide them."""
    eps: PositiveFloat = 1e-5
    """Is added below the root, so that nothing is divided by 0."""

    def misfit(self, shape: Shape) -> str | None:
        if why := _not_of_sequences("group", shape):
            return why
        if shape[0] % self.groups:
            return f"{self.groups} groups do not divide {shape[0]} channels"
        if prod(shape) == self.groups:
            return f"a group of one number is always 0 (take fewer than {self.groups} groups)"
        return None

    def build(self, shape: Shape) -> "nn.Module":
        return nn.GroupNorm(self.groups, shape[0], eps=self.eps)


@final
class RmsConfig(NormConfig, frozen=True):
    """Each example over the root mean square of its units, no mean taken off.

    Zhang & Sennrich 2019, arXiv:1910.07467.
    """

    kind: Literal["rms"] = "rms"
    eps: PositiveFloat = 1e-5
    """Is added below the root, so that nothing is divided by 0."""

    def parameters(self, shape: Shape) -> Mapping[str, Shape]:
        return {"weight": _normed(shape)}

    def build(self, shape: Shape) -> "nn.Module":
        from nnlab.parts.modules import FullRMSNorm

        return FullRMSNorm(list(_normed(shape)), eps=self.eps)


Norm = Annotated[BatchConfig | GroupConfig | LayerwiseConfig | NoNormConfig | RmsConfig, Menu()]
