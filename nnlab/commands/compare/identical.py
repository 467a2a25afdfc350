"""Whether two runs are the same: their readings value by value, their weights byte by byte."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from nnlab.commands.compare.runs import Side
from nnlab.runs.folder.checkpoint_bytes import MODEL_FILE, verified_contents
from nnlab.runs.folder.pointers import Pointer, pointed_to

COMPARED: tuple[Pointer, ...] = ("init", "best", "last")
TIMES = ("samples_per_second",)
"""Readings that no two runs share."""
_OF_ONE_STEP = ("learning_rate", "grad_norm/")
"""Readings of training that do not depend on when the reading before was taken."""
_PLACE = ("step", "epoch", "split", *TIMES)


@dataclass(frozen=True, slots=True)
class ReadingOfBoth:
    """The first reading in which two runs differ.

    Attributes:
        step: at which both have it.
        split: of the reading.
        key: the first value that differs.
        here: of the reference; None where it was not finite.
        there: of the other run.
        count: how many of the reading's values differ.
    """

    step: int
    split: str
    key: str
    here: float | None
    there: float | None
    count: int


@dataclass(frozen=True, slots=True)
class WeightsOfBoth:
    """A checkpoint of two runs, held against each other.

    Attributes:
        result: `missing` where one of them has none.
        steps: at which the two were saved; empty if one is missing.
        tensors: how many differ, by name, shape, type or a byte.
        of: how many there are in the two together.
        first: the first of them by name.
    """

    result: Literal["equal", "differ", "missing"]
    steps: tuple[int, ...] = ()
    tensors: int = 0
    of: int = 0
    first: str = ""


@dataclass(frozen=True, slots=True)
class Sameness:
    """How far a run agrees with the reference.

    Attributes:
        run: its label.
        shared: readings of a step and split that both have.
        alone: readings that only one of them has.
        first: where they differ first; None if nowhere.
        weights: by checkpoint: init, best, last.
    """

    run: str
    shared: int
    alone: int
    first: ReadingOfBoth | None
    weights: Mapping[str, WeightsOfBoth]

    @property
    def identical(self) -> bool:
        """Whether all that can be held against each other is equal."""
        found = [weights.result for weights in self.weights.values()]
        return self.first is None and not self.alone and set(found) == {"equal"}

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "identical": self.identical}


def find_sameness(reference: Side, other: Side) -> Sameness:
    """Holds a run against the reference.

    Values are float32 in metrics.jsonl: two are equal if they are the same number, or both not
    finite. Times are left out, and means over windows of training that began at different steps.
    """
    here, there = (
        {(int(line["step"]), str(line["split"])): line for line in side.history}
        for side in (reference, other)
    )
    shared = [place for place in here if place in there]
    begun = _windows(here), _windows(there)
    first: ReadingOfBoth | None = None
    for place in sorted(shared, key=_order):
        means = place[1] != "train" or begun[0][place[0]] == begun[1][place[0]]
        first = _differs(place, here[place], there[place], means=means)
        if first is not None:
            break
    weights = {name: _weights(reference.folder, other.folder, name) for name in COMPARED}
    alone = len(here) + len(there) - 2 * len(shared)
    return Sameness(other.label, len(shared), alone, first, weights)


def _order(place: tuple[int, str]) -> tuple[int, bool, str]:
    """By step; training, which comes first, before what is evaluated."""
    return place[0], place[1] != "train", place[1]


def _windows(places: Iterable[tuple[int, str]]) -> dict[int, int]:
    """Where the window of each reading of training began: at the one before it."""
    steps = sorted(step for step, split in places if split == "train")
    return dict(zip(steps, [0, *steps], strict=False))


def _differs(
    place: tuple[int, str], here: Mapping[str, Any], there: Mapping[str, Any], *, means: bool
) -> ReadingOfBoth | None:
    """What differs among the values that both have; without `means`, those of one step."""
    keys = [key for key in here if key not in _PLACE and key in there]
    if not means:
        keys = [key for key in keys if key.startswith(_OF_ONE_STEP)]
    other = [key for key in keys if here[key] != there[key]]
    if not other:
        return None
    other.sort(key=lambda key: key != "learning_rate")  # what is set, before what comes of it
    return ReadingOfBoth(*place, other[0], here[other[0]], there[other[0]], len(other))


def _weights(one: Path, two: Path, pointer: Pointer) -> WeightsOfBoth:
    """The weights that a pointer names in both runs.

    Raises:
        CheckpointError: what it names in one of them is damaged: it says nothing of the weights.
    """
    folders = [_named(run / "checkpoints", pointer) for run in (one, two)]
    if folders[0] is None or folders[1] is None:
        return WeightsOfBoth("missing")
    contents = [verified_contents(f)[MODEL_FILE] for f in folders if f is not None]
    steps = (int(folders[0].name[5:]), int(folders[1].name[5:]))
    if contents[0] == contents[1]:
        return WeightsOfBoth("equal", steps)
    here, there = map(_tensors, contents)
    names = sorted({*here, *there})
    other = [name for name in names if here.get(name) != there.get(name)]
    if not other:  # the same tensors, written in another way
        return WeightsOfBoth("equal", steps)
    return WeightsOfBoth("differ", steps, len(other), len(names), other[0])


def _named(checkpoints: Path, pointer: Pointer) -> Path | None:
    """The folder that a pointer names; None where there is none."""
    name = pointed_to(checkpoints, pointer)
    return checkpoints / name if name is not None and (checkpoints / name).is_dir() else None


def _tensors(content: bytes) -> dict[str, Any]:
    """Name -> type, shape and bytes of each tensor; nothing of a damaged file."""
    from safetensors import SafetensorError, deserialize

    try:
        return {name: dict(tensor) for name, tensor in deserialize(content)}
    except (SafetensorError, ValueError):
        return {}
