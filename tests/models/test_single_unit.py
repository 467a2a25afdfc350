"""The McCulloch-Pitts unit: what it can compute, by enumeration; how it runs."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from building import make

from nnlab.commands.show.page import show_page
from nnlab.comparison.comparison import settle_source
from nnlab.core.errors import ConfigError, DataError
from nnlab.models.single_unit import McCullochPittsConfig
from nnlab.runs.finished.evaluate import evaluate
from nnlab.runs.run import train

BITS = list(product((0, 1), repeat=2))
# A sum of two inputs with weights of -1 or 1 lies between -2 and 2: further thresholds add nothing.
UNITS = [
    McCullochPittsConfig(weights=weights, threshold=threshold)
    for weights in product((-1, 1), repeat=2)
    for threshold in (-2.5, -1.5, -0.5, 0.5, 1.5, 2.5)
]


def unit(*weights: int, threshold: float) -> dict[str, Any]:
    return {"kind": "mcculloch_pitts", "weights": weights, "threshold": threshold}


def computed(truth: tuple[int, ...]) -> list[McCullochPittsConfig]:
    return [unit for unit in UNITS if tuple(int(unit.fires(bits)) for bits in BITS) == truth]


@pytest.mark.parametrize(
    ("gate", "truth"), [("and", (0, 0, 0, 1)), ("or", (0, 1, 1, 1)), ("nor", (1, 0, 0, 0))]
)
def test_and_or_exist_among_all_weights_and_thresholds(gate: str, truth: tuple[int, ...]) -> None:
    assert computed(truth)


def test_not_exists_among_all_weights_and_thresholds() -> None:
    units = [McCullochPittsConfig(weights=(w,), threshold=t) for w in (-1, 1) for t in (-1.0, 0.0)]
    assert any((unit.fires((0,)), unit.fires((1,))) == (True, False) for unit in units)


def test_xor_does_not_exist_among_all_weights_and_thresholds() -> None:
    assert not computed((0, 1, 1, 0))
    assert not computed((1, 0, 0, 1))


@pytest.mark.parametrize("weights", list(product((-1, 1), repeat=2)))
@pytest.mark.parametrize("threshold", [-1.0, 0.0, 1.0, 2.0])
def test_the_network_is_the_units_formula(weights: tuple[int, int], threshold: float) -> None:
    made = make(data="and", model=unit(*weights, threshold=threshold), rule="none")
    inputs = torch.tensor(BITS, dtype=torch.float32)
    expected = [[float(sum(w * x for w, x in zip(weights, bits, strict=True)) >= threshold)]
                for bits in BITS]  # fmt: skip
    assert made.built.network(inputs).tolist() == expected


@pytest.mark.parametrize(
    ("data", "threshold", "accuracy"), [("and", 2, 1.0), ("or", 1, 1.0), ("xor", 2, 0.25)]
)
def test_a_gate_is_run_without_learning(
    data: str, threshold: float, accuracy: float, tmp_path: Path
) -> None:
    config = {"data": data, "model": unit(1, 1, threshold=threshold), "rule": "none"}
    summary = train(config, run_dir=tmp_path / "run")
    assert (summary.status, summary.epochs) == ("completed", 1)
    assert summary.why == "nothing learns, and one pass has measured all"
    assert evaluate(tmp_path / "run")["accuracy"] == accuracy
    told = summary.conclusion["text"].split("; ")
    assert [line.split("  ")[0] for line in told] == [
        f"{a} {b} -> {int(a + b >= threshold)}" for a, b in BITS
    ]
    assert sum("wanted" in line for line in told) == round(4 * (1 - accuracy))


def test_not_is_a_unit_with_a_weight_of_minus_one(tmp_path: Path) -> None:
    data = {"kind": "inline", "inputs": ((0,), (1,)), "targets": (1, 0)}
    config = {"data": data, "model": unit(-1, threshold=0), "rule": "none"}
    train(config, run_dir=tmp_path / "run")
    assert evaluate(tmp_path / "run")["accuracy"] == 1.0


def test_show_has_the_truth_table(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    model = "{kind: mcculloch_pitts, weights: [1, 1], threshold: 2}"
    file.write_text(f"data: and\nmodel: {model}\nrule: none\n")
    page = show_page(str(file), (), data=False, as_json=False)
    table = "  a   b | out\n  0   0 |   0\n  0   1 |   0\n  1   0 |   0\n  1   1 |   1\n"
    assert table in page
    assert (
        json.loads(show_page(str(file), (), data=False, as_json=True))["remarks"][0]
        == "  a   b | out"
    )


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"rule": "gradient"}, r"model: mcculloch_pitts has nothing that gradient could change"),
        ({"model": unit(1, threshold=1)}, r"model\.weights: has 1 weights, the data 2 inputs"),
        ({"model": unit(1, 2, threshold=1)}, r"model\.weights\.1: 2 is not one of -1, 1"),
        ({"loss": "mse"}, "loss: what is read of a unit that fires or not"),
        ({"data": {"kind": "blobs"}}, "tells two classes apart, the targets are 3 classes"),
        (
            {"model": {**unit(1, 1, threshold=1), "output": {"activation": "relu"}}},
            r"model\.output: mcculloch_pitts has no output layer",
        ),
    ],
)
def test_refuses_what_it_cannot_be(sections: dict[str, Any], words: str) -> None:
    base = {"data": "and", "model": unit(1, 1, threshold=2), "rule": "none"}
    with pytest.raises(ConfigError, match=words):
        make(**{**base, **sections})


def test_refuses_inputs_that_are_not_bits() -> None:
    with pytest.raises(DataError, match="inputs are 0 or 1 for a McCulloch-Pitts unit, got"):
        make(data="moons", model=unit(1, 1, threshold=1), rule="none")


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"data": "moons"}, "inputs are 0 or 1 for a McCulloch-Pitts unit, got"),
        ({"data": {"kind": "iris", "limit": 90}, "model": unit(1, 1, 1, 1, threshold=1)}, "3 cl"),
        ({"data": "breast_cancer", "model": unit(*[1] * 30, threshold=1)}, "inputs are 0 or 1"),
    ],
)
def test_check_sees_inputs_that_are_not_bits(sections: dict[str, Any], words: str) -> None:
    """Before training: those of points that are made, and of sets that lie in nnlab."""
    base = {"model": unit(1, 1, threshold=1), "rule": "none", "train": {"epochs": 1}}
    with pytest.raises((ConfigError, DataError), match=words):
        settle_source({**base, **sections})


def test_any_network_can_be_measured_as_it_begins() -> None:
    model = {"kind": "mlp", "hidden": (8,), "dropout": 0.5}
    made = make(data="iris", model=model, rule="none", loss="quadratic", log={"every": 1})
    before = made.weights()
    readings, stopped = made.run()
    assert stopped.why == "nothing learns, and one pass has measured all"
    assert all(torch.equal(value, before[name]) for name, value in made.weights().items())
    last = {reading.split: reading.values["loss"] for reading in readings}
    assert made.built.measure["train"]()["loss"] == pytest.approx(last["train"], rel=1e-6)
