"""`model.layers` of mlp and cnn: what single layers have of their own."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from nnlab.commands import schema
from nnlab.config.described import fields_of
from nnlab.config.loading import Text, load_config, place_for
from nnlab.config.run_config import dump_config
from nnlab.core.contracts import DataShape, Machine
from nnlab.core.errors import ConfigError
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.settle import settle
from nnlab.models import Model
from nnlab.models.family import design_network
from nnlab.models.mlp import MlpConfig
from nnlab.models.network import build_network, initial_fills
from nnlab.parts.losses import Loss

MLP = "data: digits\nmodel:\n  kind: mlp\n  hidden: [16, 9]\n"
CNN = "data: digits\nmodel:\n  kind: cnn\n  channels: [4, 4]\n  dense: [8]\n"


def settled(text: str, *overrides: str) -> Experiment:
    config = load_config(Text(text, "f.yaml", Path.cwd(), "f"), overrides)
    return settle(config, place_for(Path.cwd()), Machine("cpu", 1))


def network(text: str, *overrides: str) -> nn.Module:
    return build_network(settled(text, *overrides).design, seed=0)


def refusal(text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        settled(text, *overrides)
    (line,) = caught.value.lines
    return line


def test_a_layer_has_its_own_activation_and_the_others_that_of_the_model() -> None:
    module = network(MLP + "  layers: {hidden2: {activation: tanh}}\n")
    assert isinstance(module.get_submodule("hidden1_activation"), nn.ReLU)
    assert isinstance(module.get_submodule("hidden2_activation"), nn.Tanh)


def test_auto_init_follows_the_activation_of_the_layer() -> None:
    found = initial_fills(settled(MLP + "  layers: {hidden2: {activation: tanh}}\n").design)
    assert found["hidden1.weight"].init.kind == "he_normal"
    assert found["hidden2.weight"].init.kind == "xavier_normal"


def test_a_layer_has_its_own_init_and_bias_init() -> None:
    own = "{init: zeros, bias_init: {kind: constant, value: 0.5}}"
    module = network(MLP + f"  layers: {{hidden1: {own}}}\n")
    assert not module.get_parameter("hidden1.weight").any()
    assert module.get_parameter("hidden1.bias").eq(0.5).all()
    assert module.get_parameter("hidden2.weight").any()
    assert not module.get_parameter("hidden2.bias").any()


def test_a_layer_can_go_without_a_bias() -> None:
    names = dict(network(MLP + "  layers: {hidden1: {bias: false}}\n").named_parameters())
    assert set(names) >= {"hidden2.bias", "output.bias"}
    assert "hidden1.bias" not in names


@pytest.mark.parametrize("text", [MLP, CNN])
def test_without_biases_nothing_comes_out_of_nothing(text: str) -> None:
    # A ReLU network without biases is positively homogeneous: f(c x) = c f(x), so f(0) = 0.
    module = network(text + "  bias: false\n  output: {bias: false}\n")
    assert not [name for name, _ in module.named_parameters() if name.endswith("bias")]
    inputs = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert not module(torch.zeros_like(inputs)).any()
    torch.testing.assert_close(module(4.0 * inputs), 4.0 * module(inputs))


def test_the_bias_of_the_hidden_layers_is_not_that_of_the_output() -> None:
    hidden = dict(network(MLP + "  bias: false\n").named_parameters())
    assert [name for name in hidden if name.endswith("bias")] == ["output.bias"]
    output = dict(network(MLP + "  output: {bias: false}\n").named_parameters())
    assert [n for n in output if n.endswith("bias")] == ["hidden1.bias", "hidden2.bias"]


def test_a_layer_has_its_own_norm_and_dropout() -> None:
    names = dict(
        network(MLP + "  layers: {hidden1: {norm: batch, dropout: 0.5}}\n").named_modules()
    )
    assert {"hidden1_norm", "hidden1_dropout"} < set(names)
    assert not {"hidden2_norm", "hidden2_dropout"} & set(names)


def test_no_dropout_of_a_layer_overrules_that_of_the_model() -> None:
    names = dict(
        network(MLP + "  dropout: 0.2\n  layers: {hidden1: {dropout: 0.0}}\n").named_modules()
    )
    assert "hidden1_dropout" not in names
    assert "hidden2_dropout" in names


def test_layers_of_a_cnn_are_called_conv_and_hidden() -> None:
    own = "{conv2: {activation: elu, init: dirac, dropout: 0.1}, hidden1: {activation: tanh}}"
    module = network(CNN + f"  layers: {own}\n")
    assert isinstance(module.get_submodule("conv2_activation"), nn.ELU)
    assert isinstance(module.get_submodule("conv2_dropout"), nn.Dropout)
    assert isinstance(module.get_submodule("hidden1_activation"), nn.Tanh)
    assert isinstance(module.get_submodule("conv1_activation"), nn.ReLU)
    torch.testing.assert_close(
        module.get_parameter("conv2.weight").sum((2, 3)).detach(), torch.eye(4)
    )


def test_convolutions_have_the_dropout_that_is_theirs_alone() -> None:
    names = dict(network(CNN + "  dropout: 0.3\n").named_modules())
    assert "hidden1_dropout" in names
    assert "conv1_dropout" not in names


def test_other_layers_begin_as_without_it() -> None:
    plain = dict(network(MLP).named_parameters())
    own = dict(network(MLP + "  layers: {hidden1: {init: zeros}}\n").named_parameters())
    for name in ("hidden2.weight", "output.weight"):
        assert torch.equal(plain[name], own[name])


@pytest.mark.parametrize(
    "layers",
    ["{hidden2: {activation: tanh}}", "{hidden1: {init: auto}}", "{hidden1: {norm: layer}}"],
)
def test_what_the_run_writes_builds_the_same_network(layers: str) -> None:
    first = settled(MLP + f"  layers: {layers}\n")
    again = settled(dump_config(first.config))
    assert again.config == first.config
    before = build_network(first.design, seed=0).state_dict()
    after = build_network(again.design, seed=0).state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.parametrize(
    "text",
    [
        MLP + "  layers: {hidden2: {activation: tanh, bias_init: {kind: constant, value: 1.0}}}\n",
        MLP + "  bias: false\n  layers: {hidden2: {bias: true}}\n  output: {bias: false}\n",
        CNN + "  bias: false\n",
        CNN + "  dropout: 0.2\n  layers: {conv2: {activation: elu, dropout: 0.1}}\n",
    ],
)
def test_the_stack_that_it_stands_for_begins_the_same(text: str) -> None:
    first = settled(text)
    stack = first.config.model.expanded(first.shape.inputs)
    second = design_network(stack, first.shape, first.loss)
    before, after = build_network(first.design, seed=0), build_network(second, seed=0)
    assert [(n, type(m)) for n, m in before.named_modules()] == [
        (n, type(m)) for n, m in after.named_modules()
    ]
    weights = after.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in before.state_dict().items())


def test_set_reaches_a_layer_by_name() -> None:
    module = network(MLP, "model.layers.hidden2.activation=tanh")
    assert isinstance(module.get_submodule("hidden2_activation"), nn.Tanh)


WRONG = [
    (
        MLP + "  layers:\n    hidden3: {init: zeros}\n",
        "f.yaml:6:5: model.layers.hidden3: there is no such layer with weights "
        "(there are hidden1, hidden2)",
    ),
    (
        CNN + "  layers: {pool1: {init: zeros}}\n",
        "f.yaml:6:12: model.layers.pool1: there is no such layer with weights "
        "(there are conv1, conv2, hidden1)",
    ),
    (
        MLP + "  layers: {output: {init: zeros}}\n",
        "f.yaml:5:12: model.layers.output: is written model.output",
    ),
    (
        MLP + "  layers: {hidden1: {nonlinearity: tanh}}\n",
        "f.yaml:5:22: model.layers.hidden1.nonlinearity: nonlinearity is called activation here",
    ),
    (
        MLP + "  layers: {hidden1: {activation: rellu}}\n",
        "f.yaml:5:34: model.layers.hidden1.activation: 'rellu' is not one of celu, elu, gelu,",
    ),
    (
        MLP + "  layers: [16, 16]\n",
        "f.yaml:5:11: model.layers: needs what single layers have of their own, such as {hidden1: ",
    ),
    (
        MLP + "  layers: {hidden2: {norm: group}}\n",
        "f.yaml:5:28: model.layers.hidden2.norm: 8 groups do not divide 9 channels",
    ),
    (
        MLP + "  layers: {hidden1: {init: {kind: given, values: [[1, 2]]}}}\n",
        "f.yaml:5:28: model.layers.hidden1.init: gives (1, 2) numbers, this layer has (16, 64)",
    ),
    (
        MLP + "  layers: {hidden2: {bias_init: {kind: given, values: [1, 2]}}}\n",
        "f.yaml:5:33: model.layers.hidden2.bias_init: gives (2,) numbers, this layer has (9,)",
    ),
    (
        MLP + "  output: {init: {kind: given, values: [1, 2]}}\n",
        "f.yaml:5:18: model.output.init: gives (2,) numbers, this layer has (10, 9)",
    ),
]


@pytest.mark.parametrize(("text", "line"), WRONG, ids=[line[:60] for _, line in WRONG])
def test_refuses_in_one_line(text: str, line: str) -> None:
    assert refusal(text).startswith(line)


WORKSHEET: dict[str, Any] = {
    "kind": "mlp",
    "hidden": (2,),
    "activation": "sigmoid",
    "layers": {
        "hidden1": {
            "init": {"kind": "given", "values": ((0.15, 0.20), (0.25, 0.30))},
            "bias_init": {"kind": "given", "values": (0.35, 0.35)},
        }
    },
    "output": {
        "activation": "sigmoid",
        "init": {"kind": "given", "values": ((0.40, 0.45), (0.50, 0.55))},
        "bias_init": {"kind": "constant", "value": 0.60},
    },
}


def worksheet(inputs: Tensor) -> Tensor:
    model: Any = TypeAdapter(Model)
    loss: Any = TypeAdapter(Loss)
    shape = DataShape((2,), "regression", 2, (), {"train": 1})
    found = design_network(
        model.validate_python(WORKSHEET), shape, loss.validate_python("quadratic")
    )
    return build_network(found, seed=0).double()(inputs.double())


def test_the_worked_example_of_backpropagation_can_be_written_by_hand() -> None:
    # Mazur 2015, "A step by step backpropagation example": outputs 0.75136507 and 0.772928465,
    # total error 0.298371109. Weights are float32 here, 1e-7.
    outputs = worksheet(torch.tensor([[0.05, 0.10]], dtype=torch.float64))
    expected = torch.tensor([[0.75136507, 0.772928465]], dtype=torch.float64)
    torch.testing.assert_close(outputs, expected, atol=1e-7, rtol=0)
    targets = torch.tensor([[0.01, 0.99]], dtype=torch.float64)
    assert 0.5 * (targets - outputs).square().sum().item() == pytest.approx(0.298371109, abs=1e-7)


def test_it_stands_in_the_menu_and_in_the_schema() -> None:
    (found,) = [field for field in fields_of(MlpConfig) if field.name == "layers"]
    assert found.type == "name -> {activation, init, bias, bias_init, norm, dropout}"
    assert found.help.startswith("What single layers have of their own")
    definition = json.loads(schema.schema_text())["$defs"]["MlpConfig"]["properties"]["layers"]
    assert "additionalProperties" in definition
