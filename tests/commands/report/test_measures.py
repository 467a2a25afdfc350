"""The measures of finished runs, judged by scikit-learn on the outputs of their networks."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from sklearn import metrics

from nnlab.commands.report import classes, facts, noise_inputs, regression
from nnlab.commands.report.cases import Case, case_of, refuse_own
from nnlab.commands.report.scores import scores_of_case
from nnlab.config.loading import load_config, place_for
from nnlab.core.errors import ConfigError
from nnlab.parts.scores.ranks import threshold_counts
from nnlab.runs.finished.reopen import load_network, open_run, reopen_run
from nnlab.runs.run import train

CPU = torch.device("cpu")
CONFIGS: dict[str, dict[str, Any]] = {
    "digits": {"model": {"kind": "mlp", "hidden": [16]}},
    "breast_cancer": {"model": "linear", "loss": "bce"},
    "diabetes": {"model": "linear", "data": {"kind": "diabetes", "scale_target": "standard"}},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("measured")
    for name, sections in CONFIGS.items():
        train({"data": name, "optimizer": {"kind": "adam", "lr": 0.02}, "train": {"epochs": 3},
               **sections}, run_dir=root / name)  # fmt: skip
    return root


def case(folder: Path, name: str) -> Case:
    return case_of(open_run(folder / name, split="test", device=CPU), "test")


def known(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Outputs and targets of the test split, without anything of what is tested."""
    _, examples = reopen_run(folder / name, "cpu")
    rows = examples.rows["test"]
    inputs = (np.asarray(examples.inputs)[rows].astype(np.float32) - examples.shift) * (
        examples.factor
    )
    network = load_network(folder / name)
    outputs = network(torch.from_numpy(inputs)).detach().double().numpy()
    if name == "diabetes":
        mean, deviation = (network.get_buffer(f"target_{w}").numpy() for w in ("mean", "deviation"))
        outputs = outputs * deviation + mean
    return outputs, examples.targets[rows]


def values(found: Case) -> dict[str, float]:
    return {one.key: one.value for one in scores_of_case(found)}


def oracle(y: np.ndarray, p: np.ndarray) -> dict[str, float]:
    predicted, two = p.argmax(axis=1), p.shape[1] == 2
    marks = y[:, None] == np.arange(p.shape[1])
    return {
        "accuracy": metrics.accuracy_score(y, predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, predicted),
        "f1_macro": float(metrics.f1_score(y, predicted, average="macro")),
        "matthews_corrcoef": metrics.matthews_corrcoef(y, predicted),
        "log_loss": metrics.log_loss(y, p),
        "roc_auc": float(metrics.roc_auc_score(y, p[:, 1] if two else p, multi_class="ovr")),
        "average_precision": float(
            metrics.average_precision_score(y, p[:, 1])
            if two
            else metrics.average_precision_score(marks, p)
        ),
        "brier": float(np.square(p - marks).sum(axis=1).mean() * (0.5 if two else 1.0)),
    }


def test_scores_of_ten_classes_are_those_of_scikit_learn(folder: Path) -> None:
    z, y = known(folder, "digits")
    found = values(case(folder, "digits"))
    expected = oracle(y, softmax(z, axis=1))
    assert {key: found[key] for key in expected} == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_scores_of_mnist_are_those_of_scikit_learn(tmp_path: Path) -> None:
    data = {"kind": "mnist", "limit": 2000}
    if not load_config({"data": "mnist", "model": "linear"}).data.available(place_for(tmp_path)):
        pytest.skip("needs MNIST in NNLAB_DATA")
    train({"data": data, "model": {"kind": "mlp", "hidden": [16]}, "train": {"epochs": 2}},
          run_dir=tmp_path / "mnist")  # fmt: skip
    z, y = known(tmp_path, "mnist")
    assert len(y) == 10_000
    found, expected = values(case(tmp_path, "mnist")), oracle(y, softmax(z, axis=1))
    assert {key: found[key] for key in expected} == pytest.approx(expected, abs=1e-6)


def test_scores_of_two_classes_are_those_of_scikit_learn(folder: Path) -> None:
    z, y = known(folder, "breast_cancer")
    found = values(case(folder, "breast_cancer"))
    expected = oracle(y, np.concatenate([expit(-z), expit(z)], axis=1))
    assert {key: found[key] for key in expected} == pytest.approx(expected, abs=1e-6)


def test_scores_of_numbers_are_those_of_scikit_learn_in_their_own_unit(folder: Path) -> None:
    z, y = known(folder, "diabetes")
    found = values(case(folder, "diabetes"))
    expected = {
        "mae": metrics.mean_absolute_error(y, z),
        "rmse": metrics.root_mean_squared_error(y, z),
        "r2": float(metrics.r2_score(y, z)),
        "median_absolute_error": metrics.median_absolute_error(y, z),
    }
    # Outputs are float32; in units of about 150 that is 1e-5.
    assert {key: found[key] for key in expected} == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", CONFIGS)
class TestEveryScore:
    def test_lies_in_its_interval(self, folder: Path, name: str) -> None:
        for one in scores_of_case(case(folder, name)):
            if one.key != "expected_calibration_error":  # bins add up noise: it is biased upwards
                assert one.interval is not None
                assert one.interval.low <= one.value <= one.interval.high

    def test_has_the_same_interval_each_time(self, folder: Path, name: str) -> None:
        first, second = (scores_of_case(case(folder, name)) for _ in range(2))
        assert [one.plain() for one in first] == [one.plain() for one in second]


def test_the_baseline_is_that_of_the_split(folder: Path) -> None:
    _, y = known(folder, "breast_cancer")
    scores = {one.key: one for one in scores_of_case(case(folder, "breast_cancer"))}
    assert scores["accuracy"].baseline == pytest.approx(max(np.mean(y), 1 - np.mean(y)))
    assert scores["roc_auc"].baseline == 0.5


def test_each_class_and_each_mistake_is_counted(folder: Path) -> None:
    found = case(folder, "digits")
    z, y = known(folder, "digits")
    report: Any = metrics.classification_report(y, z.argmax(1), output_dict=True)
    rows = classes.measures_per_class(found)
    for number, row in enumerate(rows):
        for key, oracles in (("precision",) * 2, ("recall",) * 2, ("f1", "f1-score")):
            assert getattr(row, key) == pytest.approx(report[str(number)][oracles], abs=1e-9)
        assert row.support == (y == number).sum()
        assert row.recall_low is not None
        assert row.recall_high is not None
        assert row.recall_low <= row.recall <= row.recall_high
    matrix = classes.confusion_counts(found)
    assert matrix.sum() == len(y)
    assert (matrix.sum(axis=1) == np.bincount(y)).all()
    pairs = classes.confused_pairs(matrix, [str(k) for k in range(10)])
    assert pairs[0].count == (matrix - np.diag(np.diag(matrix))).max()
    assert all(pair.actual != pair.predicted for pair in pairs)
    first = pairs[0]
    assert first.share == first.count / (y == int(first.actual)).sum()


def test_areas_are_those_below_the_curves_that_are_drawn(folder: Path) -> None:
    z, y = known(folder, "digits")
    for number, one in enumerate(classes.class_curves(case(folder, "digits"))):
        assert len(one.roc) <= facts.CURVE_POINTS + 2
        p = softmax(z, axis=1)[:, number]
        assert one.roc_auc == pytest.approx(metrics.roc_auc_score(y == number, p), abs=1e-6)
        x, true = np.array(one.roc).T
        assert np.trapezoid(true, x) == pytest.approx(one.roc_auc, abs=5e-3)


def test_curves_run_through_every_point_of_scikit_learn_s() -> None:
    draw = np.random.default_rng(1)
    actual = draw.random(300) < 0.3
    by = np.round(draw.normal(size=300) + actual, 1)  # with many ties
    counts = threshold_counts(by, actual)
    false, true, _ = metrics.roc_curve(actual, by, drop_intermediate=False)
    assert np.stack(counts.roc_curve()) == pytest.approx(np.stack([false, true]))
    precision, recall, _ = metrics.precision_recall_curve(actual, by)
    expected = np.stack([recall, precision])[:, ::-1]
    # scikit-learn stops where every one of the class is found.
    assert np.stack(counts.precision_recall_curve())[:, : expected.shape[1]] == (
        pytest.approx(expected)
    )
    assert counts.roc_auc() == pytest.approx(metrics.roc_auc_score(actual, by))
    assert counts.average_precision() == pytest.approx(metrics.average_precision_score(actual, by))


def test_the_report_starts_without_scikit_learn(folder: Path) -> None:
    code = f"""
import sys
from nnlab.__main__ import main
assert main(["eval", {str(folder / "digits")!r}, "--report"]) == 0
assert not [name for name in sys.modules if name.partition(".")[0] == "sklearn"]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert any(path.suffix == ".html" for path in (folder / "digits").rglob("*"))


def test_the_worst_mistakes_are_the_surest(folder: Path) -> None:
    z, y = known(folder, "digits")
    p = softmax(z, axis=1)
    wrong = p.argmax(axis=1) != y
    found = classes.worst_classified(case(folder, "digits"))
    assert found[0].confidence == pytest.approx(p[wrong].max(), abs=1e-6)
    assert len(found) == min(classes.WORST_CLASSIFIED, wrong.sum())
    _, examples = reopen_run(folder / "digits", "cpu")
    assert all(str(examples.targets[one.row]) == one.actual for one in found)


def test_residuals_are_told_in_the_target_s_own_unit(folder: Path) -> None:
    z, y = known(folder, "diabetes")
    (column,) = regression.describe_columns(case(folder, "diabetes"))
    residuals = (z - y)[:, 0]
    assert column.mean_residual == pytest.approx(residuals.mean(), rel=1e-5)
    assert column.deviation == pytest.approx(residuals.std(), rel=1e-5)
    assert sum(column.histogram.counts) == len(y)
    worst = regression.worst_predicted(case(folder, "diabetes"))
    assert abs(worst[0].residual[0]) == pytest.approx(np.abs(residuals).max(), rel=1e-5)


class TestInputsThatMeanNothing:
    def test_are_told_beside_the_real_ones(self, folder: Path) -> None:
        found = case(folder, "digits")
        real, *noises = noise_inputs.sureness_on_noise(found)
        assert found.probabilities is not None
        assert real.confidence == pytest.approx(found.probabilities.max(axis=1).mean())
        assert [one.inputs for one in noises] == [
            "uniform noise", "gaussian noise", "shuffled across examples",
        ]  # fmt: skip
        assert all(0.1 <= one.confidence <= 1 and 0 <= one.entropy <= 1 for one in noises)

    def test_shuffled_columns_keep_their_values(self, folder: Path) -> None:
        _, examples = reopen_run(folder / "breast_cancer", "cpu")
        made = noise_inputs.noises(examples, "test")
        shuffled = made["shuffled across examples"]
        real = (np.asarray(examples.inputs)[examples.rows["test"]] - examples.shift) * (
            examples.factor
        )
        assert (np.sort(shuffled, axis=0) == np.sort(real, axis=0)).all()
        assert (shuffled != real).any()

    def test_gaussian_ones_have_the_moments_of_training(self, folder: Path) -> None:
        _, examples = reopen_run(folder / "breast_cancer", "cpu")
        gaussian = noise_inputs.noises(examples, "train")["gaussian noise"]
        # Scaled columns have mean 0 and deviation 1; 400 draws tell both to about 0.05.
        assert np.abs(gaussian.mean(axis=0)).max() < 0.25
        assert np.abs(gaussian.std(axis=0) - 1).max() < 0.2

    def test_of_tokens_are_tokens(self, tmp_path: Path) -> None:
        config = {
            "data": {"kind": "brackets", "samples": 200},
            "model": {"kind": "gru", "units": 4},
            "train": {"epochs": 1},
        }
        train(config, run_dir=tmp_path / "brackets")
        found = case(tmp_path, "brackets")
        made = noise_inputs.noises(found.opened.examples, "test")
        count = found.opened.experiment.shape.tokens
        drawn = made["random tokens"]
        assert set(np.unique(drawn)) == set(range(count))
        told = noise_inputs.sureness_on_noise(found)
        assert [one.inputs for one in told[1:]] == ["random tokens", "shuffled across examples"]

    def test_numbers_have_no_confidence(self, folder: Path) -> None:
        assert noise_inputs.sureness_on_noise(case(folder, "diabetes")) == []


def test_labels_are_judged_one_by_one(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(200, 4)).astype(np.float32)
    y = (x @ draw.normal(size=(4, 3)) + 0.5 * draw.normal(size=(200, 3)) > 0).astype(np.int64)
    np.savez(tmp_path / "rows.npz", inputs=x, targets=y)
    data = {"kind": "npz", "path": str(tmp_path / "rows.npz"), "task": "labels"}
    train({"data": data, "model": "linear", "train": {"epochs": 3}}, run_dir=tmp_path / "run")
    found = case(tmp_path, "run")
    p, actual = found.probabilities, found.actual
    assert p is not None
    expected = {
        "accuracy": ((p > 0.5) == actual).mean(),
        "exact_match": metrics.accuracy_score(actual, p > 0.5),
        "f1_macro": metrics.f1_score(actual, p > 0.5, average="macro"),
        "f1_micro": metrics.f1_score(actual, p > 0.5, average="micro"),
        "roc_auc": metrics.roc_auc_score(actual, p),
        "average_precision": metrics.average_precision_score(actual, p),
    }
    measured = values(found)
    assert {key: measured[key] for key in expected} == pytest.approx(expected, abs=1e-6)
    recall = [metrics.recall_score(actual[:, k], p[:, k] > 0.5) for k in range(3)]
    assert [row.recall for row in classes.measures_per_class(found)] == pytest.approx(recall)
    wrong = ((p > 0.5) != actual).sum(axis=1)
    assert classes.worst_labels(found)[0].wrong == wrong.max()


def test_a_loss_without_probabilities_is_judged_by_its_outputs(tmp_path: Path) -> None:
    config = {"data": "breast_cancer", "model": "linear", "loss": "hinge", "train": {"epochs": 2}}
    train(config, run_dir=tmp_path / "run")
    found = case(tmp_path, "run")
    keys = values(found)
    assert found.probabilities is None
    assert "roc_auc" in keys
    assert "log_loss" not in keys
    assert classes.worst_classified(found)[0].confidence is None
    assert noise_inputs.sureness_on_noise(found) == []


def test_what_predicts_nothing_is_refused(tmp_path: Path) -> None:
    config = {"data": "blobs", "model": "linear", "rule": "oja", "train": {"epochs": 1}}
    train(config, run_dir=tmp_path / "run")
    with pytest.raises(ConfigError, match="predicts nothing that could be judged"):
        refuse_own(open_run(tmp_path / "run", split="test", device=CPU))
