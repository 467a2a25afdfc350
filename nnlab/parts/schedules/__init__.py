"""Schedules: the learning rate over time, as a factor of the optimizer's `lr`.

To add one: see `family.py`, write a class and name it in `KINDS` at the foot of its file; a new
file is named here. All but plateau are pure functions of the step. All warm up alike: over the
first w steps the factor is (step + 1) / w times the schedule's first factor (1, but for one_cycle);
then the schedule runs over what remains. In the formulas t counts steps from there, T is how many
remain.
"""

from typing import Annotated

from nnlab.core.kinds import Menu
from nnlab.parts.schedules.family import ScheduleConfig

Schedule = Annotated[
    ScheduleConfig,
    Menu(
        "nnlab.parts.schedules.decays",
        "nnlab.parts.schedules.cycles",
        "nnlab.parts.schedules.plateau",
    ),
]
