"""Rows of a split that are training rows as well, and how many agree by chance alone."""

from hashlib import blake2b
from typing import Any

from nnlab.core.contracts import Examples, Split
from nnlab.core.lazy import NDArray, np
from nnlab.diagnosis.evidence.facts import SplitDoubles
from nnlab.diagnosis.evidence.survey.source_columns import source_columns

_ROWS = 20_000
"""At most so many training rows say how often each value occurs."""


def find_doubles(examples: Examples, same: tuple[Split, ...]) -> dict[Split, SplitDoubles]:
    """How the rows of each split agree with training rows, byte by byte.

    Args:
        examples: the data; nothing is found where they are read from files one by one.
        same: splits that are rows of train by design.
    """
    inputs = examples.inputs
    if not isinstance(inputs, np.ndarray):
        return {}
    # Labels that were made wrong on purpose are no other rows.
    targets = examples.targets if examples.clean is None else examples.clean
    known: dict[bytes, set[bytes]] = {}
    for row in examples.rows["train"]:
        known.setdefault(_print(inputs[row]), set()).add(targets[row].tobytes())
    found: dict[Split, SplitDoubles] = {}
    for split, rows in examples.rows.items():
        if split == "train" or split in same:
            continue
        twins = [(row, known.get(_print(inputs[row]))) for row in rows]
        alike = [(row, seen) for row, seen in twins if seen is not None]
        whole = sum(targets[row].tobytes() in seen for row, seen in alike)
        rows_alike = np.array([row for row, _ in alike], np.int64)
        chance = _chance(examples, inputs, rows_alike) if len(alike) else 0.0
        found[split] = SplitDoubles(whole, len(alike) - whole, chance)
    return found


def _print(values: "NDArray[Any]") -> bytes:
    return blake2b(np.ascontiguousarray(values).data, digest_size=16).digest()


def _chance(examples: Examples, inputs: "NDArray[Any]", rows: "NDArray[np.int64]") -> float:
    """How many of the rows would have a double if columns were drawn independently of each other.

    A row occurs among n others with probability 1 - (1 - p)^n; p is the product over its columns of
    the share of training rows with the same value there.
    """
    if len(examples.shape.inputs) != 1:
        return 0.0
    train = examples.rows["train"]
    some = train[:: -(-len(train) // _ROWS)]
    log_p = np.zeros(len(rows))
    for column in source_columns(examples.shape.columns, inputs[some[:1000]]):
        places = np.array(column.inputs)
        values, counts = np.unique(inputs[np.ix_(some, places)], axis=0, return_counts=True)
        share = {
            value.tobytes(): count / len(some) for value, count in zip(values, counts, strict=True)
        }
        mine = inputs[np.ix_(rows, places)]
        log_p += np.log([share.get(value.tobytes(), 0.5 / len(some)) for value in mine])
    return float(-np.expm1(len(train) * np.log1p(-np.minimum(np.exp(log_p), 1.0 - 1e-12))).sum())
