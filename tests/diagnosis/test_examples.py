"""Which labels are suspected, on margins made up here."""

from typing import Any

import numpy as np
import pytest
from cases import facts_of, watch
from scipy.stats import norm

from nnlab.diagnosis.examples import overlapping, suspects, wrong_share
from nnlab.diagnosis.facts import ExampleRecord, Facts
from nnlab.findings import Finding


def record(margins: Any, *, moments: int = 3) -> ExampleRecord:
    """Two classes; all labels are 0, and a negative margin answers 1."""
    each = np.asarray(margins, np.float32)
    table = np.tile(each, (moments, 1))
    return ExampleRecord(
        rows=1000 + np.arange(len(each)),
        labels=np.zeros(len(each), np.int64),
        steps=np.arange(1, moments + 1) * 100,
        losses=np.log1p(np.exp(-table)),
        margins=table,
        predicted=(table < 0).astype(np.int32),
    )


def found(kept: ExampleRecord | None) -> Finding | None:
    plain = facts_of()
    facts = Facts(plain.experiment, plain.data, kept)
    falling: list[float | None] = [0.7 * 0.8**n for n in range(40)]
    return watch(facts, falling).get("label_noise")


def test_suspects_are_against_their_label_as_surely_as_others_for_it() -> None:
    kept = record([4.0] * 90 + [-1.9] * 5 + [-2.1] * 3 + [-7.0] * 2)
    rows = [one.row for one in suspects(kept, 300)]
    assert rows == [1098, 1099, 1095, 1096, 1097]
    assert suspects(kept, 300)[0].predicted == 1


def test_what_is_learned_by_heart_later_is_still_suspected() -> None:
    kept = record([4.0] * 95 + [-4.0] * 5, moments=4)
    assert kept.margins is not None
    kept.margins[2:, 95:] = 30.0
    assert len(suspects(kept, 200)) == 5
    assert suspects(kept, 400) == []


def test_nothing_is_suspected_where_nothing_is_known() -> None:
    assert suspects(record([-1.0] * 60 + [1.0] * 40), 300) == []
    assert suspects(record([float("nan")] * 10), 300) == []


@pytest.mark.parametrize("m", [1.0, 3.0, 8.0])
def test_the_share_of_overlapping_clouds_is_that_of_their_log_odds(m: float) -> None:
    """Log odds of two normal clouds are N(m, 2 m); scipy integrates what lies below -m / 2."""
    odds = norm(m, (2 * m) ** 0.5)
    assert overlapping(odds.cdf(0.0)) == pytest.approx(odds.cdf(-m / 2), rel=1e-9)


class TestFinding:
    def test_planted_labels_are_a_warning_with_one_of_the_rows(self) -> None:
        finding = found(record([4.0] * 180 + [-4.0] * 20))
        assert finding is not None
        assert finding.level == "warning"
        assert finding.measured == pytest.approx(0.1)
        assert "row 1180" in finding.meaning

    @pytest.mark.parametrize("m", [1.0, 2.0, 4.0])
    def test_overlapping_classes_are_no_warning(self, m: float) -> None:
        """Exact quantiles of the log odds of two clouds, all labels right."""
        odds = norm.ppf((np.arange(2000) + 0.5) / 2000, m, (2 * m) ** 0.5)
        kept = record(odds)
        finding = found(kept)
        assert wrong_share(kept, 300) == pytest.approx(norm.cdf(-((m / 2) ** 0.5)), abs=1e-3)
        assert finding is None or finding.level == "note"

    def test_two_rows_are_not_told(self) -> None:
        assert found(record([4.0] * 198 + [-4.0] * 2)) is None

    def test_without_a_record_nothing_is_said(self) -> None:
        assert found(None) is None
