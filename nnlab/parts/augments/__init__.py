"""Augmentations: small random changes of the training examples, new in every epoch.

To add one: see `family.py`, write a class and name it at the foot of its file; a new file is named
here.
"""

from typing import Annotated

from nnlab.core.kinds import Menu
from nnlab.parts.augments.family import AugmentConfig

Augment = Annotated[
    AugmentConfig,
    Menu(
        "nnlab.parts.augments.moves",
        "nnlab.parts.augments.pixel_values",
        "nnlab.parts.augments.mixes",
        "nnlab.parts.augments.warps",
    ),
]
