"""What a person sees of a run on stderr: a live view in a terminal, plain lines elsewhere.

The loop never draws. The live view's own thread looks at an integer a few times a second.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TextIO, cast, final

from nnlab.core.contracts import Split
from nnlab.core.events import EpochEnd, Reading
from nnlab.core.finding import Finding
from nnlab.core.wrap import write_wrapped
from nnlab.display.shown_summary import ShownSummary, epoch_of, four_digits, write_summary
from nnlab.training.probes.readings import reading_definition

_LINES = 40
SHORT_SPLITS: dict[Split, str] = {"train": "train", "validation": "val", "test": "test"}
"""What splits are called where there is little room."""


@dataclass(frozen=True, slots=True)
class RunAbout:
    """What is known of a run before its first step.

    Attributes:
        name: the experiment's name.
        folder: the run folder; None where it is not for people.
        device: a sentence: "cpu, 2 threads".
        parameters: numbers that are learned.
        steps_total: at which step it ends; None when the clock decides.
        steps_per_epoch: steps in one epoch.
        sizes: examples of each split.
        progress: the step reached; called by the view's thread at any time.
        remark: a sentence on what was chosen for it; may be empty.
        layers: key of a gradient norm in readings -> the layer's name, from input to output.
    """

    name: str
    folder: Path | None
    device: str
    parameters: int
    steps_total: int | None
    steps_per_epoch: int
    sizes: Mapping[Split, int]
    progress: Callable[[], int]
    remark: str = ""
    layers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def epochs(self) -> int | None:
        """The number of epochs, the last of which may be cut short; None when the clock decides."""
        total = self.steps_total
        return None if total is None else -(-total // self.steps_per_epoch)


class View(Protocol):
    """One run as a person sees it."""

    def start(self, about: RunAbout) -> None:
        """The run begins, or goes on."""
        ...

    def reading(self, reading: Reading) -> None:
        """New numbers."""
        ...

    def note(self, text: str) -> None:
        """A sentence that is always shown: a warning, what `auto` chose."""
        ...

    def finding(self, finding: Finding) -> None:
        """Something is wrong with the run."""
        ...

    def epoch(self, event: EpochEnd) -> None:
        """An epoch is over; its readings came before."""
        ...

    def finish(self) -> None:
        """The run is over, in whichever way. May be called more than once, and without a start."""
        ...

    def summary(self, shown: ShownSummary) -> None:
        """What was reached; comes after `finish`."""
        ...


@final
class Speed:
    """Training examples a second since the last line, over all readings since then together.

    The windows between two readings are short: one alone says how busy the machine was just then.
    """

    def __init__(self) -> None:
        self._epoch = self._epochs = self._time = 0.0
        self._rate: float | None = None

    @property
    def rate(self) -> float | None:
        """Examples a second; before the first reading behind a line that of the line before."""
        return self._rate

    def add(self, reading: Reading) -> None:
        """Takes a reading in. Its window lasted examples / speed, in some unit of time."""
        speed = reading.values.get("samples_per_second")
        if reading.split != "train" or not speed:
            return
        done, self._epoch = reading.epoch - self._epoch, reading.epoch
        if done <= 0.0:  # the first after a resume
            return
        self._epochs += done
        self._time += done / speed
        self._rate = self._epochs / self._time

    def end_line(self) -> None:
        """Begins anew."""
        self._epochs = self._time = 0.0


def calm_stream(stream: TextIO) -> TextIO:
    """The stream, whose errors do not end a training run."""
    return cast("TextIO", _Calm(stream))


@final
class _Calm:
    """A stream that swallows errors: a closed terminal or pipe must not end a training run."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = getattr(stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


@final
class QuietView:
    """Notes alone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def start(self, about: RunAbout) -> None:
        """Says nothing."""

    def reading(self, reading: Reading) -> None:
        """Says nothing."""

    def note(self, text: str) -> None:
        """Writes it."""
        write_wrapped(self._stream, text)

    def finding(self, finding: Finding) -> None:
        """Writes what is more than a note."""
        if finding.worse_than("note"):
            self.note(finding.line)

    def epoch(self, event: EpochEnd) -> None:
        """Says nothing."""

    def finish(self) -> None:
        """Says nothing."""

    def summary(self, shown: ShownSummary) -> None:
        """Says nothing."""


@final
class PlainView:
    """A line per epoch; of many epochs some forty, evenly spaced, and always the last."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._about: RunAbout | None = None
        self._latest: dict[Split, Reading] = {}
        self._speed = Speed()
        self._every = 1
        self._printed = 0
        self._waiting = ""

    def start(self, about: RunAbout) -> None:
        """Writes what will be trained."""
        self._about = about
        self._every = -(-(about.epochs or 1) // _LINES)
        for line in run_heading(about):
            self.note(line)

    def reading(self, reading: Reading) -> None:
        """Keeps it for the next line."""
        self._latest[reading.split] = reading
        self._speed.add(reading)
        where = epoch_of(reading.step, self._about.steps_per_epoch) if self._about else "run"
        self._waiting = f"{where} (step {reading.step:,})"

    def note(self, text: str) -> None:
        """Writes it."""
        write_wrapped(self._stream, text)

    def finding(self, finding: Finding) -> None:
        """Writes it in one line."""
        self.note(finding.line)

    def epoch(self, event: EpochEnd) -> None:
        """Writes a line, or leaves it to `finish`."""
        epochs = self._about.epochs if self._about else None
        width = len(f"{epochs or 0:,}")
        self._waiting = f"epoch {event.epoch:>{width},}" + (f"/{epochs:,}" if epochs else "")
        if event.epoch % self._every == 0:
            self._write_waiting()

    def finish(self) -> None:
        """Writes the last line, if it has not been."""
        if self._waiting and self._latest:
            self._write_waiting()

    def summary(self, shown: ShownSummary) -> None:
        """Writes the summary."""
        write_summary(shown, stream=self._stream)

    def _write_waiting(self) -> None:
        self.note("  ".join([self._waiting, *_numbers(self._latest, self._speed.rate)]))
        self._speed.end_line()
        self._waiting = ""
        self._printed += 1
        if self._printed % _LINES == 0:  # the clock decides, so that the end is not known
            self._every *= 2


def _numbers(latest: Mapping[Split, Reading], speed: float | None) -> list[str]:
    """As in: loss 0.1230 (val 0.1400), accuracy ..., |grad| 0.42, lr 0.001, 182k samples/s.

    Loss and scores of training are those over the epoch, the speed is that since the line before,
    the others are of the last reading.
    """
    parts: list[str] = []
    for key in ["loss", *score_names(latest)]:
        found: dict[Split, float] = {
            split: shown_values(reading)[key]
            for split, reading in latest.items()
            if key in reading.values
        }
        train = found.pop("train", None)
        others = ", ".join(
            f"{SHORT_SPLITS[split]} {four_digits(value)}" for split, value in found.items()
        )
        own = "" if train is None else f" {four_digits(train)}"
        if own or others:
            parts.append(f"{key}{own}" + (f" ({others})" if others else ""))
    return parts + [f"{key} {value}".strip() for key, value in pace_text(latest, speed).items()]


def shown_values(reading: Reading) -> Mapping[str, float]:
    """The values of a reading; of training, over the epoch what it gives over the epoch."""
    return {**reading.values, **reading.epoch_means}


def pace_text(latest: Mapping[Split, Reading], speed: float | None) -> dict[str, str]:
    """Gradient norm, learning rate and speed, as far as they are known.

    Args:
        latest: the last reading of each split.
        speed: examples a second.
    """
    values: Mapping[str, float] = latest["train"].values if "train" in latest else {}
    found: dict[str, str] = {}
    if "grad_norm/total" in values:
        found["|grad|"] = f"{values['grad_norm/total']:.2g}"
    if "learning_rate" in values:
        found["lr"] = f"{values['learning_rate']:.3g}"
    if speed is not None:
        found[""] = f"{_thousands(speed)} samples/s"
    return found


def score_names(latest: Mapping[Split, Reading]) -> list[str]:
    """The names of the scores, in the order of the readings."""
    keys = [key for reading in latest.values() for key in reading.values]
    return [
        k for k in dict.fromkeys(keys) if k != "loss" and "/" not in k and not reading_definition(k)
    ]


def run_heading(about: RunAbout) -> list[str]:
    """What will be trained, on what, and where it goes."""
    sizes = ", ".join(f"{size:,} {split}" for split, size in about.sizes.items() if size)
    return [
        f"{about.name}: {about.parameters:,} parameters on {about.device}",
        f"{sizes} examples",
        *([about.remark] if about.remark else []),
        *([] if about.folder is None else [str(about.folder)]),
    ]


def _thousands(value: float) -> str:
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"
