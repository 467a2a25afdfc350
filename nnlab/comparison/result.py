"""The numbers of a comparison: what was read, means and intervals over seeds, what was expected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, isnan, nan, sqrt
from pathlib import Path
from typing import Any, NamedTuple

from nnlab.comparison.comparison import Comparison, same_tag
from nnlab.config.variants import STATUSES, Expectation, parse_interval
from nnlab.runs.folder.summary import Summary
from nnlab.training.probes.readings import tag_of

_CONFIDENCE = 0.95
_FORMAT = 1
MISSED = 8
"""The exit code of an expectation that was missed."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One quantity of one run over its steps.

    Attributes:
        steps: of the readings, ascending.
        epochs: of the readings, ascending.
        values: NaN where one was not finite.
    """

    steps: tuple[int, ...]
    epochs: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class MeasuredQuantity:
    """A run of a comparison.

    Attributes:
        name: the member's.
        variant: it belongs to.
        seed: its seed; in words where each purpose has its own.
        summary: how it ended.
        curves: by TensorBoard's tag.
        test: loss and scores of the best checkpoint, where an expectation asks for them.
    """

    name: str
    variant: str
    seed: int | str
    summary: Summary
    curves: Mapping[str, Curve]
    test: Mapping[str, float]

    def value(self, tag: str, moment: str) -> float:
        """One number: at the first or last reading, at the best checkpoint, lowest or highest.

        NaN where it was not read or not finite.
        """
        if tag.endswith("/test"):
            return self.test.get(tag, nan)
        found = next((curve for name, curve in self.curves.items() if same_tag(name, tag)), None)
        if found is None:
            return nan
        if moment == "best":
            step = (self.summary.best or {}).get("step", found.steps[-1])
            # What was not read at that very step, as by a probe, counts as it was before.
            near = [i for i, s in enumerate(found.steps) if s <= step]
            return found.values[near[-1]] if near else nan
        if moment in ("first", "last"):
            return found.values[0 if moment == "first" else -1]
        finite = [value for value in found.values if isfinite(value)]
        return (min if moment == "lowest" else max)(finite, default=nan)


def curves_of(history: Sequence[Mapping[str, Any]]) -> dict[str, Curve]:
    """The curves of a metrics.jsonl, by TensorBoard's tag."""
    points: dict[str, list[tuple[int, float, float]]] = {}
    for line in history:
        for key, value in line.items():
            if key not in ("step", "epoch", "split"):
                number = nan if value is None else float(value)
                points.setdefault(tag_of(key, line["split"]), []).append(
                    (line["step"], line["epoch"], number)
                )
    return {
        tag: Curve(*(tuple(column) for column in zip(*rows, strict=True)))  # pyright: ignore[reportArgumentType]
        for tag, rows in points.items()
    }


class Estimate(NamedTuple):
    """A mean over seeds with its confidence interval."""

    mean: float
    half: float
    """Half the width of the 95 % interval; NaN for one seed."""


def estimate_mean(values: Sequence[float]) -> Estimate:
    """Mean and Student's t interval: mean +- t(n - 1) * s / sqrt(n). Gosset 1908."""
    count = len(values)
    if not count:
        return Estimate(nan, nan)
    mean = sum(values) / count
    if count == 1:
        return Estimate(mean, nan)
    from scipy.special import stdtrit

    spread = sqrt(sum((value - mean) ** 2 for value in values) / (count - 1))
    quantile = float(stdtrit(count - 1, (1 + _CONFIDENCE) / 2))
    return Estimate(mean, quantile * spread / sqrt(count))


def mean_with_interval(value: Estimate) -> str:
    """A mean with its interval, as it is printed."""
    if isnan(value.mean):
        return "not finite"
    return f"{value.mean:#.4g}" + (f" +- {value.half:.2g}" if isfinite(value.half) else "")


def paired_by_seed(
    a: Sequence[MeasuredQuantity], b: Sequence[MeasuredQuantity], tag: str, moment: str = "last"
) -> Estimate:
    """A - b, as a rule at the last reading, seed by seed: what the seeds share cancels."""
    other = {run.seed: run.value(tag, moment) for run in b}
    pairs = [run.value(tag, moment) - other[run.seed] for run in a if run.seed in other]
    return estimate_mean(pairs)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an expectation.

    Attributes:
        expectation: the line of the config.
        value: the number, or the statuses in words.
        holds: whether it is inside the bound.
    """

    expectation: Expectation
    value: float | str
    holds: bool

    @property
    def line(self) -> str:
        """As it is printed."""
        line = self.expectation
        found = f"{self.value:#.4g}" if isinstance(self.value, float) else self.value
        word = "holds " if self.holds else "MISSED"
        return f"{word} {line.sides}: {line.quantity} {line.bound}, found {found}"

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        line, value = self.expectation, self.value
        finite = value if isinstance(value, str) or isfinite(value) else None
        return {
            "of": line.sides,
            "quantity": line.quantity,
            "bound": line.bound,
            "value": finite,
            "holds": self.holds,
        }


def judge_expectations(
    comparison: Comparison, runs: Sequence[MeasuredQuantity]
) -> tuple[Verdict, ...]:
    """Holds every expectation against the runs."""
    return tuple(_verdict(comparison, line, runs) for line in comparison.expectations)


def _verdict(
    comparison: Comparison, line: Expectation, runs: Sequence[MeasuredQuantity]
) -> Verdict:
    def of(side: str) -> list[MeasuredQuantity]:
        names = {member.name for member in comparison.of(side)}
        return [run for run in runs if run.name in names]

    if line.bound in STATUSES:
        found = {run.summary.status for run in of(line.left)}
        return Verdict(line, ", ".join(sorted(found)), found == {line.bound})
    left = [run.value(line.tag, line.moment) for run in of(line.left)]
    value = estimate_mean(left).mean
    if line.relation:
        right = estimate_mean([run.value(line.tag, line.moment) for run in of(line.right)]).mean
        value = value - right if line.relation == "minus" else _ratio(value, right)
    return Verdict(line, value, parse_interval(line.bound).holds(value))


def _ratio(above: float, below: float) -> float:
    if below:
        return above / below
    return inf if above > 0 else nan


@dataclass(frozen=True, slots=True)
class ComparisonResult:
    """What a finished comparison has to show.

    Attributes:
        run: the comparison's folder.
        comparison: what was asked for.
        status: running, completed, interrupted or failed.
        runs: one for each member that was trained.
        verdicts: one for each expectation.
    """

    run: Path
    comparison: Comparison
    status: str
    runs: tuple[MeasuredQuantity, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def ended(self) -> tuple[MeasuredQuantity, ...]:
        """The runs that no signal cut short: those whose last readings can be averaged."""
        return tuple(run for run in self.runs if run.summary.status != "interrupted")

    @property
    def exit_code(self) -> int:
        """Of `nnlab train`: 8 for a missed expectation, else the worst of a run.

        A run whose status was expected counts by its verdict alone, but for a signal.
        """
        expected = {
            member.name
            for verdict in self.verdicts
            if verdict.expectation.tag == "status"
            for member in self.comparison.of(verdict.expectation.left)
        }
        codes = [
            run.summary.exit_code
            for run in self.runs
            if run.name not in expected or run.summary.signal
        ]
        stopped = [code for code in codes if code > 128]
        if stopped:
            return stopped[0]
        missed = not all(verdict.holds for verdict in self.verdicts)
        return MISSED if missed else max(codes, default=0)

    def plain(self) -> dict[str, Any]:
        """The content of group.json: a member that has not begun has no summary in it."""
        ended = {run.name: run.summary for run in self.runs}
        return {
            "format": _FORMAT,
            "name": self.comparison.name,
            "status": self.status,
            "variants": list(self.comparison.config.names),
            "members": {
                member.name: {
                    "variant": member.variant,
                    "seed": member.seed,
                    **(ended[member.name].plain() if member.name in ended else {}),
                }
                for member in self.comparison.members
            },
            "expect": [verdict.plain() for verdict in self.verdicts],
        }
