import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from nnlab.cli import app
from nnlab.commands.show.data import images, shown_data_facts
from nnlab.commands.show.layers import large, shape_text
from nnlab.commands.show.page import amount, show_page
from nnlab.comparison.comparison import settle_first
from nnlab.config.loading import place_for
from nnlab.experiment.memory import memory_needs


def facts(name: str, *overrides: str, data: bool = False) -> dict[str, Any]:
    return json.loads(show_page(name, overrides, data=data, as_json=True))


def test_counts_the_classic_network() -> None:
    found = facts("mnist_mlp16")
    # 784 * 16 + 16, 16 * 16 + 16, 16 * 10 + 10.
    assert found["parameters"] == 13002
    layers = {layer["name"]: layer for layer in found["layers"]}
    assert layers["hidden1"]["parameters"] == 12560
    assert layers["hidden1"]["output"] == [16]
    assert layers["hidden1"]["flops"] == 2 * 784 * 16


def test_says_what_every_auto_took() -> None:
    auto = facts("xor", "loss=auto", "log.every=auto")["auto"]
    assert auto["loss"] == "cross_entropy"
    assert auto["log.every"].endswith(" steps")
    assert "auto" not in auto.values()


def test_shows_no_auto_that_was_written_out() -> None:
    assert "loss" not in facts("xor", "loss=mse")["auto"]


@pytest.mark.parametrize(
    "name", ["digits_mlp", "mnist_lenet5", "cifar10_cnn", "diabetes", "spirals", "xor"]
)
def test_page_keeps_to_80_columns(name: str) -> None:
    page = show_page(name, (), data=False, as_json=False)
    assert max(map(len, page.splitlines())) <= 80
    assert f"{facts(name)['parameters']:,}" in page


def test_shows_the_penalty_only_where_there_is_one() -> None:
    assert facts("xor")["regularize"] == ""
    with_both = facts("xor", "regularize.l2=0.01", "regularize.l1=0.1")
    assert with_both["regularize"] == "0.5 * 0.01 * sum w^2 + 0.1 * sum |w|"


def test_lists_the_layers_inside_a_block() -> None:
    block = "{kind: residual, layers: [{kind: conv, channels: 1, padding: same}]}"
    model = f"{{kind: stack, layers: [{block}, flatten]}}"
    names = [layer["name"] for layer in facts("digits_cnn", f"model={model}")["layers"]]
    assert names == ["block1", "block1.conv1", "flatten", "output"]


def test_memory_counts_weights_and_the_largest_batch() -> None:
    found = memory_needs(settle_first("mnist_mlp16"))
    assert found["weights"] == 4 * 13002
    assert found["optimizer"] == 2 * found["weights"]
    assert found["data"] == 70000 * 784
    assert found["activations"] == 4 * 64 * (784 + 784 + 16 + 16 + 10)
    double = memory_needs(settle_first("mnist_mlp16", ["train.precision=fp64"]))
    assert double["weights"] == 2 * found["weights"]


def test_data_shows_the_splits_as_they_are() -> None:
    experiment = settle_first("iris")
    examples = experiment.config.data.load(place_for(Path()))
    found = shown_data_facts(examples)
    assert found["sizes"] == dict(experiment.shape.sizes)
    for split, rows in examples.rows.items():
        counts = np.bincount(examples.targets[rows], minlength=3)
        assert list(found["classes"][split].values()) == counts.tolist()


def test_ranges_agree_with_numpy() -> None:
    experiment = settle_first("iris")
    examples = experiment.config.data.load(place_for(Path()))
    assert isinstance(examples.inputs, np.ndarray)
    train = examples.inputs[examples.rows["train"]].astype(np.float64)
    found = shown_data_facts(examples)["ranges"]
    assert found["inputs as stored"] == pytest.approx(
        {"low": train.min(), "high": train.max(), "mean": train.mean(), "deviation": train.std()}
    )
    # scale: feature gives each column mean 0 and deviation 1.
    assert found["inputs as seen"]["mean"] == pytest.approx(0.0, abs=1e-6)
    assert found["inputs as seen"]["deviation"] == pytest.approx(1.0, abs=1e-6)


def test_columns_are_not_averaged_together_and_dates_are_days(tmp_path: Path) -> None:
    table = "".join(f"2024-01-{day:02},{day % 7},{3 * day}.5\n" for day in range(1, 31))
    (tmp_path / "a.csv").write_text(f"date,heat,y\n{table}")
    (tmp_path / "a.yaml").write_text(
        "data: {kind: csv, path: a.csv, target: y, columns: {dates: [date]}}\n"
        "model: {kind: mlp, hidden: [4]}\n"
    )
    done = CliRunner().invoke(app, ["show", str(tmp_path / "a.yaml"), "--data"])
    assert done.exit_code == 0, done.output
    assert "inputs as stored" not in done.stdout
    (line,) = (line for line in done.stdout.splitlines() if "date (days since 1970)" in line)
    assert 19723 <= float(line.split()[-4]) < 19753


def test_draws_an_image_of_each_of_the_first_classes() -> None:
    examples = settle_first("digits_mlp").config.data.load(place_for(Path()))
    head, *lines = images(examples).splitlines()
    assert head.split() == ["0", "1", "2", "3"]
    assert len(lines) == 8
    assert len(set(map(len, lines))) == 1


def test_tables_have_no_picture() -> None:
    assert images(settle_first("iris").config.data.load(place_for(Path()))) == ""


def test_numbers_get_units() -> None:
    assert (shape_text((1, 28, 28)), large(25088), amount(52008)) == ("1x28x28", "25.1k", "52 kB")
