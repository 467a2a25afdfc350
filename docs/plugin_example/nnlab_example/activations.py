"""The activation `snake`."""

from typing import Any, Literal, final

import numpy as np
from pydantic import PositiveFloat

from nnlab.parts.activations.family import ActivationConfig


@final
class SnakeConfig(ActivationConfig, frozen=True):
    """z + sin(a z)^2 / a: a line with waves, for periodic data. Ziyin 2020, arXiv:2006.08195.

    The docstring is the text of `nnlab menu snake` and of the studio; its first line is the short
    one.
    """

    kind: Literal["snake"] = "snake"
    frequency: PositiveFloat = 1.0
    """a: the waves are pi / a wide."""

    def build(self) -> Any:
        from nnlab_example.modules import Snake

        return Snake(self.frequency)

    def value(self, z: Any) -> Any:
        return z + np.sin(self.frequency * z) ** 2 / self.frequency

    def derivative(self, z: Any) -> Any:
        return 1.0 + np.sin(2.0 * self.frequency * z)
