"""`nnlab doctor CONFIG`: before the first step."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nnlab.cli import app

HEALTHY = """
data: {kind: moons, samples: 300}
model: {kind: mlp, hidden: [16, 16]}
optimizer: {kind: adam, lr: 0.01}
"""


def doctor(tmp_path: Path, text: str, *words: str) -> Any:
    file = tmp_path / "one.yaml"
    file.write_text(text)
    return CliRunner().invoke(app, ["doctor", str(file), *words])


def names(done: Any) -> dict[str, dict[str, Any]]:
    return {finding["name"]: finding for finding in json.loads(done.stdout)["findings"]}


def test_a_healthy_config_has_no_finding_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = doctor(tmp_path, HEALTHY)
    assert done.exit_code == 0, done.output
    assert "nothing found" in done.stdout
    # A path stays whole, however long.
    assert all(len(s) <= 80 for s in done.stdout.splitlines() if str(tmp_path) not in s)
    assert [path.name for path in tmp_path.iterdir()] == ["one.yaml"]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        (["model={kind: mlp, hidden: {width: 16, depth: 20}, activation: sigmoid}"],
         "vanishing_gradient"),
        (["model={kind: mlp, hidden: {width: 16, depth: 20}, activation: sigmoid, "
          "init: lecun_normal}"], "vanishing_gradient"),
        (["model.init={kind: constant, value: 0.1}",
          "model.output.init={kind: constant, value: 0.1}"], "symmetric_units"),
        (["model.init={kind: zeros}", "model.output.init=zeros"], "symmetric_units"),
        (["model.init={kind: normal, std: 20}", "model.activation=tanh"], "saturation"),
        (["model.bias_init={kind: constant, value: -50}"], "dead_units"),
        (["model.output.init={kind: normal, std: 30}"], "poor_initialization"),
        (["model.init={kind: normal, std: 20}"], "exploding_gradient"),
        (["optimizer.lr=1e-9"], "cannot_learn_one_batch"),
        (["data.scale=none", "data={kind: wine, scale: none}"], "data_not_scaled"),
        (["model.norm=batch", "train.batch_size=3", "train.drop_last=true"],
         "batch_norm_with_tiny_batches"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_finds_what_would_go_wrong(changes: list[str], name: str, tmp_path: Path) -> None:
    flags = [word for change in changes for word in ("--set", change)]
    done = doctor(tmp_path, HEALTHY, "--json", *flags)
    assert done.exit_code == 7, done.output
    assert name in names(done)


def test_the_table_has_signal_and_gradient_beside_the_theory(tmp_path: Path) -> None:
    layers = json.loads(doctor(tmp_path, HEALTHY, "--json").stdout)["layers"]
    assert list(layers) == ["hidden1", "hidden2", "output"]
    assert layers["output"]["gradient"] == pytest.approx(1.0)
    assert layers["hidden2"]["signal_theory"] is not None
    assert layers["hidden1"]["gradient_theory"] is not None


def test_the_remedy_takes_the_place_of_what_was_set(tmp_path: Path) -> None:
    model = "model={kind: mlp, hidden: {width: 8, depth: 20}}"
    words = ("--set", model, "--set", "model.activation=sigmoid")
    done = doctor(tmp_path, HEALTHY, *words)
    assert "model.activation=relu" in done.stdout
    assert "model.activation=sigmoid" not in done.stdout
    assert "depth: 20" in done.stdout


def test_the_same_config_gives_the_same_page(tmp_path: Path) -> None:
    assert doctor(tmp_path, HEALTHY).stdout == doctor(tmp_path, HEALTHY).stdout


def test_a_mistake_in_the_config_is_told_as_check_does(tmp_path: Path) -> None:
    done = doctor(tmp_path, HEALTHY, "--set", "optimizer.lr=-1")
    assert done.exit_code != 0
    assert "must be greater than 0" in str(done.exception)


@pytest.mark.parametrize(
    "text",
    [
        "data: {kind: surface, function: ravine}\nmodel: point\noptimizer: {kind: sgd, lr: 1e-3}\n",
        "data: and\nmodel: linear\nrule: perceptron\n",
        "data: digits\nmodel: {kind: cnn, channels: [4], dense: [8], norm: batch}\n",
    ],
)
def test_takes_every_kind_of_experiment(text: str, tmp_path: Path) -> None:
    done = doctor(tmp_path, text)
    assert done.exit_code in (0, 7), done.exception
