"""The family of schedules, and the warm-up that all of them have."""

from abc import abstractmethod
from math import cos, pi
from typing import Annotated, ClassVar

from pydantic import Field

from nnlab.core.contracts import ScheduleFn
from nnlab.core.durations import Duration
from nnlab.core.kinds import Kind

Factor = Annotated[float, Field(gt=0.0, le=1.0)]
Share = Annotated[float, Field(ge=0.0, lt=1.0)]


class ScheduleConfig(Kind, frozen=True):
    """The family of schedules.

    Attributes:
        warmup: how long the rate rises linearly at the start.
        uses_total: whether the length of the run must be known (it is not for a run in minutes).
        observes: whether it follows what is monitored, and so needs something to watch.
    """

    warmup: Duration = Duration(0)
    uses_total: ClassVar[bool] = False
    observes: ClassVar[bool] = False

    @abstractmethod
    def build(
        self, *, per_epoch: int, total: int | None, higher_is_better: bool = False
    ) -> ScheduleFn:
        """The factor as a function of the step.

        Args:
            per_epoch: steps in one epoch.
            total: steps in the whole run; None if that is not known.
            higher_is_better: the direction of what plateau observes.

        Raises:
            ValueError: if total is None where it is needed, or a duration is in minutes.
        """


class TimedConfig(ScheduleConfig, frozen=True):
    """A pure function of the step, behind a linear warm-up."""

    def build(
        self, *, per_epoch: int, total: int | None, higher_is_better: bool = False
    ) -> ScheduleFn:
        if self.uses_total and total is None:
            raise ValueError(f"{self.kind} needs to know the length of the run")
        warmup = self.warmup.steps(per_epoch=per_epoch, total=total)
        after = self._after(warmup, per_epoch=per_epoch, total=total)

        def factor(step: int) -> float:
            return after(0) * (step + 1) / warmup if step < warmup else after(step - warmup)

        return factor

    @abstractmethod
    def _after(self, warmup: int, *, per_epoch: int, total: int | None) -> ScheduleFn:
        """The factor as a function of the steps since the warm-up."""


def cosine_share(start: float, end: float, share: float) -> float:
    """Half a cosine from start (share 0) to end (share 1)."""
    return end + (start - end) / 2.0 * (1.0 + cos(pi * share))
