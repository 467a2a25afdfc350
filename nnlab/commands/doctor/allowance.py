"""What a look at a run may cost: a share of its training, or what its owner agrees to.

Whoever asks why a run of three seconds failed does not want to wait for a minute, and not to be
asked about two seconds either. So what costs more than a share of the training, and more than a few
seconds, is not begun unasked on a terminal. Where nobody can be asked all is done, since a script
wants the whole answer, and what it cost is said; `--quick` does what the share affords and names
the rest.
"""

import sys
from collections.abc import Callable
from math import inf
from time import perf_counter, process_time
from typing import final

SHARE = 0.15
"""Of the training's seconds; reading the run and its data counts, starting Python does not."""
UNASKED = 5.0
"""Seconds of an idle core that are no question on a terminal, however short the training was and
however busy the machine is: the page says them. To read and answer one takes as long."""
_MORE = 5.0
"""Seconds beyond what was agreed to that are no new question."""

_ENOUGH = 0.05
"""Seconds of work that tell how busy the machine is."""

Ask = Callable[[str], bool]


@final
class Allowance:
    """Seconds that may be spent on a run, from now on.

    Args:
        training: seconds that the training took.
        ask: puts a question and says whether the answer is yes; None where nobody can be asked.
        whole: whether everything is agreed to.

    Attributes:
        skipped: what was not done, each with its seconds.
    """

    def __init__(self, training: float, *, ask: Ask | None = None, whole: bool = False) -> None:
        self.training = training
        self.skipped: list[tuple[str, float]] = []
        self._ask = ask
        free = UNASKED if ask is not None else 0.0
        self._limit = inf if whole else max(free, SHARE * training)
        self._began = perf_counter()
        self._waited = 0.0
        self._worked = process_time()

    @property
    def spent(self) -> float:
        """Seconds so far, without those that an answer took."""
        return perf_counter() - self._began - self._waited

    @property
    def left(self) -> float:
        """Seconds; without end where all is agreed to."""
        return max(0.0, self._limit - self.spent)

    def stopwatch(self, seconds: float) -> Callable[[], bool]:
        """Says whether so many seconds are over, from now on; never where all is agreed to."""
        end = inf if self._limit == inf else perf_counter() + seconds
        return lambda: perf_counter() > end

    def affords(self, what: str, seconds: float) -> bool:
        """Whether something may be done; where it would cost too much somebody is asked.

        Args:
            what: a noun, as in "a look at all rows".
            seconds: that it takes on an idle core, as far as that is known.
        """
        crowd = self._crowd()
        few = self._ask is not None and self.spent / crowd + seconds <= UNASKED
        seconds *= crowd
        if few or seconds <= self.left:
            return True
        if self._ask is not None and self._agreed(what, seconds):
            return True
        self.skipped.append((what, seconds))
        return False

    def _crowd(self) -> float:
        """How many times as long work takes as on an idle machine, as it did so far."""
        worked = process_time() - self._worked
        return max(1.0, self.spent / worked) if worked > _ENOUGH else 1.0

    def _agreed(self, what: str, seconds: float) -> bool:
        assert self._ask is not None
        asked = perf_counter()
        share = f", {seconds / self.training:.0%} of that" if self.training >= 0.1 else ""
        answer = self._ask(
            f"training took {tell_seconds(self.training)}; {what} takes about "
            f"{tell_seconds(seconds)}{share}. Do it?"
        )
        self._waited += perf_counter() - asked
        if answer:
            self._limit = max(self._limit, self.spent + 2.0 * seconds + _MORE)
        return answer

    def overrun(self) -> str | None:
        """What was spent, where that is more than the share; else None."""
        if self.spent <= SHARE * self.training:
            return None
        took = f"this look took {tell_seconds(self.spent)}, and training"
        return f"{took} {tell_seconds(self.training)}"

    def told(self, command: str) -> tuple[str, ...]:
        """What was spent, where that is more than the share, and what was left out.

        Args:
            command: that does the rest, without `--yes`.
        """
        lines: list[str] = []
        if self._limit < inf and (over := self.overrun()):
            lines.append(over)
        if self.skipped:
            each = dict(self.skipped)
            parts = ", ".join(f"{what} (about {tell_seconds(s)})" for what, s in each.items())
            lines += [
                f"left out, as all together may take {SHARE:.0%} of the training "
                f"({tell_seconds(self.training)}): {parts}",
                f"{command} --yes does that as well",
            ]
        return tuple(lines)


def ask_on_terminal(question: str) -> bool:
    """Asks on the terminal; Enter is a yes."""
    from nnlab.core.wrap import stream_width, visible_text, wrap_text

    asked = wrap_text(visible_text(f"{question} [Y/n]"), stream_width(sys.stderr))
    sys.stderr.write(f"{asked} ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("", "y", "yes")


def somebody_to_ask() -> bool:
    """Whether there is a terminal on which a question is seen and answered."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def tell_seconds(seconds: float) -> str:
    """As in 0.4 s, 12 s."""
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:,.0f} s"
