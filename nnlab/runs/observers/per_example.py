"""The losses and margins of all training examples, kept at a few moments of a run.

What a network learns late and answers against its label for long may be labelled wrongly: see
`nnlab.diagnosis.checks.label_noise`. A pass over the training split in evaluation mode, between two
updates: no weight, no buffer and no random stream changes.
"""

from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnlab.core.contracts import Event, Examples, Reading
from nnlab.diagnosis.evidence.facts import ExampleRecord
from nnlab.experiment.experiment import Experiment
from nnlab.runs.building.forward import batches_of, forward_of
from nnlab.runs.building.scoring import loss_of
from nnlab.runs.building.session import Session
from nnlab.runs.folder.examples import record_of, write_record
from nnlab.training.pace import Due
from nnlab.training.sources import RowSource


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


def row_answers(
    experiment: Experiment,
    examples: Examples,
    network: nn.Module,
    source: RowSource,
    rows: NDArray[np.int64],
) -> dict[str, np.ndarray]:
    """What a network says of rows, in evaluation mode; nothing in it changes.

    Args:
        experiment: that it is trained in.
        examples: the data.
        network: that is asked.
        source: of rows, where the network is.
        rows: (N,) numbers in the data.

    Returns:
        `losses` (N,), and of classes `margins`, `predicted` and `sure`, (N,) each: how far the
        largest output is above the second, whatever the label.
    """
    loss = loss_of(experiment, examples, network)
    device = next(network.parameters()).device
    batches = batches_of(experiment, rows, device)
    parts: dict[str, list[Tensor]] = {"losses": [], "margins": [], "predicted": [], "sure": []}
    with forward_of(experiment, network).over(source, batches) as found:
        for batch, outputs in found:
            parts["losses"].append(loss(outputs, batch).float())
            if experiment.shape.task == "classes":
                if outputs.shape[1] == 1:  # one logit z of two classes: as two, 0 and z
                    outputs = torch.cat([torch.zeros_like(outputs), outputs], dim=1)
                parts["margins"].append(margins(outputs, batch.targets))
                parts["predicted"].append(outputs.argmax(1).to(torch.int32))
                first, second = outputs.topk(2, dim=1).values.float().unbind(1)
                parts["sure"].append(first - second)
    return {key: torch.cat(part).cpu().numpy() for key, part in parts.items() if part}


def margins(outputs: Tensor, labels: Tensor) -> Tensor:
    """Output of the label less the largest other. Pleiss et al. 2020, eq. 1.

    Args:
        outputs: (N, K), before the link.
        labels: (N,) class numbers.

    Returns:
        (N,) float32; negative where another class is answered.
    """
    own = outputs.gather(1, labels[:, None])[:, 0]
    others = outputs.scatter(1, labels[:, None], float("-inf"))
    return (own - others.max(1).values).float()
