"""Losses: from a network's outputs and a batch to one loss per example; the step takes the mean.

To add one: write a class in the file that it belongs to, with its formula in torch (`build`) and in
NumPy (`value`, `gradient`), and name it in `KINDS` at the foot; a new file is named here. In the
formulas z are the outputs, y the targets, e = z - y, K the number of outputs.
"""

from typing import Annotated

from nnlab.core.kinds import Menu
from nnlab.parts.losses.family import LossConfig

Loss = Annotated[
    LossConfig,
    Menu(
        "nnlab.parts.losses.classes",
        "nnlab.parts.losses.regression",
        "nnlab.parts.losses.margins",
        "nnlab.parts.losses.likelihoods",
        unlisted="nnlab.parts.losses.function",
    ),
]
