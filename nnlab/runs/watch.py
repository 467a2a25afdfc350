"""`Watch`: the readings of a run for a training loop of one's own."""

import atexit
import re
import warnings
import weakref
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from math import isfinite
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any, Literal, Self, final

import torch
from torch import Tensor, nn

from nnlab.config.run_config import RUN_NAME
from nnlab.core.contracts import Split, Status
from nnlab.core.errors import ConfigError, NnlabError
from nnlab.core.events import Reading
from nnlab.display.tensorboard.layout import chart_categories
from nnlab.display.tensorboard.sink import TensorBoard
from nnlab.runs.folder import folder as folders
from nnlab.runs.folder.find import create_folder
from nnlab.runs.folder.metrics import JsonLines, Sinks
from nnlab.runs.folder.summary import Summary
from nnlab.runs.watch_readings import WatchedReadings, single_number
from nnlab.training import device as devices
from nnlab.training.probes.anatomy import unwrap_network
from nnlab.training.probes.readings import reading_definition, tag_of

_TAKEN = ("step", "epoch", "split", "loss")


@final
class Watch:
    """Watches a network in a training loop of one's own; nothing in it is changed.

        with nnlab.Watch(network, optimizer, inputs=some_inputs) as watch:
            for inputs, targets in batches:
                optimizer.zero_grad()
                loss = criterion(network(inputs), targets)
                loss.backward()
                watch.step(loss)  # the gradients are there, the weights are still the old ones
                optimizer.step()

    The folder holds summary.json, env.json, metrics.jsonl and TensorBoard's events, no config.yaml
    and no checkpoints. Left by an exception, the run is `interrupted` (Ctrl-C), `pruned`
    (optuna.TrialPruned) or `failed`.

    Args:
        model: any module; what torch.compile or DataParallel has put around it is looked through.
        optimizer: says the learning rate, that of its first group.
        folder: of the run, new or empty; None makes runs/<name>/<number>.
        every: updates between two readings; before the first update there is one more.
        probes: updates between two full probes, rounded to a multiple of `every`; None for none.
        inputs: some 32 to 256 examples that stay the same, for the activations: a tensor, or what
            goes into the model as model(*inputs) or model(**inputs). None looks at weights and
            gradients alone.
        steps_per_epoch: updates in an epoch; with 1, epochs count updates.
        name: of the run, where the folder does not say it.

    Attributes:
        run: the run's folder.
        steps: updates so far.
        summary: what summary.json holds.

    Raises:
        ConfigError: the folder is in use, or a number makes no sense.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        folder: str | Path | None = None,
        *,
        every: int = 50,
        probes: int | None = 200,
        inputs: Any = None,
        steps_per_epoch: int = 1,
        name: str | None = None,
    ) -> None:
        counts = {"every": every, "probes": probes, "steps_per_epoch": steps_per_epoch}
        for key, value in counts.items():
            if value is not None and value < 1:
                raise ConfigError(f"nnlab.Watch: {key} must be at least 1, got {value}")
        self.steps = 0
        self._began = perf_counter()
        self._every = every
        self._probe_every = None if probes is None else max(1, round(probes / every)) * every
        self._per_epoch = steps_per_epoch
        self._network = unwrap_network(model)
        self._readings = WatchedReadings(self._network, optimizer, inputs)
        self.run = _folder(folder, name).absolute()
        self._name = name or (self.run.parent.name if folder is None else self.run.name)
        self._last: dict[str, dict[str, Any]] = {}
        self._best: dict[str, Any] | None = None
        self._closed = False
        self._at_exit: Callable[[], None] = partial(_end_left_open, weakref.ref(self))
        self._begin(optimizer)

    def _begin(self, optimizer: torch.optim.Optimizer) -> None:
        """Takes the folder and says what is known before the first update."""
        with ExitStack() as stack:
            stack.enter_context(folders.lock_folder(self.run))
            device = next(self._network.parameters()).device
            made = {"made_by": "nnlab.Watch", "network": type(self._network).__name__}
            facts = {
                **made,
                "optimizer": type(optimizer).__name__,
                **devices.device_versions(device),
            }
            folders.write_env(self.run, facts)
            lines = JsonLines(self.run / "metrics.jsonl", length=None)
            cards = self._readings.cards
            board = TensorBoard(self.run, purge_step=None, cards=cards)
            board.text("network", f"```\n{self._network}\n```")
            losses = [tag_of("loss", split) for split in ("train", "validation")]
            board.layout(chart_categories(losses, cards, self._readings.seen))
            self._sinks = stack.enter_context(Sinks([lines, board], _warn))
            self._summarize("running", "")
            self._open = stack.pop_all()
        atexit.register(self._at_exit)

    def step(self, loss: Tensor | float, *, examples: int | None = None) -> None:
        """Tells of an update: to be called behind `backward()`, before clipping and the update.

        What the update does to the weights is read by the next call. Gradients that a GradScaler
        has scaled are to be unscaled before; the several backward passes of one update have one
        call.

        Args:
            loss: of this update, one number.
            examples: in its batch: then means are over examples, and the speed is read.
        """
        self._refuse_closed("step")
        if self._readings.pending is not None:
            self._write(self._readings.pending, "train", self._readings.take())
        if self.steps == 0:
            self._write(0, "train", self._readings.first(loss, full=self._probe_every is not None))
        self._readings.add(loss, examples)
        self.steps += 1
        if self.steps % self._every == 0:
            full = self._probe_every is not None and self.steps % self._probe_every == 0
            self._readings.probe(self.steps, full=full)

    def log(self, **values: Tensor | float) -> None:
        """Adds numbers of one's own to the update that was told last.

        The next reading has their mean; tensors are not read back before. A name with a slash is
        TensorBoard's tag as it is.
        """
        self._refuse_closed("log")
        for key, value in values.items():
            _refuse_name("log", key)
            self._readings.log(key, value)

    def evaluate(
        self,
        split: Literal["validation", "test"],
        *,
        loss: Tensor | float | None = None,
        **scores: Tensor | float,
    ) -> None:
        """Writes what was measured on a split after the updates so far.

        The lowest validation loss is the summary's `best`.

        Raises:
            ConfigError: the split was measured at this step before, or a name is nnlab's own.
        """
        self._refuse_closed("evaluate")
        if split not in ("validation", "test"):
            raise ConfigError(f"watch.evaluate: needs validation or test, got {split!r}")
        if split in self._last and self._last[split]["step"] == self.steps:
            raise ConfigError(f"watch.evaluate: {split} was read at step {self.steps} before")
        for key in scores:
            _refuse_name("evaluate", key)
        values = scores if loss is None else {"loss": loss, **scores}
        read = {key: float(single_number(value, "evaluate")) for key, value in values.items()}
        self._write(self.steps, split, read)
        found = self._last[split]["loss"]
        better = self._best is None or (found is not None and found < self._best["loss"])
        if split == "validation" and found is not None and better:
            self._best = {"split": split, **self._last[split]}
        self._summarize("running", "")

    def close(self) -> None:
        """Ends the run: writes the last reading and how it went. A second call does nothing."""
        if self._closed:
            return
        if self._readings.pending is not None:
            self._write(self._readings.pending, "train", self._readings.take())
        elif not self._readings.empty:
            values = self._readings.last(full=self._probe_every is not None)
            self._write(self.steps, "train", values)
        if self._last.get("train", {"loss": 0.0})["loss"] is None:
            self._end("diverged", f"the train loss is not finite at step {self.steps}")
        else:
            self._end("completed", f"{self.steps} steps")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
            return
        with suppress(NnlabError):  # the error that ended the loop says more
            if any(base.__name__ == "TrialPruned" for base in kind.__mro__):  # Optuna's
                self._end("pruned", "the study gave this run up")
            elif issubclass(kind, Exception):
                self._end("failed", f"{kind.__name__}: {error}".partition("\n")[0])
            else:
                by_hand = issubclass(kind, KeyboardInterrupt)
                self._end("interrupted", f"left by {kind.__name__}", signal=2 if by_hand else 0)

    def _left_open(self) -> None:
        with suppress(NnlabError):
            self._end("interrupted", "the program ended without watch.close()")

    def _end(self, status: Status, why: str, *, signal: int = 0) -> None:
        """Writes what is there without a look at the network, and gives the folder back."""
        if self._closed:
            return
        # First: what follows may fail, and nothing is to be written a second time then.
        self._closed = True
        atexit.unregister(self._at_exit)
        try:
            if not self._readings.empty:
                step = self.steps if self._readings.pending is None else self._readings.pending
                self._write(step, "train", self._readings.take(blind=True))
            self._sinks.close()
        finally:
            self._summarize(status, why, signal=signal)
            self._open.close()

    def _write(self, step: int, split: Split, values: Mapping[str, float]) -> None:
        epoch = step / self._per_epoch
        self._sinks.write(Reading(step, epoch, split, dict(values)))
        finite = {
            k: v if isfinite(v) else None for k, v in values.items() if not reading_definition(k)
        }
        loss = finite.pop("loss", None)
        self._last[split] = {"epoch": epoch, "step": step, "loss": loss, "scores": finite}

    def _summarize(self, status: str, why: str, *, signal: int = 0) -> None:
        seconds = perf_counter() - self._began
        self.summary = Summary(
            run=self.run,
            name=self._name,
            status=status,
            why=why,
            seed=None,
            parameters=sum(p.numel() for p in self._network.parameters()),
            epochs=self.steps // self._per_epoch,
            steps=self.steps,
            monitor="none" if self._best is None else "loss/validation",
            best=self._best,
            last=dict(self._last),
            seconds={"startup": 0.0, "build": 0.0, "train": seconds, "total": seconds},
            samples_per_second=self._readings.examples / max(seconds, 1e-9),
            signal=signal,
        )
        self.summary.write()

    def _refuse_closed(self, what: str) -> None:
        if self._closed:
            raise ConfigError(f"watch.{what}: the run has ended ({self.run})")


def _folder(folder: str | Path | None, name: str | None) -> Path:
    """The folder of a new run.

    Raises:
        ConfigError: there is something in it, or the name is none.
    """
    if folder is None:
        name = name or "watch"
        if not re.fullmatch(RUN_NAME, name):
            raise ConfigError(f"nnlab.Watch: name needs letters, digits, _, . or -, got {name!r}")
        return create_folder(name)
    path = Path(folder)
    if path.exists() and (not path.is_dir() or any(p.name != "lock" for p in path.iterdir())):
        raise ConfigError(f"nnlab.Watch: {path} is not empty (give a new folder, or none)")
    return path


def _refuse_name(what: str, key: str) -> None:
    if key in _TAKEN or reading_definition(key) is not None:
        raise ConfigError(f"watch.{what}: {key} is a name of nnlab's own (use another)")


def _warn(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=2)


def _end_left_open(watch: "weakref.ref[Watch]") -> None:
    """What `atexit` calls: a watch that was forgotten is not kept alive for it."""
    found = watch()
    if found is not None:
        found._left_open()  # pyright: ignore[reportPrivateUsage]
