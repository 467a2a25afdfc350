"""Layers that a stack is written with; `Layer` is the menu.

To add one: write a class in `dense.py` (with weights), `plain.py` or a file of its own, and name it
here.
"""

from typing import Annotated

from nnlab.choices import Menu
from nnlab.parts.layers.dense import ConvConfig, LinearConfig
from nnlab.parts.layers.plain import (
    ActivationLayerConfig,
    AvgPoolConfig,
    BatchNormConfig,
    DropoutConfig,
    FlattenConfig,
    GlobalPoolConfig,
    GroupNormConfig,
    LayerNormConfig,
    MaxPoolConfig,
)
from nnlab.parts.layers.residual import ResidualConfig

Layer = Annotated[
    ActivationLayerConfig
    | AvgPoolConfig
    | BatchNormConfig
    | ConvConfig
    | DropoutConfig
    | FlattenConfig
    | GlobalPoolConfig
    | GroupNormConfig
    | LayerNormConfig
    | LinearConfig
    | MaxPoolConfig
    | ResidualConfig,
    Menu(),
]

ResidualConfig.model_rebuild(_types_namespace={"Layer": Layer})
