"""The survey of a data set: what only a look at all of its rows shows."""

import sys
from typing import Any

from nnlab.core.contracts import Examples, Split
from nnlab.core.lazy import NDArray, np
from nnlab.diagnosis.evidence.facts import Survey
from nnlab.diagnosis.evidence.survey.far_values import FarValues, find_far_values
from nnlab.diagnosis.evidence.survey.source_columns import source_columns
from nnlab.diagnosis.evidence.survey.split_shift import find_near_doubles, find_shift
from nnlab.diagnosis.evidence.survey.telling_columns import find_copied_columns, find_telling_column
from nnlab.experiment.experiment import Experiment

_ELEMENTS = 1 << 25
"""At most so many numbers are looked at together: more rows are drawn from."""
_FEWEST = 40
"""Of fewer rows of a split nothing is said."""
_BATCHES = 200


def survey_seconds(examples: Examples) -> float:
    """About how long `survey_data` takes, on one core; what it needs must be imported, too.

    Measured with two other splits on a core of 2.5 GHz: 560 rows of 2 columns 0.6 s, 1,258 rows of
    64 0.9 s, 14,000 rows of 9 1.4 s, 54,000 images of 784 pixels 5.0 s.
    """
    rows, width = len(examples.rows["train"]), int(np.prod(examples.shape.inputs))
    imports = 0.0 if "sklearn.ensemble" in sys.modules else 1.0
    return imports + 0.6 + 5e-5 * min(rows, 15_000) + 8e-8 * rows * width


def survey_data(examples: Examples, same: tuple[Split, ...]) -> Survey | None:
    """Looks at all rows, or at as many as fit; seconds at most.

    Args:
        examples: the data; None is said where they are read from files one by one.
        same: splits that are rows of train by design.
    """
    inputs, train = examples.inputs, examples.rows["train"]
    # Of text and series a row is no example that stands by itself.
    if not isinstance(inputs, np.ndarray) or examples.shape.tokens or examples.shape.places:
        return None
    # Labels that were made wrong on purpose say nothing about the columns.
    targets = examples.targets if examples.clean is None else examples.clean
    rows = _some(train, inputs)
    seen = seen_rows(examples, inputs, rows)
    others: dict[Split, NDArray[np.int64]] = {
        split: _some(mine, inputs)
        for split, mine in examples.rows.items()
        if split != "train" and split not in same and len(mine) >= _FEWEST
    }
    names, shape = _names(examples), examples.shape
    table = len(shape.inputs) == 1
    several = len(rows) >= _FEWEST
    own = examples.own(inputs[rows]) if table else None
    columns = [] if own is None else source_columns(shape.columns, own)
    whole = targets[rows] if targets.ndim == 1 else targets[rows, 0]
    asked = shape.task == "classes" or (shape.task == "regression" and shape.outputs == 1)
    many = _many_values(seen) >= 3
    return Survey(
        far=() if own is None else _in_data(find_far_values(own, names), rows),
        far_targets=_far_targets(examples, rows),
        far_held_targets=_far_held_targets(examples, rows, list(others.values())),
        telling=find_telling_column(columns, own, whole) if own is not None and asked else None,
        copied=() if own is None else tuple(find_copied_columns(columns, own)),
        near={
            split: find_near_doubles(
                seen, seen_rows(examples, inputs, mine), (targets[rows], targets[mine])
            )
            for split, mine in (others.items() if several and many else ())
        },
        shifts={
            split: find_shift(seen, seen_rows(examples, inputs, mine), names if table else ())
            for split, mine in (others.items() if several else ())
        },
    )


def _some(rows: "NDArray[np.int64]", inputs: "NDArray[Any]") -> "NDArray[np.int64]":
    most = max(_FEWEST, _ELEMENTS // max(1, int(np.prod(inputs.shape[1:]))))
    return rows if len(rows) <= most else np.random.default_rng(0).permutation(rows)[:most]


def seen_rows(
    examples: Examples, inputs: "NDArray[Any]", rows: "NDArray[np.int64]"
) -> "NDArray[np.float32]":
    """(N, F) as the network sees them."""
    scaled = (inputs[rows].astype(np.float32) - examples.shift) * examples.factor
    return scaled.reshape(len(rows), -1)


def _names(examples: Examples) -> tuple[str, ...]:
    width = int(np.prod(examples.shape.inputs))
    return examples.shape.columns or tuple(str(place) for place in range(width))


def _many_values(seen: "NDArray[np.floating]") -> int:
    """How many columns have more than ten different values: others are categories, or marks."""
    some = seen[:1000]
    return sum(len(np.unique(some[:, place])) > 10 for place in range(min(64, some.shape[1])))


def _in_data(found: list[FarValues], rows: "NDArray[np.int64]") -> tuple[FarValues, ...]:
    return tuple(one._replace(rows=tuple(int(rows[place]) for place in one.rows)) for one in found)


def _far_targets(examples: Examples, rows: "NDArray[np.int64]") -> tuple[FarValues, ...]:
    if examples.shape.task != "regression":
        return ()
    targets = examples.targets[rows].reshape(len(rows), -1)
    width = targets.shape[1]
    names = ["the target"] if width == 1 else [f"target {place}" for place in range(width)]
    return _in_data(find_far_values(targets, names), rows)


def _far_held_targets(
    examples: Examples, train: "NDArray[np.int64]", held: "list[NDArray[np.int64]]"
) -> tuple[FarValues, ...]:
    """Of the targets that are far among all rows those that are no training rows."""
    known = {int(row) for row in train}
    found = _far_targets(examples, np.concatenate([train, *held]))
    ours = (one._replace(rows=tuple(r for r in one.rows if r not in known)) for one in found)
    return tuple(one for one in ours if one.rows)


def batch_purity(experiment: Experiment, examples: Examples) -> float:
    """How much more the rows of a batch are alike in their target than rows at random.

    Of classes: the chance that two rows of a batch are of one class, from that of any two rows (0)
    to 1. Of numbers: the share of their variance that lies between batches, beyond chance.
    """
    train, size = examples.rows["train"], experiment.batch_size
    whole = len(train) // max(1, size) * size
    told = examples.shape.places or examples.shape.tokens
    if experiment.config.train.sampling != "in_order" or size < 2 or whole < 4 * size or told:
        return 0.0
    batches = examples.targets[train[:whole]].reshape(whole // size, size, -1)[:_BATCHES]
    if examples.shape.task == "classes":
        every = batches.reshape(-1, size)
        counts = np.stack([np.bincount(one, minlength=examples.shape.outputs) for one in every])
        alike = (counts * (counts - 1)).sum() / (len(every) * size * (size - 1))
        total = counts.sum(axis=0)
        chance = (total * (total - 1)).sum() / (total.sum() * (total.sum() - 1.0))
        return float((alike - chance) / max(1e-9, 1.0 - chance))
    values = batches[..., 0].astype(np.float64)
    between = values.mean(axis=1).var()
    return float(max(0.0, between / max(values.var(), 1e-30) - 1.0 / size))
