"""How often a run is read, looked into and pictured: the `log` section and what it means in steps.

Arithmetic on the length of the run alone.
"""

from dataclasses import dataclass
from itertools import count, takewhile
from math import ceil
from typing import Annotated, Literal

from pydantic import Field

from nnlab.base import Config, MistakeError, Path
from nnlab.choices import Forms
from nnlab.durations import Duration

READINGS = 200
"""About how many readings `log.every: auto` makes."""
CLOSE_LOOKS = (10, 40)
CLOSE_STEPS = 150
"""`log.probes: auto` looks about each 150 updates, at least and at most so often in a run: a close
look costs as much as about five updates of a small network."""

PICTURES = 10
"""`log.pictures: auto` in a run of some length."""
LEAST_STEPS = 150
"""Runs of fewer updates are over before a picture is drawn."""
FEW_PICTURES, FEW_STEPS = 5, 500
"""A run of fewer updates than that has so many moments."""

PictureCount = Annotated[int, Field(ge=1, le=1000)]


class LogConfig(Config, frozen=True):
    """How often training is read."""

    every: Annotated[Literal["auto"] | Duration, Forms()] = "auto"
    """auto: about 200 readings a run."""
    probes: Annotated[Literal["auto", "off"] | Duration, Forms()] = "auto"
    """How often a reading looks into the layers; auto: 10 to 40 times a run, each 150 steps."""
    pictures: Annotated[PictureCount | Literal["auto", "off"], Forms()] = "auto"
    """How many times a run its pictures are taken, from the first step to the last; auto: 10, fewer
    in runs below 500 steps, none below 150."""
    histograms: Annotated[Literal["auto", "off", "pictures"] | Duration, Forms()] = "auto"
    """How often weights, gradients and activations are counted; pictures, auto: with those."""


@dataclass(frozen=True, slots=True)
class Due:
    """Steps at which something is due.

    Attributes:
        steps: these, from the first to the last.
        each: every so many; None for the steps alone.
    """

    steps: tuple[int, ...] = ()
    each: int | None = None

    @property
    def ever(self) -> bool:
        """Whether it is due at all."""
        return self.each is not None or bool(self.steps)

    def latest(self, step: int) -> int:
        """The last step at which it was due, up to this one; -1 if it was not."""
        if self.each is not None:
            return step - step % self.each
        return max((due for due in self.steps if due <= step), default=-1)


@dataclass(frozen=True, slots=True)
class Pace:
    """When a run is read, looked into and pictured.

    Attributes:
        every: updates between two readings.
        closely: updates between two close looks, a multiple of `every`; None for none.
        pictures: when they are taken, at the next reading.
        histograms: likewise.
    """

    every: int
    closely: int | None
    pictures: Due
    histograms: Due


def paced(log: LogConfig, per_epoch: int, total: int | None) -> Pace:
    """The section in steps of a run.

    Raises:
        MistakeError: where a duration cannot be counted so, or is 0.
    """
    every = _every(log, per_epoch, total)
    pictures = Due(moments(_amount(log, total), every=every, total=total))
    histograms = pictures
    if isinstance(log.histograms, Duration):
        histograms = Due(each=_positive(log.histograms, "histograms", per_epoch, total))
    elif log.histograms == "off":
        histograms = Due()
    return Pace(every, _closely(log, every, per_epoch, total), pictures, histograms)


def spelled_out(log: LogConfig, pace: Pace, total: int | None) -> LogConfig:
    """The section with what every `auto` took."""
    amount = _amount(log, total)
    found: dict[str, object] = {
        "every": Duration(pace.every, "steps"),
        "probes": "off" if pace.closely is None else Duration(pace.closely, "steps"),
    }
    if log.pictures == "auto":
        found["pictures"] = amount or "off"
    if log.histograms == "auto":
        found["histograms"] = "pictures" if amount else "off"
    return log.model_copy(update=found)


def steps_of(duration: Duration, path: Path, per_epoch: int, total: int | None) -> int:
    """A duration in updates.

    Raises:
        MistakeError: at its path, if it cannot be counted so.
    """
    try:
        return duration.steps(per_epoch=per_epoch, total=total)
    except ValueError:
        text = f"{duration} cannot be counted in steps here"
        raise MistakeError(path, f"{text} (give epochs or steps)") from None


def moments(amount: int, *, every: int, total: int | None) -> tuple[int, ...]:
    """Steps from 0 to the last, by equal factors between them.

    Args:
        amount: how many; where readings are few, there are fewer.
        every: updates between two readings.
        total: updates in the run; of one in minutes, where nobody knows, each is twice the one
            before, up to a billion.
    """
    if amount <= 1:
        return () if amount == 0 else (0 if total is None else total,)
    if total is None:
        return (0, *takewhile(lambda step: step < 10**9, (every * 2**n for n in count())))
    first = min(every, total)
    factor = (total / first) ** (1 / max(amount - 2, 1))
    between = (first * factor**power for power in range(amount - 2))
    found = {min(total, max(1, round(step / every)) * every) for step in between}
    return tuple(sorted({0, *found, total}))


def _amount(log: LogConfig, total: int | None) -> int:
    if log.pictures == "off":
        return 0
    if not isinstance(log.pictures, str):
        return log.pictures
    if total is None or total >= FEW_STEPS:
        return PICTURES
    return FEW_PICTURES if total >= LEAST_STEPS else 0


def _every(log: LogConfig, per_epoch: int, total: int | None) -> int:
    if isinstance(log.every, Duration):
        if log.every.amount == 0:
            raise MistakeError(("log", "every"), "must be greater than 0")
        return max(1, steps_of(log.every, ("log", "every"), per_epoch, total))
    return max(1, ceil(total / READINGS) if total is not None else ceil(per_epoch / 20))


def _closely(log: LogConfig, every: int, per_epoch: int, total: int | None) -> int | None:
    if log.probes == "off":
        return None
    if isinstance(log.probes, Duration):
        steps = _positive(log.probes, "probes", per_epoch, total)
    elif total is None:
        steps = CLOSE_STEPS
    else:
        fewest, most = CLOSE_LOOKS
        steps = total / min(most, max(fewest, total / CLOSE_STEPS))
    return max(1, round(steps / every)) * every


def _positive(duration: Duration, name: str, per_epoch: int, total: int | None) -> int:
    if duration.amount == 0:
        raise MistakeError(("log", name), "must be greater than 0 (or off)")
    return max(1, steps_of(duration, ("log", name), per_epoch, total))
