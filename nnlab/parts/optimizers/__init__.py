"""Optimizers: how a gradient becomes an update of the weights. Nearly all are torch.optim's own.

To add one: see `family.py`, write a class and name it in `KINDS` at the foot of its file; a new
file is named here. In the formulas w is a weight, g its gradient, t counts updates from 1.
"""

from typing import Annotated

from nnlab.core.kinds import Menu
from nnlab.parts.optimizers.family import OptimizerConfig

Optimizer = Annotated[
    OptimizerConfig,
    Menu(
        "nnlab.parts.optimizers.adam",
        "nnlab.parts.optimizers.descent",
        "nnlab.parts.optimizers.adaptive",
        "nnlab.parts.optimizers.muon",
        "nnlab.parts.optimizers.lbfgs",
    ),
]
