"""The readings of a run so far, thinned out where they are many."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import NamedTuple, final

from nnlab.core.contracts import Split

_MOST = 400
"""So many readings of a split are kept."""
_FIRST, _LAST = 20, 200

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
        probed: those of train that have a full probe of the layers.
        diverged: whether the run was stopped because its numbers went off.
        ended: whether it came to its end.
        status: how it ended, as summary.json has it; empty until then.
    """

    def __init__(self) -> None:
        self.diverged = self.ended = False
        self.status = ""
        self.points: dict[Split, list[HistoryPoint]] = {"train": [], "validation": []}
        self.probed: list[HistoryPoint] = []
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
            self.probed.append(point)
            _thin(self.probed)

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
