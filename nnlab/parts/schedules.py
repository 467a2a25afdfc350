"""Schedules: the learning rate over time, as a factor of the optimizer's `lr`.

To add one: write a class here and name it in `Schedule` at the foot of the file. All but plateau
are pure functions of the step. All warm up alike: over the first w steps the factor is
(step + 1) / w times the schedule's first factor (1, but for one_cycle); then the schedule runs over
what remains. In the formulas t counts steps from there, T is how many remain.
"""

from abc import abstractmethod
from collections.abc import Mapping
from math import cos, isfinite, pi
from typing import Annotated, ClassVar, Literal, Protocol, Self, final, runtime_checkable

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, model_validator
from pydantic_core import PydanticCustomError

from nnlab.base import Kind
from nnlab.choices import Menu
from nnlab.contracts import ScheduleFn
from nnlab.durations import Duration

Factor = Annotated[float, Field(gt=0.0, le=1.0)]
Share = Annotated[float, Field(ge=0.0, lt=1.0)]


class ScheduleConfig(Kind, frozen=True):
    """The family of schedules.

    Attributes:
        warmup: how long the rate rises linearly at the start.
        uses_total: whether the length of the run must be known (it is not for a run in minutes).
    """

    warmup: Duration = Duration(0)
    uses_total: ClassVar[bool] = False

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


class _TimedConfig(ScheduleConfig, frozen=True):
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


@final
class ConstantConfig(_TimedConfig, frozen=True):
    """The base rate throughout."""

    kind: Literal["constant"] = "constant"

    def _after(self, warmup: int, *, per_epoch: int, total: int | None) -> ScheduleFn:
        return lambda step: 1.0  # noqa: ARG005 - the protocol's name


@final
class StepsConfig(_TimedConfig, frozen=True):
    """Multiplied by gamma `every` so often, or `at` given times; times count from the run's start.

    Warm-up does not move them, as in Goyal et al. 2017, arXiv:1706.02677.
    """

    kind: Literal["steps"] = "steps"
    every: Duration | None = None
    at: tuple[Duration, ...] = ()
    gamma: Factor = 0.1

    @classmethod
    def example(cls) -> Self:
        return cls(every=Duration(10))

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.every is None) == (not self.at):
            raise PydanticCustomError("value", "needs every or at, and not both")
        if self.every is not None and self.every.amount == 0:
            raise PydanticCustomError("value", "every must be greater than 0")
        return self

    def _after(self, warmup: int, *, per_epoch: int, total: int | None) -> ScheduleFn:
        gamma = self.gamma
        at = [time.steps(per_epoch=per_epoch, total=total) for time in self.at]
        every = self.every and max(1, self.every.steps(per_epoch=per_epoch, total=total))

        def factor(step: int) -> float:
            now = step + warmup
            return gamma ** (now // every if every else sum(time <= now for time in at))

        return factor


@final
class ExponentialConfig(_TimedConfig, frozen=True):
    """gamma^(t / steps per epoch): falls by gamma in every epoch, a little at every step."""

    kind: Literal["exponential"] = "exponential"
    gamma: Factor = 0.95

    def _after(self, warmup: int, *, per_epoch: int, total: int | None) -> ScheduleFn:
        gamma = self.gamma

        return lambda step: gamma ** (step / per_epoch)


@final
class CosineConfig(_TimedConfig, frozen=True):
    """final + (1 - final) * (1 + cos(pi t / T)) / 2: half a cosine from 1 down to `final`.

    Loshchilov & Hutter 2016, arXiv:1608.03983, eq. 5, without restarts.
    """

    kind: Literal["cosine"] = "cosine"
    final: NonNegativeFloat = 0.0
    uses_total: ClassVar[bool] = True

    def _after(self, warmup: int, *, per_epoch: int, total: int | None) -> ScheduleFn:
        final = self.final
        remaining = max((total or 0) - warmup, 1)
        return lambda step: _cosine(1.0, final, min(step / remaining, 1.0))


@final
class OneCycleConfig(_TimedConfig, frozen=True):
    """From 1 / div_factor up to 1 and down to almost 0, by half cosines; `lr` is the peak.

    The rise takes the share `pct_start` of the run; the end is 1 / (div_factor * final_div_factor).
    Smith & Topin 2017, arXiv:1708.07120, in the form of torch's OneCycleLR, but momentum stays.
    """

    kind: Literal["one_cycle"] = "one_cycle"
    pct_start: Share = 0.3
    div_factor: PositiveFloat = 25.0
    final_div_factor: PositiveFloat = 1e4
    uses_total: ClassVar[bool] = True

    def _after(self, warmup: int, *, per_epoch: int, total: int | None) -> ScheduleFn:
        last = max((total or 0) - warmup, 1) - 1
        peak = self.pct_start * (last + 1) - 1.0
        start = 1.0 / self.div_factor
        end = start / self.final_div_factor

        def factor(step: int) -> float:
            if step <= peak:
                return _cosine(start, 1.0, step / peak if peak else 1.0)
            return _cosine(1.0, end, min((step - peak) / (last - peak), 1.0))

        return factor


def _cosine(start: float, end: float, share: float) -> float:
    """Half a cosine from start (share 0) to end (share 1)."""
    return end + (start - end) / 2.0 * (1.0 + cos(pi * share))


@runtime_checkable
class PlateauFn(ScheduleFn, Protocol):
    """A schedule that follows what is measured."""

    def observe(self, value: float) -> None:
        """Takes the newest reading of what is monitored."""
        ...

    def state(self) -> dict[str, float | None]:
        """What a resumed run needs to go on alike; fit for JSON."""
        ...

    def load(self, state: Mapping[str, float | None]) -> None:
        """Goes on from a state."""
        ...


@final
class PlateauConfig(ScheduleConfig, frozen=True):
    """Multiplied by `factor` when the monitored value has not improved for `patience` readings.

    Better means by more than `threshold` times its size. After a cut, `cooldown` readings are not
    counted; the product stops at `min_factor`. As torch's ReduceLROnPlateau.
    """

    kind: Literal["plateau"] = "plateau"
    factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    patience: NonNegativeInt = 10
    threshold: NonNegativeFloat = 1e-4
    cooldown: NonNegativeInt = 0
    min_factor: Share = 0.0

    def build(
        self, *, per_epoch: int, total: int | None, higher_is_better: bool = False
    ) -> PlateauFn:
        warmup = self.warmup.steps(per_epoch=per_epoch, total=total)
        return _Plateau(self, warmup=warmup, sign=-1.0 if higher_is_better else 1.0)


@final
class _Plateau:
    """The one schedule with state: the factor so far, the best value, readings since."""

    def __init__(self, config: PlateauConfig, *, warmup: int, sign: float) -> None:
        self._config = config
        self._warmup = warmup
        self._sign = sign
        self._factor = 1.0
        self._best: float | None = None
        self._bad = 0
        self._cooling = 0

    def __call__(self, step: int) -> float:
        return self._factor * min(1.0, (step + 1) / max(self._warmup, 1))

    def observe(self, value: float) -> None:
        if self._better(value):
            self._best, self._bad = value, 0
        else:
            self._bad += 1
        if self._cooling > 0:
            self._cooling -= 1
            self._bad = 0
        if self._bad > self._config.patience:
            self._factor = max(self._factor * self._config.factor, self._config.min_factor)
            self._cooling, self._bad = self._config.cooldown, 0

    def _better(self, value: float) -> bool:
        if not isfinite(value):
            return False
        if self._best is None:
            return True
        # |best|, so that a negative R^2 has to rise, too (torch's best * (1 + t) would fall).
        margin = self._config.threshold * abs(self._best)
        return self._sign * value < self._sign * self._best - margin

    def state(self) -> dict[str, float | None]:
        return {
            "factor": self._factor,
            "best": self._best,
            "bad": self._bad,
            "cooling": self._cooling,
        }

    def load(self, state: Mapping[str, float | None]) -> None:
        self._factor = state["factor"] or 0.0
        self._best = state["best"]
        self._bad = int(state["bad"] or 0)
        self._cooling = int(state["cooling"] or 0)


Schedule = Annotated[
    ConstantConfig
    | CosineConfig
    | ExponentialConfig
    | OneCycleConfig
    | PlateauConfig
    | StepsConfig,
    Menu(),
]
