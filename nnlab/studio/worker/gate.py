"""The gate before each update: all pass, so many, so many a second, or none.

The step of a run goes through it unchanged, so that a run that was watched, held up and led by the
hand ends in the same bytes as one that nobody looked at.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from threading import Condition
from time import perf_counter
from typing import Any, Protocol, final

from torch import Tensor

from nnlab.training.probes.observation import Observation
from nnlab.training.step import Step

Command = Mapping[str, Any]
"""What a person wants, as it came from the page: {"do": "pause"}."""


class Onlooker(Protocol):
    """Who looks at the run between two updates."""

    def wants_next(self) -> bool:
        """Whether the next update is one to show; asked before each."""
        ...

    def show(self, rows: Tensor, step: int) -> None:
        """Shows the moment after an update.

        Args:
            rows: (N,) of that update.
            step: updates made so far.
        """
        ...

    def show_held(self, step: int) -> None:
        """The run is held up: shows where it stands, unless that is on the screen."""
        ...


@final
class Gate:
    """Lets updates pass.

    Args:
        playing: whether they pass from the beginning.
        carry_out: does what a command says; called by the training thread alone.
        clock: seconds; its time does not pass for the run while that is held up.
    """

    def __init__(
        self,
        *,
        playing: bool,
        carry_out: Callable[[Command], None],
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self.playing = playing
        self.allowed = 0
        """Updates that pass although it is closed."""
        self.rate = 0.0
        """Updates a second at most; 0 for as many as it goes."""
        self.held = 0.0
        """Seconds for which the run was held up so far."""
        self._carry_out = carry_out
        self._clock = clock
        self._commands: deque[Command] = deque()
        self._changed = Condition()
        self._due = 0.0

    def put(self, command: Command) -> None:
        """Takes a command; from any thread."""
        with self._changed:
            self._commands.append(command)
            self._changed.notify()

    def clock(self) -> float:
        """Seconds that count as training."""
        return self._clock() - self.held

    def play(self) -> None:
        """Opens it."""
        self.playing, self.allowed, self._due = True, 0, self._clock()

    def pause(self) -> None:
        """Closes it."""
        self.playing, self.allowed = False, 0

    def allow(self, updates: int) -> None:
        """Lets so many pass, and closes it behind them."""
        self.playing = False
        self.allowed += updates

    def limit(self, rate: float) -> None:
        """Lets so many pass in a second; 0 for all."""
        self.rate, self._due = rate, self._clock()

    def wait(self, idle: Callable[[], None]) -> None:
        """Returns when the next update may be made.

        Args:
            idle: called once where it must wait for a person.
        """
        if self.playing and not self._commands and not self.rate:
            return  # nothing to ask: some 60 ns
        began, told = self._clock(), False
        while True:
            while self._commands:
                self._carry_out(self._commands.popleft())
            if not (self.playing or self.allowed):
                if not told:
                    idle()
                    told = True
                self._rest(None)
            elif self.rate and (left := self._due - self._clock()) > 0:
                self._rest(left)
            else:
                break
        self.allowed -= not self.playing
        # Of a machine that could not keep up, at most a second is made up for.
        self._due = max(self._due, self._clock() - 1.0) + (1.0 / self.rate if self.rate else 0.0)
        self.held += self._clock() - began

    def answer(self, until: Callable[[], bool]) -> None:
        """Carries out commands until that is enough: after a run, when nothing passes."""
        while not until():
            while self._commands:
                self._carry_out(self._commands.popleft())
            if not until():
                self._rest(None)

    def _rest(self, seconds: float | None) -> None:
        with self._changed:
            if not self._commands:
                self._changed.wait(seconds)


@final
class GatedStep:
    """A step behind a gate: the same updates, bit for bit.

    Args:
        inner: what trains.
        gate: before each update.
        onlooker: looks on.
        step: updates made so far.
    """

    def __init__(self, inner: Step, gate: Gate, onlooker: Onlooker, step: int) -> None:
        self.inner = inner
        self.window = inner.window
        self.made = step
        self._gate = gate
        self._onlooker = onlooker
        # On the way of every update: one jump less each.
        self.fill_learning_rate = inner.fill_learning_rate

    @property
    def observation(self) -> Observation | None:
        """Of the step behind the gate."""
        return self.inner.observation

    def hold(self) -> None:
        """Returns when the next update may be made, or the run is to end before it."""
        self._gate.wait(lambda: self._onlooker.show_held(self.made))

    def update(self, rows: Tensor) -> None:
        """Learns, and shows it where that is due."""
        gate, onlooker = self._gate, self._onlooker
        shown = not gate.playing or onlooker.wants_next()
        if shown and (observation := self.inner.observation) is not None:
            observation.keep_norms()
        self.inner.update(rows)
        self.made += 1
        if shown:
            # Looking is no training either: the speed of the run is that without anybody there.
            began = gate.clock()
            onlooker.show(rows, self.made)
            gate.held += gate.clock() - began

    def probe(self, rows: Tensor, *, beside: Sequence[Tensor] | None = None) -> None:
        """As the step behind the gate."""
        self.inner.probe(rows, beside=beside)

    def read(self) -> dict[str, float]:
        """As the step behind the gate."""
        return self.inner.read()

    def state(self) -> dict[str, Tensor]:
        """As the step behind the gate."""
        return self.inner.state()

    def load(self, state: Mapping[str, Tensor]) -> None:
        """As the step behind the gate."""
        self.inner.load(state)
