"""`Summary`: what a run has reached, as summary.json holds it."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nnlab.core import files
from nnlab.core.errors import CheckpointError
from nnlab.runs.sums import read_sealed, seal_json

_FORMAT = 1
EXIT_CODES = {"diverged": 5, "failed": 1}
"""Statuses whose exit code is not 0; interrupted is 128 + the signal's number."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run has reached.

    Attributes:
        run: its folder.
        name: of the experiment.
        status: `running`, or a `Status`.
        why: the status in a sentence.
        seed: as written in the config.
        parameters: weights and biases of the network.
        epochs: completed ones.
        steps: updates made.
        monitor: what chose `best`, spelled like the tag.
        best: {split, epoch, step, loss, scores} of the best reading of the split that `monitor`
            names; None where nothing is watched.
        last: {epoch, step, loss, scores} of the last readings, {train: ..., validation: ...}.
        seconds: {startup, build, compile, train, total}. `build` loads the data and makes the torch
            objects; `compile` gets a compiled step ready, which is loading it where it was built
            before; the rest of `total` is evaluating, watching and saving.
        began: unix times at which the session and its first update began, {session, training}.
        compiled: of a step built ahead of time, {cached, seconds}: whether it was there, and what
            building it took then or now; else {}.
        samples_per_second: of training, over the whole run.
        signal: the number of the signal that stopped it, or 0.
        conclusion: what the learning rule says of the run: {mistakes, bound, ..., text}.
        findings: what is wrong with it: {name, level, layer, since} each; findings.jsonl says more.
        record: {bytes, sha256}: how long metrics.jsonl was at least, and the sum of so much of it.
    """

    run: Path
    name: str
    status: str
    why: str = ""
    seed: Any = 0
    parameters: int = 0
    epochs: int = 0
    steps: int = 0
    monitor: str = "none"
    best: dict[str, Any] | None = None
    last: dict[str, Any] = field(default_factory=dict[str, Any])
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    began: dict[str, float] = field(default_factory=dict[str, float])
    compiled: dict[str, Any] = field(default_factory=dict[str, Any])
    samples_per_second: float = 0.0
    signal: int = 0
    conclusion: dict[str, Any] = field(default_factory=dict[str, Any])
    findings: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    record: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def epochs_trained(self) -> float:
        """Epochs so far, the last of which may be cut short: 37.5."""
        reached = [float(entry.get("epoch") or 0.0) for entry in self.last.values()]
        return max([float(self.epochs), *reached])

    @property
    def session_seconds(self) -> float:
        """Updates, evaluation and saving together: the duration that people are told everywhere."""
        known = self.seconds.get("total", self.seconds.get("train", 0.0))
        return known - sum(self.seconds.get(key, 0.0) for key in ("startup", "build", "compile"))

    @property
    def exit_code(self) -> int:
        """What `nnlab train` exits with: 128 + the signal, 5 if diverged, 1 if failed, else 0."""
        return 128 + self.signal if self.signal else EXIT_CODES.get(self.status, 0)

    @property
    def history(self) -> list[dict[str, Any]]:
        """Every reading of the run, as metrics.jsonl holds them."""
        from nnlab.runs.folder.metrics import read_history

        return read_history(self.run / "metrics.jsonl")

    def plain(self) -> dict[str, Any]:
        """The content of summary.json."""
        values = asdict(self)
        del values["run"]
        return {"format": _FORMAT, **values}

    def write(self) -> None:
        """Writes summary.json into the run's folder, atomically."""
        files.write_file(self.run / "summary.json", seal_json(self.plain(), indent=2))


def read_summary(run: Path) -> Summary:
    """The summary of a run.

    Raises:
        CheckpointError: if the folder holds none that can be read, or it was changed.
    """
    path = run / "summary.json"
    way = f"nnlab train {run / 'config.yaml'} --run-dir {run} --resume writes it anew"
    try:
        values = read_sealed(path, way=way)
    except FileNotFoundError:
        raise CheckpointError(f"{run}: is no run, it has no summary.json") from None
    known = values.pop("format", None)
    if known != _FORMAT:
        raise CheckpointError(f"{path}: format {str(known)[:20]}, this nnlab reads {_FORMAT}")
    try:
        return Summary(run=run, **values)
    except TypeError as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from None
