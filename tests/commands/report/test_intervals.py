"""Intervals and tests of pairs, judged by published tables, SciPy and scikit-learn."""

import numpy as np
import pytest
from scipy.stats import binomtest, chi2
from sklearn.metrics import average_precision_score, roc_auc_score

from nnlab.commands.report import intervals, scores


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611),
     (1, 29, 0.0061, 0.1718)],
)  # fmt: skip
def test_wilson_agrees_with_a_published_table(
    hits: int, count: int, low: float, high: float
) -> None:
    assert intervals.wilson_interval(hits, count) == pytest.approx((low, high), abs=5e-5)
    oracle = binomtest(hits, count).proportion_ci(0.95, method="wilson")
    assert intervals.wilson_interval(hits, count) == pytest.approx(
        (oracle.low, oracle.high), abs=1e-12
    )


class TestResamples:
    def test_each_draws_as_many_as_there_are(self) -> None:
        chunks = list(intervals.resamples(37, count=50))
        counts = np.concatenate(chunks)
        assert counts.shape == (50, 37)
        assert (counts.sum(axis=1) == 37).all()
        assert len(np.unique(counts, axis=0)) == 50

    def test_are_the_same_each_time_and_however_they_are_cut(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = np.concatenate(list(intervals.resamples(37, count=50)))
        monkeypatch.setattr(intervals, "_CHUNK", 100)
        parts = list(intervals.resamples(37, count=50))
        assert len(parts) > 1
        assert (np.concatenate(parts) == whole).all()

    def test_the_interval_of_a_mean_is_that_of_the_normal_distribution(self) -> None:
        values = np.random.default_rng(0).normal(3.0, 2.0, 500)
        drawn = intervals.bootstrap_statistics(
            {"mean": lambda c: c @ values / 500}, 500, count=4000
        )["mean"]
        half = 1.96 * values.std() / np.sqrt(500)
        found = intervals.percentile_interval(drawn)
        # The percentile of 4000 resamples has itself a deviation of about 3 % of the half width.
        expected = (values.mean() - half, values.mean() + half)
        assert found == pytest.approx(expected, abs=0.1 * half)

    def test_an_interval_needs_the_statistic_to_be_defined(self) -> None:
        mostly = np.r_[np.arange(90.0), np.full(10, np.nan)]
        assert intervals.percentile_interval(mostly) is None
        assert intervals.percentile_interval(mostly[:92]) is not None


@pytest.mark.parametrize("levels", [3, 10**6], ids=["ties", "no ties"])
class TestRanksOfResamples:
    def examples(self, levels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        draw = np.random.default_rng(1)
        by = draw.integers(0, levels, 60).astype(float)
        return by, draw.random(60) < 0.3, np.concatenate(list(intervals.resamples(60, count=20)))

    def test_auc_is_that_of_scikit_learn_with_the_counts_as_weights(self, levels: int) -> None:
        by, actual, counts = self.examples(levels)
        expected = [roc_auc_score(actual, by, sample_weight=row) for row in counts]
        assert intervals.roc_auc(by, actual)(counts) == pytest.approx(expected, abs=1e-6)

    def test_so_is_average_precision(self, levels: int) -> None:
        by, actual, counts = self.examples(levels)
        expected = [average_precision_score(actual, by, sample_weight=row) for row in counts]
        found = intervals.average_precision(by, actual)(counts)
        assert found == pytest.approx(expected, abs=1e-6)


def test_an_order_without_the_class_in_a_resample_is_left_out_of_the_mean() -> None:
    by, counts = np.array([1.0, 2.0, 3.0]), np.array([[0.0, 0.0, 3.0], [1.0, 1.0, 1.0]])
    first = intervals.roc_auc(by, np.array([True, False, False]))
    second = intervals.roc_auc(by, np.array([False, False, True]))
    assert np.isnan(first(counts)[0])
    assert intervals.mean_of([first, second])(counts)[1] == 0.5


class TestMcNemar:
    def test_few_are_summed_exactly(self) -> None:
        # 2 (1 + 10 + 45) / 2^10: two or fewer heads of ten, both sides.
        found = scores.mcnemar_of(2, 8)
        assert found == (2, 8, pytest.approx(112 / 1024), "exact")

    def test_many_are_approximated_with_the_correction(self) -> None:
        # Agresti 2002, table 10.1: 150 and 86; (|150 - 86| - 1)^2 / 236 = 16.82.
        found = scores.mcnemar_of(150, 86)
        assert found.method == "chi-squared"
        assert found.p == pytest.approx(chi2.sf(16.8178, 1), rel=1e-4)

    def test_is_the_same_from_either_side_and_one_for_no_difference(self) -> None:
        assert scores.mcnemar_of(3, 9).p == scores.mcnemar_of(9, 3).p
        assert scores.mcnemar_of(0, 0).p == 1.0

    def test_counts_what_one_alone_has_right(self) -> None:
        first, second = (np.array(list(text)) == "1" for text in ("1110100", "0110011"))
        assert scores.mcnemar(first, second)[:2] == (2, 2)


def test_holm_makes_p_values_of_several_tests_larger() -> None:
    # 4 * 0.005, 3 * 0.01, 2 * 0.03, and at least the one before.
    found = scores.holm([0.01, 0.04, 0.03, 0.005])
    assert found == pytest.approx([0.03, 0.06, 0.06, 0.02])
