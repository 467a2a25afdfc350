"""The data of a config, looked at: sizes, classes, ranges as stored and as seen, a few images."""

import sys
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any, NamedTuple

from nnlab.core.contracts import Examples, RowReader
from nnlab.core.lazy import NDArray, np
from nnlab.parts.datasets.checks import counts_of, data_notes
from nnlab.parts.datasets.family import DataConfig
from nnlab.parts.datasets.files.csv_table import CsvConfig

_CHUNK = 1 << 20
"""So many numbers are looked at in one go: as float64 they need 8 MB."""
_READ = 256
"""So many rows of a set that is streamed from files are looked at."""
_SHOWN = 20
"""The most columns or classes that get a line."""
_COLUMNS = 80


class DataSpread(NamedTuple):
    """Four numbers of a column, or of everything."""

    low: float
    high: float
    mean: float
    deviation: float


def data_page(examples: Examples, config: DataConfig) -> str:
    """The page of `show --data`."""
    from nnlab.core.text import render_text, text_grid

    facts = shown_data_facts(examples)
    dates = [*config.columns.dates] if isinstance(config, CsvConfig) else []
    splits = list(facts["sizes"])
    rows = [("examples", *(f"{facts['sizes'][split]:,}" for split in splits))]
    counts: dict[str, dict[str, int]] = facts["classes"]
    rows += [
        (name, *(f"{counts[split][name]:,}" for split in splits))
        for name in examples.shape.classes[:_SHOWN]
    ]
    if len(examples.shape.classes) > _SHOWN:
        rows.append((f"... {len(examples.shape.classes) - _SHOWN} more classes",))
    right = tuple(range(1, len(splits) + 1))
    parts: list[Any] = [text_grid(rows, head=("", *splits), right=right), ""]
    head = ("training rows", "least", "greatest", "mean", "deviation")
    lines = [
        (_named(name, dates), *map(_number, spread))
        for name, spread in _spreads(examples)
        # Degrees, days and counts have no mean together; each has its own line.
        if name != _STORED or not examples.shape.columns
    ]
    parts += [text_grid(lines, head=head, right=(1, 2, 3, 4)), f"\nscale: {config.scale}"]
    parts += [f"note: {note}" for note in data_notes(examples)]
    picture = images(examples)
    return render_text(*parts, *(["\n" + picture] if picture else []))


_STORED = "inputs as stored"


def _number(value: float) -> str:
    """Four digits, but whole numbers of five and six whole: a day is no 1.972e+04."""
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e6 else f"{value:.4g}"


def _named(name: str, dates: Sequence[str]) -> str:
    """What a line is called; of dates with what their numbers are."""
    return f"{name} (days since 1970)" if name.strip() in dates else name


def shown_data_facts(examples: Examples) -> dict[str, Any]:
    """Sizes, classes and ranges, as `--json` prints them."""
    names = examples.shape.classes
    classes: dict[str, dict[str, int]] = {}
    for split in examples.rows:
        if names:
            counted = counts_of(examples, split)
            classes[split] = dict(zip(names, counted.tolist(), strict=True))
    return {
        "sizes": {split: len(rows) for split, rows in examples.rows.items()},
        "classes": classes,
        "ranges": {name: spread._asdict() for name, spread in _spreads(examples)},
        "sha256": examples.digest,
    }


def _spreads(examples: Examples) -> Iterator[tuple[str, DataSpread]]:
    """As stored, as the network sees them, each column of a table, each column of real targets."""
    rows = examples.rows["train"]
    if not isinstance(examples.inputs, np.ndarray):
        rows = rows[:_READ]
    stored = _moments(examples, rows, scaled=False)
    seen = _moments(examples, rows, scaled=True)
    yield _STORED, _joined(stored)
    yield "inputs as seen", _joined(seen)
    for name, column in zip(examples.shape.columns[:_SHOWN], stored, strict=False):
        yield f"  {name}", column
    if examples.shape.task == "regression":
        targets = examples.targets[examples.rows["train"]].astype(np.float64)
        for index in range(targets.shape[1]):
            one = targets[:, index]
            label = "target" if targets.shape[1] == 1 else f"target {index + 1}"
            yield label, _spread(one)
            if scale := examples.target_scale:
                seen = (one - scale.mean[index]) / scale.deviation[index]
                yield "  as seen", _spread(seen)


def _spread(column: "NDArray[np.float64]") -> DataSpread:
    return DataSpread(column.min(), column.max(), column.mean(), column.std())


def _moments(examples: Examples, rows: "NDArray[np.int64]", *, scaled: bool) -> list[DataSpread]:
    """The spread of each column of flat inputs; one for everything of images."""
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    low, high = np.full(1, np.inf), np.full(1, -np.inf)
    flat = len(examples.shape.inputs) == 1
    step = max(1, _CHUNK // prod(examples.shape.inputs))
    for start in range(0, len(rows), step):
        block = _read(examples.inputs, rows[start : start + step]).astype(np.float64)
        if scaled:
            block = (block - examples.shift) * examples.factor
        # Behind the end of a sequence nothing is there.
        block = block if flat else block[~np.isnan(block)].reshape(-1, 1)
        count += len(block)
        total, squares = total + block.sum(axis=0), squares + (block**2).sum(axis=0)
        low = np.minimum(low, block.min(axis=0))
        high = np.maximum(high, block.max(axis=0))
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    if not scaled and flat:  # only now: far from 0 the squares would cancel
        low, high, mean = (examples.own(part[None])[0] for part in (low, high, mean))
    return [DataSpread(*map(float, four)) for four in zip(low, high, mean, deviation, strict=True)]


def _joined(columns: list[DataSpread]) -> DataSpread:
    """The spread of all columns together; each has as many rows."""
    low, high, mean, deviation = (np.array(part) for part in zip(*columns, strict=True))
    centre = mean.mean()
    around = np.sqrt((deviation**2 + (mean - centre) ** 2).mean())
    return DataSpread(float(low.min()), float(high.max()), float(centre), float(around))


def _read(inputs: "NDArray[Any] | RowReader", rows: "NDArray[np.int64]") -> "NDArray[Any]":
    if isinstance(inputs, np.ndarray):
        return inputs[rows]
    return np.stack([inputs.read(int(row)) for row in rows])


def images(examples: Examples) -> str:
    """A few training images, one of each of the first classes; empty if there are none."""
    if len(examples.shape.inputs) != 3:
        return ""
    _, height, width = examples.shape.inputs
    wide = 2 if width <= 12 else 1  # a character is twice as high as wide
    room = _COLUMNS // (min(width * wide, 38) + 2)
    rows = examples.rows["train"]
    one_of_many = examples.shape.task == "classes"
    labels = examples.targets[rows] if one_of_many else np.arange(len(rows))
    _, first = np.unique(labels, return_index=True)
    chosen = rows[first[:room]]
    drawn = [_draw(image, height, width, wide) for image in _read(examples.inputs, chosen)]
    classes = examples.shape.classes
    names = [classes[examples.targets[row]] for row in chosen] if one_of_many else []
    across = len(drawn[0][0])
    lines = ["  ".join(parts) for parts in zip(*drawn, strict=True)]
    return "\n".join(["  ".join(f"{name[:across]:<{across}}" for name in names), *lines])


def _draw(image: "NDArray[Any]", height: int, width: int, wide: int) -> list[str]:
    """An image as lines of characters, its darkest value blank."""
    grey = image.astype(np.float64).mean(axis=0)
    step = max(1, -(-width // 38))
    down = step if wide == 2 else 2 * step
    tall, across = max(1, height // down), max(1, width // step)
    if height >= down:
        blocks = grey[: tall * down, : across * step].reshape(tall, down, across, step)
        grey = blocks.mean(axis=(1, 3))
    low, high = grey.min(), grey.max()
    shades = _shades()
    level = (grey - low) / (high - low if high > low else 1.0) * (len(shades) - 1)
    return ["".join(shades[round(v)] * wide for v in line) for line in level.tolist()]


def _shades() -> str:
    utf8 = "utf" in (sys.stdout.encoding or "").lower()
    return " \u2591\u2592\u2593\u2588" if utf8 else " .:+*#@"
