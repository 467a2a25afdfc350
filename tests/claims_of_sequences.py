"""Claims of networks that see sequences: through time, along a window, in attention."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from claims_of_layers import near_any
from claims_records import Records, number_after

from nnlab.core.finding import Finding


def through_time(finding: Finding, records: Records) -> None:
    near_any(finding.measured, records.values("time_gradient").tolist())
    steps = number_after(finding.meaning, "back through")
    assert steps == records.examples.shape.inputs[0]


def vanishing_through_time(finding: Finding, records: Records) -> None:
    through_time(finding, records)
    assert finding.measured is not None
    assert finding.measured < 0.1


def exploding_through_time(finding: Finding, records: Records) -> None:
    through_time(finding, records)
    assert finding.measured is not None
    assert finding.measured > 10.0


def naive_forecast(finding: Finding, records: Records) -> None:
    """The network is no better than what repeats a value of the past."""
    losses = records.curve("loss", "validation")[:, 1]
    assert finding.measured is not None
    assert losses.min() <= 1.001 * finding.measured <= 1.002 * losses.max()
    assert finding.measured > 0.8 * number_after(finding.quantity, "as a forecast:")


def state_not_carried(finding: Finding, records: Records) -> None:
    third, last = (number_after(finding.meaning, words) for words in ("to its end:", "quarter,"))
    assert last < third
    assert finding.measured is not None
    assert finding.measured > 0.0
    assert not records.config["train"].get("carry")


def repeats_itself(finding: Finding, records: Records) -> None:
    """Both counts are at most as many as there are runs."""
    tokens = number_after(finding.meaning, "")
    runs = number_after(finding.meaning, "as many runs of 6 as")
    held = number_after(finding.meaning, "goes on there")
    assert finding.measured == pytest.approx(runs / held, abs=0.6 / held)
    assert 1 <= runs < held / 2
    assert held <= tokens
    assert records.examples.shape.tokens


def attention_collapse(finding: Finding, records: Records) -> None:
    """Entropies of heads, at most ln of the places that they can look at."""
    found = records.values("attention_entropy")
    places = records.examples.shape.inputs[0]
    assert finding.measured is not None
    assert found.min() <= finding.measured * np.log(max(2, places)) + 1e-6
    assert finding.measured < 0.5


def post_norm_without_warmup(finding: Finding, records: Records) -> None:
    rates = records.curve("learning_rate")[:, 1]
    assert rates[0] > 0.9 * rates.max() or records.summary["status"] == "diverged"
    assert finding.measured is None or finding.measured < 1.0


def context_unused(finding: Finding, records: Records) -> None:
    found = re.search(r"first (\d+) places of a window of (\d+)", finding.meaning)
    assert found is not None
    assert int(found[1]) == finding.measured
    assert int(found[1]) <= int(found[2]) / 8
    assert int(found[2]) == records.examples.shape.inputs[0]


CLAIMS: dict[str, Callable[[Finding, Records], None]] = {
    "attention_collapse": attention_collapse,
    "context_unused": context_unused,
    "exploding_through_time": exploding_through_time,
    "naive_forecast": naive_forecast,
    "post_norm_without_warmup": post_norm_without_warmup,
    "repeats_itself": repeats_itself,
    "state_not_carried": state_not_carried,
    "vanishing_through_time": vanishing_through_time,
}
