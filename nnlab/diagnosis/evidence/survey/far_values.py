"""Values so far off that the scale of their column is theirs: judged by rank, never by deviation.

A value of a million among values of one has a deviation of its own: after `scale: feature` it is at
most sqrt(N) and looks like any other. So distances from the median are ranked. In a tail of index a
(Hill 1975, doi:10.1214/aos/1176343247) the j-th distance is more than g times the next one with
probability g^(-a j) (Renyi's representation); a gap that this does not explain is none of the tail.
"""

from collections.abc import Sequence
from typing import NamedTuple

from nnlab.core.lazy import NDArray, np

_CHANCE = 1e-3
"""How often all columns of a table together may give one, where there is none."""
_SHRINKS = 3.0
"""By so much the deviation of the column falls without these values: else they do no harm."""
_MOST, _TAIL, _FEWEST = 0.01, 0.05, 40
"""Shares of the rows that are far at most, and that show the tail; and rows to judge by."""


class FarValues(NamedTuple):
    """What is far off in one column.

    Attributes:
        column: its name.
        rows: places among the values, the farthest first.
        value: of the farthest.
        low: what one of 20 values is below, and
        median: one of two, and
        high: what one of 20 values is above.
    """

    column: str
    rows: tuple[int, ...]
    value: float
    low: float
    median: float
    high: float


def find_far_values(values: "NDArray[np.floating]", names: Sequence[str]) -> list[FarValues]:
    """The columns with values that do not belong to them, and which these are.

    Args:
        values: (N, F), not scaled.
        names: (F,) of the columns.
    """
    count, columns = values.shape
    if count < _FEWEST:
        return []
    found: list[FarValues] = []
    for place in range(columns):
        column = values[:, place].astype(np.float64)
        if not np.isfinite(column).all():
            continue
        if rows := _far(column, _CHANCE / columns):
            low, middle, high = np.quantile(column, (0.05, 0.5, 0.95)).tolist()
            far = float(column[rows[0]])
            found.append(FarValues(names[place], rows, far, low, middle, high))
    return found


def _far(column: "NDArray[np.float64]", chance: float) -> tuple[int, ...]:
    distance = np.abs(column - np.median(column))
    most, tail = max(1, int(_MOST * len(column))), max(20, int(_TAIL * len(column)))
    part = np.argpartition(-distance, most + tail)[: most + tail + 1]
    order = part[np.argsort(-distance[part], kind="stable")]
    ranked = distance[order]
    if ranked[-1] <= 0.0:  # marks: most values are one and the same
        return ()
    best, count = chance / most, 0
    logs = np.log(ranked)
    for j in range(1, most + 1):
        # Of the tail behind the gap alone, as if it were all there is.
        behind = logs[j : j + tail]
        index = tail / max(float((behind - logs[j + tail]).sum()), 1e-12)
        probability = float(np.exp(-index * j * (logs[j - 1] - logs[j])))
        if probability < best:
            best, count = probability, j
    if not count:
        return ()
    rest = np.delete(column, order[:count])
    harm = column.std() > _SHRINKS * rest.std()
    return tuple(map(int, order[:count])) if harm else ()
