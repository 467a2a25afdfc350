"""Activations: the nonlinearity between layers, applied to each unit (softmax: to each example).

To add one: write a class in the file that it belongs to and name it at the foot of that file. Left
out of what torch has: GLU, which halves the width; softmin and log_softmax, which nobody puts
between layers.
"""

from typing import Annotated

from nnlab.core.kinds import Menu
from nnlab.parts.activations.family import ActivationConfig

Activation = Annotated[
    ActivationConfig,
    Menu(
        "nnlab.parts.activations.textbook",
        "nnlab.parts.activations.rectifiers",
        "nnlab.parts.activations.smooth",
        "nnlab.parts.activations.bounded",
        "nnlab.parts.activations.shrinking",
    ),
]
