"""The loop: plain chunks of updates between the moments at which something is due."""

from collections.abc import Callable, Iterator, Mapping
from time import perf_counter
from typing import final

from torch import Tensor

from nnlab.core.contracts import ObservingFn, ScheduleFn, Split
from nnlab.core.events import EpochEnd, Event, Reading, SaveDue, Stopped
from nnlab.training.order import Order
from nnlab.training.pace import Costly, Pace
from nnlab.training.progress import Best, Limits, Monitor, Progress, what_is_lost
from nnlab.training.step import Concluding, Step

BESIDE = 4  # batches whose gradients a full probe compares
SAVE_SHARE = 0.05  # of the time: the next save waits until the last one is paid for
SAVE_SECONDS = 300.0  # a long epoch is saved within, at a reading, after this time


def _nothing() -> None:
    pass


@final
class Trainer:
    """Runs a step over the data, and says what happens as events.

    Args:
        step: what trains.
        order: which rows, in which order.
        schedule: factor of the base learning rate.
        base_lr: the learning rate that it multiplies.
        evaluate: splits to read at the end of an epoch, and how.
        pace: when training is read.
        costly: what else is measured where the pace says so, at the weights after the update.
        limits: when the run ends.
        monitor: what is watched; None for nothing.
        announce: tells the source which rows come next.
        remedy: what to try when the loss is not finite.
    """

    def __init__(
        self,
        *,
        step: Step,
        order: Order,
        schedule: ScheduleFn,
        base_lr: float,
        evaluate: Mapping[Split, Callable[[], Mapping[str, float]]],
        pace: Pace,
        costly: Mapping[Costly, Callable[[], Mapping[str, float]]] | None = None,
        limits: Limits,
        monitor: Monitor | None,
        announce: Callable[[list[Tensor]], None],
        remedy: str = "a lower learning rate",
    ) -> None:
        self.step = step
        self.order = order
        self.monitor = monitor
        self.schedule = schedule
        self._base_lr = base_lr
        self._evaluate = evaluate
        self._pace = pace
        self._costly = costly or {}
        self._limits = limits
        self.announce = announce
        self._remedy = remedy
        # Asked once: whether an object fits a protocol takes 0.1 ms.
        self._concluding = step if isinstance(step, Concluding) else None
        self.clock: Callable[[], float] = perf_counter
        """Seconds that count as training; who holds the run up hands in one that stands still."""
        self.hold: Callable[[], None] = _nothing
        """Called before each update; who holds the run up waits in it."""
        self._stop: str | None = None
        self._rate: float | None = None

    def stop(self, why: str) -> None:
        """Asks the loop to end before the next update; safe in a signal handler."""
        self._stop = why

    def run(self, progress: Progress) -> Iterator[Event]:
        """Trains from where `progress` is to the end; updates `progress` on the way."""
        if isinstance(self.schedule, ObservingFn) and progress.schedule:
            self.schedule.load(progress.schedule)
        began, before = self.clock(), progress.seconds
        saved, save_cost = self.clock(), 0.0
        if progress.step == progress.first_step:
            yield from self._start(progress)
        stopped = self.ended(progress) if progress.step > progress.first_step else None
        while stopped is None:
            made = progress.step
            yield from self._chunk(progress)
            progress.seconds = before + self.clock() - began
            # A run that is stopped before its next update has told of the epoch behind it.
            ended = progress.step % self.order.per_epoch == 0 and progress.step > made
            if ended and self._concluding is not None:
                # Before `ended` asks the rule whether there is anything left to learn.
                self._concluding.end_epoch()
            stopped = self.ended(progress)
            if ended:
                progress.epoch = progress.step // self.order.per_epoch
                yield EpochEnd(progress.epoch, progress.step)
            waited = self.clock() - saved
            stays = self._pace.keeps(progress.step)
            due = stays or waited >= SAVE_SECONDS or (ended and waited * SAVE_SHARE >= save_cost)
            # A diverged run is not saved: its last checkpoint is where it was still sound.
            if (due or stopped is not None) and not (stopped and stopped.status == "diverged"):
                start = self.clock()
                yield SaveDue(progress.step, stays)
                saved = self.clock()
                save_cost = saved - start
        progress.seconds = before + self.clock() - began
        yield stopped

    def _start(self, progress: Progress) -> Iterator[Event]:
        """The readings before the first update: what the initialization gives."""
        self.fill(progress.step)
        # A window that another run left open is read by the update that ends it.
        if not self.step.window.batches:
            epoch, position = divmod(progress.step, self.order.per_epoch)
            batch, *others = self.order.batches(epoch)[position : position + BESIDE]
            self.announce([batch])
            full = self._pace.probes_fully(progress.step)
            self.step.probe(batch, beside=others if full else None)
            values = {**self.step.read(), **self._measured(progress.step)}
            values["learning_rate"] = self.learning_rate
            yield self._reading(progress, "train", values)
        yield from self._evaluations(progress)

    def _chunk(self, progress: Progress) -> Iterator[Event]:
        """Updates up to the next reading, and that reading."""
        epoch, position = divmod(progress.step, self.order.per_epoch)
        end = self._next(progress.step)
        whole = self.order.batches(epoch)
        batches = whole[position : position + end - progress.step]
        self._announce(whole[position:], progress.step)
        if position == 0:
            self.step.window.begin_epoch()
        start, probing, examples, late = self.clock(), 0.0, 0, False
        for rows in batches:
            if self._stopped_first():
                break
            self.fill(progress.step)
            if progress.step == end - 1:
                # Taken off again: the speed is that of updates, whatever is looked at beside them.
                probing = self._probed(rows, whole[: position + len(batches)], end)
            self.step.update(rows)
            progress.step += 1
            examples += rows.numel()  # len() of a tensor takes 3 us
            # At each update: an epoch may last longer than the run.
            late = self._out_of_time(progress, start)
            if late:
                break
        if progress.step < end and not late:
            # Interrupted: the window stays open and goes into the checkpoint as it is.
            progress.train_seconds += self.clock() - start - probing
            progress.examples += examples
            return
        values = self.step.read()
        progress.epoch_means = self.step.window.over_epoch()
        progress.epoch_means_step = progress.step
        seconds = self.clock() - start - probing  # after the read, which waits for the device
        progress.train_seconds += seconds
        progress.examples += examples
        speed = examples / max(seconds, 1e-9)
        values |= {**self._measured(progress.step), "learning_rate": self.learning_rate}
        values["samples_per_second"] = speed
        late = late or self._out_of_time(progress, start)
        last = late or progress.step == self._limits.steps
        at_end = last or progress.step % self.order.per_epoch == 0
        reading = self._reading(progress, "train", values)
        if at_end:
            self._observe(progress, "train")
        yield reading
        if at_end:
            yield from self._evaluations(progress)

    def _probed(self, rows: Tensor, batches: list[Tensor], end: int) -> float:
        """Probes the last update before a reading, and says how many seconds that took.

        Args:
            rows: of its batch.
            batches: of the epoch, up to that one.
            end: the step behind it.
        """
        before = self.clock()
        # A session that begins within a window sees the batches before it too.
        window = batches[max(len(batches) - 1 - self.step.window.batches, 0) :]
        self.step.probe(rows, beside=self._beside(window, end))
        return self.clock() - before

    def _announce(self, batches: list[Tensor], step: int) -> None:
        """To the end of the epoch, so that reading goes on over the readings in between."""
        limit = self._limits.steps
        self.announce(batches if limit is None else batches[: limit - step])

    def _stopped_first(self) -> bool:
        """Whether the run is to end before its next update; waits with who holds it up."""
        self.hold()
        return self._stop is not None

    def _beside(self, batches: list[Tensor], end: int) -> list[Tensor] | None:
        """For a full probe: batches beside the window's last, at equal distances; else None."""
        pace = self._pace
        ends = pace.probes is not None and end in (pace.next(0), self._limits.steps)
        if not ends and not pace.probes_fully(end):
            return None
        stride = max(1, (len(batches) - 1) // (BESIDE - 1))
        return batches[-1 - stride :: -stride][: BESIDE - 1]

    def _measured(self, step: int) -> dict[str, float]:
        """What costs much and is due."""
        due = (measure for name, measure in self._costly.items() if self._pace.due(name, step))
        return {key: value for measure in due for key, value in measure().items()}

    def _next(self, step: int) -> int:
        """After which update something is read next: by the pace, at an epoch, at the end."""
        per_epoch = self.order.per_epoch
        points = [self._pace.next(step), (step // per_epoch + 1) * per_epoch]
        return min(points if self._limits.steps is None else [*points, self._limits.steps])

    def fill(self, step: int) -> None:
        """Sets the learning rate of the update that follows this many."""
        rate = self._base_lr * self.schedule(step)
        # On a GPU each filling is a launch.
        if rate != self._rate:
            self.step.fill_learning_rate(rate)
            self._rate = rate

    @property
    def learning_rate(self) -> float:
        """The rate of the next update, after the schedule: 0 or more."""
        return self._rate if self._rate is not None else self._base_lr

    def _evaluations(self, progress: Progress) -> Iterator[Event]:
        for split, measure in self._evaluate.items():
            values = measure()
            reading = self._reading(progress, split, values)
            if progress.step > progress.first_step:
                self._observe(progress, split)
            yield reading

    def _observe(self, progress: Progress, split: Split) -> None:
        """Shows the schedule what it watches, before the reading goes out: that may be saved."""
        watched = self.monitor
        if watched and watched.split == split and isinstance(self.schedule, ObservingFn):
            self.schedule.observe(progress.last[split][watched.key])
            progress.schedule = self.schedule.state()

    def _reading(self, progress: Progress, split: Split, values: Mapping[str, float]) -> Reading:
        epoch = progress.step / self.order.per_epoch
        progress.last[split] = dict(values)
        if progress.first_loss is None and split == "train":
            progress.first_loss = values["loss"]
        watched = self.monitor
        if watched and watched.split == split:
            # Also of the first weights: what is worse than they are is no best.
            value = values[watched.key]
            if watched.better(value, progress.improved, by=self._limits.min_delta):
                progress.improved, progress.improved_step = value, progress.step
            if watched.better(value, progress.best and progress.best.values[watched.key]):
                progress.best = Best(split, progress.step, epoch, dict(values))
        means = progress.epoch_means if split == "train" else {}
        return Reading(progress.step, epoch, split, values, means)

    def _out_of_time(self, progress: Progress, start: float) -> bool:
        limit = self._limits.seconds
        return limit is not None and progress.seconds + self.clock() - start >= limit

    def ended(self, progress: Progress) -> Stopped | None:
        """Why the run ends here, or None."""
        rule = self._concluding
        # First: a run whose last update lost the weights has not been completed.
        if (where := what_is_lost(progress, self.step.state, descends=rule is None)) is not None:
            return Stopped("diverged", f"{where} at step {progress.step} (try {self._remedy})")
        if rule is not None and (why := rule.finished()) is not None:
            return Stopped("completed", why)
        limits = self._limits
        if limits.steps is not None and progress.step >= limits.steps:
            return Stopped("completed", f"{progress.step} steps")
        if limits.seconds is not None and progress.seconds >= limits.seconds:
            return Stopped("time_limit", f"{limits.seconds / 60:g} minutes")
        if (
            limits.patience is not None
            and progress.step - progress.improved_step >= limits.patience
        ):
            best = f", best at step {progress.best.step}" if progress.best else ""
            return Stopped("early_stopped", f"no better value for {limits.patience} steps{best}")
        # Last: a run that has reached its end meanwhile has nothing left to be resumed.
        return Stopped("interrupted", self._stop) if self._stop is not None else None
