import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from nnlab.parts.datasets.family import Place
from nnlab.parts.datasets.synthetic.gates import AndConfig, OrConfig, XorConfig
from nnlab.parts.datasets.synthetic.points import (
    BlobsConfig,
    CirclesConfig,
    FunctionDataConfig,
    MoonsConfig,
    SpiralsConfig,
)

HERE = Place(Path(), Path(), Path())
FORMULAS: dict[str, Callable[[Any], Any]] = {
    "sine": np.sin,
    "cosine": np.cos,
    "step": lambda x: np.heaviside(x, 1.0),
    "abs": lambda x: np.sqrt(x * x),
    "sinc": lambda x: np.where(x == 0, 1, np.sin(np.pi * x) / np.where(x == 0, 1, np.pi * x)),
    "polynomial": np.polynomial.Polynomial([0, -3, 0, 1]),
    "gaussian": lambda x: 1 / np.exp(x * x),
    "exponential": lambda x: np.e**x,
    "chirp": lambda x: np.sin(x * x),
}


@pytest.mark.parametrize("samples", [100, 101])
def test_moons_are_those_of_scikit_learn(samples: int) -> None:
    from sklearn.datasets import make_moons

    found = MoonsConfig(samples=samples, noise=0.0).read(HERE)
    points, labels = make_moons(samples, shuffle=False)
    np.testing.assert_allclose(np.asarray(found.inputs), points, atol=1e-6)
    np.testing.assert_array_equal(found.targets, labels)


@pytest.mark.parametrize("samples", [100, 101])
def test_circles_are_those_of_scikit_learn(samples: int) -> None:
    from sklearn.datasets import make_circles

    found = CirclesConfig(samples=samples, noise=0.0, factor=0.3).read(HERE)
    points, labels = make_circles(samples, shuffle=False, factor=0.3)
    np.testing.assert_allclose(np.asarray(found.inputs), points, atol=1e-6)
    np.testing.assert_array_equal(found.targets, labels)


def test_noise_has_the_deviation_it_says() -> None:
    still, noisy = (MoonsConfig(samples=20_000, noise=n).read(HERE).inputs for n in (0.0, 0.3))
    assert isinstance(still, np.ndarray)
    assert isinstance(noisy, np.ndarray)
    # 40,000 draws: the deviation of their deviation is 0.3 / sqrt(80,000), about 0.001.
    assert abs((noisy - still).std() - 0.3) < 0.005


@pytest.mark.parametrize(
    "config",
    [MoonsConfig(), CirclesConfig(), SpiralsConfig(), SpiralsConfig(arms=3), BlobsConfig()],
    ids=lambda config: type(config).__name__,
)
def test_classes_can_be_told_apart(config: MoonsConfig) -> None:
    from sklearn.neighbors import KNeighborsClassifier

    examples = config.load(HERE)
    train, test = examples.rows["train"], examples.rows["test"]
    inputs = examples.inputs
    assert isinstance(inputs, np.ndarray)
    judge = KNeighborsClassifier(5).fit(inputs[train], examples.targets[train])
    assert judge.score(inputs[test], examples.targets[test]) >= 0.97


@pytest.mark.parametrize(
    ("weights", "counts"),
    [((0.95, 0.05), [950, 50]), ((19.0, 1.0), [950, 50]), ((1.0, 1.0, 1.0), [333, 334, 333])],
)
def test_weights_say_how_much_of_the_blobs_each_class_has(
    weights: tuple[float, ...], counts: list[int]
) -> None:
    found = BlobsConfig(samples=1000, centers=len(weights), weights=weights).read(HERE)
    assert np.bincount(found.targets).tolist() == counts


def test_weights_move_no_center() -> None:
    plain = BlobsConfig(samples=1000, centers=2, cluster_std=1e-6).read(HERE)
    rare = BlobsConfig(samples=1000, centers=2, cluster_std=1e-6, weights=(9.0, 1.0)).read(HERE)
    for label in (0, 1):
        one, two = (np.asarray(t.inputs)[t.targets == label].mean(axis=0) for t in (plain, rare))
        np.testing.assert_allclose(one, two, atol=1e-3)


def test_weights_are_as_many_as_centers() -> None:
    with pytest.raises(ValidationError, match="each of the 3 centers, got 2"):
        BlobsConfig(weights=(1.0, 2.0))


def test_spirals_lie_at_their_radius() -> None:
    found = SpiralsConfig(samples=300, noise=0.0, arms=3).read(HERE)
    assert isinstance(found.inputs, np.ndarray)
    radius = np.hypot(*found.inputs.T)
    np.testing.assert_allclose(radius, np.linspace(1 / 13, 1, 300), rtol=1e-5)
    np.testing.assert_array_equal(np.bincount(found.targets), [100, 100, 100])


def test_blobs_lie_around_their_centers() -> None:
    config = BlobsConfig(samples=30_000, centers=3, features=5, cluster_std=2.0)
    found = config.read(HERE)
    assert isinstance(found.inputs, np.ndarray)
    clouds = [found.inputs[found.targets == label] for label in range(3)]
    for cloud in clouds:
        assert (np.abs(cloud.mean(axis=0)) < 10.1).all()
        np.testing.assert_allclose(cloud.std(axis=0), 2.0, rtol=0.03)


@pytest.mark.parametrize("formula", FORMULAS)
def test_functions_agree_with_their_definition(formula: str) -> None:
    config = FunctionDataConfig.model_validate({"formula": formula, "noise": 0.0, "samples": 301})
    found = config.read(HERE)
    x = np.linspace(-3.0, 3.0, 301)
    np.testing.assert_allclose(np.asarray(found.inputs)[:, 0], x, atol=1e-6)
    np.testing.assert_allclose(found.targets[:, 0], FORMULAS[formula](x), rtol=1e-5, atol=1e-6)


def test_gates_follow_python() -> None:
    gates = {AndConfig(): operator.and_, OrConfig(): operator.or_, XorConfig(): operator.xor}
    for config, gate in gates.items():
        found = config.read(HERE)
        first, second = np.asarray(found.inputs).astype(bool).T
        np.testing.assert_array_equal(found.targets, gate(first, second))


def test_sample_seed_moves_the_points_and_split_seed_does_not() -> None:
    first = MoonsConfig().load(HERE)
    assert MoonsConfig(split_seed=5).load(HERE).digest == first.digest
    assert MoonsConfig(sample_seed=5).load(HERE).digest != first.digest


@pytest.mark.parametrize(
    "wrong",
    [{"low": 2.0, "high": 1.0}, {"low": 3.0}, {"samples": 5}, {"noise": -0.1}, {"formula": "exp"}],
)
def test_refuses_functions_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FunctionDataConfig.model_validate(wrong)
