"""Models: networks made of parts; `Model` is the menu.

To add one: write a class with `hidden_layers()` (a published network: see `architecture.py`), name
it at the foot of its file; a new file is named here, those most used first.
"""

from typing import Annotated

from nnlab.choices import Menu
from nnlab.models.family import ModelConfig

Model = Annotated[
    ModelConfig,
    Menu(
        "nnlab.models.mlp",
        "nnlab.models.cnn",
        "nnlab.models.stack",
        "nnlab.models.resnet",
        "nnlab.models.lenet",
        "nnlab.models.vgg",
        "nnlab.models.alexnet",
        "nnlab.models.perceptron",
        "nnlab.models.point",
        "nnlab.models.mcculloch_pitts",
        unlisted="nnlab.models.module",
    ),
]
