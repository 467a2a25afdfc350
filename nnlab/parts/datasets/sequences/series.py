"""Series of numbers: the steps that follow a window are to be told."""

import csv
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, Self, final

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from nnlab.core.contracts import Windows
from nnlab.core.errors import ConfigError, DataError
from nnlab.core.kinds import Forms
from nnlab.core.lazy import Floats, np
from nnlab.core.seeds import seed_for
from nnlab.parts.datasets.sequences.windowed import WindowedConfig
from nnlab.parts.datasets.tables import Form, Place, TableSource

if TYPE_CHECKING:
    from nnlab.core.contracts import Split

_FOLDER = Path(__file__).parent / "series"


class Measured(NamedTuple):
    """A series as it was read."""

    inputs: "Floats"
    """(L, D) what the network sees of each step."""
    target: "Floats"
    """(L,) what is to be told."""


Missing = Literal["refuse", "mean", "previous", "line"]


class FileColumns(NamedTuple):
    """The columns of a csv file that a series is made of."""

    inputs: tuple[str, ...]
    target: str
    missing: Missing


class SeriesLikeConfig(WindowedConfig, frozen=True):
    """The family of series: `window` steps are seen, the `horizon` steps behind them are told."""

    window: Annotated[int, Field(ge=1, le=100_000)] = 24
    stride: Annotated[PositiveInt | Literal["auto"], Forms()] = "auto"
    """Steps between two windows; auto: 1, as a series is short."""
    horizon: Annotated[int, Field(ge=1, le=10_000)] = 1
    """How many steps are told; each is an output."""
    season: PositiveInt = 1
    """Steps of a season: the naive forecast, by which mase divides, is the value a season ago."""
    difference: bool = False
    """For a series that grows: the network sees each step's change, and tells what the next steps
    are above the last one that it saw; errors stay those of the series itself."""
    scale_target: Literal["auto", "none", "standard"] = "standard"
    """standard: the network learns (y - mean) / deviation of each step of the horizon."""

    @abstractmethod
    def measured(self, place: Place) -> Measured:
        """The whole series.

        Raises:
            DataError: it cannot be read.
        """

    @property
    def in_file(self) -> "FileColumns":
        """Where a csv file of another series has what this one is made of."""
        return FileColumns(("value",), "value", "refuse")

    @property
    def step(self) -> int:
        return 1 if self.stride == "auto" else self.stride

    def form(self, place: Place) -> Form:
        return "series"

    def whole(self, place: Place) -> Windows:
        inputs, target = self.measured(place)
        if self.difference:
            # The first step has none before it, and is left out of both.
            inputs, target = np.diff(inputs, axis=0), target[1:]
        return Windows(
            np.ascontiguousarray(inputs, np.float32),
            np.ascontiguousarray(target, np.float32),
            self.window,
            self.step,
            offset=self.window,
            count=self.horizon,
            relative=self.difference,
        )

    def about(self, place: Place, windows: Windows) -> TableSource:
        return TableSource(
            inputs=(self.window, windows.series.shape[1]),
            task="regression",
            outputs=self.horizon,
            classes=(),
            pool=windows.examples,
            naive=self._naive(windows),
        )

    def _naive(self, windows: Windows) -> float:
        """Mean absolute error of the naive forecast over the steps of the training block.

        Raises:
            ConfigError: they are fewer than a season.
        """
        train: dict[Split, range] = self.blocks(windows)
        steps = (len(train["train"]) - 1) * windows.stride + windows.length
        seen = windows.targets[:steps].astype(np.float64)
        if len(seen) <= self.season:
            text = f"{self.season} steps are not fewer than the {len(seen)} of training"
            raise ConfigError(f"data.season: {text} (a shorter season)")
        return float(np.abs(seen[self.season :] - seen[: -self.season]).mean())


class _MadeConfig(SeriesLikeConfig, frozen=True):
    """A series that is computed."""

    samples: Annotated[int, Field(ge=100, le=10_000_000)] = 2000
    """Steps of the series."""
    noise: NonNegativeFloat = 0.0
    """Deviation of what is added to each step."""
    sample_seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @abstractmethod
    def values(self) -> "Floats":
        """(samples,) without noise."""

    def measured(self, place: Place) -> Measured:
        random = np.random.Generator(np.random.PCG64(seed_for(self.sample_seed, "sample")))
        found = self.values() + self.noise * random.standard_normal(self.samples)
        return Measured(found[:, None], found)


@final
class SineSeriesConfig(_MadeConfig, frozen=True):
    """sin(2 pi t / period): two values tell all that follow. Without noise the best error is 0."""

    kind: Literal["sine"] = "sine"
    period: PositiveFloat = 25.0

    def values(self) -> "Floats":
        return np.sin(2.0 * np.pi * np.arange(self.samples) / self.period)


@final
class MackeyGlassConfig(_MadeConfig, frozen=True):
    """x' = 0.2 x(t - tau) / (1 + x(t - tau)^10) - 0.1 x, chaotic from tau = 17 on; a step is 1.

    Mackey & Glass 1977, doi:10.1126/science.267326. Runge-Kutta of order 4 with ten steps for each
    step of the series, after 300 steps from x = 1.2.
    """

    kind: Literal["mackey_glass"] = "mackey_glass"
    tau: Annotated[int, Field(ge=1, le=1000)] = 17

    def values(self) -> "Floats":
        inner, skipped = 10, 300
        h, delay = 1.0 / inner, self.tau * inner
        x = [1.2] * (delay + 1)
        for _ in range((self.samples + skipped) * inner):
            # Between two stored values the delayed one is their mean, at half a step.
            then, later, now = x[-delay - 1], x[-delay], x[-1]
            rates = [0.2 * d / (1.0 + d**10) for d in (then, (then + later) / 2.0, later)]
            a = rates[0] - 0.1 * now
            b = rates[1] - 0.1 * (now + h * a / 2.0)
            c = rates[1] - 0.1 * (now + h * b / 2.0)
            d = rates[2] - 0.1 * (now + h * c)
            x.append(now + h * (a + 2.0 * b + 2.0 * c + d) / 6.0)
        return np.array(x[delay + 1 :])[skipped * inner :: inner]


@final
class SunspotsConfig(SeriesLikeConfig, frozen=True):
    """Sunspot numbers of the years 1700 to 2008; they rise and fall in about eleven years.

    National Geophysical Data Center, in the public domain; the csv file of statsmodels.
    """

    kind: Literal["sunspots"] = "sunspots"
    season: PositiveInt = 11

    @property
    def in_file(self) -> FileColumns:
        return FileColumns(("SUNACTIVITY",), "SUNACTIVITY", "refuse")

    def measured(self, place: Place) -> Measured:
        found = read_columns(_FOLDER / "sunspots.csv", ["SUNACTIVITY"], "refuse")[:, 0]
        return Measured(found[:, None], found)


@final
class Co2Config(SeriesLikeConfig, frozen=True):
    """CO2 in the air of Mauna Loa, weekly from March 1958 to December 2001, in parts per million.

    Keeling & Whorf 2004, in the public domain; the csv file of statsmodels. Weeks without a value
    are filled on the line between their neighbours.
    """

    kind: Literal["co2"] = "co2"
    window: Annotated[int, Field(ge=1, le=100_000)] = 52
    season: PositiveInt = 52
    difference: bool = True

    @property
    def in_file(self) -> FileColumns:
        return FileColumns(("co2",), "co2", "line")

    def measured(self, place: Place) -> Measured:
        found = read_columns(_FOLDER / "co2.csv", ["co2"], "line")[:, 0]
        return Measured(found[:, None], found)


@final
class SeriesConfig(SeriesLikeConfig, frozen=True):
    """A csv file of your own, one row a step from the earliest on, with a header."""

    kind: Literal["series"] = "series"
    path: str
    target: str
    """The column whose next values are told."""
    inputs: tuple[str, ...] = ()
    """The columns that are seen; none: the target alone."""
    time: str | None = None
    """A column that must grow from row to row: numbers or dates such as 2024-01-31."""
    missing: Missing = "refuse"
    """Of an empty cell: refuse it; the mean of the values before it; the value before it; on the
    line between its neighbours, one of which comes later."""

    @classmethod
    def example(cls) -> Self:
        return cls(path="series.csv", target="value")

    @property
    def in_file(self) -> FileColumns:
        return FileColumns(self.inputs or (self.target,), self.target, self.missing)

    @property
    def called(self) -> str:
        return Path(self.path).name

    def settled(self, place: Place) -> Mapping[str, object]:
        return {**super().settled(place), "path": str(place.find(self.path))}

    def measured(self, place: Place) -> Measured:
        path = place.find(self.path)
        names = [*self.in_file.inputs, self.target]
        if self.time is not None:
            _check_order(path, self.time)
        found = read_columns(path, names, self.missing)
        return Measured(found[:, :-1], found[:, -1])


def read_columns(path: Path, names: Sequence[str], missing: Missing) -> "Floats":
    """(L, columns) numbers of a csv file with a header, gaps filled.

    Raises:
        DataError: a column is not there, a cell is no number, or empty where none may be.
    """
    header, rows = _rows_of(path)
    for name in names:
        if name not in header:
            raise DataError(f"{path}: has no column {name!r} (there are {', '.join(header)})")
    columns = [_numbers(path, rows, name, header.index(name), missing) for name in names]
    return np.stack(columns, axis=1)


def columns_of(path: Path) -> list[str]:
    """The names in the header of a csv file.

    Raises:
        DataError: it cannot be read, or has no rows.
    """
    return _rows_of(path)[0]


def _rows_of(path: Path) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a csv file.

    Raises:
        DataError: it cannot be read, is empty, or has a row of another length.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as csv, {error}") from error
    if len(table) < 2:
        raise DataError(f"{path}: has no rows below its header")
    header = [cell.strip() for cell in table[0]]
    for number, row in enumerate(table[1:], 2):
        if len(row) != len(header):
            text = f"row {number} has {len(row)} cells, the header {len(header)}"
            raise DataError(f"{path}: {text}")
    return header, table[1:]


def _numbers(
    path: Path, rows: list[list[str]], name: str, column: int, missing: Missing
) -> "Floats":
    """(L,) of one column."""
    found = np.empty(len(rows))
    for index, row in enumerate(rows):
        cell = row[column].strip()
        try:
            found[index] = float(cell) if cell else np.nan
        except ValueError:
            text = f"row {index + 2}, column {name!r}: {cell!r} is no number"
            raise DataError(f"{path}: {text} (remove the column from data.inputs)") from None
    gaps = ~np.isfinite(found)
    if not gaps.any():
        return found
    if missing == "refuse" or gaps.all():
        text = f"row {int(np.argmax(gaps)) + 2}, column {name!r}: no value, of {int(gaps.sum())}"
        raise DataError(f"{path}: {text} in all (data.missing: line, previous or mean)")
    known = np.flatnonzero(~gaps)
    if missing == "mean":
        counts = np.cumsum(~gaps)
        sums = np.cumsum(np.where(gaps, 0.0, found))
        found[gaps] = np.where(counts > 0, sums / np.maximum(counts, 1), found[known[0]])[gaps]
    elif missing == "line":
        found[gaps] = np.interp(np.flatnonzero(gaps), known, found[known])
    else:
        # Before the first value there is none that could be taken: that one stands there too.
        before = np.maximum(np.searchsorted(known, np.arange(len(found)), side="right") - 1, 0)
        found = found[known[before]]
    return found


def _check_order(path: Path, time: str) -> None:
    """Refuses rows that are not in the order of time.

    Raises:
        DataError: the first that is not.
    """
    header, rows = _rows_of(path)
    if time not in header:
        raise DataError(f"{path}: has no column {time!r} (there are {', '.join(header)})")
    cells = [row[header.index(time)].strip() for row in rows]
    moments = _moments_of(cells)
    for number, (before, after) in enumerate(pairwise(moments), 3):
        if not before < after:
            text = f"row {number}, column {time!r}: {cells[number - 2]} is not after"
            raise DataError(f"{path}: {text} {cells[number - 3]} (sort the rows, each moment once)")


def _moments_of(cells: list[str]) -> list[tuple[float, str]]:
    """What can be put in order: numbers, else words, as dates that begin with the year are."""
    try:
        return [(float(cell), "") for cell in cells]
    except ValueError:
        return [(0.0, cell) for cell in cells]


KINDS = (Co2Config, MackeyGlassConfig, SeriesConfig, SineSeriesConfig, SunspotsConfig)
