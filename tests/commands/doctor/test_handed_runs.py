"""`nnlab doctor RUN` of runs whose network, data or loss came from Python, and `nnlab.doctor`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

import nnlab
from nnlab.cli import app


def network(depth: int = 12) -> nn.Sequential:
    """Sigmoid layers with the weights that torch gives them: a gradient that vanishes."""
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Linear(4, 8), nn.Sigmoid()]
    for _ in range(depth):
        layers += [nn.Linear(8, 8), nn.Sigmoid()]
    return nn.Sequential(*layers, nn.Linear(8, 2))


def arrays(rows: int = 300) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(rows, 4)).astype(np.float32)
    return inputs, (inputs[:, 0] * inputs[:, 1] > 0).astype(np.int64)


def squared(outputs: Tensor, targets: Tensor) -> Tensor:
    return ((outputs - nn.functional.one_hot(targets, 2).float()) ** 2).sum(1)


CONFIG: dict[str, Any] = {"train": {"epochs": 4, "threads": 1}, "optimizer": {"kind": "adam"}}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("handed") / "run"
    nnlab.train(CONFIG, data=arrays(), model=network(), run_dir=folder)
    return folder


def told(run: Path) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["doctor", str(run), "--json"])
    assert done.exit_code in (0, 7), done.output
    return json.loads(done.stdout)


def test_the_command_judges_the_records_and_says_what_it_could_not_look_at(run: Path) -> None:
    found = told(run)
    assert found["findings"][0]["name"] == "vanishing_gradient"
    why = found["not_looked_for"]["class_imbalance"]
    assert why == (
        "not at hand: it came from Python (nnlab.doctor(run, data=data, model=model) looks at it)"
    )
    assert "saturation" in found["looked_for"]
    assert len(found["layers"]) == 14


def test_what_the_run_found_with_all_at_hand_is_told_without_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    own = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2), nn.Softmax(1))
    inputs, labels = arrays()
    done = nnlab.train(CONFIG, data=(inputs, labels), model=own, run_dir=tmp_path / "run")
    recorded = {finding["name"] for finding in done.findings}
    assert {"softmax_twice", "no_better_than_baseline"} <= recorded
    found = told(done.run)
    assert {finding["name"] for finding in found["findings"]} == recorded
    page = str(nnlab.doctor(done, trials=False))
    assert "WARNING  softmax twice" in page
    assert not any("softmax twice" in line for line in page.split("not looked for")[1:])


def test_the_records_say_of_the_layers_what_the_module_does(run: Path) -> None:
    whole = nnlab.doctor(run, data=arrays(), model=network())
    assert told(run)["layers"] == json.loads(json.dumps(whole.plain()["layers"]))
    assert whole.looked is not None
    assert "class_imbalance" in whole.looked.done
    assert next(f.name for f in whole.findings) == "vanishing_gradient"


def test_the_advice_is_a_call_that_hands_in_again_what_is_in_no_file(tmp_path: Path) -> None:
    inputs, labels = arrays()
    inputs = np.hstack([inputs, np.ones((300, 1), np.float32)])
    model = {"kind": "mlp", "hidden": {"width": 8, "depth": 14}, "activation": "sigmoid"}
    done = nnlab.train({**CONFIG, "model": model}, data=(inputs, labels), run_dir=tmp_path / "run")
    page = str(nnlab.doctor(done, data=(inputs, labels)))
    line = next(line for line in page.splitlines() if line.startswith("  try  nnlab.train("))
    changed = eval(line.removeprefix("  try  "), {"nnlab": nnlab, "data": (inputs, labels)})
    assert changed.status == "completed"


def test_the_module_at_hand_stays_as_it_is(run: Path) -> None:
    mine = network()
    before = {name: value.clone() for name, value in mine.state_dict().items()}
    nnlab.doctor(run, data=arrays(), model=mine)
    assert all(torch.equal(value, before[name]) for name, value in mine.state_dict().items())


def test_data_that_are_not_those_of_the_run_are_refused(run: Path) -> None:
    with pytest.raises(nnlab.CheckpointError, match="not those of the run"):
        nnlab.doctor(run, data=(arrays()[0] + 1.0, arrays()[1]), model=network())


def test_a_loss_from_python_is_not_needed_either(tmp_path: Path) -> None:
    config = {**CONFIG, "data": "iris", "model": {"kind": "mlp", "hidden": [8]}}
    data = {**config, "data": {"kind": "moons", "samples": 200}}
    nnlab.train(data, loss=squared, run_dir=tmp_path / "run")
    found = told(tmp_path / "run")
    assert "class_imbalance" in found["looked_for"]


def test_a_run_that_broke_is_made_again_where_all_is_at_hand(tmp_path: Path) -> None:
    inputs, labels = arrays()
    inputs[:9] = 1e30
    config = {**CONFIG, "data": {"scale": "none", "validation": 0.2, "test": "none"}}
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    done = nnlab.train(
        config, data=(inputs, labels), model=model, run_dir=tmp_path / "run",
        set={"optimizer": "sgd"},
    )  # fmt: skip
    assert done.status == "diverged"
    found = {f.name: f for f in nnlab.doctor(done, data=(inputs, labels), model=model).findings}
    rows = {str(row) for row in range(9)}
    assert rows & set(found["outlier_rows"].meaning.replace(",", "").split())
    assert "broke it" in found["divergence"].meaning
