"""The columns of a table as its file has them: one of categories is several inputs."""

from collections.abc import Sequence
from typing import NamedTuple

from nnlab.core.lazy import NDArray, np


class SourceColumn(NamedTuple):
    """A column as `data.columns` knows it.

    Attributes:
        name: in the file; of data without names the number of the column.
        inputs: places of its inputs: one, or one for each category.
    """

    name: str
    inputs: tuple[int, ...]


def source_columns(names: Sequence[str], inputs: "NDArray[np.floating]") -> list[SourceColumn]:
    """The columns behind the inputs, in their order.

    A category is called color=red and is 0 or 1; an equals sign in the name of a column of numbers
    means nothing.

    Args:
        names: (F,) of the inputs; empty where they have none.
        inputs: (N, F) of some rows, as stored.
    """
    found: dict[str, list[int]] = {}
    for place in range(inputs.shape[1]):
        name = names[place] if names else str(place)
        source, sign, _ = name.partition("=")
        marks = bool(sign) and bool(np.isin(inputs[:, place], (0.0, 1.0)).all())
        found.setdefault(source if marks else name, []).append(place)
    return [SourceColumn(name, tuple(places)) for name, places in found.items()]


def without_change(columns: Sequence[SourceColumn], still: "NDArray[np.bool_]") -> tuple[str, ...]:
    """Names of the columns of which no input changes.

    Args:
        columns: of the table.
        still: (F,) which inputs are the same in all rows.
    """
    return tuple(one.name for one in columns if still[list(one.inputs)].all())
