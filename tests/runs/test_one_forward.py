"""Whoever asks a run's network over a split gets the numbers that `eval` prints."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nnlab.commands.report.cases import case_of
from nnlab.commands.report.classes import confusion_counts as matrix_of
from nnlab.display.pictures.judged import ConfusionMatrix
from nnlab.parts.scores.family import predicted_class
from nnlab.runs.building.build import build_trainer, source_of
from nnlab.runs.building.forward import forward_of
from nnlab.runs.finished.ensemble import evaluate_together
from nnlab.runs.finished.evaluate import evaluate
from nnlab.runs.finished.outputs import split_answers
from nnlab.runs.finished.predict import predict
from nnlab.runs.finished.reopen import Opened, open_run, restore_network
from nnlab.runs.observers import per_example
from nnlab.runs.observers.judged import judge_split
from nnlab.runs.run import train

# The outputs begin small and lie close, so that precision decides which is the greatest: in float32
# this network answers some training examples otherwise.
CONFIG: dict[str, Any] = {
    "data": {"kind": "digits", "validation": 0.2},
    "model": {
        "kind": "mlp",
        "hidden": [64, 64],
        "activation": "tanh",
        "dropout": 0.1,
        "output": {"init": {"kind": "normal", "std": 0.01}},
    },
    "optimizer": {"kind": "sgd", "lr": 0.03},
    "train": {"steps": 30, "batch_size": 64, "precision": "bf16", "threads": 1},
}
SINGLE: dict[str, Any] = {
    "data": {"kind": "circles"},
    "model": {"kind": "mlp", "hidden": [32]},
    "loss": "bce",
    "train": {"steps": 20, "precision": "bf16", "threads": 1},
}


@pytest.fixture(scope="module", params=[CONFIG, SINGLE], ids=["ten classes", "one output"])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    folder = tmp_path_factory.mktemp("bf16") / "run"
    train(request.param, run_dir=folder, device="cpu")
    return open_run(folder, split="train", device=torch.device("cpu"))


def labels(opened: Opened) -> np.ndarray:
    return opened.examples.targets[opened.examples.rows["train"]]


def printed(opened: Opened) -> tuple[float, int]:
    """The accuracy that `eval` prints, as a count of right examples, and N."""
    found = evaluate(opened.run, split="train", device="cpu")
    return found["accuracy"] * found["samples"], found["samples"]


def test_the_confusion_matrix_adds_up_to_the_printed_accuracy(opened: Opened) -> None:
    right, samples = printed(opened)
    forward = forward_of(opened.experiment, opened.network)
    source = source_of(opened.examples, device=opened.device, dtype=torch.float32)
    found = judge_split(opened.experiment, opened.examples, forward, source, "train")
    assert found is not None
    drawn = ConfusionMatrix.collect(found)["counts"]
    reported = matrix_of(case_of(opened, "train"))
    assert drawn.sum() == samples
    assert np.trace(drawn) == pytest.approx(right, abs=1e-6)
    assert np.array_equal(drawn, reported)


def test_full_precision_would_answer_otherwise(opened: Opened) -> None:
    # Else the test above could not fail.
    inputs = source_of(opened.examples, device=opened.device, dtype=torch.float32)
    rows = torch.from_numpy(opened.examples.rows["train"])
    with torch.no_grad():
        wide = opened.network(inputs.gather(rows).inputs)
    low = split_answers(opened, "train").outputs
    assert not torch.equal(wide.double(), low)
    if opened.experiment.shape.classes[2:]:
        assert not torch.equal(predicted_class(wide), predicted_class(low))


def test_predictions_are_the_outputs_of_the_evaluation(opened: Opened) -> None:
    rows = opened.examples.rows["train"]
    stored = np.asarray(opened.examples.inputs)[rows]
    found = predict(opened.run, stored, device="cpu")
    assert np.array_equal(found.outputs.astype(np.float64), split_answers(opened, "train").outputs)
    names = np.array(opened.experiment.shape.classes)[labels(opened)]
    assert (names == np.array(found.labels)).sum() == pytest.approx(printed(opened)[0], abs=1e-6)


def test_records_of_examples_have_the_losses_of_the_evaluation(opened: Opened) -> None:
    experiment, examples = opened.experiment, opened.examples
    built = build_trainer(experiment, examples, opened.device)
    built.network.load_state_dict(restore_network(opened.run, experiment).state_dict())
    built.network.train()
    if experiment.shape.classes[2:]:
        rows = examples.rows["train"]
        asked = built.network, built.source
        found = per_example.row_answers(experiment, examples, *asked, rows)
        right = (found["predicted"] == labels(opened)).sum()
        assert right == pytest.approx(printed(opened)[0], abs=1e-6)
        losses = split_answers(opened, "train").losses
        assert np.array_equal(found["losses"].astype(np.float64), losses)
        assert all(m.training for m in built.network.modules())


def test_the_printed_loss_is_the_mean_of_the_examples(opened: Opened) -> None:
    mean = split_answers(opened, "train").losses.mean().item()
    assert evaluate(opened.run, split="train", device="cpu")["loss"] == pytest.approx(mean)


def test_an_ensembles_member_reaches_what_it_reaches_alone(opened: Opened, tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    train(opened.run / "config.yaml", run_dir=twin, device="cpu")
    found = evaluate_together([opened.run, twin], split="train", device="cpu")
    right, samples = printed(opened)
    assert found["members"][0]["accuracy"] == pytest.approx(right / samples, abs=1e-12)
