"""What a report says of sequences, as typed facts for `--json` and the page."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlaceLoss:
    """The loss at one place of a window, with its 95 % interval over the windows."""

    place: int
    loss: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class ReadWindow:
    """A window with what each of its steps cost.

    Attributes:
        row: of the table.
        loss: mean over its steps.
        tokens: what was to be told.
        losses: of each of these.
    """

    row: int
    loss: float
    tokens: tuple[str, ...]
    losses: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class WrittenSample:
    """What the network writes when it goes on with something."""

    temperature: float
    shown: str
    wrote: str


@dataclass(frozen=True, slots=True)
class TextFacts:
    """What is told of a network that writes.

    Attributes:
        places: the loss at each place of a window.
        guess: the loss of a guess by the frequencies of single tokens; None where unknown.
        worst: windows of the greatest loss.
        samples: what it writes; none where data are no text.
    """

    places: tuple[PlaceLoss, ...]
    guess: float | None
    worst: tuple[ReadWindow, ...]
    samples: tuple[WrittenSample, ...]


@dataclass(frozen=True, slots=True)
class HorizonError:
    """The error of one step of the horizon.

    Attributes:
        step: 1 for the next one.
        mae: mean absolute error, in the series' own unit.
        low: of the 95 % interval, over windows drawn again; None where it has none.
        high: its other end.
        naive: mean absolute error of the naive forecasts, by what they are.
    """

    step: int
    mae: float
    low: float | None
    high: float | None
    naive: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class DrawnWindow:
    """A forecast beside what came.

    Attributes:
        row: of the table.
        first: the step of the series that is told first.
        mae: over the steps of the horizon.
        past: the values before.
        truth: what came.
        told: what the network told.
    """

    row: int
    first: int
    mae: float
    past: tuple[float, ...]
    truth: tuple[float, ...]
    told: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ForecastFacts:
    """What is told of a forecast.

    Attributes:
        horizon: the error of each step.
        worst: windows whose forecast is farthest off.
    """

    horizon: tuple[HorizonError, ...]
    worst: tuple[DrawnWindow, ...]
