"""Which labels are suspected, on margins made up here."""

import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from cases import FALLING, facts_of, watch
from scipy.stats import norm

from nnlab.config.diagnose import DiagnoseConfig
from nnlab.core.finding import Finding
from nnlab.diagnosis.checks.label_noise import Suspect, suspect_labels
from nnlab.diagnosis.evidence.contradicted_labels import (
    fit_wrong_share,
    held_shares,
    more_than_held,
    more_than_unseen,
    places_beyond_chance,
)
from nnlab.diagnosis.evidence.facts import ExampleRecord, Facts, Unseen


def record(margins: Any, *, moments: int = 3, held: Any = None) -> ExampleRecord:
    """Two classes; all labels are 0, and a negative margin answers 1."""
    other = None if held is None else np.tile(np.asarray(held, np.float32), (moments, 1))
    each = np.asarray(margins, np.float32)
    table = np.tile(each, (moments, 1))
    return ExampleRecord(
        rows=1000 + np.arange(len(each)),
        labels=np.zeros(len(each), np.int64),
        steps=np.arange(1, moments + 1) * 100,
        losses=np.log1p(np.exp(-table)),
        margins=table,
        predicted=(table < 0).astype(np.int32),
        held=other,
    )


def suspects(kept: ExampleRecord, until: int) -> list[Suspect]:
    return suspect_labels(kept, until, DiagnoseConfig()).rows


def clouds(count: int, *, right: float, wrong: float = 0.0, seed: int = 1) -> Any:
    """Log odds of the labels of two normal clouds.

    Args:
        count: of rows.
        right: the share that the best answer gets right (m of N(m, 2 m) follows from it).
        wrong: share of the labels that are then made wrong, anywhere.
        seed: where these are.
    """
    m = 2.0 * norm.ppf(right) ** 2
    odds = norm.ppf((np.arange(count) + 0.5) / count, m, (2 * m) ** 0.5)
    chosen = np.random.default_rng(seed).choice(count, round(wrong * count), replace=False)
    odds[chosen] *= -1.0
    return odds


def found(kept: ExampleRecord | None, losses: "list[float | None]" = FALLING) -> Finding | None:
    plain = facts_of()
    facts = Facts(plain.experiment, plain.data, kept)
    return watch(facts, losses).get("label_noise")


def test_a_network_that_knows_no_more_than_a_guess_contradicts_no_label() -> None:
    kept = record([4.0] * 90 + [-1.9] * 5 + [-2.1] * 3 + [-7.0] * 2)
    assert found(kept) is not None
    assert found(kept, [0.71 - 0.0001 * n for n in range(40)]) is None


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
    assert suspects(record([0.0] * 100), 300) == []
    assert suspects(record([float("nan")] * 10), 300) == []


class TestFitted:
    @pytest.mark.parametrize("right", [0.7, 0.8, 0.95])
    def test_finds_the_overlap_of_clouds_and_no_wrong_label(self, right: float) -> None:
        """Over all rows right labels contradict as often as the best answer errs."""
        found = fit_wrong_share(clouds(4000, right=right), luck=2.0)
        assert found.least < DiagnoseConfig().mislabelled / 2
        assert found.overlap.mean() == pytest.approx(1.0 - right, rel=0.06)  # a step of the grid

    @pytest.mark.parametrize("right", [0.8, 0.9, 0.99])
    @pytest.mark.parametrize("wrong", [0.1, 0.3])
    def test_bounds_the_share_of_wrong_labels_from_below(self, right: float, wrong: float) -> None:
        bounds = [
            fit_wrong_share(clouds(8000, right=right, wrong=wrong, seed=seed), luck=2.0).least
            for seed in range(10)
        ]
        assert sum(0.03 <= bound <= wrong + 0.01 for bound in bounds) >= 9

    def test_rows_as_sure_as_each_other_are_in_no_order(self) -> None:
        """A file sorted by label must not look like labels sorted by sureness."""
        found = fit_wrong_share(np.r_[np.full(900, 4.0), np.full(100, -4.0)], luck=2.0)
        assert 0.07 <= found.least <= 0.1

    def test_does_not_ask_how_sure_the_network_is_but_in_which_order(self) -> None:
        odds = clouds(3000, right=0.85, wrong=0.2)
        shrunk = np.sign(odds) * np.log1p(np.abs(odds)) / 10
        assert fit_wrong_share(shrunk, luck=2.0).least == fit_wrong_share(odds, luck=2.0).least


class TestHeld:
    def test_equal_rates_are_told_apart_as_seldom_as_two_standard_errors(self) -> None:
        draw = np.random.default_rng(3)
        alarms = 0
        for _ in range(1000):
            ours, theirs = (np.where(draw.random(n) < 0.1, -1.0, 1.0) for n in (600, 200))
            alarms += more_than_held(ours, theirs, sure=1.0, luck=2.0) > 0.0
        assert alarms <= 40  # the normal tail is 23

    def test_only_rows_as_sure_are_compared(self) -> None:
        ours = np.r_[np.full(500, 5.0), np.full(100, -5.0), np.full(600, 0.1)]
        held = np.r_[np.full(200, 5.0), np.full(200, -0.1)]
        assert more_than_held(ours, held, sure=0.5, luck=2.0) == pytest.approx(0.13, abs=0.02)
        assert more_than_held(ours, held, sure=1.0, luck=2.0) < 0.0

    def test_a_few_validation_rows_say_nothing(self) -> None:
        assert more_than_held(-np.ones(100), np.ones(9), sure=0.5, luck=2.0) == -1.0

    def test_shares_are_those_of_the_groups_of_training_rows(self) -> None:
        """Against a loop over the groups, to each of which a row of all is added."""
        draw = np.random.default_rng(5)
        ours, held = draw.normal(1, 1, 1000), draw.normal(1, 1, 300)
        edges = [np.inf, *np.quantile(np.abs(ours), (0.8, 0.6, 0.4, 0.2)), 0.0]
        parts = [
            held[(np.abs(held) <= high) & (np.abs(held) > low)] for high, low in pairwise(edges)
        ]
        expected = [(sum(p < 0) + np.mean(held < 0)) / (len(p) + 1) for p in parts]
        np.testing.assert_allclose(held_shares(ours, held), expected)


def unseen(margins: Any, held: Any, *, sure: Any = None, held_sure: Any = None) -> Unseen:
    """Of two classes, unless it is said how sure the answers are; all labels are 0."""

    def floats(values: Any) -> Any:
        return np.asarray(values, np.float32)

    return Unseen(
        losses=np.log1p(np.exp(-floats(margins))),
        margins=floats(margins),
        sure=floats(np.abs(margins) if sure is None else sure),
        predicted=(floats(margins) < 0)[None].astype(np.int32),
        held=floats(held),
        held_sure=floats(np.abs(held) if held_sure is None else held_sure),
    )


class TestUnseen:
    def test_equal_rates_are_told_apart_as_seldom_as_two_standard_errors(self) -> None:
        """Two clouds, m = 2: all labels are right."""
        draw = np.random.default_rng(4)
        alarms = sum(
            more_than_unseen(unseen(draw.normal(2, 2, 600), draw.normal(2, 2, (1, 200)))) > 2.0
            for _ in range(1000)
        )
        assert alarms <= 40  # the normal tail is 23

    def test_equally_sure_rows_give_the_test_of_two_shares(self) -> None:
        """60 of 400 against 10 of 200; a pooled z-test, in which a row of each kind is added."""
        ours = np.r_[np.full(60, -1.0), np.full(340, 1.0)]
        held = np.r_[np.full(10, -1.0), np.full(190, 1.0)][None]
        share = 71 / 602
        error = (share * (1 - share) * (1 / 400 + 1 / 200)) ** 0.5
        expected = (60 / 400 - 10 / 200) / error
        assert more_than_unseen(unseen(ours, held)) == pytest.approx(expected)

    def test_the_same_rows_asked_twice_say_no_more(self) -> None:
        draw = np.random.default_rng(6)
        ours, held = draw.normal(1.0, 2.0, 500), draw.normal(2.0, 2.0, (1, 200))
        once, twice = unseen(ours, held), unseen(ours, np.repeat(held, 2, axis=0))
        assert more_than_unseen(twice) == pytest.approx(more_than_unseen(once))

    def test_two_kinds_of_evidence_that_nearly_suffice_do_so_together(self) -> None:
        """12 % of wrong labels beside validation rows of which few or many are contradicted too."""
        ours = np.random.default_rng(8).normal(2.5, 2.2, 300)
        ours[:36] *= -1.0
        sure = np.abs(ours).astype(np.float32)
        least = fit_wrong_share(ours.astype(np.float32), sure, luck=2.0).least
        assert 0.04 <= least < 0.08
        said: list[tuple[float, bool]] = []
        for wrong in range(0, 30, 2):
            held = np.random.default_rng(9).normal(2.5, 2.2, (1, 150))
            held[0, :wrong] *= -1.0
            told = unseen(ours, held)
            found = suspect_labels(record(ours), 300, DiagnoseConfig(), told)
            said.append((more_than_unseen(told), bool(found.evidence)))
        assert all(evident == (beyond > 1.7) for beyond, evident in said)
        assert any(1.7 < beyond < 2.0 for beyond, _ in said)
        assert any(beyond < 1.7 for beyond, _ in said)

    def test_a_few_validation_rows_say_nothing(self) -> None:
        assert more_than_unseen(unseen(-np.ones(100), np.ones((4, 2)))) == 0.0

    def test_many_classes_that_overlap_are_no_wrong_labels(self) -> None:
        """Ten classes, labels drawn from the network's own probabilities: all are right.

        A label that comes third is contradicted by a large margin though the network is unsure of
        its answer: sureness is that of the answer, whatever the label.
        """
        draw = np.random.default_rng(7)
        outputs = draw.normal(0.0, 2.5, (6000, 10))
        share = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
        labels = (share.cumsum(axis=1) < draw.random((6000, 1))).sum(axis=1)
        own = np.take_along_axis(outputs, labels[:, None], 1)[:, 0]
        others = np.where(np.arange(10) == labels[:, None], -np.inf, outputs)
        ranked = np.sort(outputs, axis=1)
        margins, sure = own - others.max(axis=1), ranked[:, -1] - ranked[:, -2]
        assert fit_wrong_share(margins, luck=2.0).least > 0.1
        assert fit_wrong_share(margins, sure, luck=2.0).least < 0.03

    def test_wrong_labels_that_were_learned_by_heart_are_seen_by_others(self) -> None:
        heart = record(np.full(400, 3.0) - 4.0 * (np.arange(400) < 5), held=clouds(300, right=0.8))
        assert suspect_labels(heart, 300, DiagnoseConfig()).evidence == ""
        others = unseen(clouds(400, right=0.8, wrong=0.2), clouds(300, right=0.8)[None])
        found = suspect_labels(heart, 300, DiagnoseConfig(), others)
        assert "trained without them" in found.evidence
        wrong = 1000 + np.random.default_rng(1).choice(400, 80, replace=False)
        listed = [one.row for one in found.rows]
        assert len(np.intersect1d(listed, wrong)) / len(listed) > 0.6


def test_where_most_rows_are_contradicted_nothing_is_said() -> None:
    """Whatever the fit: many classes that hardly were learned do not contradict like two."""
    odds = clouds(2000, right=0.95, wrong=0.6)
    assert fit_wrong_share(odds, luck=2.0).least > 0.3
    assert suspect_labels(record(odds), 300, DiagnoseConfig()).evidence == ""


def test_takes_as_many_rows_as_are_too_many() -> None:
    """The rest is contradicted as often as expected, in each fifth."""
    odds = clouds(5000, right=0.8, wrong=0.2)
    expected = np.array([0.01, 0.05, 0.15, 0.25, 0.4])
    taken = places_beyond_chance(odds, expected)
    order = np.argsort(-np.abs(odds))
    for rows, share in zip(np.split(order, 5), expected, strict=True):
        left = np.setdiff1d(rows, taken)
        assert (odds[left] < 0).mean() == pytest.approx(share, abs=0.001)
    assert (odds[taken] < 0).all()
    assert places_beyond_chance(np.ones(100), expected).size == 0


class TestFinding:
    def test_planted_labels_are_a_warning_with_one_of_the_rows(self) -> None:
        finding = found(record([4.0] * 180 + [-4.0] * 20))
        assert finding is not None
        assert finding.level == "warning"
        assert 0.08 <= (finding.measured or 0.0) <= 0.1
        assert re.search("row 11[89][0-9]: labelled", finding.meaning)

    @pytest.mark.parametrize("right", [0.7, 0.8, 0.9])
    def test_overlapping_classes_are_a_note_at_most(self, right: float) -> None:
        """Exact quantiles of the log odds of two clouds, all labels right."""
        finding = found(record(clouds(2000, right=right)))
        assert finding is not None
        assert finding.level == "note"

    def test_overlapping_classes_of_which_a_tenth_is_wrong_are_a_warning(self) -> None:
        finding = found(record(clouds(8000, right=0.8, wrong=0.1)))
        assert finding is not None
        assert finding.level == "warning"
        assert "of the labels contradict it however sure it is" in finding.meaning

    def test_right_validation_labels_tell_it_of_fewer_rows(self) -> None:
        odds = clouds(400, right=0.8, wrong=0.1)
        alone, beside = found(record(odds)), found(record(odds, held=clouds(300, right=0.8)))
        assert alone is not None
        assert beside is not None
        assert (alone.level, beside.level) == ("note", "warning")
        assert "validation rows are contradicted less often" in beside.meaning

    def test_validation_labels_as_wrong_are_no_evidence(self) -> None:
        held = clouds(300, right=0.8, wrong=0.1, seed=2)
        finding = found(record(clouds(400, right=0.8, wrong=0.1), held=held))
        assert finding is not None
        assert finding.level == "note"

    def test_two_rows_are_not_told(self) -> None:
        assert found(record([4.0] * 198 + [-4.0] * 2)) is None

    def test_without_a_record_nothing_is_said(self) -> None:
        assert found(None) is None
