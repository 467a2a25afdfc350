"""The schedule with state: it follows what is measured."""

from collections.abc import Mapping
from math import isfinite
from typing import Annotated, ClassVar, Literal, final

from pydantic import Field, NonNegativeFloat, NonNegativeInt

from nnlab.core.contracts import ObservingFn
from nnlab.parts.schedules.family import ScheduleConfig, Share


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
    observes: ClassVar[bool] = True

    def build(
        self, *, per_epoch: int, total: int | None, higher_is_better: bool = False
    ) -> ObservingFn:
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


KINDS = (PlateauConfig,)
