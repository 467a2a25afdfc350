"""What evaluation shows, against scikit-learn and definitions."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_score, recall_score

from nnlab.display.pictures.drawing import figure_png
from nnlab.display.pictures.judged import (
    THRESHOLDS,
    ConfusionMatrix,
    Judged,
    Reliability,
    WorstMistakes,
    confusion_shares,
    precision_recall_curve,
    worst_mistakes,
)


@pytest.fixture
def judged() -> Judged:
    random = np.random.default_rng(0)
    targets = random.integers(0, 3, 200)
    logits = random.normal(size=(200, 3)) + 1.5 * np.eye(3)[targets]
    p = np.exp(logits)
    images = random.integers(0, 255, (200, 1, 5, 5))
    p /= p.sum(axis=1, keepdims=True)
    return Judged(p, p.argmax(axis=1), targets, ("a", "b", "c"), images)


def test_confusion_is_that_of_scikit_learn(judged: Judged) -> None:
    said = judged.probabilities.argmax(axis=1)
    found = confusion_shares(said, judged.targets, 3)
    assert np.array_equal(found, confusion_matrix(judged.targets, said))


def test_the_reliability_picture_counts_each_example_once_in_its_bin(judged: Judged) -> None:
    found = Reliability.collect(judged)
    top, hit = judged.probabilities.max(1), judged.probabilities.argmax(1) == judged.targets
    inside = (top > 9 / 15) & (top <= 10 / 15)
    assert found["counts"].sum() == 200
    assert found["counts"][9] == inside.sum()
    assert found["sure"][9] == pytest.approx(top[inside].mean())
    assert found["right"][9] == pytest.approx(hit[inside].mean())
    bins = np.ceil(top * 15) - 1
    excess = [abs((hit[bins == k] - top[bins == k]).sum()) for k in range(15)]
    assert found["error"] == pytest.approx(sum(excess) / 200)


def test_precision_and_recall_are_those_of_scikit_learn(judged: Judged) -> None:
    p, positive = judged.probabilities[:, 1], judged.targets == 1
    found = precision_recall_curve(p, positive)
    assert found.shape == (6, THRESHOLDS)
    for index in (0, 20, 50, 80):
        said = p >= np.linspace(0, 1, THRESHOLDS)[index]
        precision = precision_score(positive, said)
        recall = recall_score(positive, said)
        assert found[4, index] == pytest.approx(precision)
        assert found[5, index] == pytest.approx(recall)
        assert found[:4, index].sum() == 200
        assert found[2, index] == (~said & ~positive).sum()
    assert (found[4:, -1] == [1.0, 0.0]).all()


def test_the_worst_mistakes_are_wrong_and_the_surest_come_first(judged: Judged) -> None:
    worst = worst_mistakes(judged)
    sure = judged.probabilities[worst].max(axis=1)
    wrong = judged.predicted != judged.targets
    assert len(worst) == 16
    assert (np.diff(sure) <= 0).all()
    assert sure[0] == judged.probabilities[wrong].max()
    assert (judged.probabilities[worst].argmax(axis=1) != judged.targets[worst]).all()


@pytest.mark.parametrize("kind", [ConfusionMatrix, Reliability, WorstMistakes])
def test_each_is_drawn(judged: Judged, kind: type) -> None:
    found = kind.collect(judged)
    turned = replace(
        judged, probabilities=judged.probabilities[::-1], predicted=judged.predicted[::-1]
    )
    other = kind.collect(turned)
    assert figure_png(kind, found) != figure_png(kind, other)


def test_without_mistakes_there_is_nothing_to_show() -> None:
    both = np.arange(2)
    sure = Judged(np.eye(2), both, both, ("a", "b"), np.zeros((2, 1, 3, 3)))
    assert WorstMistakes.collect(sure) is None
    assert WorstMistakes.collect(Judged(np.eye(2), both, 1 - both, ("a", "b"))) is None


def test_what_is_predicted_is_what_the_accuracy_counts() -> None:
    # Outputs that differ and round to one probability: the greater output is the answer.
    close = Judged(np.full((1, 2), 0.5), np.array([1]), np.array([1]), ("a", "b"))
    assert ConfusionMatrix.collect(close)["counts"].tolist() == [[0, 0], [0, 1]]
