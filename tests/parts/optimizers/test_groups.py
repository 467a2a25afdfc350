"""Learning rates and weight decays of single layers and parameters."""

from typing import Any

import pytest
import torch
from torch import nn

from nnlab.parts.optimizers.adam import AdamConfig, AdamwConfig
from nnlab.parts.optimizers.descent import RpropConfig, SgdConfig
from nnlab.parts.optimizers.family import GroupedConfig, ParameterGroupConfig
from nnlab.parts.optimizers.muon import MuonConfig
from nnlab.parts.optimizers.naming import fits

SHAPES = {
    "hidden1.weight": (3, 4),
    "hidden1.bias": (3,),
    "block1.conv1.weight": (2, 1, 3, 3),
    "output.weight": (2, 3),
    "output.bias": (2,),
}


def parameters() -> list[tuple[str, nn.Parameter]]:
    generator = torch.Generator().manual_seed(0)
    return [(n, nn.Parameter(torch.rand(s, generator=generator))) for n, s in SHAPES.items()]


def rates(config: GroupedConfig) -> dict[str, tuple[float, float]]:
    """Learning rate and weight decay of each trained parameter."""
    made = parameters()
    names = {id(p): name for name, p in made}
    return {
        names[id(p)]: (float(group["lr"]), group.get("weight_decay", 0.0))
        for group in config.build(made, lr=torch.tensor(config.lr)).param_groups
        for p in group["params"]
    }


@pytest.mark.parametrize(
    ("pattern", "name", "fit"),
    [
        ("hidden1", "hidden1.weight", True),
        ("hidden1", "hidden10.weight", False),
        ("hidden1.bias", "hidden1.bias", True),
        ("hidden*", "hidden12.bias", True),
        ("*.bias", "block1.conv1.bias", True),
        ("block1", "block1.conv1.weight", True),
        ("block?.conv1", "block2.conv1.weight", True),
        ("conv*", "block1.conv1.weight", False),
        ("conv1", "conv1_norm.weight", True),
        ("block1.conv1", "block1.conv1_activation.weight", True),
        ("conv1", "conv10_norm.bias", False),
        ("conv1.weight", "conv1_norm.weight", False),
        ("conv1_norm", "conv1.weight", False),
        ("Hidden1", "hidden1.bias", False),
    ],
)
def test_a_pattern_means_a_layer_or_a_parameter(pattern: str, name: str, fit: bool) -> None:
    assert fits(pattern, name) == fit


def test_each_parameter_has_the_rate_of_the_last_group_that_says_one() -> None:
    config = SgdConfig(
        lr=0.1,
        groups={
            "*": ParameterGroupConfig(lr=0.2),
            "hidden1": ParameterGroupConfig(lr=0.3),
            "*.bias": ParameterGroupConfig(weight_decay=0.0),
            "output.bias": ParameterGroupConfig(lr=0.4),
        },
    )
    found = {name: rate for name, (rate, _) in rates(config).items()}
    assert found == pytest.approx(
        {
            "hidden1.weight": 0.3,
            "hidden1.bias": 0.3,
            "block1.conv1.weight": 0.2,
            "output.weight": 0.2,
            "output.bias": 0.4,
        }
    )


def test_weight_decay_of_a_group_falls_where_decay_says_and_on_what_is_named_in_full() -> None:
    own = {
        "output": ParameterGroupConfig(weight_decay=0.5),
        "hidden1.bias": ParameterGroupConfig(weight_decay=0.25),
    }
    found = {name: decay for name, (_, decay) in rates(AdamwConfig(groups=own)).items()}
    assert found == {
        "hidden1.weight": 0.01,
        "hidden1.bias": 0.25,
        "block1.conv1.weight": 0.01,
        "output.weight": 0.5,
        "output.bias": 0.0,
    }


@pytest.mark.parametrize(
    "config", [SgdConfig, AdamwConfig, RpropConfig, MuonConfig], ids=lambda c: c.name()
)
def test_a_rate_of_zero_freezes(config: Any) -> None:
    made = parameters()
    before = {name: p.detach().clone() for name, p in made}
    optimizer = config(groups={"hidden1.bias": ParameterGroupConfig(lr=0.0)}).build(made, lr=0.1)
    for _ in range(3):
        sum(p.square().sum() for _, p in made).backward()  # pyright: ignore
        optimizer.step()
    still = {name for name, p in made if torch.equal(p, before[name])}
    assert still == {"hidden1.bias"}
    assert {name for name, p in made if p.grad is None} == {"hidden1.bias"}


def test_a_frozen_parameter_keeps_no_state() -> None:
    frozen = AdamConfig(groups={"hidden1": ParameterGroupConfig(lr=0.0)})
    assert AdamConfig().state_size(SHAPES) - frozen.state_size(SHAPES) == 2 * 15


class TestMistakes:
    def test_a_pattern_that_fits_nothing_is_told_with_the_names_there_are(self) -> None:
        (wrong,) = SgdConfig(groups={"hiden1": ParameterGroupConfig(lr=0.1)}).mistakes(SHAPES)
        assert wrong.path == ("groups", "hiden1")
        assert wrong.at_key
        assert "hidden1.weight, hidden1.bias, block1.conv1.weight" in wrong.text

    def test_everything_frozen_is_refused(self) -> None:
        (wrong,) = SgdConfig(groups={"*": ParameterGroupConfig(lr=0.0)}).mistakes(SHAPES)
        assert "nothing to train" in wrong.text

    def test_a_weight_decay_that_no_optimizer_reads_is_refused(self) -> None:
        (wrong,) = RpropConfig(groups={"*": ParameterGroupConfig(weight_decay=0.1)}).mistakes(
            SHAPES
        )
        assert wrong.path == ("groups", "*", "weight_decay")

    def test_muon_needs_a_hidden_matrix(self) -> None:
        only_output = {"output.weight": (2, 3), "output.bias": (2,)}
        (wrong,) = MuonConfig().mistakes(only_output)
        assert "use adamw" in wrong.text


DEEP = {
    "norm0.weight": (4,),
    "conv1.weight": (2, 1, 3, 3),
    "norm1.weight": (2,),
    "block1.hidden1.weight": (3, 4),
    "block1.hidden2.weight": (3, 4),
    "block2.norm1.weight": (3,),
    "block2.hidden1.weight": (3, 4),
    "norm2.weight": (3,),
    "output.weight": (2, 3),
    "output.bias": (2,),
}


def test_layerwise_each_layer_has_a_share_of_the_rate_of_the_one_behind_it() -> None:
    shares = SgdConfig(lr=0.1, layerwise=0.5).layer_shares(DEEP)
    assert shares == {
        "norm0.weight": 0.125,
        "conv1.weight": 0.125,
        "norm1.weight": 0.125,
        "block1.hidden1.weight": 0.25,
        "block1.hidden2.weight": 0.25,
        "block2.norm1.weight": 0.5,
        "block2.hidden1.weight": 0.5,
        "norm2.weight": 0.5,
        "output.weight": 1.0,
        "output.bias": 1.0,
    }
    assert SgdConfig(lr=0.1, layerwise=0.5).layer_shares({"scale": (1,)}) == {"scale": 1.0}


@pytest.mark.parametrize("kind", [SgdConfig(), AdamwConfig(), MuonConfig(), RpropConfig()])
def test_groups_come_before_layerwise_rates(kind: GroupedConfig) -> None:
    groups = {"hidden1.bias": ParameterGroupConfig(lr=0.3)}
    config = kind.model_copy(update={"lr": 0.1, "layerwise": 0.5, "groups": groups})
    found = {name: rate for name, (rate, _) in rates(config).items()}
    assert found == pytest.approx(
        {
            "hidden1.weight": 0.025,
            "hidden1.bias": 0.3,
            "block1.conv1.weight": 0.05,
            "output.weight": 0.1,
            "output.bias": 0.1,
        }
    )


def test_an_update_is_torchs_with_these_rates() -> None:
    ours, theirs = parameters(), parameters()
    made = AdamwConfig(lr=0.1, layerwise=0.5).build(ours, lr=torch.tensor(0.1))
    shares = {"hidden1": 0.25, "block1": 0.5, "output": 1.0}
    each = [{"params": [p], "lr": 0.1 * shares[n.split(".")[0]]} for n, p in theirs]
    wanted = torch.optim.AdamW(each, weight_decay=0.0)
    decays = {id(p): g["weight_decay"] for g in made.param_groups for p in g["params"]}
    for group, (_, parameter) in zip(wanted.param_groups, ours, strict=True):
        group["weight_decay"] = decays[id(parameter)]
    for (_, a), (_, b) in zip(ours, theirs, strict=True):
        a.grad = b.grad = torch.ones_like(a)
    made.step()
    wanted.step()
    for (name, a), (_, b) in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, msg=name)
