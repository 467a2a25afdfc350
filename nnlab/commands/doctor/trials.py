"""A remedy is tried before it is advised: the run is made again with it, as far as that is cheap.

The same seeds draw the same weights, rows and noise, so that the run's own validation readings are
what the trial is held against, at the same epochs. Nothing is written.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isclose, isfinite
from typing import Literal

import torch

from nnlab.commands.doctor.allowance import SHARE, Allowance
from nnlab.commands.doctor.replay import without_compiler
from nnlab.core.contracts import Examples
from nnlab.core.errors import NnlabError
from nnlab.core.events import Reading, Stopped
from nnlab.diagnosis.checks.remedies import changed_experiment
from nnlab.diagnosis.evidence.facts import Facts
from nnlab.experiment.auto import step_flops
from nnlab.experiment.experiment import Experiment
from nnlab.runs.building.build import BuiltRun, build_trainer
from nnlab.training import device as devices
from nnlab.training.progress import Progress

TrialVerdict = Literal["helps", "the same", "harms", "unknown"]
_UPDATE, _SPEED = 7e-4, 2e10
"""Seconds of a small update on one core, and floating-point operations a second in a large one."""
FEW_SECONDS = 2.0
"""All trials of a run may take so long, or SHARE of its training where that is more."""
TRIAL_SECONDS = 60.0
"""However long the training was: nobody waits longer for a page."""
_FEWEST = 30
"""After fewer updates nothing is said."""
_QUIET = ("log.probes=off", "log.every=1", "log.histograms=off", "log.pictures=off",
          "log.examples=off", "log.checkpoints=off", "log.noise_scale=off",
          "log.sharpness=off")  # fmt: skip
_DIVERGED = -1e9
_HALF = 0.5
"""A loss that is halved is another one."""
_KEPT = {"data.validation", "data.split"}
"""Changes after which validation rows are others, so that nothing could be compared."""


def update_seconds(experiment: Experiment, rows: int) -> float:
    """Seconds of an update on one core, with its share of a look at so many rows each epoch."""
    operations = step_flops(experiment.design, experiment.batch_size)
    operations += rows * experiment.design.flops / experiment.per_epoch
    return _UPDATE + operations / _SPEED


@dataclass(frozen=True, slots=True)
class Point:
    """What is known of validation at one epoch, or of a run that has ended.

    Attributes:
        epoch: of the reading, in epochs.
        loss: of validation; infinite where it diverged.
        score: of the score that counts, higher is better; None where there is none.
    """

    epoch: float
    loss: float
    score: float | None


@dataclass(frozen=True, slots=True)
class Trial:
    """What a change did to a run.

    Attributes:
        remedy: the changes, as `--set` takes them.
        verdict: on validation: clearly better, not clearly another, clearly worse; unknown where
            it was too short to say.
        updates: that were made.
        whole: whether it was made to its end.
        text: a sentence with the numbers.
        gain: of the score, or of the loss as a share of the run's, for ranking; 0 where unknown.
        lower: whether its validation loss is below the run's.
        after: what validation said last; None where it said nothing.
    """

    remedy: tuple[str, ...]
    verdict: TrialVerdict
    updates: int
    whole: bool
    text: str
    gain: float
    lower: bool = False
    after: Point | None = None


class Trials:
    """Tries changes of one run within a common budget of time.

    Args:
        facts: of the run.
        examples: its data.
        history: its readings, as metrics.jsonl has them.
        diverged: whether its numbers went off.
        allowance: of the run; asked at the first trial.
    """

    def __init__(
        self,
        facts: Facts,
        examples: Examples | None,
        history: Sequence[Mapping[str, object]],
        *,
        diverged: bool,
        allowance: Allowance,
    ) -> None:
        self._facts, self._examples = facts, examples
        self._score = _score_of(facts)
        self._rows = facts.experiment.shape.sizes.get("validation", 0)
        self._before = _curve(history, self._score)
        self._diverged = diverged
        self._allowance = allowance
        self._budget: float | None = None
        self.updates = 0
        """Made in all trials so far."""

    @property
    def possible(self) -> bool:
        """Whether there is something to hold a trial against, and time for one."""
        facts = self._facts
        plain = facts.followed and not facts.handed and not facts.config.data.handed
        # Of a run that diverged before its first look at validation this much is known.
        known = bool(self._before) or self._diverged
        return plain and self._examples is not None and known and self._budget != 0.0

    @property
    def _left(self) -> float:
        """Seconds for trials: all of them where they are agreed to, else what is left."""
        if self._budget is None:
            allowed = self._allowance
            whole = min(TRIAL_SECONDS, max(FEW_SECONDS, SHARE * allowed.training))
            enough = allowed.affords("trying changes on a copy of the run", whole)
            self._budget = whole if enough else min(whole, allowed.left)
        return min(self._budget, self._allowance.left)

    @_left.setter
    def _left(self, seconds: float) -> None:
        self._budget = max(0.0, seconds)

    def try_change(self, remedy: Sequence[str], *, share: float = 1.0) -> Trial | None:
        """Trains with a change; None where it cannot be tried.

        Args:
            remedy: the changes, as `--set` takes them.
            share: of the time that is left, at most.
        """
        if not self.possible or not remedy or _KEPT & {c.partition("=")[0] for c in remedy}:
            return None
        data = any(change.startswith("data.") for change in remedy)
        changed = changed_experiment(self._facts, [*remedy, *_QUIET], reopen=data)
        if changed is None or "validation" not in changed.shape.sizes:
            return None
        cost = self._cost(changed)
        most = int(self._left * share / cost)
        if most < _FEWEST:
            return None
        try:
            examples = changed.load() if data else self._examples
        except NnlabError:
            return None
        assert examples is not None
        if changed.per_epoch > most:
            return self._beside(tuple(remedy), changed, examples, most // 2)
        # The estimate is of an idle core; where seconds are counted, the clock has the last word.
        stop = self._allowance.stopwatch(self._left * share)
        curve, steps, ended = _trained(changed, examples, most, self._score, stop)
        self._left -= steps * cost
        self.updates += steps
        return self._judged(tuple(remedy), curve, steps, ended)

    def ranks_above(self, one: Trial, other: Trial) -> bool:
        """Whether a trial did better than another: scores that differ by chance rank by loss."""
        a, b = one.after, other.after
        if a is None or b is None or abs(a.epoch - b.epoch) > 1e-6:
            return one.gain > other.gain
        least = self._least(_same_loss([*one.remedy, *other.remedy]))
        ways = (_compare(x, y, rows=self._rows, least=least)[0] for x, y in ((b, a), (a, b)))
        better, worse = (verdict == "helps" for verdict in ways)
        return better if better != worse else one.gain > other.gain

    def _least(self, same_loss: bool) -> float | None:
        """A hundredth of a blind guess's loss: less is no difference; None for another loss."""
        blind = self._facts.data.blind if self._facts.data is not None else None
        return 0.01 * (blind or 0.0) if same_loss else None

    def _cost(self, experiment: Experiment) -> float:
        """Seconds of an update, with its share of the validation that follows each epoch."""
        return update_seconds(experiment, self._rows)

    def _beside(
        self, remedy: tuple[str, ...], changed: Experiment, examples: Examples, steps: int
    ) -> Trial | None:
        """A trial that is shorter than an epoch, beside as many updates of the run as it was."""
        own = changed_experiment(self._facts, _QUIET)
        if steps < _FEWEST or own is None or own.batch_size != changed.batch_size:
            return None
        assert self._examples is not None
        before = _after(own, self._examples, steps, self._score)
        after = _after(changed, examples, steps, self._score)
        self._left -= steps * (self._cost(own) + self._cost(changed))
        self.updates += 2 * steps
        same_loss = _same_loss(remedy)
        verdict, gain = _compare(before, after, rows=self._rows, least=self._least(same_loss))
        if _alike([after], [before]):
            verdict, gain = "the same", 0.0
        text = (
            f"tried for {steps:,} updates beside the run: validation "
            f"{_told(after, self._score, same_loss)} instead of "
            f"{_told(before, self._score, same_loss, bare=True)}"
        )
        return Trial(remedy, verdict, steps, False, text, gain, after.loss < before.loss, after)

    def _judged(
        self, remedy: tuple[str, ...], curve: list[Point], steps: int, ended: bool
    ) -> Trial:
        unknown = Trial(remedy, "unknown", steps, ended, "", 0.0)
        if not curve:
            return unknown
        after, own = curve[-1], self._before or [Point(0.0, float("inf"), None)]
        before = own[-1]
        if not ended and after.epoch < before.epoch and not self._diverged:
            same = [point for point in own if abs(point.epoch - after.epoch) < 1e-6]
            if not same:
                return unknown
            before = same[0]
        if self._diverged:
            before = Point(before.epoch, float("inf"), None)
        same_loss = _same_loss(remedy)
        verdict, gain = _compare(before, after, rows=self._rows, least=self._least(same_loss))
        if _alike(curve, own):
            verdict, gain = "the same", 0.0
        where = "to its end" if ended else f"for {steps:,} updates"
        text = f"tried {where}: validation {_told(after, self._score, same_loss)} instead of " + (
            "a run that diverges"
            if self._diverged
            else _told(before, self._score, same_loss, bare=True)
        )
        return Trial(remedy, verdict, steps, ended, text, gain, after.loss < before.loss, after)


def _same_loss(remedy: Sequence[str]) -> bool:
    """Whether the loss means the same after the changes."""
    return not any(change.startswith(("loss", "data.scale_target")) for change in remedy)


@contextmanager
def _built(experiment: Experiment, examples: Examples) -> Generator[BuiltRun]:
    """The objects of a run on the CPU, without a compiler; torch is left as it was."""
    device, threads = torch.device("cpu"), experiment.config.train.threads
    threads = threads if isinstance(threads, int) else 1
    with (
        devices.torch_settings(threads=threads, deterministic=False),
        devices.own_generator(device),
    ):
        built = build_trainer(without_compiler(experiment), examples, device)
        try:
            yield built
        finally:
            built.source.close()


def _after(experiment: Experiment, examples: Examples, steps: int, key: str | None) -> Point:
    """Validation after so many updates on the CPU."""
    with _built(experiment, examples) as built:
        trainer = built.trainer
        for step in range(steps):
            epoch, position = divmod(step, trainer.order.per_epoch)
            rows = trainer.order.batches(epoch)[position]
            trainer.fill(step)
            trainer.announce([rows])
            built.step.update(rows)
        values = built.measure["validation"]()
    loss = values["loss"]
    return Point(
        steps / experiment.per_epoch,
        loss if isfinite(loss) else float("inf"),
        values.get(key) if key else None,
    )


def _alike(curve: Sequence[Point], own: Sequence[Point]) -> bool:
    """Whether two runs are the same but for rounding, as far as both go."""
    pairs = zip(curve, own, strict=False)
    return all(isclose(a.loss, b.loss, rel_tol=1e-5) and a.score == b.score for a, b in pairs)


def _score_of(facts: Facts) -> str | None:
    """The first score that is better when higher: accuracy, r2."""
    return next((s.key for s in facts.experiment.scores if s.higher_is_better), None)


def _curve(history: Sequence[Mapping[str, object]], score: str | None) -> list[Point]:
    """The validation readings at the ends of epochs, without that before the first update."""
    found: list[Point] = []
    for record in history:
        step, epoch, loss = (record.get(key) for key in ("step", "epoch", "loss"))
        if record.get("split") != "validation" or not step or not isinstance(epoch, float | int):
            continue
        value = record.get(score) if score else None
        found.append(
            Point(
                float(epoch),
                float(loss) if isinstance(loss, float | int) else float("inf"),
                float(value) if isinstance(value, float | int) else None,
            )
        )
    return found


def _trained(
    experiment: Experiment,
    examples: Examples,
    most: int,
    key: str | None,
    over: Callable[[], bool],
) -> tuple[list[Point], int, bool]:
    """Validation along a training on the CPU, how many updates it had, and whether it ended."""
    found: list[Point] = []
    step = 0
    with _built(experiment, examples) as built:
        for event in built.trainer.run(Progress()):
            if isinstance(event, Stopped):
                if event.status == "diverged":
                    found.append(Point(0.0, float("inf"), None))
                return found, step, True
            if not isinstance(event, Reading):
                continue
            step = event.step
            if event.split == "validation" and step:
                score = event.values.get(key) if key else None
                found.append(Point(event.epoch, event.values["loss"], score))
            if (step >= most or over()) and event.split == "validation":
                return found, step, False
    return found, step, False


def _compare(
    before: Point, after: Point, *, rows: int, least: float | None
) -> tuple[TrialVerdict, float]:
    """Whether validation is clearly better or worse after a change, and by how much.

    A share of right answers among so many rows moves by two standard errors of itself by chance; a
    loss counts where it moves by a twentieth of itself and the score does not say otherwise.

    Args:
        before: of the run as it was.
        after: of the run with the change.
        rows: of validation.
        least: a smaller difference of the loss is none; None where losses cannot be compared.
    """
    if not isfinite(after.loss):
        return ("the same" if not isfinite(before.loss) else "harms"), _DIVERGED
    if not isfinite(before.loss):
        return "helps", 1.0 + (after.score or 0.0)
    rise = 0.0
    if before.score is not None and after.score is not None:
        rise = after.score - before.score
        p = min(0.95, max(0.05, before.score))
        luck = max(0.02, 2.0 * (p * (1.0 - p) / max(1, rows)) ** 0.5)
        if abs(rise) > luck:
            return ("helps" if rise > 0.0 else "harms"), rise
    if least is None or abs(before.loss - after.loss) < least:
        return "the same", rise
    lower = (before.loss - after.loss) / max(1e-12, abs(before.loss))
    gain = rise if rise else min(1.0, max(-1.0, lower)) * 0.02
    # A score that moves by less than chance leaves the word to a loss that is another altogether.
    if lower > _HALF or (lower > 0.05 and rise >= -0.005):
        return "helps", max(gain, 0.02 * lower)
    if lower < -0.05 and rise <= 0.005:
        return "harms", min(gain, 0.0)
    return "the same", gain


def _told(point: Point, score: str | None, same_loss: bool, *, bare: bool = False) -> str:
    """A point in words: accuracy 0.93, loss 0.2."""
    if not isfinite(point.loss):
        return "a run that diverges"
    parts: list[str] = []
    if score is not None and point.score is not None:
        parts.append(f"{'' if bare else score.replace('_', ' ') + ' '}{point.score:.3g}")
    if same_loss or not parts:
        parts.append(f"{'' if bare and not parts else 'loss '}{point.loss:.3g}")
    return " and ".join(parts)
