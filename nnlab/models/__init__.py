"""Models: networks made of parts; `Model` is the menu.

To add one: write a class with `hidden_layers()` in a file of its own, and name it here.
"""

from typing import Annotated

from nnlab.choices import Menu
from nnlab.models.cnn import CnnConfig
from nnlab.models.mcculloch_pitts import McCullochPittsConfig
from nnlab.models.mlp import LinearModelConfig, MlpConfig
from nnlab.models.point import PointConfig
from nnlab.models.stack import StackConfig

Model = Annotated[
    CnnConfig | LinearModelConfig | McCullochPittsConfig | MlpConfig | PointConfig | StackConfig,
    Menu(),
]
