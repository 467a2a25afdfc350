"""Modules that hold layers."""

from collections.abc import Mapping
from typing import final

from torch import Tensor, nn


@final
class Stack(nn.Module):
    """Layers one after the other, by name."""

    def __init__(self, layers: Mapping[str, nn.Module]) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        """(N, *inputs) to (N, *outputs)."""
        for layer in self._modules.values():
            assert layer is not None
            x = layer(x)
        return x


@final
class Residual(nn.Module):
    """activation(body(x) + skip(x)). He et al. 2015, arXiv:1512.03385, eq. 1 and 2."""

    def __init__(
        self, body: Mapping[str, nn.Module], skip: Mapping[str, nn.Module], activation: nn.Module
    ) -> None:
        super().__init__()
        # All are the block's own children, so that names read block1.conv1, block1.skip_norm.
        for name, layer in {**body, **skip, "activation": activation}.items():
            self.add_module(name, layer)
        self._body, self._skip = tuple(body), tuple(skip)

    def forward(self, x: Tensor) -> Tensor:
        """(N, *inputs) to (N, *outputs)."""
        y = skipped = x
        for name in self._body:
            y = self.get_submodule(name)(y)
        for name in self._skip:
            skipped = self.get_submodule(name)(skipped)
        return self.get_submodule("activation")(y + skipped)
