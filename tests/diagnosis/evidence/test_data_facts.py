"""What a look at the data says, held against NumPy, torch and scikit-learn."""

from typing import Any

import numpy as np
import pytest
import torch
from building import make

from nnlab.core.contracts import Batch
from nnlab.diagnosis.evidence.blind_guess import blind_loss
from nnlab.diagnosis.evidence.data_facts import data_facts
from nnlab.runs.building.scoring import loss_of

MLP = {"kind": "mlp", "hidden": [4]}


@pytest.mark.parametrize(
    "sections",
    [
        {"data": "iris", "model": MLP},
        {"data": "moons", "model": MLP, "loss": "bce"},
        {"data": "iris", "model": MLP, "loss": {"kind": "cross_entropy", "label_smoothing": 0.1}},
        {"data": "iris", "model": MLP, "loss": "quadratic"},
        {"data": "diabetes", "model": MLP, "loss": "mse"},
        {"data": {"kind": "diabetes", "scale_target": "standard"}, "model": MLP, "loss": "mse"},
        {"data": {"kind": "copy", "samples": 80}, "model": {"kind": "gru", "units": 3}},
    ],
    ids=str,
)
def test_the_blind_loss_is_the_lowest_of_constant_outputs(sections: dict[str, Any]) -> None:
    made = make(**sections)
    found = blind_loss(made.experiment, made.examples)
    assert found is not None
    loss = loss_of(made.experiment, made.examples, made.built.network)
    rows = made.rows
    targets = torch.from_numpy(made.examples.targets)[rows]
    targets = targets.flatten() if made.experiment.shape.places else targets
    scale = made.examples.target_scale
    if scale is not None:
        targets = (targets - torch.tensor(scale.mean)) / torch.tensor(scale.deviation)
    if targets.is_floating_point():
        targets = targets.double()
    width = made.experiment.loss.outputs(made.experiment.shape)
    outputs = torch.zeros(1, width, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([outputs], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Any:
        optimizer.zero_grad()
        value = loss(outputs.expand(len(targets), -1), Batch(outputs, targets, rows)).mean()
        value.backward()
        return value

    optimizer.step(closure)
    assert found == pytest.approx(closure().item(), rel=1e-4)


def test_scale_and_constant_columns_are_those_of_the_training_rows() -> None:
    made = make(data={"kind": "wine", "scale": "none"}, model=MLP)
    found = data_facts(made.experiment, made.examples)
    inputs = made.examples.inputs
    assert isinstance(inputs, np.ndarray)
    train = inputs[made.examples.rows["train"]].astype(np.float64)
    assert found.largest == pytest.approx(train.std(0).max())
    assert found.smallest == pytest.approx(train.std(0).min())
    assert found.size == pytest.approx(np.sqrt((train**2).mean()))
    assert found.widest == "proline"
    assert found.constant == ()
    assert sum(found.counts) == len(train)


def test_doubles_are_counted_row_by_row(tmp_path: Any) -> None:
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(60, 3)).round(3)
    inputs[40:] = inputs[:20]  # 20 rows are there twice
    inputs = np.hstack([inputs, np.ones((60, 1))])
    lines = [",".join(map(str, [*row, "ab"[n % 2]])) for n, row in enumerate(inputs)]
    (tmp_path / "t.csv").write_text("\n".join(["x,y,z,one,label", *lines]) + "\n")
    data = {"kind": "csv", "path": str(tmp_path / "t.csv"), "target": "label", "validation": 0.3}
    made = make(data=data, model=MLP)
    found = data_facts(made.experiment, made.examples, doubles=True)
    train = {tuple(inputs[row]) for row in made.examples.rows["train"]}
    for split in ("validation", "test"):
        rows = made.examples.rows[split]
        both = {(*inputs[row], row % 2) for row in made.examples.rows["train"]}
        alike = sum(tuple(inputs[row]) in train for row in rows)
        whole = sum((*inputs[row], row % 2) in both for row in rows)
        assert 0 < whole == found.doubles[split].whole
        assert alike - whole == found.doubles[split].contradicted
        assert found.doubles[split].chance < 0.1
    assert found.constant == ("one",)


def test_splits_that_are_the_training_rows_by_design_are_no_doubles() -> None:
    made = make(data="xor", model=MLP)
    found = data_facts(made.experiment, made.examples, doubles=True)
    assert set(found.same_rows) == {"validation", "test"}
    assert found.doubles == {}
