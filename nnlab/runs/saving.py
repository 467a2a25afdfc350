"""When and what a run saves: `init`, `last`, `best`, and where the logs stood."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, cast, final

from torch import Tensor

from nnlab.runs.folder import checkpoint
from nnlab.runs.folder.metrics import START, JsonLines, RecordPosition, Sinks
from nnlab.training.progress import Monitor, Progress
from nnlab.training.step import Step


class Snapshot(NamedTuple):
    """A state that may become a checkpoint: the best so far, until the next save."""

    step: int
    tensors: dict[str, Tensor]
    progress: dict[str, Any]
    position: "_Mark"


@final
class _Mark:
    """Where metrics.jsonl stands behind the readings of a snapshot.

    The loop hands readings over and goes on; only the thread that writes them knows how long the
    file is between two of them. So that thread fills this in, in the order of the readings.
    """

    def __init__(self, sinks: Sinks, lines: JsonLines) -> None:
        self.found: RecordPosition | None = None
        self._lines = lines
        sinks.when_written(self._fill)

    def _fill(self) -> None:
        self.found = self._lines.position


@final
class Saver:
    """Writes the checkpoints of a run.

    Args:
        folder: the run's folder.
        step: whose state is saved.
        progress: what `state.json` holds.
        monitor: says which reading may be the best; None makes `best` the last.
    """

    def __init__(
        self,
        folder: Path,
        step: Step,
        progress: Progress,
        monitor: Monitor | None,
        *,
        sinks: Sinks,
        lines: JsonLines,
    ) -> None:
        self._folder = folder / "checkpoints"
        self._step = step
        self._progress = progress
        self._monitor = monitor
        self._sinks = sinks
        self._lines = lines
        self._best: Snapshot | None = None

    def initial(self) -> None:
        """Saves the first weights as `init`, which is also `last` until there is another."""
        path = self._write(self._snapshot())
        for name in ("init", "last", "best"):
            checkpoint.point_to(self._folder, name, path.name)

    def keep_best(self, step: int) -> None:
        """Remembers the state after this many updates if it is the best so far; `save` writes it.

        To be called for whatever happens at a step: each time takes the place of the last, so that
        the snapshot has all readings of its step. That of the first step is `init`, where `best`
        points from the start.
        """
        best, first = self._progress.best, self._progress.first_step
        if self._monitor is not None and best is not None and best.step == step > first:
            self._best = None  # its memory first: of a large network there is none for a third
            self._best = self._snapshot()

    def save(self, *, stays: bool = False) -> None:
        """Writes the best, if it is new, and the last; then removes what no name points at.

        Args:
            stays: keep this one for good.
        """
        if self._best is not None and self._best.step == self._progress.step:
            self._best = None
            best_is_last = True
        else:
            self.save_best()
            best_is_last = self._monitor is None
        # Files before names, names before removals: a kill in between leaves a run to resume.
        path = self._write(self._snapshot())
        if best_is_last:
            checkpoint.point_to(self._folder, "best", path.name)
        if stays:
            # Before `last`: whoever goes on from there does not come by this step again.
            checkpoint.keep_checkpoint(self._folder, path.name)
        checkpoint.point_to(self._folder, "last", path.name)
        checkpoint.prune_checkpoints(self._folder)

    def save_best(self) -> None:
        """Writes the best that waits for the next save, where there is none: the run has failed."""
        best, self._best = self._best, None
        if best is not None:
            checkpoint.point_to(self._folder, "best", self._write(best).name)

    def go_back(self) -> None:
        """After a resume: `best` is what was best at that step, not what came behind it.

        A start that was cut may have left the first weights without their names; whatever was cut,
        halves of checkpoints.
        """
        begun = self._progress.first_step
        first = checkpoint.checkpoint_name(begun)
        best = begun if self._progress.best is None else self._progress.best.step
        named = {"best": checkpoint.checkpoint_name(best), "init": first}
        if self._progress.step == begun:
            named["last"] = first
        for name, target in named.items():
            if (self._folder / target).is_dir():
                checkpoint.point_to(self._folder, cast("checkpoint.Pointer", name), target)
        # Also of a run that has nothing left to do, and so saves no more.
        checkpoint.remove_half_done(self._folder)

    def _snapshot(self) -> Snapshot:
        tensors = {name: t.detach().clone() for name, t in self._step.state().items()}
        mark = _Mark(self._sinks, self._lines)
        return Snapshot(self._progress.step, tensors, asdict(self._progress), mark)

    def _write(self, snapshot: Snapshot) -> Path:
        position = START  # of the first step: a run that goes on from there reads it again
        if snapshot.step > self._progress.first_step:
            self._sinks.flush()
            assert snapshot.position.found is not None  # the flush came behind it, or has raised
            position = snapshot.position.found
        return checkpoint.save_checkpoint(
            self._folder,
            step=snapshot.step,
            tensors=snapshot.tensors,
            state={
                "progress": snapshot.progress,
                "metrics_bytes": position.bytes,
                "metrics_sha256": position.sha256,
            },
        )
