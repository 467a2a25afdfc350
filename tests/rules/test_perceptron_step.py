"""Rosenblatt's perceptron: judged by the rule written out, and by Novikoff's theorem."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from building import Made, make
from numpy.typing import NDArray
from sklearn.svm import SVC

from nnlab.rules.perceptron_step import PerceptronStep, novikoff, separable

Floats = NDArray[np.float64]
RULE: dict[str, Any] = {"model": "linear", "rule": "perceptron"}


def inline(inputs: Floats, labels: "NDArray[Any] | list[int]") -> dict[str, Any]:
    rows = [[float(value) for value in row] for row in inputs]
    return {"kind": "inline", "inputs": rows, "targets": [int(label) for label in labels]}


def separable_set(seed: int) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """20 rows that a random line through a random place separates, none very near to it."""
    random = np.random.default_rng(seed)
    columns = int(random.integers(2, 6))
    line = random.normal(size=columns + 1)
    line /= np.linalg.norm(line[:-1])
    line[-1] = random.uniform(-0.5, 0.5)
    points = random.normal(size=(500, columns)).astype(np.float32).astype(np.float64)
    heights = points @ line[:-1] + line[-1]
    chosen = np.concatenate([np.flatnonzero(heights > 0.15)[:10], np.flatnonzero(heights < -0.15)])
    return points[chosen[:20]], heights[chosen[:20]] > 0, line


def total(made: Made) -> int:
    return int(made.built.step.state()["rule/mistakes/total"].sum())


@pytest.mark.parametrize("batch_size", [1, 4, "full"])
def test_follows_the_rule_written_out_whatever_the_batch_size(batch_size: Any) -> None:
    inputs, labels, _ = separable_set(3)
    data = inline(inputs, labels)
    train = {"epochs": 2, "batch_size": batch_size}
    made = make(data=data, train=train, **{**RULE, "rule": {"kind": "perceptron", "lr": 0.5}})
    w, b, mistakes = np.zeros(inputs.shape[1]), 0.0, 0
    for epoch in range(2):
        for batch in made.built.trainer.order.batches(epoch):
            for row in batch.tolist():
                x, y = inputs[row], float(labels[row])
                guess = 1.0 if w @ x + b > 0 else 0.0
                w, b = w + 0.5 * (y - guess) * x, b + 0.5 * (y - guess)
                mistakes += int(guess != y)
    made.run()
    np.testing.assert_allclose(made.weights()["output.weight"][0].numpy(), w, rtol=1e-5, atol=1e-6)
    assert made.weights()["output.bias"].item() == pytest.approx(b)
    assert total(made) == mistakes


def test_converges_on_separable_data_in_at_most_r_over_gamma_squared_mistakes() -> None:
    # textbook.md; Novikoff 1962, with the bias as the weight of an input that is always 1.
    for seed in range(100):
        inputs, labels, line = separable_set(seed)
        made = make(data=inline(inputs, labels), train={"epochs": 1000}, **RULE)
        _, stopped = made.run()
        assert (stopped.status, stopped.why) == ("completed", "an epoch without a mistake")
        signs = np.where(labels, 1.0, -1.0)
        known = (signs * (inputs @ line[:-1] + line[-1])).min() / np.linalg.norm(line)
        radius = np.sqrt((inputs**2).sum(axis=1).max() + 1.0)
        assert total(made) <= (radius / known) ** 2
        said = concluded(made).numbers
        assert said["mistakes"] == total(made) <= said["bound"]
        assert said["radius"] == pytest.approx(radius)


def concluded(made: Made) -> Any:
    step = made.built.step
    assert isinstance(step, PerceptronStep)
    return step.conclude([made.rows])


@pytest.mark.parametrize("seed", range(5))
def test_the_margin_it_says_is_at_most_that_of_the_hard_margin_svm(seed: int) -> None:
    inputs, labels, _ = separable_set(seed)
    made = make(data=inline(inputs, labels), train={"epochs": 1000}, **RULE)
    made.run()
    # In the space of (x, 1) the widest margin through the origin is that of the pairs +-(x, 1).
    extended = np.column_stack([inputs, np.ones(len(inputs))]) * np.where(labels, 1, -1)[:, None]
    svm = SVC(kernel="linear", C=1e10).fit(np.concatenate([extended, -extended]),
                                           np.repeat([1, -1], len(inputs)))  # fmt: skip
    widest = 1.0 / np.linalg.norm(svm.coef_)
    assert 0.0 < concluded(made).numbers["margin"] <= widest * (1 + 1e-3)


def test_novikoffs_margin_is_taken_in_the_middle_of_the_gap() -> None:
    inputs, signs = np.array([[0.0], [1.0]]), np.array([-1.0, 1.0])
    bound = novikoff(inputs, signs, np.array([1.0, 0.0]))
    # x - 1/2 separates; its weights (1, -1/2) are sqrt(5) / 2 long, and both rows are 1/2 away.
    assert bound.margin == pytest.approx(0.5 / np.sqrt(1.25))
    assert bound.radius == pytest.approx(np.sqrt(2.0))
    assert bound.mistakes == pytest.approx(10.0)


@pytest.mark.parametrize("gate", ["and", "or"])
def test_learns_a_gate_that_a_line_separates(gate: str) -> None:
    made = make(data=gate, train={"epochs": 100}, **RULE)
    readings, stopped = made.run()
    assert stopped.why == "an epoch without a mistake"
    assert readings[-1].values["accuracy"] == 1.0


def test_never_converges_on_xor_and_says_why() -> None:
    made = make(data="xor", train={"epochs": 200}, **RULE)
    readings, stopped = made.run()
    assert (stopped.status, stopped.why) == ("completed", "200 steps")
    assert all(r.values["mistakes"] > 0 for r in readings if r.split == "train" and r.step)
    found = concluded(made)
    assert "no line separates the classes" in found.lines[0]
    assert found.numbers["mistakes_in_last_epoch"] > 0
    assert "bound" not in found.numbers


def test_says_that_more_epochs_would_help_where_they_would() -> None:
    inputs, labels, _ = separable_set(0)
    made = make(data=inline(inputs * [1.0] * inputs.shape[1], labels), train={"epochs": 1}, **RULE)
    made.run()
    assert "more epochs would find one" in concluded(made).lines[0]


def test_separability_of_every_function_of_two_bits_is_as_enumeration_says() -> None:
    bits = np.array(list(product((0.0, 1.0), repeat=2)))
    grid = list(product(np.linspace(-2, 2, 9), repeat=3))
    for truth in product((-1.0, 1.0), repeat=4):
        signs = np.array(truth)
        lines = (np.sign(bits @ line[:2] + line[2]) for line in map(np.array, grid))
        assert separable(bits, signs) == any((line == signs).all() for line in lines)


def test_separability_is_left_open_for_very_many_numbers() -> None:
    assert separable(np.zeros((1_000_001, 1)), np.ones(1_000_001)) is None


def test_the_decision_line_is_where_w_x_plus_b_is_zero_and_the_bias_shifts_it() -> None:
    # textbook.md, "the bias shifts the threshold".
    made = make(data={"kind": "blobs", "centers": 2}, train={"epochs": 50}, **RULE)
    made.run()
    network, weights = made.built.network, made.weights()
    w, b = weights["output.weight"][0], weights["output.bias"][0]
    length = w.norm()
    along = torch.stack([-w[1], w[0]]) / length
    for shift in (0.0, 2.0, -3.0):
        network.load_state_dict({**weights, "output.bias": (b + shift * length)[None]})
        # The foot of the line has moved by `shift` against the direction of w.
        foot = (-b / length - shift) * w / length
        points = foot + torch.linspace(-5, 5, 11)[:, None] * along
        scale = length * points.abs().max()
        with torch.no_grad():
            torch.testing.assert_close(
                network(points)[:, 0], torch.zeros(11), atol=1e-5 * float(scale), rtol=0.0
            )
            assert (network(points + 0.01 * w / length)[:, 0] > 0).all()
            assert (network(points - 0.01 * w / length)[:, 0] < 0).all()


def test_units_of_several_classes_are_perceptrons_of_their_own() -> None:
    made = make(data={"kind": "blobs", "centers": 3}, train={"epochs": 3}, **RULE)
    made.run()
    assert isinstance(made.examples.inputs, np.ndarray)
    for unit in range(3):
        labels = (made.examples.targets == unit).astype(int)
        w, b = np.zeros(2), 0.0
        for epoch in range(3):
            for row in torch.cat(made.built.trainer.order.batches(epoch)).tolist():
                x, y = made.examples.inputs[row].astype(np.float64), float(labels[row])
                error = y - float(w @ x + b > 0)
                w, b = w + error * x, b + error
        np.testing.assert_allclose(made.weights()["output.weight"][unit].numpy(), w, rtol=1e-4)
    assert "of 3 units made none" in concluded(made).lines[0]


def test_begins_from_zero_weights_unless_told() -> None:
    assert not any(tensor.any() for tensor in make(data="and", **RULE).weights().values())
    model = {"kind": "linear", "output": {"init": "normal"}}
    made = make(data="and", train={"epochs": 100}, model=model, rule="perceptron")
    assert made.weights()["output.weight"].any()
    made.run()
    assert "from zero weights at most" in concluded(made).lines[0]


def test_the_learning_rate_changes_no_decision_from_zero_weights() -> None:
    found = [
        make(
            data="and", train={"epochs": 100}, model="linear", rule={"kind": "perceptron", "lr": r}
        )
        for r in (1.0, 0.25)
    ]
    assert len({len(made.run()[0]) for made in found}) == 1
    first, second = (made.weights()["output.weight"] for made in found)
    torch.testing.assert_close(second, 0.25 * first)


def test_mistakes_are_counted_for_each_window_and_in_all() -> None:
    made = make(data="xor", train={"epochs": 6}, log={"every": "1 steps"}, **RULE)
    readings, _ = made.run()
    train = [reading.values for reading in readings if reading.split == "train"]
    summed = np.cumsum([values["mistakes"] for values in train])
    assert [values["mistakes/total"] for values in train] == summed.tolist()
    assert all(v["mistakes"] == 4 * v["loss"] for v in train[1:])
