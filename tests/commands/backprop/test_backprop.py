"""`nnlab backprop`: the four equations against autograd, differences and a published worksheet."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nnlab
from nnlab.__main__ import main
from nnlab.commands.backprop.proof import LIMIT, relative_error, work_example
from nnlab.comparison.comparison import settle_first
from nnlab.config.loading import Text
from nnlab.core.errors import MistakeError
from nnlab.core.kinds import kinds_of
from nnlab.experiment.experiment import Experiment
from nnlab.models.network import build_network
from nnlab.parts.activations import Activation
from nnlab.parts.activations.textbook import SigmoidConfig
from nnlab.parts.losses import Loss

X = np.array([0.3, -0.7, 1.1])
FUNCTIONS: dict[str, Any] = {name: kind.example() for name, kind in kinds_of(Activation).items()}
# One that learns weights of its own is refused.
ACTIVATIONS = [k for k, f in FUNCTIONS.items() if f.differentiable and not f.parameters(1)]
LOSSES: dict[str, Any] = {name: kind.example() for name, kind in kinds_of(Loss).items()}
MLP = {"kind": "mlp", "hidden": [4], "activation": "tanh"}
CLASSES = {"kind": "inline", "inputs": [[0.3, -0.7, 1.1], [0, 1, 2]] * 2, "targets": [0, 1, 2, 1]}
NUMBERS = {"kind": "inline", "inputs": [[0.3, -0.7, 1.1]], "targets": [[0.3, 0.7]]}
TARGETS: dict[str, Any] = {
    "classes": 2,
    "regression": np.array([0.3, 0.7]),
    "labels": np.array([1.0, 0.0, 1.0]),
}
LABELS = "u,v,w,a,b,c\n" + "0.3,-0.7,1.1,1,0,1\n0,1,2,0,0,0\n-1,2,0.5,1,1,0\n" * 2


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Data of which an example can have several labels: a column of 0 and 1 for each."""
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    path.write_text(LABELS)
    split = {"validation": "none", "test": "none", "scale": "none"}
    target = ["a", "b", "c"]
    return {"kind": "csv", "path": str(path), "target": target, "task": "labels", **split}


def experiment(**sections: Any) -> Experiment:
    tree = {"data": CLASSES, "train": {"steps": 1, "batch_size": "full"}, **sections}
    return settle_first(Text(json.dumps(tree), "f.yaml", Path.cwd(), "f"))


def pairs() -> list[Any]:
    """Every loss with every task it takes and every output activation that it can stand behind."""
    found: list[Any] = []
    for name, loss in LOSSES.items():
        links = loss.links or ("identity", "sigmoid", "softmax", "tanh")
        found += [
            pytest.param(name, task, link, id=f"{name}-{task}-{link}")
            for task in loss.tasks
            for link in (links if not loss.link_inside else (loss.link,))
        ]
    return found


@pytest.mark.parametrize(("loss", "task", "link"), pairs())
def test_all_three_gradients_agree_for_every_loss_and_link(
    loss: str, task: str, link: str, labels: dict[str, Any]
) -> None:
    found = experiment(
        data={"classes": CLASSES, "regression": NUMBERS, "labels": labels}[task],
        model={"kind": "mlp", "hidden": [4], "activation": "tanh", "output": {"activation": link}},
        loss=LOSSES[loss].model_dump(),
    )
    assert found.shape.task == task
    assert work_example(found, X, TARGETS[task]).worst <= LIMIT


def test_delta_of_labels_is_sigmoid_minus_target_for_each_label(
    labels: dict[str, Any],
) -> None:
    # bce of K labels is K sigmoids side by side: dC/dz_k = sigmoid(z_k) - y_k.
    sheet = work_example(experiment(data=labels, model=MLP, loss="bce"), X, TARGETS["labels"])
    last = sheet.passes[-1]
    p = 1.0 / (1.0 + np.exp(-last.z))
    np.testing.assert_allclose(last.delta, p - TARGETS["labels"], rtol=1e-12)
    np.testing.assert_allclose(sheet.loss, -np.log([p[0], 1 - p[1], p[2]]).sum(), rtol=1e-12)
    assert sheet.worst <= LIMIT


def test_the_page_of_labels_shows_them_and_where_the_sigmoid_is(
    labels: dict[str, Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = tmp_path / "labels.yaml"
    config.write_text(json.dumps({"data": labels, "model": MLP, "train": {"steps": 1}}))
    assert main(["backprop", str(config)]) == 0
    text = capsys.readouterr().out
    assert "p = sigmoid(a) is part of the loss bce" in text
    assert "they agree" in text
    assert main(["backprop", str(config), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["target"]) == 3


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_all_three_gradients_agree_for_every_activation(activation: str) -> None:
    model = {"kind": "mlp", "hidden": [5, 4], "activation": activation}
    assert work_example(experiment(model=model), X, 1).worst <= LIMIT


def test_the_worksheet_has_the_published_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    # Mazur 2015, "A step by step backpropagation example": total error 0.298371109, and after one
    # step with rate 0.5 w1 0.149780716, w5 0.35891648, w8 0.561370121 (its biases do not move).
    # Data are stored in float32, so 0.05 is off by 7e-10.
    assert main(["backprop", "backprop", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["loss"] == pytest.approx(0.298371109, abs=4e-9)
    assert found["updated"]["hidden1.weight"][0][0] == pytest.approx(0.149780716, abs=4e-9)
    assert found["updated"]["output.weight"][0][0] == pytest.approx(0.35891648, abs=4e-9)
    assert found["updated"]["output.weight"][1][1] == pytest.approx(0.561370121, abs=4e-9)
    assert found["agrees"]
    assert found["largest_relative_error"] < 1e-7


def test_the_page_shows_both_passes_the_update_and_the_proof(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["backprop", "backprop"]) == 0
    text = capsys.readouterr().out
    for part in ("FORWARD", "BP1", "BP2", "BP3", "BP4", "UPDATE    sgd, lr 0.5", "they agree"):
        assert part in text
    assert "loss quadratic: 0.2983711" in text


def test_a_planted_wrong_gradient_is_found(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = SigmoidConfig.derivative

    def wrong(self: SigmoidConfig, z: Any) -> Any:
        return 1.001 * right(self, z)

    monkeypatch.setattr(SigmoidConfig, "derivative", wrong)
    assert main(["backprop", "backprop"]) == 5
    said = capsys.readouterr()
    assert said.err.startswith("backprop: the gradients of hidden1.")
    assert "they DISAGREE" in said.out


def test_a_kink_is_left_out_of_the_differences() -> None:
    # All units of the first layer are 0 here, so that those of the second stand at the kink.
    model = {
        "kind": "stack",
        "activation": "relu",
        "layers": [
            {"kind": "linear", "units": 2, "bias_init": {"kind": "constant", "value": -9.0}},
            {"kind": "linear", "units": 2},
        ],
    }
    sheet = work_example(experiment(model=model), X, 1)
    assert sheet.agrees
    assert any(one.kinks for one in sheet.agreements)


def test_shows_another_example_of_another_split(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["backprop", "iris", "--example", "3", "--split", "validation", "--json"]
    assert main(words) == 0
    assert len(json.loads(capsys.readouterr().out)["inputs"]) == 4


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["iris", "--example", "500"], "--example 500: the train split has 0 to"),
        (
            ["digits_cnn"],
            "model.channels.0 (conv): is not written out: the four equations are those",
        ),
        (["lessons/ravine"], "model (point): is not written out: the four equations are those of"),
        (["iris", "--set", "model.norm=batch"], "model.hidden.0 (linear): norm batch is not"),
        (["iris", "--set", "model.dropout=0.5"], "model.hidden.0 (linear): dropout 0.5 is not"),
        (
            ["iris", "--set", "model.activation=prelu"],
            "prelu is not written out: it learns weights",
        ),
    ],
)
def test_refuses_what_it_cannot_show_and_says_why(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backprop", *words]) == 2
    said = capsys.readouterr()
    assert line in said.err
    assert said.out == ""


@pytest.mark.parametrize("layer", [{"kind": "dropout", "p": 0.3}, {"kind": "residual"}])
def test_refuses_a_layer_of_a_stack_where_it_is_written(layer: dict[str, Any]) -> None:
    if layer["kind"] == "residual":
        layer = {**layer, "layers": [{"kind": "linear", "units": 3}]}
    model = {"kind": "stack", "layers": [{"kind": "linear", "units": 3}, layer]}
    with pytest.raises(MistakeError, match="is not written out") as found:
        work_example(experiment(model=model), X, 1)
    assert found.value.mistake.path == ("model", "layers", 1)


def test_dropout_of_nothing_is_no_dropout() -> None:
    model = {
        "kind": "stack",
        "layers": [{"kind": "linear", "units": 3}, {"kind": "dropout", "p": 0}],
    }
    assert work_example(experiment(model=model), X, 1).agrees


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "UPDATE    sgd, lr 0.5\n"),
        (["--set", "regularize.l2=0.1"], "lr 0.5 (of the loss alone: without regularize)\n"),
        (["--set", "train.clip_norm=1"], "lr 0.5 (of the loss alone: without train.clip_norm)\n"),
    ],
)
def test_says_what_the_update_leaves_out(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backprop", "backprop", *words]) == 0
    assert line in capsys.readouterr().out


def test_delta_of_a_matched_pair_is_prediction_minus_target() -> None:
    sheet = work_example(experiment(model="linear"), X, 1)
    exp = np.exp(sheet.passes[-1].z)
    np.testing.assert_allclose(sheet.passes[-1].delta, exp / exp.sum() - [0, 1, 0], rtol=1e-12)


def test_the_relative_error_ignores_rounding_noise() -> None:
    assert relative_error(np.array([1.0, 2.0]), np.array([1.0, 2.2])) == pytest.approx(0.2 / 2.2)
    assert relative_error(np.array([1e-12]), np.array([3e-12])) < 1e-6


def test_autograd_agrees_with_the_four_equations_written_out_by_hand() -> None:
    # Three sigmoid layers and the quadratic cost, in NumPy; nothing of nnlab but the network.
    made = experiment(
        data=NUMBERS,
        model={"kind": "mlp", "hidden": [4, 5], "activation": "sigmoid",
               "bias_init": {"kind": "normal", "std": 0.5}, "output": {"activation": "sigmoid"}},
        loss="quadratic",
    )  # fmt: skip
    network = build_network(made.design, seed=0).double()
    p = {name: value.detach().numpy() for name, value in network.named_parameters()}
    y, a = TARGETS["regression"], [X]
    names = ["hidden1", "hidden2", "output"]
    for name in names:
        a.append(1 / (1 + np.exp(-(p[f"{name}.weight"] @ a[-1] + p[f"{name}.bias"]))))
    outputs = network(torch.from_numpy(X[None]))
    (((outputs - torch.from_numpy(y)) ** 2).sum() / 2).backward()
    theirs = {name: value.grad for name, value in network.named_parameters()}
    delta = (a[3] - y) * a[3] * (1 - a[3])  # BP1
    for number in (2, 1, 0):
        name = names[number]
        for key, ours in (("weight", np.outer(delta, a[number])), ("bias", delta)):  # BP3, BP4
            found = theirs[f"{name}.{key}"]
            assert found is not None
            np.testing.assert_allclose(found.numpy(), ours, rtol=1e-10, atol=1e-15)
        delta = (p[f"{name}.weight"].T @ delta) * a[number] * (1 - a[number])  # BP2


def test_of_a_run_the_weights_are_those_of_its_best_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {"data": "iris", "model": {"kind": "mlp", "hidden": [5]}, "train": {"epochs": 3}}
    run = nnlab.train(config, run_dir=tmp_path / "run").run
    assert main(["backprop", str(run), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    network = nnlab.load(run).double()
    x = torch.tensor(found["inputs"], dtype=torch.float64)[None]
    target = torch.tensor(found["target"]).argmax()[None]
    loss = torch.nn.functional.cross_entropy(network(x), target)
    loss.backward()
    assert found["agrees"]
    assert found["loss"] == pytest.approx(loss.item(), rel=1e-12)
    for layer in found["layers"]:
        module: Any = network.get_submodule(layer["name"])
        assert layer["weight"] == module.weight.tolist()
        np.testing.assert_allclose(layer["weight_gradient"], module.weight.grad, rtol=1e-9)
    assert main(["backprop", str(run)]) == 0
    assert "WEIGHTS" in capsys.readouterr().out


def test_of_a_run_nothing_can_be_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {"data": "iris", "model": "linear", "train": {"epochs": 1}}
    run = nnlab.train(config, run_dir=tmp_path / "run").run
    assert main(["backprop", str(run), "--set", "loss=mse"]) == 2
    assert "give its config" in capsys.readouterr().err
