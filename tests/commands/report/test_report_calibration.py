"""Calibration, judged by definitions, SciPy, scikit-learn and logits of a known temperature."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, softmax
from sklearn.metrics import accuracy_score, brier_score_loss
from sklearn.metrics import log_loss as log_loss_of_sklearn

from nnlab.commands.plain import plain_fields
from nnlab.commands.report import calibration as page
from nnlab.commands.report import facts
from nnlab.commands.report.html import sections
from nnlab.commands.report.intervals import resamples
from nnlab.core.contracts import Batch, DataShape
from nnlab.parts.scores.probabilities import (
    BrierConfig,
    CalibrationErrorConfig,
    LogLossConfig,
    confidence_bins,
)

DRAW = np.random.default_rng(0)
Z = DRAW.normal(0, 2, (4000, 4))
Y = np.array([DRAW.choice(4, p=row) for row in softmax(Z, axis=1)])


def test_bins_are_open_below_and_closed_above() -> None:
    # Confidence 0.6 is exactly the upper end of the ninth of fifteen bins.
    p = torch.tensor([[0.4, 0.6], [0.39, 0.61], [1.0, 0.0]], dtype=torch.float64)
    bins = confidence_bins(p, torch.tensor([1, 0, 0]))
    assert bins.counts == [0] * 8 + [1, 1, 0, 0, 0, 0, 1]
    assert bins.accuracy[8:10] == [1.0, 0.0]


def test_the_error_is_that_of_a_hand_worked_example() -> None:
    p = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.7, 0.3]], dtype=torch.float64)
    # Two at 0.9 with one right: |1/2 - 0.9|; two at 0.7, both right: |1 - 0.7|.
    found = confidence_bins(p, torch.tensor([0, 1, 1, 0])).error
    assert found == pytest.approx(0.5 * 0.4 + 0.5 * 0.3)


def test_the_report_s_numbers_are_those_of_the_scores_and_of_scikit_learn() -> None:
    p = softmax(Z, axis=1)
    told = page.judge_calibration(p, Y, None).before
    shape = DataShape((1,), "classes", 4, ("a", "b", "c", "d"), {"train": 4000})
    batch = Batch(torch.zeros(4000, 1), torch.from_numpy(Y), torch.arange(4000))
    for kind in (CalibrationErrorConfig(), BrierConfig(), LogLossConfig()):
        score = kind.build(shape, ())
        expected = score.value(score.sums(torch.from_numpy(p), batch).tolist(), 4000)
        assert getattr(told, kind.kind) == pytest.approx(expected, abs=1e-12)
    assert told.log_loss == pytest.approx(log_loss_of_sklearn(Y, p), abs=1e-9)
    two = softmax(Z[:, :2], axis=1)
    right = (Y > 1).astype(int)
    found = page.judge_calibration(two, right, None).before.brier
    assert found == pytest.approx(brier_score_loss(right, two[:, 1]), abs=1e-9)
    assert told.accuracy == pytest.approx(accuracy_score(Y, p.argmax(axis=1)))


def claim(told: facts.Calibration) -> str:
    return sections.temperature_claim(told, "test")


def applied_in(told: facts.Calibration) -> facts.AppliedTemperature:
    assert told.fitted is not None
    assert told.fitted.applied is not None
    return told.fitted.applied


def interval_in(told: facts.Calibration) -> tuple[float, float]:
    low, high = applied_in(told).temperature_low, applied_in(told).temperature_high
    assert low is not None
    assert high is not None
    return low, high


class TestTemperature:
    def test_divides_the_logits(self) -> None:
        found = page.cooled(softmax(Z, axis=1), 2.5)
        assert found == pytest.approx(softmax(Z / 2.5, axis=1), abs=1e-12)
        z = Z[:, :1]
        both = np.concatenate([expit(-z), expit(z)], axis=1)
        assert page.cooled(both, 0.4)[:, 1:] == pytest.approx(expit(z / 0.4), abs=1e-9)

    def test_finds_the_one_that_the_logits_were_multiplied_by(self) -> None:
        found = page.fit_temperature(softmax(2.5 * Z, axis=1), Y)
        # 4000 examples tell a temperature to some percent.
        assert found is not None
        assert found.value == pytest.approx(2.5, rel=0.05)

    def test_has_the_interval_of_refitted_resamples(self) -> None:
        p, y = softmax(2.5 * Z[:300], axis=1), Y[:300]
        found = page.fit_temperature(p, y)
        assert found is not None
        assert found.interval is not None
        fits: list[float] = []
        bounds = (0.5, 10)
        for counts in resamples(300, count=200):
            for row in counts:
                rows = np.repeat(np.arange(300), row.astype(int))

                def loss(t: float, rows: NDArray[np.int64] = rows) -> float:
                    p = softmax(2.5 * Z[:300][rows] / t, axis=1)
                    return -np.log(p[np.arange(300), y[rows]]).mean()

                fits.append(minimize_scalar(loss, bounds=bounds, method="bounded").x)
        # 200 of the 1000 resamples: an end of the interval wavers by some percent of its width.
        width = found.interval.high - found.interval.low
        assert np.percentile(fits, [2.5, 97.5]) == pytest.approx(found.interval, abs=0.15 * width)

    def test_is_no_claim_where_the_network_is_well_calibrated(self) -> None:
        p = softmax(Z, axis=1)
        told = page.judge_calibration(p[2000:], Y[2000:], (p[:180], Y[:180]))
        low, high = interval_in(told)
        assert low < 1 < high
        assert not applied_in(told).shown
        assert "these 180 rows do not show that the network is too sure" in claim(told)

    def test_is_a_claim_where_the_network_is_too_sure(self) -> None:
        p = softmax(3 * Z, axis=1)
        told = page.judge_calibration(p[2000:], Y[2000:], (p[:180], Y[:180]))
        assert interval_in(told)[0] > 1
        assert applied_in(told).shown
        assert claim(told).endswith("fitted on 180 validation rows: the network is too sure.")

    def test_is_no_claim_where_the_log_loss_does_not_fall(self) -> None:
        # The rows it was fitted on are overconfident, those that are shown are not.
        told = page.judge_calibration(
            softmax(Z, axis=1), Y, (softmax(3 * Z[:180], axis=1), Y[:180])
        )
        assert interval_in(told)[0] > 1
        assert not applied_in(told).shown
        assert "the log loss of the test split does not fall" in claim(told)
        assert "these 180 rows do not show" in claim(told)

    def test_has_no_slope_there(self) -> None:
        # d NLL / d(1/T) = mean over examples of E[z] - z_y, independent of how it was found.
        fitted = page.fit_temperature(softmax(0.3 * Z, axis=1), Y)
        assert fitted is not None
        t, z = fitted.value, 0.3 * Z
        slope = (softmax(z / t, axis=1) * z).sum(axis=1) - z[np.arange(len(Y)), Y]
        assert abs(slope.mean()) < 1e-5

    def test_says_so_where_none_is_best(self) -> None:
        p = softmax(Z, axis=1)
        assert page.fit_temperature(p, p.argmax(axis=1)) is None
        assert page.fit_temperature(p, p.argmin(axis=1)) is None
        told = page.judge_calibration(p, Y, (p, p.argmax(axis=1)))
        assert told.fitted == facts.FittedTemperature(None, len(p))
        plain = plain_fields(told)
        assert plain["temperature"] is None
        assert "after" not in plain

    def test_keeps_every_prediction(self) -> None:
        p = softmax(Z, axis=1)
        told = page.judge_calibration(softmax(3 * Z, axis=1), Y, (softmax(3 * Z, axis=1), Y))
        assert applied_in(told).after.accuracy == told.before.accuracy
        assert applied_in(told).after.log_loss < told.before.log_loss
        assert applied_in(told).after.log_loss == pytest.approx(log_loss_of_sklearn(Y, p), rel=1e-2)
