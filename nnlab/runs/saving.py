"""When and what a run saves: `init`, `last`, `best`, and where the logs stood."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, final

from torch import Tensor

from nnlab.core.contracts import Reading
from nnlab.runs.folder import checkpoint
from nnlab.runs.folder.metrics import JsonLines, Sinks
from nnlab.training.progress import Monitor, Progress
from nnlab.training.step import Step


class Snapshot(NamedTuple):
    """A state that may become a checkpoint: the best so far, until the next save."""

    step: int
    tensors: dict[str, Tensor]
    state: dict[str, Any]


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

    def keep_best(self, reading: Reading) -> None:
        """Remembers the state of a reading that is the best so far; `save` writes it."""
        watched = self._monitor
        if watched is None or reading.split != watched.split:
            return
        best = self._progress.best
        if best is not None and best.step == reading.step:
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
        self._sinks.flush()
        path = self._write(self._snapshot())
        if best_is_last:
            checkpoint.point_to(self._folder, "best", path.name)
        checkpoint.point_to(self._folder, "last", path.name)
        if stays:
            checkpoint.keep_checkpoint(self._folder, path.name)
        checkpoint.prune_checkpoints(self._folder)

    def save_best(self) -> None:
        """Writes the best that waits for the next save, where there is none: the run has failed."""
        best, self._best = self._best, None
        if best is not None:
            self._sinks.flush()
            checkpoint.point_to(self._folder, "best", self._write(best).name)

    def go_back(self) -> None:
        """After a resume: `best` is what was best at that step, not what came behind it."""
        best = self._progress.best
        if best is not None and (self._folder / checkpoint.checkpoint_name(best.step)).is_dir():
            checkpoint.point_to(self._folder, "best", checkpoint.checkpoint_name(best.step))

    def _snapshot(self) -> Snapshot:
        tensors = {name: t.detach().clone() for name, t in self._step.state().items()}
        state = {"progress": asdict(self._progress), "metrics_bytes": self._lines.length}
        return Snapshot(self._progress.step, tensors, state)

    def _write(self, snapshot: Snapshot) -> Path:
        return checkpoint.save_checkpoint(
            self._folder, step=snapshot.step, tensors=snapshot.tensors, state=snapshot.state
        )
