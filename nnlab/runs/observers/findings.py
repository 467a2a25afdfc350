"""What is wrong with the run at hand: each finding is told once and stays in findings.jsonl."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

from nnlab.core import files
from nnlab.core.contracts import Examples
from nnlab.core.errors import CheckpointError
from nnlab.core.events import Event, Stopped
from nnlab.core.finding import Finding
from nnlab.diagnosis.evidence.begun import begun_of
from nnlab.diagnosis.evidence.data_facts import data_facts
from nnlab.diagnosis.evidence.facts import ExampleRecord, Facts
from nnlab.diagnosis.story import tell_story
from nnlab.diagnosis.watcher import Watcher
from nnlab.experiment.experiment import Experiment
from nnlab.parts.datasets.lengths import without_padding
from nnlab.runs.building.scoring import blind_baseline
from nnlab.runs.building.session import Session
from nnlab.runs.folder.examples import record_of
from nnlab.runs.folder.folder import read_env
from nnlab.runs.folder.metrics import read_history
from nnlab.runs.observers.network_facts import (
    look_at_outputs,
    look_at_places,
    look_at_weights,
    look_at_writing,
)
from nnlab.runs.sums import SUM_KEY, json_is_sound, seal_json

_FILE = "findings.jsonl"
_LIMIT = 64 << 20


@final
class Examiner:
    """Judges the events of a session and writes down what is found.

    Args:
        session: whose run it is; what earlier sessions of it found is not told again.
    """

    def __init__(self, session: Session) -> None:
        self._path = session.folder / _FILE
        self._session = session
        told = read_findings(session.folder) if session.found else []
        session.findings.extend(told)
        self._facts = facts_of(session.experiment, session.examples)
        self._facts.begun = begun_of(read_env(session.folder))
        self._watcher = Watcher(self._facts, told=told)
        if session.found:
            self._watcher.recall(_before(session.folder / "metrics.jsonl", session.progress.step))

    def observe(self, event: Event) -> Sequence[Finding]:
        """What has not been told, after an event of the run; what follows from it has no advice.

        The file keeps each finding as it was made.
        """
        if isinstance(event, Stopped) and self._session.experiment.pace.examples.ever:
            self._facts.record = record_of(self._session.folder)
        if isinstance(event, Stopped):
            self._look_at_network()
        found = self._watcher.observe(event)
        if found:
            self._session.findings.extend(found)
            self._append("".join(seal_json(finding.plain()) for finding in found))
        story = {finding.name: finding for finding in tell_story(self._watcher.findings.values())}
        return [story.get(finding.name, finding) for finding in found]

    def _look_at_network(self) -> None:
        session = self._session
        if session.experiment.shape.start or not self._facts.followed:
            return
        network, source = session.built.network, session.built.source
        look_at_weights(self._facts, dict(network.named_parameters()))
        look_at_outputs(self._facts, session.examples, network, source)
        look_at_places(self._facts, session.examples, network, source)
        look_at_writing(self._facts, session.examples, network)

    def _append(self, lines: str) -> None:
        content = lines.encode()
        with files.storage_errors(self._path, need=len(content)):
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                files.write_all(handle, content)
            finally:
                os.close(handle)


def facts_of(
    experiment: Experiment,
    examples: Examples,
    *,
    doubles: bool = False,
    record: ExampleRecord | None = None,
) -> Facts:
    """What is known before the first step, with a look at the data.

    Args:
        experiment: settled.
        examples: its data.
        doubles: whether to look for rows that are in two splits, which reads all of them.
        record: of the training examples, where one was kept.
    """
    if experiment.shape.start:
        return Facts(experiment)  # a surface has no data
    chance = {} if "scores" in experiment.config.replaced else blind_baseline(experiment, examples)
    seen = without_padding(examples)
    return Facts(experiment, data_facts(experiment, seen, baseline=chance, doubles=doubles), record)


def read_findings(folder: Path) -> list[Finding]:
    """What a run has told so far; incomplete and changed lines are skipped.

    Raises:
        CheckpointError: the file cannot be read.
    """
    path = folder / _FILE
    found: list[Finding] = []
    try:
        data = files.read_regular(path, limit=_LIMIT, follow=True)
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from None
    for line in data.split(b"\n"):
        try:
            values = files.parse_json(line)
            if json_is_sound(values) is not False:
                values.pop(SUM_KEY, None)
                found.append(Finding.of(values))
        except (ValueError, TypeError, KeyError, AttributeError):
            continue  # of another version, or damaged: it is told anew
    return found


def _before(path: Path, step: int) -> list[dict[str, Any]]:
    """The readings up to a step."""
    try:
        return [record for record in read_history(path) if record["step"] <= step]
    except FileNotFoundError:
        return []
