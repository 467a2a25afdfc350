"""When pictures are taken: a few moments of a run, close together where it changes fast."""

from dataclasses import dataclass
from itertools import count, takewhile


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
