"""Ensembles, judged by NumPy on the members' outputs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nnlab.__main__ import main
from nnlab.core.errors import ConfigError
from nnlab.runs.finished.ensemble import evaluate_together
from nnlab.runs.finished.evaluate import evaluate
from nnlab.runs.finished.reopen import load_network, reopen_run
from nnlab.runs.run import train

SIZES = {"blobs": {"kind": "blobs", "samples": 300, "cluster_std": 4.0}, "diabetes": "diabetes",
         "moons": {"kind": "moons", "samples": 300, "noise": 0.4}}  # fmt: skip


def runs_of(folder: Path, data: str, loss: str, seeds: range = range(3), /, **sections: Any) -> Any:
    for seed in seeds:
        config = {
            "name": "member",
            "seed": seed,
            "data": SIZES[data],
            "model": {"kind": "mlp", "hidden": [6]},
            "loss": loss,
            "optimizer": {"kind": "adam", "lr": 0.02},
            "train": {"epochs": 3},
            **sections,
        }
        train(config, run_dir=folder / f"{data}-{loss}-{seed}")
    return [folder / f"{data}-{loss}-{seed}" for seed in seeds]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("members")


@pytest.fixture(scope="module")
def blobs(folder: Path) -> list[Path]:
    return runs_of(folder, "blobs", "cross_entropy")


def outputs(runs: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """(M, N, K) float64 outputs and the (N,) or (N, K) targets of the test split."""
    found: list[np.ndarray] = []
    _, examples = reopen_run(runs[0], "cpu")
    rows = examples.rows["test"]
    inputs = (np.asarray(examples.inputs)[rows] - examples.shift) * examples.factor
    for run in runs:
        network = load_network(run)
        found.append(network(torch.from_numpy(inputs)).detach().double().numpy())
    return np.stack(found), examples.targets[rows]


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def test_members_score_as_eval_says(blobs: list[Path]) -> None:
    found = evaluate_together(blobs)
    for run, member in zip(blobs, found["members"], strict=True):
        alone = evaluate(run)
        assert member["loss"] == pytest.approx(alone["loss"], rel=1e-6)
        assert member["accuracy"] == alone["accuracy"]
    assert found["samples"] == 60


def test_averages_the_probabilities(blobs: list[Path]) -> None:
    found, (z, y) = evaluate_together(blobs), outputs(blobs)
    p = softmax(z).mean(axis=0)
    assert found["average"]["loss"] == pytest.approx(-np.log(p[range(60), y]).mean(), rel=1e-6)
    assert found["average"]["accuracy"] == pytest.approx((p.argmax(axis=1) == y).mean())


def test_the_loss_of_the_average_is_at_most_the_mean_of_the_losses(blobs: list[Path]) -> None:
    # Jensen: -log is convex.
    found = evaluate_together(blobs)
    assert found["gain"]["average"]["over_mean"]["loss"] >= 0.0


def test_votes_by_majority_and_breaks_ties_by_the_average(blobs: list[Path]) -> None:
    found, (z, y) = evaluate_together(blobs), outputs(blobs)
    votes = np.eye(z.shape[2])[z.argmax(axis=2)].sum(axis=0)
    winner = (votes + 0.5 * softmax(z).mean(axis=0)).argmax(axis=1)
    assert found["vote"] == {"accuracy": pytest.approx((winner == y).mean())}


def test_gains_are_over_the_mean_and_over_the_best(blobs: list[Path]) -> None:
    found = evaluate_together(blobs)
    accuracies = [member["accuracy"] for member in found["members"]]
    losses = [member["loss"] for member in found["members"]]
    gain = found["gain"]["average"]
    average = found["average"]
    assert gain["over_mean"]["accuracy"] == pytest.approx(average["accuracy"] - np.mean(accuracies))
    assert gain["over_best"]["accuracy"] == pytest.approx(average["accuracy"] - max(accuracies))
    assert gain["over_best"]["loss"] == pytest.approx(min(losses) - average["loss"])


def test_one_logit_for_two_classes_is_averaged_as_probability(folder: Path) -> None:
    runs = runs_of(folder, "moons", "bce")
    found, (z, y) = evaluate_together(runs), outputs(runs)
    p = (1 / (1 + np.exp(-z[:, :, 0]))).mean(axis=0)
    loss = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
    assert found["average"]["loss"] == pytest.approx(loss, rel=1e-6)
    assert found["average"]["accuracy"] == pytest.approx(((p > 0.5) == y).mean())
    assert found["vote"]["accuracy"] == pytest.approx(
        (((z[:, :, 0] > 0).sum(axis=0) >= 2) == y).mean()
    )


@pytest.mark.parametrize("loss", ["hinge", "mse"])
def test_outputs_that_are_no_probabilities_are_averaged_as_they_are(
    folder: Path, loss: str
) -> None:
    runs = runs_of(folder, "moons", loss)
    found, (z, y) = evaluate_together(runs), outputs(runs)
    mean = z.mean(axis=0)
    right = mean[:, 0] > 0 if loss == "hinge" else mean.argmax(axis=1)
    assert found["average"]["accuracy"] == pytest.approx((right == y).mean())


def test_numbers_are_averaged_and_nobody_votes(folder: Path) -> None:
    runs = runs_of(folder, "diabetes", "mse")
    found, (z, y) = evaluate_together(runs), outputs(runs)
    scale = reopen_run(runs[0], "cpu")[1].target_scale
    assert scale is not None
    y = (y - np.array(scale.mean)) / np.array(scale.deviation)
    off = z.mean(axis=0) - y
    assert found["average"]["loss"] == pytest.approx((off**2).mean(), rel=1e-5)
    mae = np.abs(off).mean() * scale.deviation[0]  # a score is in the targets' own unit
    assert found["average"]["mae"] == pytest.approx(mae, rel=1e-5)
    assert "vote" not in found
    # The squared error of a mean is at most the mean of the squared errors.
    assert found["gain"]["average"]["over_mean"]["loss"] >= 0.0


def test_members_may_differ_in_all_but_data_and_split(folder: Path, blobs: list[Path]) -> None:
    (other,) = runs_of(
        folder / "other", "blobs", "kl", range(1), model={"kind": "mlp", "hidden": [3, 3]},
        train={"epochs": 2, "averaging": "ema"},
    )  # fmt: skip
    found = evaluate_together([blobs[0], other])
    assert set(found["average"]) == {"accuracy"}, "losses differ, so the ensemble has none"


class TestRefuses:
    def test_other_data(self, folder: Path, blobs: list[Path]) -> None:
        moons = runs_of(folder / "data", "moons", "cross_entropy", range(1))
        with pytest.raises(ConfigError, match=r"have different data \(SHA-256 differs\)"):
            evaluate_together([blobs[0], *moons])

    def test_another_split(self, folder: Path, blobs: list[Path]) -> None:
        data = {"kind": "blobs", "samples": 300, "cluster_std": 4.0, "split_seed": 1}
        other = runs_of(folder / "split", "blobs", "cross_entropy", range(1), data=data)
        with pytest.raises(ConfigError, match="have different test rows"):
            evaluate_together([blobs[0], *other])

    def test_probabilities_beside_other_outputs(self, folder: Path, blobs: list[Path]) -> None:
        other = runs_of(folder / "mse", "blobs", "mse", range(1))
        with pytest.raises(ConfigError, match="cross_entropy and mse cannot be averaged"):
            evaluate_together([blobs[0], *other])

    def test_a_run_given_twice(self, blobs: list[Path]) -> None:
        with pytest.raises(ConfigError, match="given twice"):
            evaluate_together([blobs[0], blobs[0]])

    def test_a_split_that_there_is_not(self, folder: Path) -> None:
        data = {"kind": "blobs", "samples": 300, "validation": "none"}
        runs = runs_of(folder / "none", "blobs", "cross_entropy", range(2), data=data)
        with pytest.raises(ConfigError, match="--split validation"):
            evaluate_together(runs, split="validation")


def test_eval_of_several_runs_prints_a_table_or_json(
    blobs: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["eval", *map(str, blobs)]
    assert main(words) == 0
    table = capsys.readouterr().out
    for line in ("mean of the members", "ensemble, average", "ensemble, vote", "better than"):
        assert line in table
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["gain"] == evaluate_together(blobs)["gain"]
