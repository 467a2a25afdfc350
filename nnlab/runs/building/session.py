"""One process's part of a run: everything that was built for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nnlab.core.contracts import Examples
from nnlab.core.finding import Finding
from nnlab.experiment.experiment import Experiment
from nnlab.runs.building.build import BuiltRun
from nnlab.runs.folder.checkpoint import Checkpoint
from nnlab.runs.folder.metrics import START, JsonLines, RecordPosition
from nnlab.training.progress import Progress
from nnlab.training.step import Conclusion


@dataclass(slots=True)
class Session:
    """One process's part of a run: what it was built from and where it goes.

    Attributes:
        experiment: settled.
        examples: the data.
        built: the torch objects.
        folder: of the run.
        device: a sentence that says which device and why.
        found: the checkpoint to continue from, or None.
        continues: whether an earlier session began this run; it may not have saved anything.
        progress: how far the run is; the loop moves it.
        seconds: {startup, build, compile}.
        began: unix times, {session, training}: of the first update once it has been made.
        conclusion: what the rule says of its run; empty until it has ended.
        findings: what is wrong with the run, as it has been told.
        lines: the record, once it is open.
    """

    experiment: Experiment
    examples: Examples
    built: BuiltRun
    folder: Path
    device: str
    found: Checkpoint | None
    continues: bool
    progress: Progress
    seconds: Mapping[str, float]
    began: dict[str, float]
    conclusion: Conclusion = field(default_factory=Conclusion)
    findings: list[Finding] = field(default_factory=list[Finding])
    lines: JsonLines | None = None

    @property
    def record(self) -> RecordPosition:
        """How far the record has come; to be asked while nothing is being written to it."""
        if self.lines is not None:
            return self.lines.position
        state = self.found.state if self.found else {}
        digest = state.get("metrics_sha256")
        # Its user may have removed the file, to go on without the readings so far.
        if digest is None or not (self.folder / "metrics.jsonl").exists():
            return START
        return RecordPosition(state["metrics_bytes"], digest)
