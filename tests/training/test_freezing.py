"""Frozen layers: their bytes stay, others learn, and a run goes on exactly after they thaw."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import nnlab
from nnlab.core.errors import ConfigError
from nnlab.core.events import SaveDue
from nnlab.experiment.handed import experiment_of
from nnlab.parts.optimizers.naming import fits
from nnlab.runs.finished.reopen import load_network
from nnlab.training.probes.no_trace import is_frozen

CNN = {"kind": "cnn", "channels": [4, 8], "norm": "batch", "dense": [16]}
MLP = {"kind": "mlp", "hidden": [12, 12, 12], "norm": "batch"}
HARSH = {
    "optimizer": {"kind": "adamw", "lr": 0.01, "weight_decay": 0.1},
    "regularize": {"l2": 1e-3, "max_norm": 0.3},
}
"""All that moves weights besides the gradient."""


def config(model: dict[str, Any], **sections: Any) -> dict[str, Any]:
    train = {"epochs": 2, "compile": "off", **sections.pop("train", {})}
    return {"data": "digits", "model": model, "train": train, **sections}


def saved(run: Path, name: str = "last") -> dict[str, Tensor]:
    folder = run / "checkpoints" / (run / "checkpoints" / name).read_text().strip()
    tensors = load_file(folder / "model.safetensors")
    return {key.removeprefix("model/"): tensor for key, tensor in tensors.items()}


def digests(tensors: dict[str, Tensor]) -> dict[str, str]:
    return {
        name: hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()
        for name, tensor in tensors.items()
    }


def split_by_change(run: Path) -> tuple[set[str], set[str]]:
    before, after = digests(saved(run, "init")), digests(saved(run))
    same = {name for name in before if before[name] == after[name]}
    return same, set(before) - same


@pytest.mark.parametrize("compiled", ["off", pytest.param("on", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"train": {"averaging": {"kind": "ema", "decay": 0.9}, "accumulate": 2, "clip_norm": 0.1}},
        {"train": {"precision": "bf16"}},
    ],
    ids=["plain", "averaged", "bf16"],
)
def test_weights_and_statistics_of_frozen_layers_keep_their_bytes(
    tmp_path: Path, compiled: str, more: dict[str, Any]
) -> None:
    if compiled == "on" and more:
        pytest.skip("one build is enough")
    train = {"compile": compiled, **more.get("train", {})}
    model = {**CNN, "freeze": ["conv1", "conv2.weight", "conv2_norm"]}
    asked = config(model, **HARSH, train=train)
    summary = nnlab.train(asked, run_dir=tmp_path / "run", device="cpu")
    same, changed = split_by_change(summary.run)
    norm = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
    frozen = {"conv1.weight", "conv1.bias", "conv2.weight"}
    assert same == frozen | {f"conv{i}_norm.{name}" for i in (1, 2) for name in norm}
    assert {"conv2.bias", "hidden1.weight", "hidden1_norm.running_mean"} <= changed
    if compiled == "on":
        assert summary.compiled


def test_a_frozen_norm_uses_its_running_statistics(tmp_path: Path) -> None:
    """Then what a frozen layer puts out of one example does not hang on the others."""
    model = {**CNN, "freeze": ["conv*"]}
    run = nnlab.train(config(model), run_dir=tmp_path / "run", device="cpu").run
    plain = nnlab.train(config(CNN), run_dir=tmp_path / "plain", device="cpu").run
    assert digests(saved(run, "init")) == digests(saved(plain, "init"))
    for name in ("running_mean", "running_var"):
        first = saved(run, "init")[f"conv1_norm.{name}"]
        assert torch.equal(saved(run)[f"conv1_norm.{name}"], first)
        assert not torch.equal(saved(plain)[f"conv1_norm.{name}"], first)


def test_the_same_as_a_hand_written_loop(tmp_path: Path) -> None:
    """One full-batch step of gradient descent, computed from the first weights."""
    asked = config(
        {"kind": "mlp", "hidden": [8], "freeze": ["hidden1"]},
        optimizer={"kind": "sgd", "lr": 0.5},
        train={"steps": 1, "epochs": None, "batch_size": "full", "precision": "fp64"},
    )
    run = nnlab.train(asked, run_dir=tmp_path / "run", device="cpu").run
    experiment = experiment_of(asked)
    examples = experiment.load()
    rows = examples.rows["train"]
    assert isinstance(examples.inputs, np.ndarray)
    x = torch.tensor(((examples.inputs - examples.shift) * examples.factor)[rows]).double()
    first, last = saved(run, "init"), saved(run)
    hidden = torch.relu(x.flatten(1) @ first["hidden1.weight"].T + first["hidden1.bias"])
    weight = first["output.weight"].clone().requires_grad_()
    logits = hidden @ weight.T + first["output.bias"]
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(examples.targets[rows]))
    (gradient,) = torch.autograd.grad(loss, weight)
    expected = first["output.weight"] - 0.5 * gradient
    torch.testing.assert_close(last["output.weight"], expected, atol=1e-12, rtol=0)
    assert torch.equal(last["hidden1.weight"], first["hidden1.weight"])


class TestUnfreeze:
    ASKED = config(
        {**MLP, "freeze": ["hidden*"]},
        **HARSH,
        train={"epochs": 4, "unfreeze": {"hidden3": 1, "hidden2": "45 steps"}},
        log={"checkpoints": "20 steps"},
    )

    def test_each_layer_begins_at_its_moment(self, tmp_path: Path) -> None:
        run = nnlab.train(
            self.ASKED, set={"log.checkpoints": "5 steps"}, run_dir=tmp_path / "run", device="cpu"
        ).run
        folders = sorted((run / "checkpoints").glob("step-*"))
        states = {
            int(folder.name[5:]): digests(
                {
                    key.removeprefix("model/"): tensor
                    for key, tensor in load_file(folder / "model.safetensors").items()
                }
            )
            for folder in folders
        }
        begins = {"hidden1": None, "hidden2": 45, "hidden3": 20, "output": 0}
        for layer, moment in begins.items():
            for name in (n for n in states[0] if n.startswith((f"{layer}.", f"{layer}_"))):
                moved = [step for step in states if states[step][name] != states[0][name]]
                assert (moved[:1] or [None]) == [moment if moment is None else moment + 5], name

    @pytest.mark.parametrize("stop", [1, 3])
    def test_a_run_that_is_resumed_is_one_that_was_not(self, tmp_path: Path, stop: int) -> None:
        """Cut before the second moment, and behind it."""
        whole = nnlab.train(self.ASKED, run_dir=tmp_path / "whole", device="cpu").run
        for event in nnlab.stream(self.ASKED, run_dir=tmp_path / "cut", device="cpu"):
            if isinstance(event, SaveDue) and event.step == 20 * stop:
                break
        nnlab.resume(tmp_path / "cut", device="cpu")
        assert digests(saved(tmp_path / "cut")) == digests(saved(whole))

    def test_probes_change_nothing(self, tmp_path: Path) -> None:
        runs = [
            nnlab.train(self.ASKED, set={"log.probes": value}, run_dir=tmp_path / name)
            for name, value in (("on", "3 steps"), ("off", "off"))
        ]
        assert digests(saved(runs[0].run)) == digests(saved(runs[1].run))

    def test_readings_of_layers_stay_finite(self, tmp_path: Path) -> None:
        summary = nnlab.train(
            self.ASKED, set={"log.probes": "5 steps"}, run_dir=tmp_path / "run", device="cpu"
        )
        for reading in summary.history:
            for key, value in reading.items():
                assert value == value, key

    def test_it_is_not_compiled_and_says_why(self, tmp_path: Path) -> None:
        asked = {**self.ASKED, "train": {**self.ASKED["train"], "epochs": 3, "compile": "on"}}
        summary = nnlab.train(asked, run_dir=tmp_path / "run", device="cpu")
        assert not summary.compiled


def test_findings_leave_frozen_layers_alone(tmp_path: Path) -> None:
    """Ten sigmoid layers from large weights: what comes back to the first ones is next to nothing,
    which is a finding where they are to learn and none where they are frozen."""
    model = {"kind": "mlp", "hidden": {"width": 8, "depth": 9}, "activation": "sigmoid"}
    asked = config(model, train={"epochs": 6})
    told = {
        name: {
            f.name
            for f in nnlab.doctor(
                nnlab.train(asked, set=change, run_dir=tmp_path / name, device="cpu"), trials=False
            ).findings
        }
        for name, change in (
            ("learning", {}),
            ("frozen", {"model.freeze": [f"hidden{i}" for i in range(1, 9)]}),
        )
    }
    assert "vanishing_gradient" in told["learning"]
    assert "vanishing_gradient" not in told["frozen"]
    assert "frozen_layers" in told["frozen"]


def test_a_network_that_is_read_back_is_whole(tmp_path: Path) -> None:
    run = nnlab.train(config({**CNN, "freeze": ["conv*"]}), run_dir=tmp_path / "run").run
    network = load_network(run)
    assert all(not module.training for module in network.modules())
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert not any(map(is_frozen, network.modules()))


BAD = [
    ({"freeze": ["conv9"]}, {}, "model.freeze.0: 'conv9' fits no layer with parameters (there are"),
    ({"freeze": ["*"]}, {}, "model.freeze: freezes every parameter, nothing is left to train"),
    ({"freeze": ["*"]}, {"*": 1}, "nothing is left to train before the first of them is"),
    ({}, {"hidden1": 1}, "fits no layer of model.freeze (frozen are none)"),
    ({"freeze": ["hidden1"]}, {"hidden2": 1}, "fits no layer of model.freeze (frozen are hidden1)"),
    ({"freeze": ["hidden1"]}, {"hidden1": 9}, "comes after the run's 40 updates"),
    ({"freeze": ["hidden1"]}, {"hidden1": 0}, "is at once (take it out of model.freeze)"),
]


@pytest.mark.parametrize(("model", "unfreeze", "told"), BAD)
def test_what_means_nothing_is_refused(
    model: dict[str, Any], unfreeze: dict[str, int], told: str
) -> None:
    asked = config({"kind": "mlp", "hidden": [4], **model}, train={"unfreeze": unfreeze})
    if "hidden2" in unfreeze:
        asked["model"]["hidden"] = [4, 4]
    with pytest.raises(ConfigError) as caught:
        experiment_of(asked)
    assert told in str(caught.value)


def test_other_rules_refuse_it() -> None:
    asked = {
        "data": "blobs",
        "model": {"kind": "linear", "freeze": ["output"]},
        "rule": "perceptron",
        "train": {"epochs": 1},
    }
    with pytest.raises(ConfigError, match=r"model.freeze: rule perceptron changes all weights"):
        experiment_of(asked)


@pytest.mark.parametrize(
    "model", [CNN, MLP, {"kind": "resnet20"}, {"kind": "vit"}], ids=lambda model: model["kind"]
)
def test_a_layers_name_means_all_that_the_layer_learns(model: dict[str, Any]) -> None:
    """In `optimizer.groups` as in `model.freeze`: its norm and the slope of its PReLU too."""
    own = {} if model["kind"] == "vit" else {"activation": "prelu"}
    design = experiment_of(config({**model, **own})).design
    names = [name for plan in design.plans for name in plan.parameters]
    for plan in design.plans:
        assert {name for name in names if fits(plan.name, name)} == set(plan.parameters)
