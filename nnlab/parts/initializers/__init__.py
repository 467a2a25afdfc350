"""Initializers: what weights and biases hold before the first update.

To add one: write a class in the file that it belongs to and name it at the foot of the file. In the
formulas n_in and n_out are a unit's fan-in and fan-out as torch.nn.init counts them; U(-b, b) has
the variance b^2 / 3. Names from elsewhere: N(0, 1/n_in) is lecun_normal, N(0, 1/n_out)
variance_scaling with mode fan_out, Keras's glorot_uniform xavier_uniform.
"""

from typing import Annotated

from nnlab.core.kinds import Menu
from nnlab.parts.initializers.family import InitializerConfig

Initializer = Annotated[
    InitializerConfig,
    Menu(
        "nnlab.parts.initializers.scaled",
        "nnlab.parts.initializers.plain",
        "nnlab.parts.initializers.structured",
    ),
]

BiasInitializer = Annotated[InitializerConfig, Menu("nnlab.parts.initializers.biases", closed=True)]
