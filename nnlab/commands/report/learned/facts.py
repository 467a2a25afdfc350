"""How a run learned, as typed facts; `record.py` finds them, `section.py` shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, NamedTuple

from nnlab.core.finding import Finding
from nnlab.display.web.html import Markup
from nnlab.display.web.learning import CurveMark, DrawnCurve


class TaskPicture(NamedTuple):
    """A picture of a network's answers.

    Attributes:
        title: what it is.
        about: what one sees in it.
        figure: it itself.
    """

    title: str
    about: str
    figure: Markup


@dataclass(frozen=True, slots=True)
class LearningCurves:
    """One quantity over the epochs, of the splits that were read while the network trained.

    Attributes:
        key: loss, accuracy, ...
        curves: training and validation.
    """

    key: str
    curves: tuple[DrawnCurve, ...]


@dataclass(frozen=True, slots=True)
class Learned:
    """How a run learned.

    Attributes:
        ended: how it ended, in a sentence.
        best: the epoch of the best weights; None where nothing was watched.
        chosen: the tag that chose them, or empty.
        quantities: loss and scores over the epochs.
        learning_rate: over the epochs; None where it was the same throughout.
        layers: from input to output, as far as they have weights.
        gradients: (step, gradient norm of each of the layers), at most some five moments.
        dead: share of units that are 0 on every example, a curve for each layer.
        saturated: share of activations at a bound, a curve for each layer.
        findings: what was found wrong while it trained, causes first.
        picture: what the network makes of the task, as far as that can be drawn.
        doctor: the command that examines it once more.
        again: the command that trains it anew, changes go behind it.
    """

    ended: str
    best: CurveMark | None
    chosen: str
    quantities: tuple[LearningCurves, ...]
    learning_rate: DrawnCurve | None
    layers: tuple[str, ...]
    gradients: tuple[tuple[int, tuple[float, ...]], ...]
    dead: tuple[DrawnCurve, ...]
    saturated: tuple[DrawnCurve, ...]
    findings: tuple[Finding, ...]
    picture: TaskPicture | None
    doctor: str
    again: str

    def plain(self) -> dict[str, Any]:
        """What `--json` says of it; the curves themselves are in metrics.jsonl."""
        return {
            "ended": self.ended,
            "best_epoch": None if self.best is None else self.best.place,
            "chosen_by": self.chosen,
            "findings": [finding.plain() for finding in self.findings],
            "layers": list(self.layers),
            "gradient_norms": [
                {"step": step, "norms": list(norms)} for step, norms in self.gradients
            ],
            "dead_units": _last_values(self.dead),
            "saturated": _last_values(self.saturated),
        }


def _last_values(curves: Sequence[DrawnCurve]) -> dict[str, float | None]:
    return {
        curve.label: curve.values[-1] if isfinite(curve.values[-1]) else None for curve in curves
    }
