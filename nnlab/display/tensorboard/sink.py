"""The TensorBoard sink: one event file per process that trained into the run folder.

TensorBoard's packages are imported by the writer thread, beside the first steps of training.
"""

import os
import re
import socket
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, final

from nnlab.core import files
from nnlab.core.contracts import Plan, Shape, Status
from nnlab.core.events import Reading
from nnlab.core.lazy import NDArray, np
from nnlab.training.probes.readings import describe_reading, float32, reading_definition, tag_of

_Make = Callable[[Any], Any]
"""Makes an event with the functions of nnlab.display.tensorboard.events."""

HISTOGRAMS = {
    "weights": "How the weights of a layer are spread.",
    "gradients": "How the gradient of a layer's weights is spread: of the mean loss over some "
    "examples of the probe set, without regularization and dropout.",
    "activations": "What comes out of a layer's units, over the same examples.",
}
"""What each group shows, by the first part of its tags."""

_NAME = re.compile(r"events\.out\.tfevents\.([0-9]+)\..*")


@final
class TensorBoard:
    """Writes TensorBoard's event file; one summary per reading.

    `text`, `layout`, `graph` and `hparams` may be called by any thread and only take note; the
    writer thread makes the events before its next reading, or at the end.

    Args:
        folder: the run folder, which is TensorBoard's log directory.
        purge_step: to resume, the first step that will come again: what earlier files say of it
            and of later ones counts no more. None for a new run.
        cards: the keys of per-parameter gradient norms to show ("grad_norm/00_hidden1.weight");
            the others stay in metrics.jsonl. The total is always shown.
        hidden: whether a key that would be shown is of a layer that is not.
        about: a sentence on each loss and score, by its key.
    """

    needed = False

    def __init__(
        self,
        folder: Path,
        *,
        purge_step: int | None,
        cards: frozenset[str] = frozenset(),
        hidden: Callable[[str], bool] = lambda _: False,
        about: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = folder
        self._purge_step = purge_step
        self._cards = cards | {"grad_norm/total"}
        self._handle: int | None = None
        self._noted: deque[_Make] = deque()
        self._hidden = hidden
        self._about = about or {}
        self._described: set[str] = set()

    def write(self, reading: Reading) -> None:
        """Appends one event with all values that have a card."""
        tags = {key: tag_of(key, reading.split) for key in reading.values if self._shown(key)}
        values = {tag: float32(reading.values[key]) for key, tag in tags.items()}
        about = {
            tag: self._about.get(key) or describe_reading(key)
            for key, tag in tags.items()
            if tag not in self._described
        }
        self._described |= set(tags.values())
        self._catch_up()
        self._append(_events().scalars(values, step=reading.step, about=about))

    def _shown(self, key: str) -> bool:
        if key.startswith("grad_norm/"):
            return key in self._cards
        found = reading_definition(key)
        return found is None or (found.card and not self._hidden(key))

    def flush(self) -> None:
        """Waits for the disk."""
        self._catch_up()
        if self._handle is not None:
            with files.storage_errors(self._folder):
                os.fsync(self._handle)

    def close(self) -> None:
        """Writes what was noted and closes the file."""
        try:
            self._catch_up()
        finally:
            handle, self._handle = self._handle, None
            if handle is not None:
                with files.storage_errors(self._folder):
                    os.close(handle)

    def text(self, tag: str, markdown: str, *, step: int = 0) -> None:
        """Shows a text on TensorBoard's text page, as one of a step of the run."""
        self._note(lambda events: events.text(tag, markdown, step=step))

    def layout(self, categories: "Sequence[tuple[str, Mapping[str, Sequence[str]]]]") -> None:
        """Arranges curves on the custom scalars page; the first category is open.

        Args:
            categories: a title, and for each of its charts the patterns of the tags in it.
        """
        self._note(lambda events: events.layout(categories))

    def graph(self, plans: Sequence[Plan], inputs: Shape) -> None:
        """Draws the network on the graph page, from its plan.

        Args:
            plans: the layers from input to output.
            inputs: shape of one example.
        """
        self._note(lambda events: events.graph(plans, inputs))

    def record(self, data: bytes) -> None:
        """Appends a record that another process has made, such as a picture."""
        self._note(lambda _: data)

    def histograms(self, found: "Mapping[str, NDArray[np.float64]]", *, step: int) -> None:
        """Shows how numbers are spread, on the histograms page.

        Args:
            found: tag -> (k, 3): left edge, right edge, count of each bucket.
            step: of the run.
        """
        about = {tag: HISTOGRAMS[tag.partition("/")[0]] for tag in found}

        def make(_: Any) -> Any:
            from nnlab.display.tensorboard import plugins

            return plugins.histograms(found, step=step, about=about)

        self._note(make)

    def pr_curve(self, tag: str, curve: "NDArray[np.float64]", *, step: int, about: str) -> None:
        """Shows a precision-recall curve; the arguments are those of tensorboard_plugins."""

        def make(_: Any) -> Any:
            from nnlab.display.tensorboard import plugins

            return plugins.pr_curve(tag, curve, step=step, about=about)

        self._note(make)

    def hparams(
        self,
        hyperparameters: Mapping[str, object],
        metrics: Sequence[str],
        *,
        first: Collection[str] = (),
    ) -> None:
        """Enters the run into the hparams table.

        Args:
            hyperparameters: dotted path -> value, as in the config.
            metrics: tags of the columns with results: "accuracy/validation".
            first: the hyperparameters that stand at the left.
        """
        values = dict(hyperparameters)
        self._note(lambda events: events.experiment(values, metrics, first=first))
        self._note(lambda events: events.session_start(values))

    def hparams_end(self, status: Status) -> None:
        """Says in the hparams table how the run ended; to be called before the sink is closed."""
        self._note(lambda events: events.session_end(status))

    def _note(self, make: _Make) -> None:
        self._noted.append(make)

    def _catch_up(self) -> None:
        while self._noted:
            self._append(self._noted.popleft()(_events()))

    def _append(self, event: Any) -> None:
        """Appends a record with one call, so that a reader seldom meets half of one."""
        events = _events()
        with files.storage_errors(self._folder):
            if self._handle is None:
                self._handle = self._open()
                for first in events.opening(self._purge_step):
                    files.write_all(self._handle, events.frame(first))
            data = event if isinstance(event, bytes) else events.frame(event)
            files.write_all(self._handle, data)

    def _open(self) -> int:
        """Opens a file of a new name.

        Readers go by name, so that it must sort behind all earlier ones, whatever the clock says.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        names = [_NAME.fullmatch(path.name) for path in self._folder.iterdir()]
        seconds = max([int(time.time()), *(int(name[1]) + 1 for name in names if name)])
        name = f"events.out.tfevents.{seconds:010d}.{socket.gethostname()}.{os.getpid()}.0"
        return os.open(self._folder / name, files.NEW, 0o666)


def _events() -> Any:
    from nnlab.display.tensorboard import events as tensorboard_events

    return tensorboard_events
