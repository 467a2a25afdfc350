"""Layers that a stack is written with; `AnyLayer` is the menu.

To add one: write a class and name it at the foot of its file; a new file is named here, those most
used first.
"""

from typing import Annotated

from nnlab.core.kinds import Menu
from nnlab.parts.layers.family import LayerConfig

AnyLayer = Annotated[
    LayerConfig,
    Menu(
        "nnlab.parts.layers.weighted",
        "nnlab.parts.layers.plain",
        "nnlab.parts.layers.pools",
        "nnlab.parts.layers.residual",
        "nnlab.parts.layers.recurrent",
        "nnlab.parts.layers.sequence",
        "nnlab.parts.layers.attention",
        "nnlab.parts.layers.norm_layers",
        "nnlab.parts.layers.historical",
    ),
]
