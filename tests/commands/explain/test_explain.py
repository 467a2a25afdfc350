"""`nnlab explain`: which rows, which class, what is said of each method."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nnlab
from nnlab.__main__ import main
from nnlab.commands.explain.page import page_of, summary_of
from nnlab.core.errors import CheckpointError, ConfigError
from nnlab.runs.explaining.answers import explain_run
from nnlab.runs.explaining.shown import heat_colors
from nnlab.runs.finished.reopen import reopen_run

SHORT: dict[str, Any] = {"train": {"epochs": 3, "batch_size": 32}}
MLP = {"kind": "mlp", "hidden": [6]}


def trained(folder: Path, config: dict[str, Any]) -> Path:
    return nnlab.train({**SHORT, **config}, run_dir=folder / "net" / "1").run


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("iris"), {"data": "iris", "model": MLP})


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    layers = [{"kind": "conv", "channels": 4, "kernel": 3}, "flatten"]
    config = {"data": "digits", "model": {"kind": "stack", "layers": layers}}
    return trained(tmp_path_factory.mktemp("digits"), config)


def held_out(run: Path, *numbers: int) -> list[int]:
    """Rows of the whole table that are these of validation."""
    return reopen_run(run, "cpu")[1].rows["validation"][[*numbers]].tolist()


def test_the_parts_of_an_answer_add_up_to_what_the_network_says(iris: Path) -> None:
    found = explain_run(iris, rows=held_out(iris, 0, 3), answer="virginica")
    network, asked = found.opened.network, found.question
    assert asked.columns.tolist() == [2, 2]
    with torch.no_grad():
        wanted = network(asked.inputs)[:, 2] - network(torch.zeros_like(asked.inputs))[:, 2]
    parts = found.attributions["integrated_gradients"].sum(dim=1)
    torch.testing.assert_close(parts, wanted, rtol=0.01, atol=1e-4)
    # Of a table each column stands alone: occlusion is the fall of the output without it.
    without = asked.inputs.clone()
    without[:, 1] = 0.0
    with torch.no_grad():
        fall = (network(asked.inputs) - network(without))[:, 2]
    torch.testing.assert_close(found.attributions["occlusion"][:, 1], fall)


def test_without_rows_the_worst_come_first_and_each_method_is_tested(iris: Path) -> None:
    found = explain_run(iris, split="validation", rows=(), answer="")
    assert len(set(found.numbers.tolist())) == 6
    network = found.opened.network
    with torch.no_grad():
        said = network(found.question.inputs).argmax(dim=1)
    names = found.opened.experiment.shape.classes
    assert list(found.answers) == [names[int(k)] for k in said]
    assert list(found.attributions) == [
        "integrated_gradients",
        "occlusion",
        "saliency",
        "smoothgrad",
    ]
    assert [rank.layer for rank in found.ranks["saliency"]] == ["output", "hidden1"]
    assert "too few inputs to tell" in " ".join(summary_of(found).split())  # of four columns
    assert all(-1 <= rank.correlation <= 1 for ranks in found.ranks.values() for rank in ranks)


def test_a_logit_of_two_classes_is_explained_for_either(tmp_path: Path) -> None:
    run = trained(tmp_path, {"data": "moons", "model": MLP, "loss": "bce"})
    first, second = (
        explain_run(run, rows=held_out(run, 1), answer=name).attributions
        for name in nnlab_classes(run)
    )
    for name in ("integrated_gradients", "occlusion"):
        torch.testing.assert_close(first[name], -second[name])


def nnlab_classes(run: Path) -> list[str]:
    return json.loads((run / "data.json").read_text())["classes"]


def test_images_have_a_map_of_the_last_convolution(digits: Path) -> None:
    found = explain_run(digits, rows=held_out(digits, 2), answer="")
    assert found.question.layer == "network.conv1"
    assert found.attributions["grad_cam"].shape == (1, 8, 8)
    page = page_of(found)
    assert page.count("data:image/png;base64,") == 6 + 10  # and what ten outputs look for
    assert "Grad-CAM" in page
    assert not re.search(r"https?:|src=\"(?!data:)", page)


def test_a_regression_explains_its_output(tmp_path: Path) -> None:
    run = trained(tmp_path, {"data": "diabetes", "model": MLP})
    found = explain_run(run, rows=held_out(run, 4), answer="")
    assert found.answers == ("the output",)
    assert "bmi" in page_of(found)
    assert "Red speaks" not in page_of(found)
    assert "add up to within" in " ".join(summary_of(found).split())


def test_red_is_for_blue_against_and_nothing_leaves_the_image() -> None:
    image = np.array([[0.0, 1.0, 0.5]])
    colors = heat_colors(np.array([[1.0, -1.0, 0.0]]), image)
    assert colors[0, 0] == pytest.approx([178, 24, 43])
    assert colors[0, 1] == pytest.approx([33, 102, 172])
    assert colors[0, 2] == pytest.approx([227.5] * 3)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"rows": [999]}, r"--row 999: the last row is 149 \(rows count from 0 in the whole"),
        ({"answer": "rose"}, r"--class rose: is no class of .* \(classes are setosa, versicolor"),
    ],
)
def test_what_is_not_there_is_refused(iris: Path, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        explain_run(iris, rows=asked.get("rows", ()), answer=asked.get("answer", ""))


def test_runs_without_a_gradient_and_comparisons_are_refused(tmp_path: Path) -> None:
    config = {"data": "iris", "model": MLP, "seeds": 2, **SHORT}
    both = nnlab.train_comparison(config, run_dir=tmp_path / "two").run
    with pytest.raises(CheckpointError, match="comparison of several runs"):
        explain_run(both, split="validation", rows=(), answer="")


def test_of_a_learned_latch_the_first_token_decides(tmp_path: Path) -> None:
    config = {
        "data": {"kind": "first_token", "steps": 6, "samples": 600},
        "model": {"kind": "transformer", "width": 16, "depth": 1, "heads": 2},
        "optimizer": {"kind": "adamw", "lr": 0.01},
        "train": {"epochs": 6, "batch_size": 16},
    }
    run = trained(tmp_path, config)
    found = explain_run(run, rows=held_out(run, 0, 1), answer="")
    assert found.answers == found.actual
    for name in ("integrated_gradients", "occlusion", "saliency"):
        assert found.attributions[name].abs().argmax(dim=1).tolist() == [0, 0], name
    assert found.attributions["attention_rollout"].shape == (2, 6)
    assert found.integrated.miss < 0.1  # a norm makes the way from 0 steep
    assert found.sought is None
    layers = [rank.layer for rank in found.ranks["occlusion"]]
    assert (layers[0], layers[-1]) == ("output", "embedding")
    page = page_of(found)
    assert "an embedding of 0" in page
    assert "attention rollout" in page
    assert "What an output looks for" not in page


def test_the_next_token_is_explained_by_those_before_it(tmp_path: Path) -> None:
    text = tmp_path / "book.txt"
    text.write_text("ab<c " * 60, encoding="utf-8")
    data = {"kind": "text", "path": str(text), "window": 6}
    run = trained(tmp_path, {"data": data, "model": {"kind": "gru", "units": 4}})
    found = explain_run(run, rows=held_out(run, 1), answer="space")
    assert found.answers == ("space",)
    examples = found.opened.examples
    target = int(examples.targets[found.rows[0], -1])
    assert found.actual == (examples.shape.classes[target],)
    assert list(found.attributions) == [
        "integrated_gradients",
        "occlusion",
        "saliency",
        "smoothgrad",
    ]
    page = page_of(found)
    assert "the answer behind the last step" in page
    assert "&lt;</span>" in page  # the text's own characters, escaped
    json.dumps(found.plain())


def test_the_steps_of_a_series_are_explained(tmp_path: Path) -> None:
    data = {"kind": "sunspots", "window": 9, "horizon": 2}
    run = trained(tmp_path, {"data": data, "model": {"kind": "gru", "units": 4}})
    found = explain_run(run, rows=held_out(run, 1), answer="")
    assert found.attributions["occlusion"].shape == (1, 9)
    page = page_of(found)
    assert "step 9" in page
    assert found.sought is not None
    assert found.sought.inputs.shape == (2, 9, 1)


def test_a_row_is_that_of_the_report_whatever_split_it_is_in(iris: Path) -> None:
    examples = reopen_run(iris, "cpu")[1]
    assert isinstance(examples.inputs, np.ndarray)
    for split, mine in examples.rows.items():
        row = int(mine[-1])
        found = explain_run(iris, rows=[row], answer="")
        assert (found.split, found.rows.tolist()) == (split, [row])
        assert found.plain()["rows"] == [row]
        assert f"row {row}: " in page_of(found)
        seen = (examples.inputs[row] - examples.shift) * examples.factor
        np.testing.assert_allclose(found.question.inputs[0].numpy(), seen[0], rtol=1e-5)
    test, train = int(examples.rows["test"][0]), int(examples.rows["train"][0])
    with pytest.raises(ConfigError, match=rf"--row {test}: is a row of test, .*--split test"):
        explain_run(iris, rows=[test], answer="", split="train")
    with pytest.raises(ConfigError, match=rf"--row {test}: is a row of test, not of train"):
        explain_run(iris, rows=[train, test], answer="")


def test_the_command_prints_the_page_last(iris: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = map(str, held_out(iris, 1))
    assert main(["explain", str(iris), "--row", row]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert Path(lines[-1]) == iris / "eval" / "explain-validation.html"
    assert main(["explain", str(iris), "--row", row, "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert len(plain["attributions"]["saliency"][0]) == 4
    assert set(plain["alike_with_random_weights"]["saliency"]) == {"output", "hidden1"}


def test_the_page_shows_what_each_output_looks_for(iris: Path, digits: Path) -> None:
    found = explain_run(digits, rows=held_out(digits, 0, 1), answer="")
    assert found.outputs == tuple("0123456789")
    page = page_of(found)
    assert all(f"sought by {name}" in page for name in found.outputs)
    assert found.sought is not None
    # Each is at least as sure of its own class as the rows that set how far it may go.
    with torch.no_grad():
        network, asked = found.opened.network, found.question
        rows = network(asked.inputs).amax(dim=0)
        own = network(found.sought.inputs).diagonal()
    assert (own > rows).all()
    table = page_of(explain_run(iris, rows=held_out(iris, 0), answer=""))
    assert "input, after scaling" in table
