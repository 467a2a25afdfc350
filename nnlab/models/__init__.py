"""Networks made of parts: `model:` in YAML.

May import `core`, `training` and `parts`. Start with `family.py` (what a model promises) and
`mlp.py`; a new model is a class in a file here, and the file's name in the menu below.

Each kind is listed at the foot of its file; a new file is named here, those most used first.
"""

from typing import Annotated

from nnlab.core.kinds import Menu
from nnlab.models.family import ModelConfig

Model = Annotated[
    ModelConfig,
    Menu(
        "nnlab.models.mlp",
        "nnlab.models.cnn",
        "nnlab.models.stack",
        "nnlab.models.recurrent",
        "nnlab.models.transformer",
        "nnlab.models.vit",
        "nnlab.models.resnet",
        "nnlab.models.published",
        "nnlab.models.single_unit",
        unlisted="nnlab.models.module",
    ),
]
