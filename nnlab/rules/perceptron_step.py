"""The step of Rosenblatt's perceptron, and what can be proved of its run."""

from collections.abc import Sequence
from math import isfinite, sqrt
from typing import NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnlab.core.contracts import Batch
from nnlab.rules.rule_step import RuleStep
from nnlab.training.step import Conclusion, Parts

_MOST_NUMBERS = 1_000_000
"""Linear programming decides within seconds whether a line separates so many."""

_Floats = NDArray[np.float64]


@final
class PerceptronStep(RuleStep):
    """w + lr (y - p) x, one example after the other: exactly the rule, whatever the batch size.

    Of K units each has its own targets: y = 1 for its class, else 0. A single unit is for the
    second of two classes. Nothing in here waits for the device, so that a mistake is a number that
    the update is multiplied by, and not a branch.
    """

    counted = ("mistakes",)

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        layer = self.network.get_submodule("output")
        assert isinstance(layer, nn.Linear)
        self._weight, self._bias = layer.weight.detach(), layer.bias.detach()
        units = len(self._weight)
        first = 1 if units == 1 else 0
        self._classes = torch.arange(first, first + units, device=self.device)
        # The bound holds from zero weights.
        self._from_zero = not bool(self._weight.any() | self._bias.any())
        zeros = torch.zeros(units, dtype=torch.int64, device=self.device)
        self._window_mistakes, self._epoch, self._total = zeros, zeros.clone(), zeros.clone()
        self._last = zeros - 1

    def learn(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Each example in turn; outputs and losses are those that each met."""
        inputs = batch.inputs.flatten(1)
        wanted = (batch.targets[:, None] == self._classes).to(inputs.dtype)
        outputs = torch.empty_like(wanted)
        errors = torch.empty_like(wanted)
        for row, x in enumerate(inputs):
            outputs[row] = self._weight @ x + self._bias
            errors[row] = wanted[row] - (outputs[row] > 0).to(wanted.dtype)
            change = self.rate * errors[row]
            self._weight.add_(torch.outer(change, x))
            self._bias.add_(change)
        mistakes = errors.abs().sum(dim=0).long()
        for count in (self._window_mistakes, self._epoch, self._total):
            count += mistakes
        return outputs, self.loss(outputs, batch)

    def readings(self) -> dict[str, Tensor]:
        """Mistakes of the window, and in all."""
        window = self._window_mistakes.sum()
        self._window_mistakes.zero_()
        return {"mistakes": window, "mistakes/total": self._total.sum()}

    def memory(self) -> dict[str, Tensor]:
        """Counts of mistakes, (K,) each; last is -1 before the first epoch is over."""
        return {
            "mistakes/window": self._window_mistakes,
            "mistakes/epoch": self._epoch,
            "mistakes/total": self._total,
            "mistakes/last": self._last,
        }

    def end_epoch(self) -> None:
        """Keeps the epoch's mistakes, and begins a new count."""
        self._last.copy_(self._epoch)
        self._epoch.zero_()

    def finished(self) -> str | None:
        """After an epoch without a mistake, no example would change anything any more."""
        return None if bool(self._last.any()) else "an epoch without a mistake"

    def conclude(self, batches: Sequence[Tensor]) -> Conclusion:
        """The mistakes, beside Novikoff's bound; or why they do not end."""
        total, last = int(self._total.sum()), self._last.tolist()
        numbers: dict[str, float] = {"mistakes": total}
        if last[0] < 0:
            return Conclusion((f"{_mistakes(total)}, and no epoch was completed",), numbers)
        numbers["mistakes_in_last_epoch"] = sum(last)
        if len(last) > 1:
            done = sum(count == 0 for count in last)
            text = f"{_mistakes(total)}; {done} of {len(last)} units made none in the last epoch"
            return Conclusion((text,), numbers)
        rows = [self.source.gather(batch) for batch in batches]
        inputs = np.concatenate([_float64(batch.inputs.flatten(1)) for batch in rows])
        signs = np.concatenate([2.0 * (batch.targets.cpu().numpy() == 1) - 1.0 for batch in rows])
        if not sum(last):
            weights = np.append(_float64(self._weight)[0], _float64(self._bias))
            return self._converged(total, novikoff(inputs, signs, weights), numbers)
        return Conclusion((f"{_mistakes(sum(last))} in the last epoch: {_why(inputs, signs)}",
                           f"{_mistakes(total)} in all"), numbers)  # fmt: skip

    def _converged(self, total: int, bound: "Bound", numbers: dict[str, float]) -> Conclusion:
        if not isfinite(bound.mistakes) or self.augment is not None:
            return Conclusion((_mistakes(total),), numbers)
        numbers |= {"radius": bound.radius, "margin": bound.margin, "bound": bound.mistakes}
        formula = f"(R/gamma)^2 = ({bound.radius:.4g} / {bound.margin:.4g})^2"
        text = f"{_mistakes(total)}, at most {formula} = {bound.mistakes:,.1f}"
        if not self._from_zero:
            text = (
                f"{_mistakes(total)}; from zero weights at most {formula} = {bound.mistakes:,.1f}"
            )
        return Conclusion((text, "gamma is the margin of the line that was found"), numbers)


class Bound(NamedTuple):
    """Novikoff's theorem with numbers: at most (radius / margin)^2 mistakes."""

    radius: float
    margin: float

    @property
    def mistakes(self) -> float:
        """The bound; infinite without a margin."""
        return (self.radius / self.margin) ** 2 if self.margin > 0 else float("inf")


def novikoff(inputs: _Floats, signs: _Floats, weights: _Floats) -> Bound:
    """The bound that a separating line proves. Novikoff 1962, "On convergence proofs".

    The bias is the weight of an input that is always 1, in R and gamma too. Of the lines with the
    found direction the one in the middle of the gap is taken: what the rule finds may touch a row.

    Args:
        inputs: (N, d).
        signs: (N,), +1 or -1.
        weights: (d + 1,), the bias last, that put every row on its side.
    """
    sums = inputs @ weights[:-1]
    middle = (sums[signs > 0].min() + sums[signs < 0].max()) / 2
    length = sqrt(weights[:-1] @ weights[:-1] + middle**2)
    margin = (signs * (sums - middle)).min() / length if length else 0.0
    radius = np.sqrt((inputs**2).sum(axis=1).max() + 1.0)
    return Bound(float(radius), float(margin))


def separable(inputs: _Floats, signs: _Floats) -> bool | None:
    """Whether a line has all rows on their sides, by linear programming.

    A solution of signs * (w . x + b) >= 1 is sought; None if that is too large to decide.
    """
    if inputs.size > _MOST_NUMBERS:
        return None
    from scipy.optimize import linprog  # pyright: ignore[reportMissingTypeStubs]

    rows = -signs[:, None] * np.column_stack([inputs, np.ones(len(inputs))])
    columns = rows.shape[1]
    found = linprog(
        np.zeros(columns), A_ub=rows, b_ub=-np.ones(len(rows)), bounds=[(None, None)] * columns
    )
    # 0: solved, 2: infeasible; else it gave up.
    return {0: True, 2: False}.get(int(found.status))


def _why(inputs: _Floats, signs: _Floats) -> str:
    match separable(inputs, signs):
        case False:
            return "no line separates the classes (linear programming finds none), it never ends"
        case True:
            return "a line does separate the classes, and more epochs would find one"
        case None:
            return "too many rows to prove whether a line separates the classes"


def _mistakes(count: int) -> str:
    return f"{count:,} mistake{'' if count == 1 else 's'}"


def _float64(tensor: Tensor) -> _Floats:
    return tensor.detach().cpu().numpy().astype(np.float64)
