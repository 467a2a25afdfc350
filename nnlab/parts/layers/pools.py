"""Pooling: layers that make an image smaller and learn nothing."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Literal, Self, final

from pydantic import NonNegativeInt

from nnlab.core.contracts import Plan, Shape
from nnlab.core.errors import MistakeError, Path
from nnlab.core.lazy import nn
from nnlab.parts.layers.family import LayerConfig, needs_image, window_places
from nnlab.parts.layers.weighted import Pair, both_sides


class PoolConfig(LayerConfig, frozen=True):
    """A window slides over each channel; stride null is the kernel's size."""

    kernel: Pair = 2
    """Pixels on a side of the window, or (height, width)."""
    stride: Pair | None = None
    """Pixels from one window to the next; null: the kernel's size."""
    padding: NonNegativeInt = 0
    """Pixels around the image."""
    ceil_mode: bool = False
    """true: a last window that hangs over the edge counts too."""

    @property
    def stem(self) -> str:
        return "pool"

    def steps(self) -> tuple[int, int]:
        """The stride along height and width."""
        return both_sides(self.kernel) if self.stride is None else both_sides(self.stride)

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        needs_image(self.kind, inputs, path)
        kernel, stride = both_sides(self.kernel), self.steps()
        if self.padding > min(kernel) // 2:
            text = f"must be at most half of the kernel, {min(kernel) // 2}, got {self.padding}"
            raise MistakeError((*path, "padding"), text)
        if min(inputs[1 + a] + 2 * self.padding - kernel[a] for a in (0, 1)) < 0:
            text = f"a window of {kernel} does not fit into {inputs}"
            raise MistakeError((*path, "kernel"), text)
        sizes = [self._windows(inputs[1 + a], kernel[a], stride[a]) for a in (0, 1)]
        return Plan(name, self.kind, path, inputs, (inputs[0], *sizes), note=f"window {kernel}")

    def _windows(self, size: int, kernel: int, stride: int) -> int:
        """How many windows along an axis; the formula of torch.nn.MaxPool2d."""
        count = window_places(size, kernel, stride, self.padding)
        if not self.ceil_mode or (size + 2 * self.padding - kernel) % stride == 0:
            return count
        # A window that begins in the padding behind the image sees nothing.
        return count + (count * stride < size + self.padding)

    @abstractmethod
    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        """The module of torch."""


@final
class MaxPoolConfig(PoolConfig, frozen=True):
    """The largest value in each window."""

    kind: Literal["max_pool"] = "max_pool"

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        kernel, stride = both_sides(self.kernel), self.steps()
        return {"": nn.MaxPool2d(kernel, stride, self.padding, ceil_mode=self.ceil_mode)}


@final
class AvgPoolConfig(PoolConfig, frozen=True):
    """The mean of each window; zeros of the padding count."""

    kind: Literal["avg_pool"] = "avg_pool"

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        kernel, stride = both_sides(self.kernel), self.steps()
        return {"": nn.AvgPool2d(kernel, stride, self.padding, self.ceil_mode)}


@final
class AdaptivePoolConfig(LayerConfig, frozen=True):
    """The means of size x size windows that cover the image: any image gives the same shape.

    Cell i spans rows floor(i H / size) to ceil((i + 1) H / size), as torch.nn.AdaptiveAvgPool2d.
    """

    kind: Literal["adaptive_pool"] = "adaptive_pool"
    size: Pair

    @classmethod
    def example(cls) -> Self:
        return cls(size=1)

    @property
    def stem(self) -> str:
        return "pool"

    def plan(self, inputs: Shape, name: str, path: Path) -> Plan:
        needs_image(self.kind, inputs, path)
        return Plan(name, self.kind, path, inputs, (inputs[0], *both_sides(self.size)))

    def build(self, inputs: Shape) -> Mapping[str, "nn.Module"]:
        from nnlab.parts.layers.modules import AdaptivePool

        return {"": AdaptivePool(both_sides(self.size))}


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


KINDS = (AdaptivePoolConfig, AvgPoolConfig, GlobalPoolConfig, MaxPoolConfig)
