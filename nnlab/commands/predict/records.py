"""What is said of one example: a record, the same for a table, JSON lines and csv."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nnlab.commands.predict.expected_inputs import Piece, TargetColumn, Wanted

if TYPE_CHECKING:
    from nnlab.runs.finished.predict import Prediction

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """What is to be told beside the answer itself.

    Attributes:
        proba: the probability of every class or label.
        top: so many of the most probable, 0 for none.
    """

    proba: bool = False
    top: int = 0


def prediction_records(
    piece: Piece, found: "Prediction", wanted: Wanted, asked: PredictOptions, *, places: bool = True
) -> Iterator[Record]:
    """A record for each example of a piece.

    Args:
        piece: the examples.
        found: what the network says of them.
        wanted: the run's data.
        asked: what else to tell.
        places: whether to say the row's number (an image has none).
    """
    for index, (file, row) in enumerate(piece.places):
        target = piece.targets[index] if piece.targets else None
        start: Record = {"file": str(file)} | ({"row": row} if places else {})
        yield start | _answer(index, found, wanted, asked) | _compared(index, target, found, wanted)


def _answer(index: int, found: "Prediction", wanted: Wanted, asked: PredictOptions) -> Record:
    if wanted.task == "regression":
        values = found.outputs[index].tolist()
        if len(values) == 1:
            return {"value": values[0]}
        return {"values": dict(zip(names_of(wanted, len(values)), values, strict=True))}
    shares = None
    if found.probabilities is not None:
        shares = dict(zip(found.classes, found.probabilities[index].tolist(), strict=True))
    return _labels(index, found, shares) | _more(shares, asked)


def _labels(index: int, found: "Prediction", shares: Mapping[str, float] | None) -> Record:
    """The class with its probability; of labels all that the network sees."""
    if found.labels:
        label = found.labels[index]
        return {"label": label} | ({} if shares is None else {"probability": shares[label]})
    seen = [name for name, x in zip(found.classes, found.outputs[index], strict=True) if x > 0]
    return {"labels": {name: None if shares is None else shares[name] for name in seen}}


def _more(shares: Mapping[str, float] | None, asked: PredictOptions) -> Record:
    more: Record = {}
    if shares is not None and asked.top:
        best = sorted(shares.items(), key=lambda pair: -pair[1])[: asked.top]
        more["top"] = [{"label": name, "probability": share} for name, share in best]
    if shares is not None and asked.proba:
        more["probabilities"] = dict(shares)
    return more


def names_of(wanted: Wanted, count: int) -> tuple[str, ...]:
    """What the numbers of a regression are called."""
    if len(wanted.targets) == count:
        return wanted.targets
    return tuple(f"y{number + 1}" for number in range(count))


def _compared(index: int, target: TargetColumn, found: "Prediction", wanted: Wanted) -> Record:
    """What the file says itself, and whether the network agrees."""
    if target is None:
        return {}
    if isinstance(target, str):
        return {"target": target, "right": found.labels[index] == target}
    if wanted.task == "labels":
        marked = [name for name, mark in zip(found.classes, target, strict=True) if mark > 0.5]
        seen = [name for name, x in zip(found.classes, found.outputs[index], strict=True) if x > 0]
        return {"target": marked, "right": marked == seen}
    if len(target) == 1:
        return {"target": target[0], "error": float(found.outputs[index][0]) - target[0]}
    return {"target": dict(zip(names_of(wanted, len(target)), target, strict=True))}


class Tally:
    """How well the rows that have a target were predicted.

    Attributes:
        rows: all.
        compared: those with a target.
    """

    def __init__(self, wanted: Wanted) -> None:
        self.rows = 0
        self.compared = 0
        self._wanted = wanted
        self._sum = 0.0

    def add(self, piece: Piece, found: "Prediction") -> None:
        """Counts the rows of a piece."""
        self.rows += len(piece.places)
        for index, target in enumerate(piece.targets):
            if target is None:
                continue
            self.compared += 1
            if isinstance(target, str):
                self._sum += found.labels[index] == target
                continue
            pairs = list(zip(found.outputs[index].tolist(), target, strict=True))
            if self._wanted.task == "labels":
                self._sum += sum((x > 0) == (mark > 0.5) for x, mark in pairs) / len(pairs)
            else:
                self._sum += sum(abs(x - y) for x, y in pairs) / len(pairs)

    @property
    def said(self) -> str:
        """The result in a line; empty where nothing could be compared."""
        if not self.compared:
            return ""
        mean = self._sum / self.compared
        some = (
            "" if self.compared == self.rows else f" ({self.rows - self.compared} without target)"
        )
        if self._wanted.task == "classes":
            right = f"{self._sum:.0f} of {self.compared} right"
            return f"accuracy {mean:#.4g}: {right}{some}"
        name = "accuracy, the mean over labels" if self._wanted.task == "labels" else "mae"
        return f"{name} {mean:#.4g} on {self.compared} rows{some}"
