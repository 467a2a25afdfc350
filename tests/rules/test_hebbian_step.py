"""Hebb's, Oja's and Sanger's rules: judged by NumPy and by scikit-learn's PCA."""

from typing import Any

import numpy as np
import pytest
import torch
from building import Made, make
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from nnlab.rules.hebbian_step import HebbianStep, angles_between

Floats = NDArray[np.float64]
OJA: dict[str, Any] = {"model": "linear", "rule": {"kind": "oja", "lr": 0.1}}


def seen(made: Made) -> Floats:
    """The training rows as the rule sees them, (N, d) float64."""
    examples = made.examples
    assert isinstance(examples.inputs, np.ndarray)
    scaled = (examples.inputs - examples.shift) * examples.factor
    rows = scaled[examples.rows["train"]].astype(np.float64)
    return rows.reshape(len(rows), -1)


def weight(made: Made) -> Floats:
    return made.weights()["output.weight"].double().numpy()


def degrees(first: Floats, second: Floats) -> float:
    cosine = abs(first @ second) / np.linalg.norm(first) / np.linalg.norm(second)
    return float(np.degrees(np.arccos(min(1.0, cosine))))


def starting_at(norm: float, **sections: Any) -> Made:
    made = make(**{**OJA, **sections})
    with torch.no_grad():
        parameter = made.built.network.get_parameter("output.weight")
        parameter *= norm / parameter.norm()
    return made


def test_ojas_weights_find_the_first_principal_component_of_the_digits() -> None:
    made = make(data="digits", train={"epochs": 20}, **OJA)
    made.run()
    stored = made.examples.inputs
    assert isinstance(stored, np.ndarray)
    images = stored[made.examples.rows["train"]].reshape(-1, 64).astype(np.float64)
    pca: Any = PCA(1).fit(images)
    component = pca.components_[0]
    assert degrees(weight(made)[0], component) < 2.0


@pytest.mark.parametrize("norm", [0.1, 3.0])
def test_the_norm_of_ojas_weights_tends_to_one(norm: float) -> None:
    made = starting_at(norm, data="digits", train={"epochs": 20})
    readings, _ = made.run()
    norms = [r.values["weight_norm/1"] for r in readings if r.split == "train"]
    assert norms[0] == pytest.approx(norm, rel=1e-5)
    assert norms[-1] == pytest.approx(1.0, abs=0.01)


def test_sangers_components_are_orthonormal_principal_components() -> None:
    rule = {"kind": "sanger", "components": 3, "lr": 0.2}
    made = make(data="iris", model="linear", rule=rule)
    for _ in range(1000):
        made.built.step.update(made.rows)
    found = weight(made)
    np.testing.assert_allclose(found @ found.T, np.eye(3), atol=1e-3)
    pca: Any = PCA(3).fit(seen(made))
    for mine, component in zip(found, pca.components_, strict=True):
        assert degrees(mine, component) < 2.0
    step = made.built.step
    assert isinstance(step, HebbianStep)
    said = step.conclude([made.rows]).numbers
    shares = [said[f"variance/{k}"] for k in (1, 2, 3)]
    np.testing.assert_allclose(shares, pca.explained_variance_ratio_, rtol=1e-3)


def test_hebbs_weights_grow_without_bound_where_ojas_stay() -> None:
    train = {"epochs": 3, "batch_size": 1}
    norms: dict[str, float] = {}
    for kind in ("hebb", "oja"):
        made = make(data="iris", model="linear", rule={"kind": kind, "lr": 0.01}, train=train)
        readings, _ = made.run()
        norms[kind] = next(r for r in reversed(readings) if r.split == "train").values[
            "weight_norm/1"
        ]
    assert norms["hebb"] > 100
    assert norms["oja"] == pytest.approx(1.0, abs=0.2)


def test_hebb_ends_as_diverged_and_names_its_own_rate() -> None:
    rule = {"kind": "hebb", "lr": 10.0}
    _, stopped = make(data="iris", model="linear", rule=rule, train={"epochs": 200}).run()
    assert stopped.status == "diverged"
    assert "try a lower rule.lr" in stopped.why


def test_an_update_of_one_example_is_ojas_formula() -> None:
    made = make(data="iris", **OJA)
    w = weight(made)[0]
    for row in (5, 60, 100):
        inputs, examples = made.examples.inputs, made.examples
        assert isinstance(inputs, np.ndarray)
        x = ((inputs[row] - examples.shift[0]) * examples.factor[0]).astype(np.float64)
        y = w @ x
        w = w + 0.1 * y * (x - y * w)
        made.built.step.update(torch.tensor([row]))
    np.testing.assert_allclose(weight(made)[0], w, rtol=1e-5)


def test_an_update_of_a_batch_is_the_mean_of_sangers_formula() -> None:
    made = make(data="iris", model="linear", rule={"kind": "sanger", "components": 3, "lr": 0.1})
    w, rows = weight(made), made.rows[:20]
    examples = made.examples
    assert isinstance(examples.inputs, np.ndarray)
    changes: list[Floats] = []
    for row in rows.tolist():
        x = ((examples.inputs[row] - examples.shift[0]) * examples.factor[0]).astype(np.float64)
        y = w @ x
        changes.append(np.outer(y, x) - np.tril(np.outer(y, y)) @ w)
    made.built.step.update(rows)
    np.testing.assert_allclose(weight(made), w + 0.1 * np.mean(changes, axis=0), rtol=1e-5)


def test_sanger_with_one_component_is_oja() -> None:
    both = [
        make(data="iris", model="linear", train={"epochs": 2}, rule=rule)
        for rule in ({"kind": "oja"}, {"kind": "sanger", "components": 1, "lr": 0.01})
    ]
    for made in both:
        made.run()
    np.testing.assert_array_equal(weight(both[0]), weight(both[1]))


def test_reads_the_error_of_reconstruction_and_the_explained_variance() -> None:
    made = make(data="iris", train={"epochs": 1}, **OJA)
    x, w = seen(made), weight(made)
    values = made.built.measure["train"]()
    errors = ((x - x @ w.T @ w) ** 2).sum(axis=1)
    assert values["loss"] == pytest.approx(errors.mean(), rel=1e-5)
    share = ((x @ w.T) ** 2).sum() / (x**2).sum()
    assert values["explained_variance"] == pytest.approx(share, rel=1e-5)


def test_says_how_far_the_weights_have_turned_since_the_last_reading() -> None:
    made = make(data="iris", train={"epochs": 1}, **OJA)
    before = weight(made)[0]
    made.built.step.update(made.rows[:20])
    values = made.built.step.read()
    assert values["turned/1"] == pytest.approx(degrees(before, weight(made)[0]), rel=1e-3)


def test_angles_are_exact_for_small_and_large_ones() -> None:
    for angle in (1e-3, 1.0, 90.0, 179.0):
        turned = torch.tensor([[np.cos(np.radians(angle)), np.sin(np.radians(angle))]])
        found = angles_between(torch.tensor([[2.0, 0.0]]), 3.0 * turned.float())
        assert found.item() == pytest.approx(angle, rel=1e-3)


def test_takes_centered_inputs_unless_told() -> None:
    made = make(data="digits", **OJA)
    assert made.experiment.config.data.scale == "center"
    np.testing.assert_allclose(seen(made).mean(axis=0), 0.0, atol=1e-6)
    assert seen(made).max() <= 1.0
    assert make(data={"kind": "iris", "scale": "feature"}, **OJA)
