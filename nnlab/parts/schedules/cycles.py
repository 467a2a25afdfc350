"""Schedules that follow a cosine: once, up and down, or again and again."""

from typing import Annotated, ClassVar, Literal, Self, final

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator
from pydantic_core import PydanticCustomError

from nnlab.core.contracts import ScheduleFn
from nnlab.core.durations import Duration
from nnlab.parts.schedules.family import Share, TimedConfig, cosine_share

_AtLeastOne = Annotated[float, Field(ge=1.0)]


@final
class CosineConfig(TimedConfig, frozen=True):
    """final + (1 - final) * (1 + cos(pi t / T)) / 2: half a cosine from 1 down to `final`.

    Loshchilov & Hutter 2016, arXiv:1608.03983, eq. 5, without restarts.
    """

    kind: Literal["cosine"] = "cosine"
    final: NonNegativeFloat = 0.0
    uses_total: ClassVar[bool] = True

    def _after(self, warmup: int, *, per_epoch: int, total: int | None) -> ScheduleFn:
        final = self.final
        remaining = max((total or 0) - warmup, 1)
        return lambda step: cosine_share(1.0, final, min(step / remaining, 1.0))


@final
class OneCycleConfig(TimedConfig, frozen=True):
    """From 1 / div_factor up to 1 and down to almost 0, by half cosines; `lr` is the peak.

    The rise takes the share `pct_start` of the run; the end is 1 / (div_factor * final_div_factor).
    Smith & Topin 2017, arXiv:1708.07120, in the form of torch's OneCycleLR, but momentum stays.
    """

    kind: Literal["one_cycle"] = "one_cycle"
    pct_start: Share = 0.3
    div_factor: _AtLeastOne = 25.0
    final_div_factor: _AtLeastOne = 1e4
    uses_total: ClassVar[bool] = True

    def _after(self, warmup: int, *, per_epoch: int, total: int | None) -> ScheduleFn:
        last = max((total or 0) - warmup, 1) - 1
        peak = self.pct_start * (last + 1) - 1.0
        start = 1.0 / self.div_factor
        end = start / self.final_div_factor

        def factor(step: int) -> float:
            if step <= peak:
                return cosine_share(start, 1.0, step / peak if peak else 1.0)
            return cosine_share(1.0, end, min((step - peak) / (last - peak), 1.0))

        return factor


@final
class WarmRestartsConfig(TimedConfig, frozen=True):
    """Half a cosine from 1 down to `final`, and again from 1: each `period` is a new start.

    final + (1 - final) * (1 + cos(pi t / P)) / 2, where t counts steps since the last restart and P
    is the length of the cycle at hand: the period, times `multiplier` after each restart.
    Loshchilov & Hutter 2016, arXiv:1608.03983, eq. 5 (SGDR).
    """

    kind: Literal["warm_restarts"] = "warm_restarts"
    period: Duration = Duration(10)
    multiplier: PositiveInt = 1
    final: NonNegativeFloat = 0.0

    @model_validator(mode="after")
    def _period_lasts(self) -> Self:
        if self.period.amount == 0:
            raise PydanticCustomError("value", "period must be greater than 0")
        return self

    def _after(self, warmup: int, *, per_epoch: int, total: int | None) -> ScheduleFn:
        first = max(1, self.period.steps(per_epoch=per_epoch, total=total))
        multiplier, final = self.multiplier, self.final

        def factor(step: int) -> float:
            length = first
            if multiplier == 1:
                step %= length
            while step >= length:
                step -= length
                length *= multiplier
            return cosine_share(1.0, final, step / length)

        return factor


KINDS = (CosineConfig, OneCycleConfig, WarmRestartsConfig)
