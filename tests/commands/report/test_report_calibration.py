"""Calibration, judged by definitions, SciPy, scikit-learn and logits of a known temperature."""

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as log_loss_of_sklearn

from nnlab.commands.report import calibration as page
from nnlab.core.contracts import Batch, DataShape
from nnlab.parts.scores.probabilities import CalibrationErrorConfig

DRAW = np.random.default_rng(0)
Z = DRAW.normal(0, 2, (4000, 4))
Y = np.array([DRAW.choice(4, p=row) for row in softmax(Z, axis=1)])


def test_bins_are_open_below_and_closed_above() -> None:
    # Confidence 0.6 is exactly the upper end of the ninth of fifteen bins.
    bins = page.reliability(np.array([[0.4, 0.6], [0.39, 0.61], [1.0, 0.0]]), np.array([1, 0, 0]))
    assert [one.examples for one in bins] == [0] * 8 + [1, 1, 0, 0, 0, 0, 1]
    assert bins[8].accuracy == 1.0
    assert bins[9].accuracy == 0.0


def test_the_error_is_that_of_a_hand_worked_example() -> None:
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.7, 0.3]])
    # Two at 0.9 with one right: |1/2 - 0.9|; two at 0.7, both right: |1 - 0.7|.
    found = page.expected_error(page.reliability(p, np.array([0, 1, 1, 0])))
    assert found == pytest.approx(0.5 * 0.4 + 0.5 * 0.3)


def test_the_error_is_that_of_the_score() -> None:
    p = softmax(Z, axis=1)
    shape = DataShape((1,), "classes", 4, ("a", "b", "c", "d"), {"train": 4000})
    score = CalibrationErrorConfig().build(shape, ())
    batch = Batch(torch.zeros(4000, 1), torch.from_numpy(Y), torch.arange(4000))
    expected = score.value(score.sums(torch.from_numpy(p), batch).tolist(), 4000)
    assert page.expected_error(page.reliability(p, Y)) == pytest.approx(expected, abs=1e-12)


def test_log_loss_and_brier_are_those_of_scikit_learn() -> None:
    p = softmax(Z, axis=1)
    assert page.log_loss(p, Y) == pytest.approx(log_loss_of_sklearn(Y, p), abs=1e-9)
    two = softmax(Z[:, :2], axis=1)
    right = (Y > 1).astype(int)
    assert page.brier(two, right) == pytest.approx(brier_score_loss(right, two[:, 1]), abs=1e-9)


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
        assert found == pytest.approx(2.5, rel=0.05)

    def test_has_no_slope_there(self) -> None:
        # d NLL / d(1/T) = mean over examples of E[z] - z_y, independent of how it was found.
        t = page.fit_temperature(softmax(0.3 * Z, axis=1), Y)
        assert t is not None
        z = 0.3 * Z
        slope = (softmax(z / t, axis=1) * z).sum(axis=1) - z[np.arange(len(Y)), Y]
        assert abs(slope.mean()) < 1e-5

    def test_says_so_where_none_is_best(self) -> None:
        p = softmax(Z, axis=1)
        assert page.fit_temperature(p, p.argmax(axis=1)) is None
        assert page.fit_temperature(p, p.argmin(axis=1)) is None
        told = page.calibration_facts(p, Y, (p, p.argmax(axis=1)))
        assert told["temperature"] is None
        assert "after" not in told

    def test_keeps_every_prediction(self) -> None:
        p = softmax(Z, axis=1)
        told = page.calibration_facts(softmax(3 * Z, axis=1), Y, (softmax(3 * Z, axis=1), Y))
        assert told["after"]["accuracy"] == told["before"]["accuracy"]
        assert told["after"]["log_loss"] < told["before"]["log_loss"]
        assert told["after"]["log_loss"] == pytest.approx(page.log_loss(p, Y), rel=1e-2)
