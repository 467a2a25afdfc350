"""Losses, scores and the scaling of targets in whole runs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics
from torch.nn import functional as F

import nnlab
from nnlab.commands.show.data import data_page, shown_data_facts
from nnlab.commands.show.page import show_page
from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import Batch, Examples, Machine, Task
from nnlab.core.errors import ConfigError, DataError
from nnlab.core.kinds import kinds_of
from nnlab.core.text import text_list
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.settle import settle
from nnlab.parts.losses import Loss
from nnlab.parts.scores import AnyScore
from nnlab.runs.building.build import build_trainer
from nnlab.runs.building.scoring import blind_baseline, loss_of, scores_of
from nnlab.runs.finished.evaluate import evaluate
from nnlab.runs.finished.reopen import load_network
from nnlab.runs.run import train

CPU = torch.device("cpu")


def settled(folder: Path, **sections: Any) -> Experiment:
    return settle(load_config(sections), place_for(folder), Machine("cpu", 2))


def refusal(folder: Path, **sections: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        settled(folder, **sections)
    return [line.removeprefix("config: ") for line in caught.value.lines]


def read(folder: Path, split: str) -> list[dict[str, Any]]:
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [line for line in lines if line["split"] == split]


def forward(folder: Path, experiment: Experiment, examples: Examples, split: str) -> torch.Tensor:
    """The best network's outputs on a split, without the code that evaluates."""
    assert isinstance(examples.inputs, np.ndarray)
    inputs = (examples.inputs[examples.rows[split]] - examples.shift) * examples.factor  # pyright: ignore[reportArgumentType]
    with torch.no_grad():
        return load_network(folder)(torch.from_numpy(inputs))


DIABETES: dict[str, Any] = {
    "name": "diabetes",
    "data": {"kind": "diabetes", "scale_target": "standard"},
    "model": {"kind": "mlp", "hidden": [8]},
    "optimizer": {"kind": "adam", "lr": 0.01},
    "train": {"epochs": 20},
    "scores": ["mae", "r2", "median_absolute_error", "pearson", "max_error"],
}


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Experiment, Examples]:
    folder = tmp_path_factory.mktemp("scaled")
    train(DIABETES, run_dir=folder / "run")
    experiment = settled(folder, **DIABETES)
    return folder / "run", experiment, experiment.config.data.load(place_for(folder))


Scaled = tuple[Path, Experiment, Examples]


class TestScaledTargets:
    """`data.scale_target: standard`."""

    def test_the_network_learns_the_deviations_of_the_training_split(self, scaled: Scaled) -> None:
        _, experiment, examples = scaled
        train_targets = examples.targets[examples.rows["train"]].astype(np.float64)
        assert examples.target_scale is not None
        np.testing.assert_allclose(examples.target_scale.mean, train_targets.mean(axis=0))
        np.testing.assert_allclose(examples.target_scale.deviation, train_targets.std(axis=0))
        step = build_trainer(experiment, examples, CPU).step
        source = step.source  # pyright: ignore
        seen = source.gather(torch.from_numpy(examples.rows["train"])).targets.double()
        assert seen.mean().item() == pytest.approx(0.0, abs=1e-6)
        assert seen.std(correction=0).item() == pytest.approx(1.0, abs=1e-6)

    def test_scores_are_in_the_own_unit_and_the_loss_is_not(self, scaled: Scaled) -> None:
        folder, experiment, examples = scaled
        found = evaluate(folder)
        targets = examples.targets[examples.rows["test"]].astype(np.float64)
        outputs = forward(folder, experiment, examples, "test").double().numpy()
        mean, deviation = found["target"]["mean"][0], found["target"]["deviation"][0]
        guesses = outputs * deviation + mean
        assert found["loss"] == pytest.approx(
            metrics.mean_squared_error((targets - mean) / deviation, outputs), rel=1e-5
        )
        for key, oracle in (
            ("mae", metrics.mean_absolute_error),
            ("r2", metrics.r2_score),
            ("median_absolute_error", metrics.median_absolute_error),
            ("max_error", lambda y, z: metrics.max_error(y[:, 0], z[:, 0])),  # pyright: ignore
        ):
            assert found[key] == pytest.approx(oracle(targets, guesses), rel=1e-5), key

    def test_a_loaded_network_carries_what_makes_its_outputs_readable(self, scaled: Scaled) -> None:
        folder, experiment, examples = scaled
        network = nnlab.load(folder)
        outputs = forward(folder, experiment, examples, "test")
        mean, deviation = network.get_buffer("target_mean"), network.get_buffer("target_deviation")
        guesses = outputs * deviation + mean
        targets = torch.from_numpy(examples.targets[examples.rows["test"]])
        assert F.l1_loss(guesses, targets).item() == pytest.approx(evaluate(folder)["mae"])
        assert "target_mean" not in network.state_dict()

    def test_env_says_the_scale(self, scaled: Scaled) -> None:
        folder, _, examples = scaled
        assert examples.target_scale is not None
        found = json.loads((folder / "env.json").read_text())["target"]
        assert found["mean"] == list(examples.target_scale.mean)

    def test_learns_what_the_own_unit_hides(self, scaled: Scaled) -> None:
        # Targets about 150 with deviation 77: a small network has hardly left 0 after 20 epochs.
        folder, _, _ = scaled
        assert read(folder, "validation")[-1]["r2"] > 0.3

    def test_the_baseline_is_the_mean_in_the_own_unit(self, scaled: Scaled) -> None:
        _, experiment, examples = scaled
        found = blind_baseline(experiment, examples)
        targets = examples.targets[examples.rows["validation"]]
        mean = examples.targets[examples.rows["train"]].mean()
        assert found["mae"] == pytest.approx(np.abs(targets - mean).mean(), rel=1e-6)
        assert "pearson" not in found, "a constant has no correlation"

    def test_what_needs_all_outputs_is_read_in_evaluation_alone(self, scaled: Scaled) -> None:
        folder, _, _ = scaled
        assert "median_absolute_error" in read(folder, "validation")[0]
        assert "median_absolute_error" not in read(folder, "train")[0]
        assert "r2" in read(folder, "train")[0]

    def test_show_says_how_targets_are_seen(self, scaled: Scaled) -> None:
        _, experiment, examples = scaled
        lines = data_page(examples, experiment.config.data).splitlines()
        (line,) = (line for line in lines if line.startswith("  as seen"))
        assert abs(float(line.split()[-2])) < 1e-6
        assert float(line.split()[-1]) == 1.0

    def test_eval_prints_the_scale(self, scaled: Scaled) -> None:
        folder, _, _ = scaled
        found = evaluate(folder)
        deviation = found["target"]["deviation"][0]
        assert f"target deviation       {deviation:#.4g}" in text_list(found).splitlines()


def test_unscaled_targets_are_a_scale_of_0_and_1(tmp_path: Path) -> None:
    data = {"kind": "diabetes", "scale_target": "none"}
    train({**DIABETES, "data": data, "train": {"steps": 2}}, run_dir=tmp_path / "run")
    network = load_network(tmp_path / "run")
    assert network.get_buffer("target_mean").tolist() == [0.0]
    assert network.get_buffer("target_deviation").tolist() == [1.0]
    assert "target" not in evaluate(tmp_path / "run")


def test_a_constant_target_is_divided_by_1(tmp_path: Path) -> None:
    rows = "".join(f"{i},7,{i % 3}\n" for i in range(20))
    (tmp_path / "flat.csv").write_text("x,flat,y\n" + rows)
    data = {"kind": "csv", "path": str(tmp_path / "flat.csv"), "target": ["flat", "y"],
            "task": "regression", "scale_target": "standard"}  # fmt: skip
    experiment = settled(tmp_path, data=data, model="linear")
    scale = experiment.config.data.load(place_for(tmp_path)).target_scale
    assert scale is not None
    assert (scale[0][0], scale[1][0]) == (7.0, 1.0)
    assert scale[1][1] != 1.0


LOSSES: list[Any] = [kind.example() for kind in kinds_of(Loss).values()]
SCORES: list[Any] = [kind.example() for kind in kinds_of(AnyScore).values()]
ONE_OF_EACH: list[tuple[Any, Task]] = [
    (config, task)
    for config in LOSSES
    for task in config.tasks
    # A column of numbers is no distribution.
    if (config.kind, task) != ("kl", "regression")
]


@pytest.mark.parametrize(
    ("config", "task"), ONE_OF_EACH, ids=[f"{config.kind}-{task}" for config, task in ONE_OF_EACH]
)
def test_every_loss_and_score_trains_a_step(tmp_path: Path, config: Any, task: Task) -> None:
    data: Any = "iris" if task == "classes" else "diabetes"
    if task == "labels":
        data = labels_config(tmp_path)["data"]
    # mase compares with a season, which rows without an order have none of; free_running writes.
    ordered = ("mase", "free_running")
    scores = [score for score in SCORES if task in score.tasks and score.kind not in ordered]
    if not config.link_inside:
        scores = [score for score in scores if score.reads != "probabilities"]
    plain = [score.model_dump() for score in scores]
    experiment = settled(tmp_path, data=data, model=MLP, loss=config.model_dump(), scores=plain)
    examples = experiment.config.data.load(place_for(tmp_path))
    built = build_trainer(experiment, examples, CPU)
    before = {key: value.clone() for key, value in built.network.state_dict().items()}
    built.step.update(torch.from_numpy(examples.rows["train"][:64]))
    after = built.network.state_dict()
    assert any(not torch.equal(before[key], after[key]) for key in before)
    assert all(value.isfinite().all() for value in after.values())
    assert set(built.measure["validation"]()) == {"loss", *(score.key for score in scores)}


MLP = {"kind": "mlp", "hidden": [4]}
WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"data": {"kind": "iris", "scale_target": "standard"}},
        "data.scale_target: scales numbers, the targets of iris are classes (none)",
    ),
    (
        {"data": {"kind": "diabetes", "scale_target": "standard"}, "loss": "poisson_nll"},
        "data.scale_target: poisson_nll needs the targets as they are (none)",
    ),
    (
        {"data": "diabetes", "loss": "kl"},
        "loss: kl needs a distribution as target, two columns or more, and there is one number "
        "(loss: mse)",
    ),
    (
        {"data": "iris", "loss": {"kind": "focal", "class_weights": (0.0, 0.0, 0.0)}},
        "loss.class_weights: 0 for every class leaves nothing to learn (one above 0)",
    ),
    (
        {"data": "iris", "loss": {"kind": "cross_entropy", "class_weights": (1.0, 2.0)}},
        "loss.class_weights: 2 numbers for 3 classes (one for each, in their order)",
    ),
    (
        {"data": "iris", "loss": "mse", "scores": ("log_loss",)},
        "scores.0: log_loss needs probabilities, the outputs under mse are none "
        "(loss: cross_entropy)",
    ),
    (
        {"data": "iris", "scores": ({"kind": "f1", "average": "binary"},)},
        "scores.0: average: binary is for two classes, these are 3 (macro)",
    ),
    (
        {"data": "iris", "scores": ("exact_match",)},
        "scores.0: exact_match is not defined for targets that are classes",
    ),
    (
        {"data": "iris", "scores": ("roc_auc",), "train": {"monitor": "roc_auc/train"}},
        "train.monitor: roc_auc is read in evaluation alone (roc_auc/validation)",
    ),
    (
        {"data": "diabetes", "loss": {"kind": "gaussian_nll", "eps": 0.0}},
        "loss.eps: must be greater than 0, got 0.0",
    ),
]


@pytest.mark.parametrize(("sections", "line"), WRONG, ids=[line[:40] for _, line in WRONG])
def test_refuses_what_does_not_fit(tmp_path: Path, sections: dict[str, Any], line: str) -> None:
    assert refusal(tmp_path, model=MLP, **sections) == [line]


def test_several_f1_of_different_averages_are_no_doubles(tmp_path: Path) -> None:
    scores = ({"kind": "f1", "average": "micro"}, {"kind": "f1", "average": "macro"}, "f1")
    lines = refusal(tmp_path, data="iris", model=MLP, scores=scores)
    assert lines == ["scores.2: f1_macro was given before"]


def test_balanced_weights_come_from_the_training_split(tmp_path: Path) -> None:
    rows = "".join(f"{i},{'rare' if i % 10 == 0 else 'often'}\n" for i in range(200))
    (tmp_path / "rare.csv").write_text("x,y\n" + rows)
    experiment = settled(
        tmp_path,
        data={"kind": "csv", "path": str(tmp_path / "rare.csv"), "target": "y"},
        model="linear",
        loss={"kind": "cross_entropy", "class_weights": "balanced"},
    )
    examples = experiment.config.data.load(place_for(tmp_path))
    built = build_trainer(experiment, examples, CPU)
    batch = built.step.source.gather(torch.from_numpy(examples.rows["train"]))  # pyright: ignore
    outputs = torch.zeros(len(batch.rows), 2)
    losses = loss_of(experiment, examples, built.network)(outputs, batch)
    counts = torch.bincount(batch.targets).double()
    expected = np.log(2) * len(batch.rows) / (2 * counts)[batch.targets]
    torch.testing.assert_close(losses.double(), expected, rtol=1e-6, atol=0)
    # What is written stays the word: another split or seed gives other numbers.
    assert experiment.loss.model_dump()["class_weights"] == "balanced"


def test_class_scores_of_a_run_are_those_of_scikit_learn(tmp_path: Path) -> None:
    keys = ("accuracy", "roc_auc", "average_precision", "log_loss", "brier", "f1", "cohen_kappa",
            "expected_calibration_error")  # fmt: skip
    config = {"data": "iris", "model": MLP, "scores": keys, "train": {"epochs": 20}}
    train({**config, "name": "iris"}, run_dir=tmp_path / "run")
    experiment = settled(tmp_path, **config)
    examples = experiment.config.data.load(place_for(tmp_path))
    found = evaluate(tmp_path / "run")
    p = forward(tmp_path / "run", experiment, examples, "test").double().softmax(1).numpy()
    y = examples.targets[examples.rows["test"]]
    expected = {
        "accuracy": metrics.accuracy_score(y, p.argmax(1)),
        "roc_auc": metrics.roc_auc_score(y, p, multi_class="ovr"),
        "average_precision": metrics.average_precision_score(y, p),
        "log_loss": metrics.log_loss(y, p),
        "f1_macro": metrics.f1_score(y, p.argmax(1), average="macro"),
        "cohen_kappa": metrics.cohen_kappa_score(y, p.argmax(1)),
        "loss": metrics.log_loss(y, p),
    }
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=1e-5), key
    guess = blind_baseline(experiment, examples)
    assert guess["roc_auc"] == 0.5
    # The best constant probabilities are the shares of the classes, here a third each.
    assert guess["log_loss"] == pytest.approx(np.log(3), abs=0.01)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_written_links_give_probabilities_too(tmp_path: Path, activation: str) -> None:
    model = {**MLP, "output": {"activation": activation}}
    experiment = settled(
        tmp_path, data="iris", model=model, loss="quadratic", scores=("log_loss", "roc_auc")
    )
    examples = experiment.config.data.load(place_for(tmp_path))
    outputs = torch.tensor([[0.2, 0.2, 0.4], [0.9, 0.1, 0.0]])
    shares = outputs if activation == "softmax" else outputs / outputs.sum(1, keepdim=True)
    score = scores_of(experiment, examples)["log_loss"]
    batch = Batch(outputs, torch.tensor([2, 0]), torch.arange(2))
    expected = -(shares[0, 2].log() + shares[1, 0].log()).item()
    assert score.sums(outputs, batch).item() == pytest.approx(expected, rel=1e-6)


def test_gaussian_nll_learns_how_sure_it_can_be(tmp_path: Path) -> None:
    config = {
        **DIABETES,
        "loss": "gaussian_nll",
        "scores": ("mae", "r2"),
        "train": {"epochs": 60},
    }
    train(config, run_dir=tmp_path / "run")
    experiment = settled(tmp_path, **config)
    assert experiment.design.plans[-1].output == (2,)
    examples = experiment.config.data.load(place_for(tmp_path))
    outputs = forward(tmp_path / "run", experiment, examples, "test")
    network = load_network(tmp_path / "run")
    unit = network.get_buffer("target_deviation")
    mean = outputs[:, :1] * unit + network.get_buffer("target_mean")
    targets = torch.from_numpy(examples.targets[examples.rows["test"]])
    found = evaluate(tmp_path / "run")
    assert found["mae"] == pytest.approx(F.l1_loss(mean, targets).item(), rel=1e-5)
    assert found["r2"] > 0.3
    deviation = (F.softplus(outputs[:, 1:]) + 1e-6).sqrt() * unit
    # A normal distribution has 68 % within one deviation; a misfit would be 0 or all.
    inside = ((targets - mean).abs() < deviation).float().mean().item()
    assert 0.45 < inside < 0.9


LABELS = "a,b,c,x,y\n" + "".join(
    f"{int(x > 0)},{int(y > 0)},{int(x + y > 1)},{x:.3f},{y:.3f}\n"
    for x, y in np.random.default_rng(0).normal(size=(200, 2)).tolist()
)


def labels_config(folder: Path) -> dict[str, Any]:
    (folder / "labels.csv").write_text(LABELS)
    data = {"kind": "csv", "path": str(folder / "labels.csv"), "target": ["a", "b", "c"],
            "task": "labels"}  # fmt: skip
    return {"name": "labels", "data": data, "model": {"kind": "mlp", "hidden": [16]},
            "optimizer": {"kind": "adam", "lr": 0.03}}  # fmt: skip


class TestLabels:
    """Targets of which an example can have several."""

    def test_are_learned_and_scored(self, tmp_path: Path) -> None:
        config = {**labels_config(tmp_path), "train": {"epochs": 40},
                  "scores": ["accuracy", "exact_match", "f1", "roc_auc"]}  # fmt: skip
        summary = train(config, run_dir=tmp_path / "run")
        assert summary.status == "completed"
        experiment = settled(tmp_path, **config)
        examples = experiment.config.data.load(place_for(tmp_path))
        found = evaluate(tmp_path / "run")
        z = forward(tmp_path / "run", experiment, examples, "test").numpy()
        y = examples.targets[examples.rows["test"]]
        assert found["accuracy"] == pytest.approx(1 - metrics.hamming_loss(y, z > 0))
        assert found["exact_match"] == pytest.approx(metrics.accuracy_score(y, z > 0))
        assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(y, z))
        assert found["exact_match"] > 0.8
        assert blind_baseline(experiment, examples)["roc_auc"] == 0.5

    def test_auto_takes_bce_accuracy_and_f1(self, tmp_path: Path) -> None:
        experiment = settled(tmp_path, **labels_config(tmp_path))
        assert experiment.loss.kind == "bce"
        assert [score.key for score in experiment.scores] == ["accuracy", "f1_macro"]
        assert (experiment.shape.task, experiment.shape.classes) == ("labels", ("a", "b", "c"))
        assert experiment.design.plans[-1].output == (3,)

    def test_are_shown_and_counted(self, tmp_path: Path) -> None:
        config = labels_config(tmp_path)
        experiment = settled(tmp_path, **config)
        examples = experiment.config.data.load(place_for(tmp_path))
        counted = shown_data_facts(examples)["classes"]["train"]
        assert list(counted.values()) == examples.targets[examples.rows["train"]].sum(0).tolist()
        (tmp_path / "config.yaml").write_text(json.dumps(config))
        assert "2 to 3 labels" in show_page(
            str(tmp_path / "config.yaml"), [], data=True, as_json=False
        )

    def test_are_0_or_1(self, tmp_path: Path) -> None:
        config = labels_config(tmp_path)
        (tmp_path / "labels.csv").write_text(LABELS + "2,0,1,0.5,0.5\n")
        # Before anything is built: what training would refuse, check refuses.
        with pytest.raises(DataError, match=r"2 in row 200, label 0 .*expected 0 or 1"):
            settled(tmp_path, **config)

    def test_need_several_columns(self, tmp_path: Path) -> None:
        config = labels_config(tmp_path)
        config["data"]["target"] = "a"
        assert refusal(tmp_path, **config) == [
            "data.task: labels needs several target columns, got 1 (task: classes)"
        ]

    def test_come_from_npz_too(self, tmp_path: Path) -> None:
        marks = np.random.default_rng(0).integers(0, 2, (50, 4))
        np.savez(tmp_path / "a.npz", inputs=np.zeros((50, 3), np.float32), targets=marks)
        data = {"kind": "npz", "path": str(tmp_path / "a.npz"), "task": "labels"}
        experiment = settled(tmp_path, data=data, model="linear")
        examples = experiment.config.data.load(place_for(tmp_path))
        assert (examples.shape.task, examples.shape.outputs) == ("labels", 4)
        assert np.array_equal(examples.targets, marks)

    def test_cannot_be_learned_by_a_softmax(self, tmp_path: Path) -> None:
        lines = refusal(tmp_path, **labels_config(tmp_path), loss="cross_entropy")
        assert lines == [
            "loss: cross_entropy cannot be trained on targets that are labels, of which an "
            "example can have several (bce, hinge, squared_hinge can; bce with pos_weight: "
            "balanced, if labels are rare)"
        ]
