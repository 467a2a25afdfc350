"""What each finding claims, held against the run's own numbers by other means than the checks'.

Everything is read anew from metrics.jsonl, with NumPy. To add one: a function named like the
finding, which fails where the numbers contradict it.
"""

import re
from collections.abc import Callable
from pathlib import Path

import claims_of_data
import claims_of_layers
import claims_of_sequences
import claims_of_settings
import numpy as np
from claims_records import Records, number_after

from nnlab.core.finding import Finding


def slope(curve: np.ndarray) -> tuple[float, float]:
    """The fall over the last two thirds by a straight line, and its t-value."""
    part = curve[len(curve) // 3 :, 1]
    x = np.linspace(0.0, 1.0, len(part))
    a, b = np.polyfit(x, part, 1)
    rest = part - (a * x + b)
    error = np.sqrt((rest**2).sum() / (len(part) - 2) / ((x - x.mean()) ** 2).sum())
    return float(-a), float(-a / max(error, 1e-30))


def does_not_fall(records: Records) -> None:
    """By a straight line: less than 5 % in two thirds of the run, or no more than chance."""
    curve = records.curve("loss")
    fall, t = slope(curve)
    assert fall < 0.05 * abs(curve[-1, 1]) or t < 6.0, (fall, t)


def loss_not_decreasing(finding: Finding, records: Records) -> None:
    if finding.worse_than("note"):
        does_not_fall(records)
        losses = records.curve("loss")[:, 1]
        guess = number_after(finding.meaning, "the inputs has")
        assert losses[-len(losses) // 3 :].mean() > 0.9 * guess


def underfitting(finding: Finding, records: Records) -> None:
    does_not_fall(records)
    losses = records.curve("loss")[:, 1]
    assert finding.measured is not None
    assert np.isclose(losses[-(len(losses) // 3) :].mean(), finding.measured, rtol=0.02)
    assert finding.measured > 0.6 * number_after(finding.meaning, "the inputs has")


def learning_rate_too_high(finding: Finding, records: Records) -> None:
    if not finding.worse_than("note"):
        return
    curve = records.curve("loss")
    if len(curve) < 9 or finding.quantity.startswith("how far the weights"):
        thrown = records.values("distance")
        assert not len(thrown) or np.nanmax(thrown) > 1.0 or len(curve) < 9
        return
    start = next(one["loss"] for one in records.lines if one["split"] == "train")
    fall, t = slope(curve)
    smoothly = t > 6.0 and fall > 0.1 * curve[-1, 1] and curve[:, 1].max() < 1.2 * start
    assert not smoothly, (fall, t)


def no_better_than_baseline(finding: Finding, records: Records) -> None:
    key, _, split, *_ = finding.quantity.split()
    base = number_after(finding.meaning, "the inputs has")
    value = records.curve(key, split)[-3:, 1].mean()
    assert finding.measured is not None
    assert np.isclose(value, finding.measured)
    rows = records.rows[split]
    if finding.worse_than("note") and 0.0 < base < 1.0:
        luck = np.sqrt(base * (1.0 - base) / rows)
        assert value - base < 4.0 * luck, (value, base, rows)
    else:
        assert value - base < 0.3


def overfitting(finding: Finding, records: Records) -> None:
    curve, trained = records.curve("loss", "validation"), records.curve("loss")
    low = curve[:, 1].min()
    assert np.isclose(curve[np.argmin(curve[:, 1]), 0], finding.since)
    assert curve[-3:, 1].min() > 1.05 * low
    before = trained[trained[:, 0] <= finding.since][-3:, 1].mean()
    assert trained[-3:, 1].mean() < before
    if finding.worse_than("note"):
        for key in ("accuracy", "r2"):
            score = records.curve(key, "validation")
            if len(score):
                then = score[score[:, 0] <= finding.since][-3:, 1].mean()
                assert score[-3:, 1].mean() - then < 0.2


def among(prefix: str) -> Callable[[Finding, Records], None]:
    def holds(finding: Finding, records: Records) -> None:
        found = records.values(prefix)
        assert finding.measured is not None
        assert np.isclose(found, finding.measured, rtol=1e-4, atol=1e-12).any()

    return holds


def poor_initialization(finding: Finding, records: Records) -> None:
    if finding.quantity.startswith("length of the first weights"):
        lengths = records.per_layer(records.probed[0], "weight_norm")
        assert finding.layer is not None
        assert lengths[finding.layer] == min(lengths.values())
        return
    first = next(one["loss"] for one in records.lines if one["split"] == "train")
    assert np.isclose(number_after(finding.meaning, "begins at"), first, rtol=0.01)
    guess = number_after(finding.meaning, "guess without looking has")
    assert finding.measured is not None
    assert np.isclose(first / guess, finding.measured, rtol=0.02)


def divergence(_: Finding, records: Records) -> None:
    losses = [one.get("loss") for one in records.lines if one["split"] == "train"]
    finite = [loss for loss in losses if loss is not None]
    broken = any(value is None for one in records.lines for value in one.values())
    # Weights of a million are no better, however finite: no reading of theirs may be there.
    status = records.summary["status"]
    assert broken or status == "diverged" or finite[-1] > 1e3 * finite[0]


def tried(finding: Finding, records: Records) -> None:
    """What the run itself had, in the sentence on a trial, is one of its own readings."""
    told = re.search(r"validation (\w+) \S+ and loss \S+ instead of (\S+) and loss (\S+?)[:;,]?$|"
                     r"instead of a run that", finding.tried.partition(": no ")[0])  # fmt: skip
    # An epoch that is too long for a trial is begun again, without the change too.
    if told is None or told[1] is None or "beside the run" in finding.tried:
        return
    score, loss = records.curve(told[1], "validation"), records.curve("loss", "validation")
    assert f"{float(told[2]):.3g}" in {f"{value:.3g}" for value in score[:, 1]}, told[0]
    assert f"{float(told[3]):.3g}" in {f"{value:.3g}" for value in loss[:, 1]}, told[0]


CLAIMS: dict[str, Callable[[Finding, Records], None]] = {
    **claims_of_data.CLAIMS,
    **claims_of_layers.CLAIMS,
    **claims_of_sequences.CLAIMS,
    **claims_of_settings.CLAIMS,
    "dead_units": among("dead_units"),
    "divergence": divergence,
    "learning_rate_too_high": learning_rate_too_high,
    "loss_not_decreasing": loss_not_decreasing,
    "no_better_than_baseline": no_better_than_baseline,
    "overfitting": overfitting,
    "poor_initialization": poor_initialization,
    "saturation": among("saturated"),
    "symmetric_units": among("unit_spread"),
    "underfitting": underfitting,
}


def hold_claims(folder: Path, findings: "list[Finding] | tuple[Finding, ...]") -> list[str]:
    """What the run's numbers contradict, a line each; also a step that the run never made."""
    records, wrong = Records.of(folder), []
    last = max(one["step"] for one in records.lines)
    for finding in findings:
        try:
            assert 0 <= finding.since <= last + 1
            CLAIMS[finding.name](finding, records)
            tried(finding, records)
        except AssertionError as error:
            wrong.append(f"{folder.name}: {finding.line}: {error}")
    return wrong
