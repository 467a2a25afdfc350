"""Learning rules: which step trains; `LearningRule` is the menu.

To add one: see `family.py`, write a class, its step beside it, and name its file
here.
"""

from typing import Annotated

from nnlab.core.kinds import Menu
from nnlab.rules.family import RuleConfig
from nnlab.rules.gradient import GradientConfig

LearningRule = Annotated[
    RuleConfig,
    Menu(
        "nnlab.rules.gradient",
        "nnlab.rules.perceptron",
        "nnlab.rules.hebbian",
        "nnlab.rules.none",
    ),
]

DEFAULT: RuleConfig = GradientConfig()
"""Backpropagation."""
