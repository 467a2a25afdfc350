"""The losses and margins of all training examples, kept at a few moments of a run.

What a network learns late and answers against its label for long may be labelled wrongly: see
`nnlab.diagnosis.checks.label_noise`. A pass over the training split in evaluation mode, between two
updates: no weight, no buffer and no random stream changes.
"""

from typing import final

import numpy as np

from nnlab.core.events import Event, Reading
from nnlab.diagnosis.evidence.facts import ExampleRecord
from nnlab.runs.building.row_answers import row_answers
from nnlab.runs.building.session import Session
from nnlab.runs.folder.examples import record_of, write_record
from nnlab.training.pace import Due


@final
class PerExample:
    """Keeps the record of a session, in examples.safetensors of the run folder.

    Args:
        session: whose run it is; what an earlier session kept up to its checkpoint stays.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        surface = bool(session.experiment.shape.start)
        self._due = Due() if surface else session.experiment.pace.examples
        self._kept: dict[int, dict[str, np.ndarray]] = {}
        kept = record_of(session.folder) if session.found and self._due.ever else None
        if kept is not None:
            self._recall(kept, session.progress.step)

    def _recall(self, record: ExampleRecord, step: int) -> None:
        for n, at in enumerate(record.steps.tolist()):
            if at <= step:
                moment = {"losses": record.losses[n]}
                if record.margins is not None and record.predicted is not None:
                    moment |= {"margins": record.margins[n], "predicted": record.predicted[n]}
                if record.held is not None:
                    moment["held"] = record.held[n]
                if record.sure is not None:
                    moment["sure"] = record.sure[n]
                self._kept[at] = moment

    def after(self, event: Event) -> None:
        """Looks at all training examples where that is due."""
        if not isinstance(event, Reading) or event.split != "train" or not event.step:
            return
        if self._due.latest(event.step) > max(self._kept, default=0):
            self._kept[event.step] = self._measured()
            self._write()

    def _measured(self) -> dict[str, np.ndarray]:
        session = self._session
        rows, built = session.examples.rows, session.built
        parts = (session.experiment, session.examples, built.network, built.source)
        found = row_answers(*parts, rows["train"])
        if "margins" in found and "validation" in rows:
            found["held"] = row_answers(*parts, rows["validation"])["margins"]
        return found

    def _write(self) -> None:
        steps = sorted(self._kept)
        tables = {
            key: np.stack([self._kept[step][key] for step in steps]) for key in self._kept[steps[0]]
        }
        examples = self._session.examples
        rows = examples.rows["train"]
        numbers = {"steps": np.array(steps, np.int64), "rows": rows}
        if examples.shape.task == "classes":
            numbers["labels"] = examples.targets[rows]
        numbers = {key: np.ascontiguousarray(value) for key, value in numbers.items()}
        write_record(self._session.folder, {**numbers, **tables})
