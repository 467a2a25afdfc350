"""Where rows lie whose labels contradict networks: drawn here, with answers made up."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nnlab.config.diagnose import DiagnoseConfig
from nnlab.core.contracts import DataShape, Examples
from nnlab.diagnosis.checks.label_noise import suspect_labels
from nnlab.diagnosis.evidence.facts import ExampleRecord, Unseen
from nnlab.diagnosis.evidence.label_places import special_place

Draw = np.random.Generator
COLUMNS = 6


def seen_by(inputs: Any, **fields: Any) -> Examples:
    rows = np.arange(len(inputs))
    return Examples(
        inputs.astype(np.float32),
        np.zeros(len(rows), np.int64),
        {"train": rows},
        replace(DataShape((COLUMNS,), "classes", 2, ("a", "b"), {"train": len(rows)}), **fields),
        np.zeros(1, np.float32),
        np.ones(1, np.float32),
        "",
    )


def asked(odds: Any, labels: Any) -> Unseen:
    """What networks say of rows that have these log odds of class 1."""
    margins = np.where(labels == 1, odds, -odds).astype(np.float32)
    return Unseen(
        losses=np.log1p(np.exp(-margins)),
        margins=margins,
        sure=np.abs(margins),
        predicted=(odds > 0).astype(np.int32)[None],
        held=None,
        held_sure=None,
    )


def clouds(draw: Draw, rows: int = 900) -> tuple[Any, Any, Any]:
    """Two clouds whose classes overlap: inputs, log odds, labels."""
    labels = draw.integers(0, 2, rows)
    inputs = draw.normal(size=(rows, COLUMNS))
    inputs[:, 0] += 2.5 * labels
    return inputs, 2.5 * (inputs[:, 0] - 1.25), labels


def made_wrong(draw: Draw, labels: Any, share: float) -> Any:
    return np.where(draw.random(len(labels)) < share, 1 - labels, labels)


def place_of(inputs: Any, odds: Any, labels: Any) -> float | None:
    return special_place(seen_by(inputs), np.arange(len(inputs)), asked(odds, labels))


def rare_group(draw: Draw) -> tuple[Any, Any, Any]:
    """A twelfth of class 1 lies behind class 0, and the networks have not learned that."""
    inputs, odds, labels = clouds(draw)
    group = np.flatnonzero(labels == 1)[::12]
    inputs[group, 0] = -2.0 + 0.3 * draw.normal(size=len(group))
    inputs[group, 1] = 2.0 + 0.3 * draw.normal(size=len(group))
    odds[group] = 2.5 * (inputs[group, 0] - 1.25)
    return inputs, odds, labels


def long_tail(draw: Draw) -> tuple[Any, Any, Any]:
    """Rows far out are of either class, and the networks are as sure of them as of any."""
    inputs, odds, labels = clouds(draw)
    far = np.arange(0, len(labels), 15)
    inputs[far, 1:] *= 4.0
    odds[far] = np.sign(odds[far]) * 6.0
    return inputs, odds, np.where(np.isin(np.arange(len(labels)), far), labels ^ 1, labels)


@pytest.mark.parametrize("share", [0.08, 0.25])
def test_labels_wrong_at_random_have_no_place(share: float) -> None:
    draw = np.random.default_rng(1)
    found: list[float] = []
    for _ in range(100):
        inputs, odds, labels = clouds(draw)
        place = place_of(inputs, odds, made_wrong(draw, labels, share))
        assert place is not None
        found.append(place)
    # The larger of two N(0, 1) is 0.56 on average, and above 2 in 5 of 100.
    assert np.mean(found) == pytest.approx(0.56, abs=0.35)
    assert np.mean(np.array(found) > 2.0) <= 0.11


@pytest.mark.parametrize("source", [rare_group, long_tail])
def test_right_labels_that_contradict_surely_have_a_place(source: Any) -> None:
    draw = np.random.default_rng(2)
    places = [place_of(*source(draw)) for _ in range(20)]
    assert sum(place is not None and place > 2.0 for place in places) >= 18


def test_nothing_is_said_where_neighbours_say_nothing() -> None:
    draw = np.random.default_rng(3)
    inputs, odds, labels = clouds(draw)
    wrong = made_wrong(draw, labels, 0.1)
    blurred = np.hstack([inputs, 30.0 * draw.normal(size=(len(inputs), 20))])
    assert place_of(inputs, odds, wrong) is not None
    assert place_of(blurred, odds, wrong) is None


def test_nothing_is_said_of_few_rows_nor_of_missing_values_nor_of_sequences() -> None:
    draw = np.random.default_rng(4)
    inputs, odds, labels = clouds(draw)
    few, wrong = labels.copy(), made_wrong(draw, labels, 0.1)
    few[np.argsort(-np.abs(odds))[:9]] ^= 1
    assert place_of(inputs[:60], odds[:60], few[:60]) is None
    gaps = inputs.copy()
    gaps[7, 2] = np.nan
    assert place_of(gaps, odds, wrong) is None
    series = seen_by(inputs, places=(7,))
    assert special_place(series, np.arange(len(inputs)), asked(odds, wrong)) is None


def said(unseen: Unseen, labels: Any, place: float | None) -> str:
    """What says that labels are wrong; empty for nothing."""
    kept = ExampleRecord(
        rows=np.arange(len(labels)),
        labels=labels,
        steps=np.array([100]),
        losses=unseen.losses[None],
        margins=unseen.margins[None],
        predicted=unseen.predicted,
    )
    asked_of = replace(unseen, special_place=place)
    return suspect_labels(kept, 100, DiagnoseConfig(), asked_of).evidence


def test_a_few_wrong_labels_count_where_they_have_no_place() -> None:
    """A twelfth of the labels is wrong: less than what is a warning wherever the rows lie."""
    draw = np.random.default_rng(5)
    _, odds, labels = clouds(draw)
    labels = made_wrong(draw, labels, 0.08)
    unseen = asked(odds, labels)
    assert "these rows lie anywhere" in said(unseen, labels, 0.5)
    assert said(unseen, labels, 2.5) == ""
    assert said(unseen, labels, None) == ""


def test_validation_tells_of_a_class_that_is_mostly_wrong() -> None:
    """A rare class whose rows are mostly others' by now is not called unlearned for that."""
    draw = np.random.default_rng(6)
    labels = (draw.random(1200) < 0.1).astype(np.int64)
    odds = np.where(labels == 1, 3.0, -3.0) + draw.normal(size=1200)
    wrong = made_wrong(draw, labels, 0.3)
    unseen = asked(odds[:800], wrong[:800])
    lost = unseen.margins[wrong[:800] == 1] < 0.0
    assert lost.mean() > 0.7
    right = np.where(labels == 1, odds, -odds)[800:].astype(np.float32)[None]
    beside = replace(unseen, held=right, held_sure=np.abs(right))
    assert said(unseen, wrong[:800], 0.0) == ""
    assert "of validation rows less often" in said(beside, wrong[:800], 0.0)
