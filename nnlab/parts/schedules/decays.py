"""Schedules that only fall: at given times, by a power, or not at all."""

from typing import ClassVar, Literal, Self, final

from pydantic import NonNegativeFloat, PositiveFloat, model_validator
from pydantic_core import PydanticCustomError

from nnlab.core.contracts import ScheduleFn
from nnlab.core.durations import Duration
from nnlab.parts.schedules.family import Factor, TimedConfig


@final
class ConstantScheduleConfig(TimedConfig, frozen=True):
    """The base rate throughout."""

    kind: Literal["constant"] = "constant"

    def _after(self, warmup: int, *, per_epoch: int, total: int | None) -> ScheduleFn:
        return lambda step: 1.0  # noqa: ARG005 - the protocol's name


@final
class StepsConfig(TimedConfig, frozen=True):
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
class ExponentialConfig(TimedConfig, frozen=True):
    """gamma^(t / steps per epoch): falls by gamma in every epoch, a little at every step."""

    kind: Literal["exponential"] = "exponential"
    gamma: Factor = 0.95

    def _after(self, warmup: int, *, per_epoch: int, total: int | None) -> ScheduleFn:
        gamma = self.gamma

        return lambda step: gamma ** (step / per_epoch)


@final
class LinearScheduleConfig(TimedConfig, frozen=True):
    """1 - (1 - final) * t / T: a straight line from 1 down to `final` at the end of the run.

    As torch's LinearLR; usual behind a warm-up for fine-tuning: Devlin et al. 2018,
    arXiv:1810.04805, appendix A.2.
    """

    kind: Literal["linear"] = "linear"
    final: NonNegativeFloat = 0.0
    uses_total: ClassVar[bool] = True

    def _after(self, warmup: int, *, per_epoch: int, total: int | None) -> ScheduleFn:
        return _power(1.0, self.final, warmup, total)


@final
class PolynomialConfig(TimedConfig, frozen=True):
    """final + (1 - final) * (1 - t/T)^power: above 1 it falls fast at first, below 1 at the end.

    Chen et al. 2016, arXiv:1606.00915, section 4.1, "poly" with power 0.9; power 1 is linear.
    """

    kind: Literal["polynomial"] = "polynomial"
    power: PositiveFloat = 0.9
    final: NonNegativeFloat = 0.0
    uses_total: ClassVar[bool] = True

    def _after(self, warmup: int, *, per_epoch: int, total: int | None) -> ScheduleFn:
        return _power(self.power, self.final, warmup, total)


def _power(power: float, final: float, warmup: int, total: int | None) -> ScheduleFn:
    remaining = max((total or 0) - warmup, 1)
    return lambda step: final + (1.0 - final) * (1.0 - min(step / remaining, 1.0)) ** power


@final
class InverseSqrtConfig(TimedConfig, frozen=True):
    """sqrt(w / (w + t)) behind a warm-up of w steps: needs no end, and falls ever more slowly.

    Vaswani et al. 2017, arXiv:1706.03762, eq. 3, with lr as the peak; usual warm-ups are long, such
    as 4000 steps. Without one, w is 1.
    """

    kind: Literal["inverse_sqrt"] = "inverse_sqrt"

    def _after(self, warmup: int, *, per_epoch: int, total: int | None) -> ScheduleFn:
        rise = max(warmup, 1)
        return lambda step: (rise / (rise + step)) ** 0.5


KINDS = (
    ConstantScheduleConfig,
    StepsConfig,
    ExponentialConfig,
    LinearScheduleConfig,
    PolynomialConfig,
    InverseSqrtConfig,
)
