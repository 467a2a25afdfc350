"""Layers that a stack is written with; `Layer` is the menu.

To add one: write a class and name it at the foot of its file; a new file is named here, those most
used first.
"""

from typing import Annotated

from nnlab.choices import Menu
from nnlab.parts.layers.family import LayerConfig

Layer = Annotated[
    LayerConfig,
    Menu(
        "nnlab.parts.layers.dense",
        "nnlab.parts.layers.plain",
        "nnlab.parts.layers.pools",
        "nnlab.parts.layers.residual",
        "nnlab.parts.layers.norms",
        "nnlab.parts.layers.historical",
    ),
]
