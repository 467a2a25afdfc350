"""The readings of a run so far, thinned out where they are many, and what they say of learning."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from statistics import fmean
from typing import NamedTuple, final

from nnlab.core.contracts import Split
from nnlab.diagnosis.evidence.facts import Facts, LayerFacts

_MOST = 400
"""So many readings of a split are kept."""
_FIRST, _LAST = 20, 200
FEWEST = 30
"""After fewer updates than this nobody can say whether a network learns."""

Values = Mapping[str, float | None]


class HistoryPoint(NamedTuple):
    """One reading; what is not finite is None."""

    step: int
    values: Values


@final
class History:
    """The readings of a run, oldest first.

    Attributes:
        points: by split.
        close: those of train that looked into the layers.
        diverged: whether the run was stopped because its numbers went off.
        ended: whether it came to its end.
    """

    def __init__(self) -> None:
        self.diverged = self.ended = False
        self.points: dict[Split, list[HistoryPoint]] = {"train": [], "validation": []}
        self.close: list[HistoryPoint] = []
        # The same curve is asked for by many rules between two readings.
        self._curves: dict[tuple[str, Split], list[tuple[int, float]]] = {}

    def add(self, step: int, split: Split, values: Mapping[str, float | None]) -> None:
        """Takes a reading."""
        finite = {k: v if v is not None and isfinite(v) else None for k, v in values.items()}
        point = HistoryPoint(step, finite)
        self._curves.clear()
        points = self.points.setdefault(split, [])
        points.append(point)
        _thin(points)
        if split == "train" and any(key.startswith("weight_norm/") for key in finite):
            self.close.append(point)
            _thin(self.close)

    @property
    def train(self) -> Sequence[HistoryPoint]:
        """The readings of training."""
        return self.points["train"]

    @property
    def validation(self) -> Sequence[HistoryPoint]:
        """The readings of validation."""
        return self.points["validation"]

    @property
    def step(self) -> int:
        """The newest of training."""
        return self.train[-1].step if self.train else 0

    def curve(self, key: str, split: Split = "train") -> Sequence[tuple[int, float]]:
        """(step, value) of one key, as far as it is finite; without the reading at step 0."""
        if (key, split) not in self._curves:
            found = ((p.step, p.values.get(key)) for p in self.points[split])
            self._curves[key, split] = [(s, v) for s, v in found if s and v is not None]
        return self._curves[key, split]


def _thin(points: list[HistoryPoint]) -> None:
    """Drops every other reading of the middle, where there are too many."""
    if len(points) > _MOST:
        del points[_FIRST:-_LAST:2]


def of_layers(
    point: HistoryPoint, prefix: str, layers: Sequence[LayerFacts]
) -> Iterator[tuple[LayerFacts, float]]:
    """A number of each layer that has it and where it is finite: of its weight or of the layer."""
    for layer in layers:
        value = point.values.get(f"{prefix}/{layer.weight}")
        if value is None:
            value = point.values.get(f"{prefix}/{layer.key}")
        if value is not None:
            yield layer, value


def since_step(points: Sequence[HistoryPoint], holds: Callable[[HistoryPoint], bool]) -> int:
    """From which step on it has held at every reading up to the newest."""
    step = points[-1].step
    for point in reversed(points):
        if not holds(point):
            break
        step = point.step
    return step


def held_at_readings(
    points: Sequence[HistoryPoint], holds: Callable[[HistoryPoint], bool], *, times: int = 2
) -> bool:
    """Whether it held at so many readings, up to the newest."""
    return len(points) >= times and all(holds(point) for point in points[-times:])


def loss_of_blind_guess(history: History, facts: Facts) -> float | None:
    """The loss of a guess that never looks at the inputs; where unknown, that of the first weights.

    None where there is none above 0.
    """
    known = facts.data.blind if facts.data is not None else None
    if known is None and history.train:
        known = history.train[0].values.get("loss")
    return known if known is not None and known > 0.0 else None


def recent_loss(history: History) -> float | None:
    """The mean training loss of the last tenth of the readings, of two at least."""
    losses = history.curve("loss")
    count = max(2, len(losses) // 10)
    return fmean(value for _, value in losses[-count:]) if len(losses) >= count else None


def share_of_loss_gone(history: History, facts: Facts) -> float | None:
    """How much of the loss of a blind guess is gone: 0 nothing is learned, 1 all is.

    Negative where the network is worse than the guess; None as long as there is nothing to say.
    """
    start, now = loss_of_blind_guess(history, facts), recent_loss(history)
    return None if start is None or now is None else 1.0 - now / start


def much_is_learned(history: History, facts: Facts) -> bool:
    """Whether so much is learned that a symptom in the layers does no great harm."""
    share = share_of_loss_gone(history, facts)
    return share is not None and share >= facts.limits.learned


def loss_still_falls(history: History, facts: Facts) -> bool:
    """Whether the training loss still falls: from the second third of the readings to the last.

    By more than a fiftieth of a blind guess's loss; what moves less has come to rest.
    """
    start, losses = (
        loss_of_blind_guess(history, facts),
        [value for _, value in history.curve("loss")],
    )
    third = len(losses) // 3
    if start is None or not third:
        return True
    return fmean(losses[-2 * third : -third]) - fmean(losses[-third:]) > 0.02 * start


def costs_something(history: History, facts: Facts) -> bool:
    """Whether a mild symptom has cost something: the run is over, little is learned, all rests.

    Before the end nobody knows: many runs rest on a plateau for half of their time, and then learn
    (Saxe et al. 2014, arXiv:1312.6120).
    """
    return (
        history.ended
        and not much_is_learned(history, facts)
        and not loss_still_falls(history, facts)
    )


def should_have_begun(history: History, facts: Facts) -> bool:
    """Whether learning should have begun by now."""
    few = history.step < FEWEST or len(history.train) <= 3
    return not few and facts.share(history.step) >= facts.limits.patience
