"""When a run is read, and when its pictures are taken: close together where it changes fast."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count, takewhile
from typing import Literal


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
        """Whether there is any step at which it is due."""
        return self.each is not None or bool(self.steps)

    def latest(self, step: int) -> int:
        """The last step at which it was due, up to this one; -1 if it was not."""
        if self.each is not None:
            return step - step % self.each
        return max((due for due in self.steps if due <= step), default=-1)


def spaced_steps(amount: int, *, every: int, total: int | None) -> tuple[int, ...]:
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


Costly = Literal["noise_scale", "sharpness"]
"""What is measured only where a config asks for it: it costs as much as many updates."""

PER_DOUBLING = 8


@dataclass(frozen=True, slots=True)
class Pace:
    """The steps at which training is read. Epochs end with a reading whatever the pace.

    Attributes:
        every: updates between two readings; None spaces them in proportion to the step, eight for
            each doubling: 1, 2, 3, ..., 11, 12, 13, ..., 100, 109, 118.
        probes: updates between two full probes, a multiple of `every`; None for none. Where
            readings are spaced in proportion each one has a full probe.
        costly: updates between two readings of each costly measure.
        kept: updates between two checkpoints that stay; 0 keeps those after 1, 2, 4, 8, ...; None
            keeps none. There is a reading with each of them.
        pictures: when they are taken, at the next reading.
        histograms: when they are taken, at the next reading.
        examples: when the loss of each training example is kept, at the next reading.
    """

    every: int | None
    probes: int | None = None
    costly: Mapping[Costly, int] = field(default_factory=dict[Costly, int])
    kept: int | None = None
    pictures: Due = field(default_factory=Due)
    histograms: Due = field(default_factory=Due)
    examples: Due = field(default_factory=Due)

    def next(self, step: int) -> int:
        """After which update the next reading comes."""
        if self.kept is None:
            return self._next(step)
        doubled = 1 << step.bit_length()
        return min(self._next(step), (step // self.kept + 1) * self.kept if self.kept else doubled)

    def _next(self, step: int) -> int:
        if self.every is not None:
            return (step // self.every + 1) * self.every
        # Counted from the beginning, so that the ends of epochs do not move what follows.
        point = 1
        while point <= step:
            point = max(point + 1, int(point * 2 ** (1 / PER_DOUBLING)))
        return point

    def probes_fully(self, step: int) -> bool:
        """Whether a reading after this update has a full probe."""
        return self.probes is not None and (self.every is None or step % self.probes == 0)

    def keeps(self, step: int) -> bool:
        """Whether a checkpoint after this update stays."""
        if self.kept is None or step == 0:
            return False
        return step % self.kept == 0 if self.kept else step.bit_count() == 1

    def due(self, measure: Costly, step: int) -> bool:
        """Whether a reading after this update has a costly measure."""
        return measure in self.costly and step % self.costly[measure] == 0
