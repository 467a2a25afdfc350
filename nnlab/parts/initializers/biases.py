"""The initializers of the menu that a bias can begin by."""

from nnlab.parts.initializers.plain import (
    ConstantInitConfig,
    NormalConfig,
    TruncatedNormalConfig,
    UniformConfig,
    ZerosConfig,
)
from nnlab.parts.initializers.scaled import TorchDefaultConfig
from nnlab.parts.initializers.structured import GivenConfig

KINDS = (
    ConstantInitConfig,
    GivenConfig,
    NormalConfig,
    TorchDefaultConfig,
    TruncatedNormalConfig,
    UniformConfig,
    ZerosConfig,
)
