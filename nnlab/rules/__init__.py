"""Learning rules: which step trains; `Rule` is the menu.

To add one: write a class with `build()` in a file of its own, and name it here.
"""

from typing import Annotated

from nnlab.choices import Menu
from nnlab.rules.gradient import GradientConfig

Rule = Annotated[GradientConfig, Menu()]
