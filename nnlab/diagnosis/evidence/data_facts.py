"""What the data look like: scale, constant columns, classes, the same row in two splits."""

from collections.abc import Mapping
from math import prod
from typing import Any

from nnlab.core.contracts import Examples, Split
from nnlab.core.lazy import NDArray, np
from nnlab.diagnosis.evidence.blind_guess import blind_loss, naive_losses
from nnlab.diagnosis.evidence.facts import DataFacts, Survey
from nnlab.diagnosis.evidence.survey.doubles import find_doubles
from nnlab.diagnosis.evidence.survey.source_columns import source_columns, without_change
from nnlab.diagnosis.evidence.survey.survey import batch_purity, survey_data
from nnlab.experiment.experiment import Experiment

_ROWS = 2000
"""So many training rows, at equal distances, show the scale of the inputs."""
_ELEMENTS = 1 << 24
"""At most so many numbers of them: as float64 they need 128 MB."""
_READ = 32
"""At most so many rows of a set that is read from files."""


def data_facts(
    experiment: Experiment,
    examples: Examples,
    *,
    baseline: Mapping[str, float] | None = None,
    doubles: bool = False,
) -> DataFacts:
    """Looks at the data, as the network sees them.

    Args:
        experiment: settled.
        examples: its data.
        baseline: as `nnlab.runs.building.scoring` has it.
        doubles: whether to look for rows that are in two splits, and for such as are far larger
            than the others: that reads all of them.
    """
    shape, counts = experiment.shape, _split_counts(examples)
    same = _same_rows(examples)
    survey = survey_data(examples, same) if doubles and not shape.tokens else None
    seen, raw = _seen(examples)
    spread = seen.std(axis=0)
    # Up to the rounding of float32 of a column far from 0.
    moves = spread > 1e-6 * (np.abs(seen).max(axis=0) + 1e-30)
    table = len(shape.inputs) == 1 and not shape.tokens
    sources = source_columns(shape.columns, raw) if table else []
    names = shape.columns or tuple(str(column) for column in range(seen.shape[1]))
    widest = int(spread.argmax())
    return DataFacts(
        counts=counts.get("train", ()),
        size=1.0 if shape.tokens else float(np.sqrt(np.square(seen).mean())),
        smallest=float(spread[moves].min()) if moves.any() else 0.0,
        largest=float(spread.max()),
        widest=names[widest],
        constant=without_change(sources, _still(examples, ~moves)) if table else (),
        columns=len(sources) or seen.shape[1],
        table=table,
        doubles=find_doubles(examples, same) if doubles else {},
        same_rows=same,
        blind=blind_loss(experiment, examples),
        silent=blind_loss(experiment, examples, silent=True),
        blind_held=blind_loss(experiment, examples, split="validation"),
        all_read=survey is not None,
        baseline=baseline or {},
        split_counts=counts,
        purity=batch_purity(experiment, examples),
        unreachable=_unreachable(experiment, examples),
        naive=naive_losses(experiment, examples),
        survey=survey,
        outliers=_outliers(examples, experiment.config.diagnose.outlying, survey),
    )


def _same_rows(examples: Examples) -> tuple[Split, ...]:
    """The splits that are the rows of train by design."""
    found: list[Split] = []
    for split, rows in examples.rows.items():
        if split != "train" and np.isin(rows, examples.rows["train"]).all():
            found.append(split)
    return tuple(found)


def _seen(examples: Examples) -> "tuple[NDArray[np.float64], NDArray[Any]]":
    """(N, columns) inputs of some training rows after scaling, and the same as stored."""
    rows = examples.rows["train"]
    inputs = examples.inputs
    count = min(_most(examples) if isinstance(inputs, np.ndarray) else _READ, len(rows))
    rows = rows[np.arange(count) * len(rows) // count]
    if isinstance(inputs, np.ndarray):
        raw = inputs[rows]
    else:
        raw = np.stack([inputs.read(int(row)) for row in rows])
    seen = _scaled(raw, examples).reshape(count, -1)
    # Which number a token has says nothing: what the network sees of it is its embedding.
    return np.zeros_like(seen) if examples.shape.tokens else seen, raw.reshape(count, -1)


def _still(examples: Examples, seems: "NDArray[np.bool_]") -> "NDArray[np.bool_]":
    """(columns,) which of those that seem so in some rows are the same in all training rows."""
    inputs, rows = examples.inputs, examples.rows["train"]
    places = np.flatnonzero(seems)
    if not isinstance(inputs, np.ndarray) or not len(places):
        return seems
    found, step = seems.copy(), max(1, _ELEMENTS // len(places))
    first = inputs[rows[0]].ravel()[places]
    for start in range(0, len(rows), step):
        block = inputs[np.ix_(rows[start : start + step], places)]
        found[places] &= (block == first).all(axis=0)
    return found


def _most(examples: Examples) -> int:
    """How many rows are looked at in one go."""
    return max(1, min(_ROWS, _ELEMENTS // prod(examples.shape.inputs)))


def _scaled(inputs: "NDArray[Any]", examples: Examples) -> "NDArray[np.float64]":
    return (inputs.astype(np.float64) - examples.shift) * examples.factor


def _unreachable(experiment: Experiment, examples: Examples) -> float:
    """The share of target numbers beyond the output activation's values, by more than rounding."""
    shape = examples.shape
    if shape.task != "regression" or shape.places or experiment.config.model.handed:
        return 0.0
    targets = examples.targets[examples.rows["train"]].astype(np.float64)
    if (scale := examples.target_scale) is not None:
        targets = (targets - np.array(scale.mean)) / np.array(scale.deviation)
    given = experiment.output_activation.value(np.linspace(-40.0, 40.0, 801))
    low, high = float(given.min()), float(given.max())
    beyond = np.zeros(targets.shape, bool)
    if low > -20.0:  # what goes further at -40 has no bound there
        beyond |= targets < low - 1e-3
    if high < 20.0:
        beyond |= targets > high + 1e-3
    return float(beyond.mean())


def _split_counts(examples: Examples) -> dict[Split, tuple[int, ...]]:
    if examples.shape.task != "classes":
        return {}
    classes = examples.shape.outputs
    return {
        split: tuple(map(int, np.bincount(examples.answers(split), minlength=classes)))
        for split in examples.rows
    }


def _outliers(examples: Examples, limit: float, survey: Survey | None) -> tuple[int, ...]:
    """Training rows that are far too large.

    Their largest number is so many times the median of that, as they are seen; or it does not
    belong to its column, which the scale of the column would hide.
    """
    if survey is None or not isinstance(examples.inputs, np.ndarray):
        return ()
    rows = examples.rows["train"]
    sizes, step = np.empty(len(rows)), _most(examples)
    for start in range(0, len(rows), step):
        seen = np.abs(_scaled(examples.inputs[rows[start : start + step]], examples))
        sizes[start : start + step] = seen.reshape(len(seen), -1).max(axis=1)
    large = rows[sizes > limit * np.median(sizes)].tolist()
    return tuple(sorted({*large, *(row for one in survey.far for row in one.rows)}))
