"""What chance does to scores and losses, held against draws."""

import numpy as np
import pytest
from sklearn import metrics

from nnlab.diagnosis.evidence.luck import CHANCE, beats_the_guess, standard_error


def deviation(score: str, rows: int, share: float, skill: float) -> tuple[float, float]:
    """Mean and deviation of a score over sets of rows, of answers that are right so often."""
    draw, found = np.random.default_rng(0), []
    for _ in range(400):
        labels = draw.random(rows) < share
        if labels.all() or not labels.any():
            continue
        answers = np.where(draw.random(rows) < skill, labels, ~labels)
        found.append(getattr(metrics, f"{score}_score")(labels, answers))
    return float(np.mean(found)), float(np.std(found))


@pytest.mark.parametrize("rows", [40, 300])
@pytest.mark.parametrize("share", [0.5, 0.2])
@pytest.mark.parametrize("score", ["accuracy", "balanced_accuracy"])
def test_the_error_of_shares_is_their_deviation(score: str, share: float, rows: int) -> None:
    value, spread = deviation(score, rows, share, 0.7)
    counts = (round(1000 * (1 - share)), round(1000 * share))
    assert standard_error(score, value, rows, counts) == pytest.approx(spread, rel=0.2)


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_the_error_of_r2_is_its_deviation(strength: float) -> None:
    draw, found = np.random.default_rng(0), []
    for _ in range(400):
        x = draw.normal(size=200)
        y = strength * x + draw.normal(size=200)
        found.append(metrics.r2_score(y, strength * x))
    assert standard_error("r2", float(np.mean(found)), 200) == pytest.approx(
        np.std(found), rel=0.35
    )


@pytest.mark.parametrize("noise", [0.1, 0.3])
def test_the_error_of_an_r2_below_0_is_that_of_useless_predictions(noise: float) -> None:
    draw, found = np.random.default_rng(0), []
    for _ in range(400):
        y = draw.normal(size=60)
        found.append(metrics.r2_score(y, noise * draw.normal(size=60)))
    assert standard_error("r2", float(np.mean(found)), 60) == pytest.approx(np.std(found), rel=0.4)


def test_a_network_that_knows_nothing_hardly_ever_beats_the_guess() -> None:
    """Each answers a constant of its own, some of them very sure ones."""
    draw, beaten, runs = np.random.default_rng(0), 0, 4000
    for _ in range(runs):
        rows, share = int(draw.integers(5, 200)), draw.uniform(0.1, 0.9)
        labels = draw.random(rows) < share
        answers = np.clip(draw.uniform(share - 0.2, share + 0.2, rows), 0.01, 0.99)
        loss = -np.log(np.where(labels, answers, 1 - answers)).mean()
        seen = np.clip(labels.mean(), 1e-9, 1 - 1e-9)
        guess = -np.log(np.where(labels, seen, 1 - seen)).mean()
        beaten += beats_the_guess(float(loss), float(guess), rows)
    assert beaten / runs <= CHANCE


def test_one_that_knows_something_does() -> None:
    draw, beaten = np.random.default_rng(0), 0
    for _ in range(300):
        labels = draw.random(100) < 0.5
        answers = np.where(labels, 0.75, 0.25)
        right = np.where(draw.random(100) < 0.75, answers, 1 - answers)
        loss = -np.log(np.where(labels, right, 1 - right)).mean()
        beaten += beats_the_guess(float(loss), float(np.log(2)), 100)
    assert beaten / 300 > 0.9
