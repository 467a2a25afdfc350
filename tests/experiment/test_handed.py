"""Data, a module and a loss handed in from Python."""

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

import nnlab
from nnlab.core.errors import CheckpointError, ConfigError, DataError, NnlabError
from nnlab.runs.folder import checkpoint

DIGITS: Any = load_digits()
X = (DIGITS.images * 15).astype(np.uint8)[:400]
Y = DIGITS.target[:400]
MLP = {"kind": "mlp", "hidden": [12]}
SHORT = {"train": {"epochs": 2, "batch_size": 32}}


def network(dropout: float = 0.0) -> nn.Sequential:
    """Fresh, the same each time."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 16),
        nn.BatchNorm1d(16),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(16, 10),
    )


def first_argument(outputs: Tensor, _: Tensor) -> Tensor:
    return outputs


def one_half(_: Tensor, __: Tensor) -> float:
    return 0.5


def weights_of(run: Path, name: checkpoint.Pointer = "last") -> dict[str, Tensor]:
    found = checkpoint.named_checkpoint(run / "checkpoints", name).tensors
    return {key: value for key, value in found.items() if key.startswith("model/")}


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert torch.equal(found[key], value), key


def test_the_last_lines_name_no_command_that_would_lack_what_was_handed_in(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = nnlab.train(SHORT, data=(X, Y), model=network(), run_dir=tmp_path / "1", quiet=False).run
    lines = capfd.readouterr().err.splitlines()
    assert [line for line in lines if "nnlab" in line] == [f"next  nnlab tensorboard {run}"]


class TestData:
    @pytest.mark.parametrize("as_tensors", [False, True])
    def test_gives_the_bits_of_the_same_arrays_in_a_file(
        self, tmp_path: Path, as_tensors: bool
    ) -> None:
        np.savez(tmp_path / "a.npz", inputs=X, targets=Y)
        rest = {**SHORT, "model": {"kind": "mlp", "hidden": [12], "dropout": 0.2}}
        rules = {"validation": 50, "test": 0.1, "split_seed": 3, "limit": 200, "scale": "channel"}
        path = str(tmp_path / "a.npz")
        from_file = nnlab.train(
            {**rest, "data": {"kind": "npz", "path": path, **rules}}, run_dir=tmp_path / "a"
        )
        data: Any = (torch.from_numpy(X), torch.from_numpy(Y)) if as_tensors else (X, Y)
        handed = nnlab.train({**rest, "data": rules}, data=data, run_dir=tmp_path / "b")
        assert_same(weights_of(handed.run), weights_of(from_file.run))
        assert handed.best == from_file.best
        assert nnlab.evaluate(handed, data=data) == nnlab.evaluate(from_file)

    def test_needs_no_section_in_the_config(self, tmp_path: Path) -> None:
        run = nnlab.train({**SHORT, "model": MLP}, data=(X, Y), run_dir=tmp_path / "run")
        assert run.last["validation"]["scores"].keys() == {"accuracy"}
        assert "kind: arrays" in (run.run / "config.yaml").read_text()

    def test_class_names_are_those_of_predictions(self, tmp_path: Path) -> None:
        words = np.array(["even", "odd"])[Y % 2]
        run = nnlab.train({**SHORT, "model": MLP}, data=(X, words), run_dir=tmp_path / "run")
        assert set(nnlab.predict(run, X[:50, None]).labels) <= {"even", "odd"}

    def test_splits_handed_in_are_all_there_are(self, tmp_path: Path) -> None:
        data = {"train": (X[:300], Y[:300]), "test": (X[300:], Y[300:])}
        run = nnlab.train({**SHORT, "model": MLP}, data=data, run_dir=tmp_path / "run")
        assert run.last.keys() == {"train"}
        assert nnlab.evaluate(run, data=data)["samples"] == 100

    def test_a_column_of_numbers_is_a_regression(self, tmp_path: Path) -> None:
        run = nnlab.train(
            {**SHORT, "model": MLP},
            data=(X.reshape(400, 64), Y.astype(float)),
            run_dir=tmp_path / "run",
        )
        assert run.last["train"]["scores"].keys() == {"mae", "r2"}

    @pytest.mark.parametrize(
        ("data", "says"),
        [
            (X, "needs a pair"),
            ((X, Y[:-1]), "N = 400"),
            ((X.transpose(1, 2, 0), Y), "N = 8"),
            ((np.array([["a"]] * 400), Y), "not numbers"),
            ((X, np.array([object()] * 400)), "neither numbers nor class names"),
            ({"test": (X, Y)}, "needs 'train'"),
            ({"train": (X, Y), "dev": (X, Y)}, "may have"),
            ({"train": (X, Y), "test": (X[:, :4], Y)}, "differ in shape"),
            ((np.full((400, 2), np.nan), Y), "not finite"),
        ],
    )
    def test_refuses_what_cannot_be_trained_on(self, data: Any, says: str) -> None:
        with pytest.raises((ConfigError, DataError), match=says):
            nnlab.train({**SHORT, "model": MLP}, data=data)

    def test_refuses_a_config_with_other_data(self) -> None:
        with pytest.raises(ConfigError, match="data: says digits, and one was handed in"):
            nnlab.train({**SHORT, "data": "digits", "model": MLP}, data=(X, Y))

    def test_refuses_a_size_for_a_split_that_was_handed_in(self) -> None:
        config = {**SHORT, "model": MLP, "data": {"test": 0.5}}
        with pytest.raises(ConfigError, match=r"data\.test: was handed in"):
            nnlab.train(config, data={"train": (X, Y), "test": (X, Y)})


class TestModel:
    def test_trains_like_the_same_network_from_a_config(self, tmp_path: Path) -> None:
        config = {**SHORT, "data": "digits"}
        ours = nnlab.train(
            {**config, "model": {"kind": "mlp", "hidden": [12]}}, run_dir=tmp_path / "a"
        )
        first = weights_of(ours.run, "init")
        own = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10))
        own.load_state_dict(
            {
                f"{number}.{part}": first[f"model/{name}.{part}"]
                for number, name in ((1, "hidden1"), (3, "output"))
                for part in ("weight", "bias")
            }
        )
        run = nnlab.train(config, model=own, run_dir=tmp_path / "b")
        expected = weights_of(ours.run)
        assert torch.equal(own.state_dict()["1.weight"], expected["model/hidden1.weight"])
        assert run.best == ours.best
        assert run.parameters == ours.parameters
        for row, other in zip(run.history, ours.history, strict=True):
            found = {
                key.replace("/00_1", "/00_hidden1").replace("/01_3", "/01_output"): value
                for key, value in row.items()
            }
            assert found | {"samples_per_second": 0} == other | {"samples_per_second": 0}

    def test_is_trained_in_place_from_its_own_weights(self, tmp_path: Path) -> None:
        own = network()
        first = copy.deepcopy(own.state_dict())
        run = nnlab.train(SHORT, data=(X, Y), model=own, run_dir=tmp_path / "run")
        assert_same(weights_of(run.run, "init"), {f"model/{k}": v for k, v in first.items()})
        assert_same(weights_of(run.run), {f"model/{k}": v for k, v in own.state_dict().items()})

    def test_same_seed_same_bits_and_a_resumed_run_too(self, tmp_path: Path) -> None:
        whole = nnlab.train(
            SHORT, data=(X, Y), model=network(0.5), run_dir=tmp_path / "a", set={"train.epochs": 4}
        )
        half = nnlab.train(SHORT, data=(X, Y), model=network(0.5), run_dir=tmp_path / "b")
        torch.manual_seed(99)  # what the caller draws has no part in it
        other = copy.deepcopy(network(0.5))
        nnlab.resume(half, data=(X, Y), model=other, set={"train.epochs": 4})
        assert_same(weights_of(half.run), weights_of(whole.run))
        assert torch.equal(other.state_dict()["1.weight"], weights_of(whole.run)["model/1.weight"])

    def test_evaluate_and_load_leave_the_module_alone(self, tmp_path: Path) -> None:
        run = nnlab.train(SHORT, data=(X, Y), model=network(), run_dir=tmp_path / "run")
        fresh = network()
        before = copy.deepcopy(fresh.state_dict())
        assert nnlab.evaluate(run, data=(X, Y), model=fresh)["samples"] == 80
        loaded = nnlab.load(run, model=fresh)
        assert torch.equal(loaded.state_dict()["1.weight"], weights_of(run.run)["model/1.weight"])
        assert_same(dict(fresh.state_dict()), before)

    def test_modules_frozen_in_evaluation_mode_stay_so(self, tmp_path: Path) -> None:
        own = network()
        own[2].eval()
        mean = own.state_dict()["2.running_mean"].clone()
        nnlab.train(SHORT, data=(X, Y), model=own, run_dir=tmp_path / "run")
        assert torch.equal(own.state_dict()["2.running_mean"], mean)

    @pytest.mark.parametrize(
        ("own", "says"),
        [
            (
                nn.Sequential(nn.Flatten(), nn.Linear(64, 7)),
                r"gives \(2, 7\) .* expected \(2, 10\)",
            ),
            (nn.Sequential(nn.Flatten(), nn.Linear(64, 1)), r"expected \(2, 10\) .* classes$"),
            (nn.Linear(64, 10), "cannot take examples of shape"),
            (nn.Flatten(), "no parameters"),
            ("mlp", "needs a torch.nn.Module, got str"),
        ],
    )
    def test_refuses_what_does_not_fit(self, own: Any, says: str) -> None:
        with pytest.raises(ConfigError, match=says):
            nnlab.train(SHORT, data=(X, Y), model=own)

    def test_one_output_for_two_classes_is_told_of_bce(self) -> None:
        data = (X, (Y > 4).astype(int))
        own = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
        with pytest.raises(ConfigError, match=r"expected \(2, 2\) .*\(loss: bce takes one"):
            nnlab.train(SHORT, data=data, model=own)
        assert nnlab.train({**SHORT, "loss": "bce"}, data=data, model=own).steps > 0
        flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 1), nn.Flatten(0))
        with pytest.raises(ConfigError, match=r"gives \(2,\) .*\(keep the last axis"):
            nnlab.train({**SHORT, "loss": "bce"}, data=data, model=flat)

    def test_the_folder_says_that_it_needs_the_objects(self, tmp_path: Path) -> None:
        run = nnlab.train(SHORT, data=(X, Y), model=network(), run_dir=tmp_path / "run")
        assert "\n# From Python: data, model " in (run.run / "config.yaml").read_text()
        acts: list[Any] = [nnlab.evaluate, nnlab.resume, nnlab.load, nnlab.predict]
        for act in acts:
            rows = {"X": X[:, None]} if act is nnlab.predict else {}
            with pytest.raises(NnlabError, match=rf"nnlab\.{act.__name__}\(") as error:
                act(run, *rows.values())
            found = re.search(r"\((nnlab\..*\))\)$", str(error.value))
            assert found
            called = {"nnlab": nnlab, "y": Y, "network": network(), "X": X, **rows}
            eval(found[1], called)
        with pytest.raises(NnlabError, match=r"in no file \(hand"):
            nnlab.train(run.run / "config.yaml")

    def test_other_data_are_refused(self, tmp_path: Path) -> None:
        run = nnlab.train(SHORT, data=(X, Y), model=network(), run_dir=tmp_path / "run")
        with pytest.raises(DataError, match="not those of the run"):
            nnlab.evaluate(run, data=(X, Y[::-1].copy()), model=network())
        with pytest.raises(CheckpointError, match="not those of the run"):
            nnlab.resume(run, data=(X, Y[::-1].copy()), model=network())


class TestLoss:
    @pytest.mark.parametrize("reduction", ["none", "mean"])
    def test_reads_what_the_menu_reads(self, tmp_path: Path, reduction: str) -> None:
        config = {**SHORT, "model": {"kind": "mlp", "hidden": [12]}}
        ours = nnlab.train(config, data=(X, Y), run_dir=tmp_path / "a")

        def loss(outputs: Tensor, targets: Tensor) -> Tensor:
            return F.cross_entropy(outputs, targets, reduction=reduction)

        run = nnlab.train(config, data=(X, Y), loss=loss, run_dir=tmp_path / "b")
        for split in ("train", "validation"):
            found, expected = run.last[split]["loss"], ours.last[split]["loss"]
            assert found == pytest.approx(expected, rel=1e-4)
        again = nnlab.evaluate(run, data=(X, Y), loss=loss)
        assert again["loss"] == pytest.approx(nnlab.evaluate(ours, data=(X, Y))["loss"], rel=1e-4)

    @pytest.mark.parametrize(
        ("loss", "says"),
        [
            (nn.CrossEntropyLoss(reduction="sum"), "reduction='none'"),
            (nn.CrossEntropyLoss(weight=torch.arange(10.0)), "reduction='none'"),
            (first_argument, r"gives \(32, 10\) for 32 examples"),
            (one_half, "gives 0.5"),
            (3, "needs a function"),
        ],
    )
    def test_refuses_numbers_that_do_not_add_up(self, loss: Any, says: str) -> None:
        with pytest.raises(ConfigError, match=says):
            nnlab.train({**SHORT, "model": MLP}, data=(X, Y), loss=loss)

    def test_scores_need_as_many_outputs_as_targets(self, tmp_path: Path) -> None:
        """A mean and a deviation for each target."""

        def loss(outputs: Tensor, targets: Tensor) -> Tensor:
            mean, deviation = outputs[:, 0], F.softplus(outputs[:, 1]) + 0.1
            return F.gaussian_nll_loss(mean, targets[:, 0], deviation**2, reduction="none")

        own = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
        data = (X, Y.astype(np.float32))
        with pytest.raises(ConfigError, match=r"write scores: \[\]"):
            nnlab.train(SHORT, data=data, model=own, loss=loss)
        run = nnlab.train(
            {**SHORT, "scores": []}, data=data, model=own, loss=loss, run_dir=tmp_path / "run"
        )
        assert np.isfinite(run.last["validation"]["loss"])
